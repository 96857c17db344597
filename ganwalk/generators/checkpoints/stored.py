"""What readers of checkpoints ask of the tensors in a file: names, shapes, and all of them in memory within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.inert.tensors import MAX_REPEATED, StoredTensor

# Where checkpoints keep their generator, the averaged one first.
GENERATORS = ("G_ema", "g_ema", "generator_ema", "generator_smooth", "netG_ema", "G", "g", "generator", "netG", "model")
# No network has more tensors, and none so large a one: each is in memory twice while it is read.
MAX_TENSORS = 20_000
_MAX_VALUES = 2**26
# Bytes that float32 tensors may take beyond twice those stored.
MAX_WIDENED = 2**28


def state_dict(*candidates: Any) -> dict[str, Any] | None:
    """The first dict with text keys, without the "module." that torch's data parallelism puts before; or None."""
    for state in candidates:
        if isinstance(state, dict) and state and all(isinstance(name, str) for name in state):
            wrapped = all(name.startswith("module.") for name in state)
            return {name.removeprefix("module."): entry for name, entry in state.items()} if wrapped else state
    return None


def state_with(marks: Sequence[str], *candidates: Any) -> dict[str, Any] | None:
    """The first dict that holds all these names, perhaps behind a prefix (such as "module.decoder."), which goes.

    Where a dict holds them behind several prefixes, that of an average ("ema") comes first.
    """
    for state in candidates:
        if not isinstance(state, dict):
            continue
        names = [name for name in state if isinstance(name, str) and f".{name}".endswith(f".{marks[0]}")]
        prefixes = [name.removesuffix(marks[0]) for name in names]
        fitting = [prefix for prefix in prefixes if all(prefix + mark in state for mark in marks)]
        if fitting:
            prefix = min(fitting, key=lambda prefix: "ema" not in prefix)
            below = [name for name in state if isinstance(name, str) and name.startswith(prefix)]
            return {name.removeprefix(prefix): state[name] for name in below}
    return None


def generator_state(marks: Sequence[str], value: Any) -> dict[str, Any] | None:
    """`state_with` of a checkpoint: the state of a generator in a dict of networks, an average first, or alone."""
    if not isinstance(value, dict):
        return None
    return state_with(marks, *(value.get(name) for name in GENERATORS), value)


def nested_dicts(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The dicts in a dict, those of an average first, each once: a file can hold one dict under very many names."""
    nested = {name: entry for name, entry in value.items() if isinstance(name, str) and isinstance(entry, dict)}
    ordered = sorted(nested, key=lambda name: "ema" not in name.lower())
    return list({id(nested[name]): nested[name] for name in ordered}.values())


def named_tensors(state: Any) -> dict[str, StoredTensor]:
    """A state dict of tensors only; GanwalkError if there is something else in it."""
    if not isinstance(state, dict) or not all(isinstance(entry, StoredTensor) for entry in state.values()):
        raise GanwalkError("is damaged: its generator holds something that is no tensor")
    return state


def shape_of(stored: Mapping[str, StoredTensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of a tensor by name; GanwalkError unless it is there and has that many dimensions."""
    tensor = stored.get(name)
    if tensor is None or tensor.ndim != dimensions:
        raise GanwalkError(f"is damaged: {name} is missing or has not {dimensions} dimensions")
    return tensor.shape


def load_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """All of them in memory as float32, under the same names.

    Raises:
        GanwalkError: they are more or larger than any generator's, or share their values so often that they would take
            far more memory than the file does.
    """
    if len(stored) > MAX_TENSORS:
        raise GanwalkError(f"is damaged: it holds more than {MAX_TENSORS} tensors")
    sizes = {
        id(storage.origin or storage): storage.count * storage.dtype.itemsize
        for storage in (tensor.storage for tensor in stored.values())
    }
    values = [max(tensor.numel(), tensor.span) for tensor in stored.values()]
    if max(values, default=0) > _MAX_VALUES:
        raise GanwalkError(f"is damaged: one of its tensors has more than {_MAX_VALUES} values")
    kinds = [tensor.storage.dtype.itemsize for tensor in stored.values()]
    wanted = sum(count * size for count, size in zip(values, kinds, strict=True))
    there = 2 * sum(sizes.values())
    # Bytes become float32, too.
    if wanted > max(there, 4 * MAX_REPEATED) or 4 * sum(values) > there + MAX_WIDENED:
        raise GanwalkError("is damaged: its tensors are many times larger than what is stored")
    return {name: tensor.load().float() for name, tensor in stored.items()}
