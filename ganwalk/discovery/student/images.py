"""The images that students are fitted to: drawn block by block, kept in a file, and taken from there the next time."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.compute import parallel
from ganwalk.discovery.sketch import Sketch
from ganwalk.discovery.student.generator import inputs_of, told_apart
from ganwalk.discovery.student.reduction import Reduction, fit_reduction
from ganwalk.discovery.student.shifts import BLOCK, Shifts
from ganwalk.discovery.view import style_features
from ganwalk.errors import GanwalkError
from ganwalk.files import locked, write_bytes
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.generators.base import Generator

IMAGES_FILE = "images.safetensors"
_KEY = "ganwalk-images-1"
# Images whose principal components the coordinates are; their sketches are kept, for whoever wants fewer.
_PILOT = 16 * BLOCK
_SAVE_EVERY_SECONDS = 15.0


@dataclass(frozen=True)
class Images:
    """What a network made of the latents of `Shifts`, as a student needs it; all float32 on the CPU.

    Attributes:
        inputs: (n, d) of the student.
        sketches: (n, p) of the features, or (pilot, p); empty from files of versions that kept none beside coordinates.
        coordinates: (n, k) once there are as many; else empty.
        reduction: sketches → coordinates; None before.
        values: of the features of one image.
        captured: share of the images' variance that the coordinates hold.
    """

    inputs: Tensor
    sketches: Tensor
    coordinates: Tensor
    reduction: Reduction | None = None
    values: int = 0
    captured: float = 0.0

    def __len__(self) -> int:
        return len(self.inputs)

    def reduced(self) -> Images:
        """The same images with coordinates, whether there are enough for a pilot or not."""
        if self.reduction is not None:
            return self
        reduction = fit_reduction(self.sketches[:_PILOT])
        coordinates = reduction(self.sketches)
        captured = coordinates.square().sum() / (self.sketches - reduction.mean).square().sum().clamp_min(1e-30)
        return replace(self, coordinates=coordinates, reduction=reduction, captured=float(captured))

    def first(self, count: int) -> Images:
        """The first `count` of them, as if there had never been others, where their sketches are known."""
        fewer = replace(self, inputs=self.inputs[:count], coordinates=self.coordinates[:count])
        if count >= _PILOT or not len(self.sketches):
            return fewer
        return replace(
            fewer, sketches=self.sketches[:count], coordinates=self.coordinates[:0], reduction=None, captured=0.0
        )

    def extended(self, inputs: Tensor, sketches: Tensor, values: int) -> Images:
        """These and further ones; of sketches, those that the components are of stay."""
        joined = _joined(self.inputs, inputs)
        if self.reduction is not None:
            coordinates = torch.cat([self.coordinates, self.reduction(sketches)])
            return replace(self, inputs=joined, coordinates=coordinates)
        grown = replace(self, inputs=joined, sketches=_joined(self.sketches, sketches), values=values)
        return grown if len(joined) < _PILOT else replace(grown.reduced(), sketches=grown.sketches[:_PILOT])


def draw_images(
    generator: Generator,
    shifts: Shifts,
    count: int,
    kept: Path | None = None,
    on_images: Callable[[int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Images:
    """At least `count` images, in whole blocks: those that are kept, and newly made ones where they do not suffice.

    The same for every number of processes that share the work. A file of another network, view or range of shifts is
    replaced; one process at a time draws into it, and others wait and take what it made.

    Args:
        kept: a safetensors file; None keeps nothing.
        on_images: called with the number of images that are there.
        stop: asked before each block whether those that are there must do; not before the first.
    """
    facts = _facts(generator, shifts)
    with contextlib.ExitStack() as stack:
        if kept is not None and parallel.rank() == 0:
            kept.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(kept))
        images = parallel.shared(_load(kept, facts))
        found, blocks = len(images), -(-count // BLOCK)
        done = found // BLOCK
        sketch, saved_at = Sketch(shifts.seed), time.monotonic()
        try:
            while done < blocks and not (done and stop is not None and parallel.shared(stop())):
                together = min(parallel.processes(), blocks - done)
                inputs, sketches, values = _shared_blocks(generator, shifts, range(done, done + together), sketch)
                images = images.extended(inputs, sketches, values)
                done += together
                if on_images is not None:
                    on_images(len(images))
                if time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
                    _save(kept, images, facts)
                    saved_at = time.monotonic()
        finally:
            if len(images) > found:
                _save(kept, images, facts)
    return images.first(blocks * BLOCK) if len(images) > blocks * BLOCK else images


def _shared_blocks(generator: Generator, shifts: Shifts, blocks: range, sketch: Sketch) -> tuple[Tensor, Tensor, int]:
    """Inputs and sketches of consecutive blocks, of which each process makes one."""
    # Where there are fewer blocks than processes, the last ones make one that is not needed.
    mine = min(blocks.start + parallel.rank(), blocks.stop - 1)
    inputs, sketches, values = _block(generator, shifts, mine, sketch)
    return (
        torch.cat(parallel.gather(inputs)[: len(blocks)]),
        torch.cat(parallel.gather(sketches)[: len(blocks)]),
        values,
    )


def _block(generator: Generator, shifts: Shifts, block: int, sketch: Sketch) -> tuple[Tensor, Tensor, int]:
    """Inputs (BLOCK, d), sketches (BLOCK, p) and the number of values of one block."""
    view = shifts.view
    styles = shifts.styles(generator, block)
    rows, values = [], 0
    with torch.no_grad():
        for part in styles.split(view.chunk):
            made = style_features(generator, view, part, shifts.seed)
            values = made[0].numel()
            rows.append(sketch(made))
    sketches = torch.cat(rows)
    if not torch.isfinite(sketches).all():
        raise GanwalkError("shifted images are not finite: use a smaller --amplitude")
    return inputs_of(styles, told_apart(view, generator.num_layers)).float().cpu(), sketches, values


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Rows of both; the first may be empty, and of no width yet."""
    return torch.cat([first, second]) if len(first) else second


def _facts(generator: Generator, shifts: Shifts) -> dict[str, Any]:
    """What must agree between kept images and those that are wanted."""
    identity = generator.identity
    view = {name: value for name, value in asdict(shifts.view).items() if name != "chunk"}
    return {
        "generator": identity.sha256 + identity.interface,
        "view": {**view, "layers": None if view["layers"] is None else list(view["layers"])},
        "components": len(shifts.subspace.components),
        "reach": shifts.reach,
        "seed": shifts.seed,
    }


def _save(kept: Path | None, images: Images, facts: dict[str, Any]) -> None:
    if kept is None or parallel.rank() != 0:
        return
    from safetensors import torch as safetensors_torch

    tensors = {"inputs": images.inputs}
    if len(images.sketches):
        tensors["sketches"] = images.sketches
    if images.reduction is not None:
        tensors |= {
            "coordinates": images.coordinates,
            "mean": images.reduction.mean,
            "components": images.reduction.components,
        }
    rest = {"facts": facts, "values": images.values, "captured": images.captured}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_bytes(kept, safetensors_torch.save(contiguous, {_KEY: json.dumps(rest)}))


def _load(kept: Path | None, facts: dict[str, Any]) -> Images:
    """The kept images if they are those that are wanted; otherwise none. A file that cannot be read holds none."""
    empty = torch.empty(0, 0)
    none = Images(empty, empty, empty)
    if kept is None or not kept.exists():
        return none
    try:
        with open_tensors(kept) as file:
            rest = json.loads(file.metadata[_KEY])
            if rest["facts"] != facts:
                return none
            tensors = {name: file.read(name) for name in file.entries}
        reduction = Reduction(tensors["mean"], tensors["components"]) if "mean" in tensors else None
        images = Images(
            tensors["inputs"],
            tensors["sketches"] if reduction is None else tensors.get("sketches", empty),
            empty if reduction is None else tensors["coordinates"],
            reduction,
            int(rest["values"]),
            float(rest["captured"]),
        )
        lengths = {len(images.inputs), len(images.sketches if reduction is None else images.coordinates)}
        sound = len(lengths) == 1 and len(images) % BLOCK == 0 and images.inputs.ndim == 2
        sound &= reduction is None or len(images.sketches) in (0, _PILOT)
        sound &= all(tensor.dtype == torch.float32 for tensor in tensors.values())
        return images if sound and all(torch.isfinite(tensor).all() for tensor in tensors.values()) else none
    except (OSError, TensorFileError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return none
