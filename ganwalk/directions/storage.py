"""A directions file: safetensors with everything else as metadata, and how it is read without trusting its writer."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from ganwalk.directions.artifact import Directions
from ganwalk.directions.labels import Label
from ganwalk.directions.reach import Reach
from ganwalk.errors import GanwalkError
from ganwalk.files import DIRECTIONS_KEY, check_regular, write_bytes
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.options.records import as_tuples, build_record

_MAX_VALUES = 2**26
# Of directions and of what they are made of: as many labels are read.
_MAX_AXIS = 2**16
# Of files in which each direction has layers of its own: what knows nothing of them refuses "layers" that hold this.
_EACH = "each"


def save_directions(directions: Directions, path: Path | str) -> None:
    """See `Directions.save`."""
    from safetensors import torch as safetensors_torch

    tensors = {"vectors": directions.vectors, "scales": directions.scales}
    if directions.effects is not None:
        tensors["effects"] = directions.effects
    if directions.reach is not None:
        tensors |= {"reach": directions.reach.ends, "pace": directions.reach.pace}
    facts: dict[str, Any] = {
        "space": directions.space,
        "layers": {_EACH: directions.own_layers} if directions.own_layers else directions.layers,
        "generator": asdict(directions.generator),
        "method": directions.method,
        "settings": directions.settings,
        "seed": directions.seed,
        "version": directions.version,
    }
    if directions.oblique:
        facts["oblique"] = True
    if directions.channels:
        facts["channels"] = directions.channels
    if directions.reach is not None:
        facts["reach"] = {"limit": directions.reach.limit, "share": directions.reach.share}
    if directions.created:
        facts["created"] = directions.created
    if any(label != Label() for label in directions.labels):
        facts["labels"] = [asdict(label) for label in directions.labels]
    try:
        # One key: safetensors writes several in random order, and equal results should be equal files.
        metadata = {DIRECTIONS_KEY: json.dumps(facts, allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise GanwalkError(f"the settings of directions must be JSON: {error}") from error
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors_torch.save(contiguous, metadata))


def load_directions(path: Path | str) -> Directions:
    """See `Directions.load`."""
    path = Path(path)
    if path.is_dir():
        raise GanwalkError(f"{path} is a folder: give the directions.safetensors in it")
    check_regular(path)
    try:
        with open_tensors(path) as file:
            metadata = file.metadata
            if DIRECTIONS_KEY not in metadata:
                raise GanwalkError(f"{path} {_what_else(path)}")
            tensors = {}
            for name in ("vectors", "scales", "effects", "reach", "pace"):
                if (entry := file.entries.get(name)) is not None:
                    large = entry.size > 4 * _MAX_VALUES or max(entry.shape, default=0) > _MAX_AXIS
                    if large or entry.kind != "F32":
                        kind = f"{entry.kind} of shape {list(entry.shape)}"
                        raise GanwalkError(f"{path} is damaged: {name} are {kind}")
                    tensors[name] = file.read(name)
        facts = json.loads(metadata[DIRECTIONS_KEY])
    except FileNotFoundError:
        raise GanwalkError(f"{path} does not exist: run ganwalk discover first, or check the path") from None
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except TensorFileError as error:
        raise GanwalkError(f"{path} {_what_else(path)}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, GanwalkError):
            raise
        raise GanwalkError(f"{path} is damaged: its description cannot be read") from error
    try:
        return _assemble(tensors, facts)
    except GanwalkError as error:
        raise GanwalkError(f"{path} is damaged: {error}") from error
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise GanwalkError(f"{path} is damaged: its description cannot be read") from error


def _what_else(path: Path) -> str:
    """The rest of a line about a file that `Directions.save` did not write."""
    from ganwalk.generators.checkpoints import checkpoint_format

    found = checkpoint_format(path)
    if found is not None:
        return f"is a checkpoint ({found}), not directions: give it as --generator"
    return "is not a directions file, or a damaged one: make one with ganwalk discover, or from other files with import"


def _assemble(tensors: dict[str, Tensor], facts: Any) -> Directions:
    """Directions from the contents of a file, whose types are whatever its writer liked."""
    identity = GeneratorIdentity(**facts["generator"])
    for entry in fields(identity):
        value = getattr(identity, entry.name)
        if type(value) is not (int if entry.name == "resolution" else str):
            raise GanwalkError(f"the generator's {entry.name} is {value!r:.40}")
    if re.fullmatch(r"([1-9][0-9]{0,5}×[1-9][0-9]{0,5})?", identity.image_size) is None:
        raise GanwalkError(f"the generator's image_size is {identity.image_size!r:.40}")
    layers, own_layers = _layers(facts["layers"])
    return Directions(
        vectors=tensors["vectors"],
        scales=tensors["scales"],
        space=str(facts["space"]),
        generator=identity,
        layers=layers,
        method=str(facts["method"]),
        settings=dict(facts["settings"]),
        seed=int(facts["seed"]),
        version=str(facts["version"]),
        created=str(facts.get("created", "")),
        effects=tensors.get("effects"),
        labels=_labels(facts.get("labels", [])),
        oblique=facts.get("oblique", False) is True,
        own_layers=own_layers,
        channels=as_tuples(facts.get("channels", [])),
        reach=_reach(tensors, facts),
    )


def _reach(tensors: dict[str, Tensor], facts: Any) -> Reach | None:
    if "reach" not in tensors:
        return None
    how = facts["reach"]
    return Reach(tensors["reach"], tensors["pace"], limit=float(how["limit"]), share=float(how["share"]))


def _layers(entry: Any) -> tuple[Any, tuple[Any, ...]]:
    """Layers of all, and of each direction where they have their own."""
    if not isinstance(entry, dict):
        return as_tuples(entry), ()
    each = entry.get(_EACH)
    if not isinstance(each, list) or not each:
        raise GanwalkError("its layers are no list with those of each direction")
    return None, tuple(map(as_tuples, each))


def _labels(entries: Any) -> tuple[Label, ...]:
    known = isinstance(entries, list) and len(entries) <= _MAX_AXIS
    if not known or not all(isinstance(entry, dict) for entry in entries):
        raise GanwalkError("its labels are no list of descriptions")
    return tuple(build_record(Label, entry) for entry in entries)
