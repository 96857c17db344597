"""What all pages share: the generator, the directions of both sides, their scores, and how pictures are made."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, walk
from ganwalk.directions.files import save_label
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.explore.arrivals import Projector, check_walkable
from ganwalk.explore.shelf import Shelf
from ganwalk.explore.sides import Side
from ganwalk.explore.state import State, drawn_at_first
from ganwalk.generators.base import device_of, sample_labels, sample_z
from ganwalk.generators.preview import FAITHFUL, Preview, fit_preview
from ganwalk.rendering.images import from_bytes, traverse
from ganwalk.samples import Samples, StoredSamples

# Seconds for an image, beyond which dragging a slider shows previews.
_SLOW = 0.15
# Of pictures that are kept, in bytes: undoing, and the side that did not change, cost nothing.
_KEPT = 2**27
# What a picture takes beside its pixels: of small ones, there are many.
_KEY = 2**10


class Studio:
    """One generator and one or two sets of directions in it, for any number of pages.

    Args:
        generator: from `load_directions_generator`, on its device.
        sides: A's directions, and B's if there is a comparison.
        preview: small pictures while a slider moves: "always", "never", or "auto" for slow generators only, if they
            resemble its pictures.
        batch: images synthesised at once.
        on_progress: called with images done and images in all while previews are fitted.
        generator_options: of commands that load this generator again, where the directions file does not say how.
        latents: shown at first instead of seeds.
        shelf: of another studio with the same generator, to go on with.
    Raises:
        GanwalkError: the directions do not fit the generator, or cannot shift the latents.
    """

    def __init__(
        self,
        generator: Any,
        sides: list[Side],
        *,
        preview: str = "auto",
        batch: int = 8,
        on_progress: Callable[[int, int], None] | None = None,
        generator_options: Sequence[str] = (),
        latents: StoredSamples | None = None,
        shelf: Shelf | None = None,
    ):
        for side in sides:
            side.directions.check(generator)
        self.generator, self.sides, self.batch = generator, sides, batch
        self.generator_options = tuple(generator_options)
        if latents is not None:
            check_walkable(latents, self.directions)
        # What pages show besides seeds.
        self.given, self.projector = latents, Projector(generator)
        self.shelf = Shelf() if shelf is None else shelf
        self.truncates = _truncates(generator)
        # Those that have a style of their own: what truncation and moves can be limited to.
        self.styled_layers = generator.num_layers if generator.style_based else 1
        self._kept: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._kept_bytes = 0
        self.preview: Preview | None = None
        # What a page shows first: whatever is tried out on whole images is tried out on these.
        self._first = drawn_at_first(self.directions, generator.c_dim)
        self.seconds = self._time_of_an_image()
        if preview == "always" or (preview == "auto" and self.seconds > _SLOW):
            fitted = fit_preview(
                generator,
                samples=len(self._first),
                seed=self._first.seeds[0],
                class_index=self._first.class_index,
                image_of=self._image,
                on_progress=on_progress,
            )
            if fitted is not None and (preview == "always" or fitted.fit >= FAITHFUL):
                self.preview = fitted
        # Grows with every change that other pages should show too.
        self.version = 0

    @property
    def directions(self) -> tuple[Directions, ...]:
        """The directions of each side."""
        return tuple(side.directions for side in self.sides)

    def pictures(
        self, state: State, *, small: bool = False, check: Callable[[], None] | None = None
    ) -> list[list[np.ndarray]]:
        """Pixels (h, w, 3) of every sample, for each side.

        Args:
            small: previews, where there are any, of what there is no whole picture of yet.
            check: called before each image is made; what it raises ends the work.
        """
        small = small and self.preview is not None
        return [self._row(side, state, small, check) for side in range(len(self.sides))]

    def _row(self, side: int, state: State, small: bool, check: Callable[[], None] | None) -> list[np.ndarray]:
        """Pixels of every sample for one side. Previews are made together: one by one, they take a third longer."""
        moves = moves_of(state.edits[side])
        samples: list[Samples] = list(state.samples)
        generator: Any = self.preview if small else self.generator
        directions = self.sides[side].directions
        row: dict[int, np.ndarray] = {}
        for k, sample in enumerate(samples):
            # A whole picture that is there already is better than a preview.
            for key in (_key(side, moves, sample, size) for size in ((False, True) if small else (False,))):
                if k not in row and key in self._kept:
                    self._kept.move_to_end(key)
                    row[k] = self._kept[key]
        missing = [k for k in range(len(samples)) if k not in row]
        for group in filter(None, [missing] if small else [[k] for k in missing]):
            if check is not None:
                check()
            chosen = state.samples.select(group)
            made = traverse(generator, directions, moves, [1.0], chosen, batch=self.batch)[:, 0]
            for k, picture in zip(group, made, strict=True):
                # A copy: kept as a part, it would keep the others in memory, too.
                row[k] = picture.copy()
                self._keep(_key(side, moves, samples[k], small), row[k])
        return [row[k] for k in range(len(samples))]

    def _keep(self, key: Any, picture: np.ndarray) -> None:
        if key not in self._kept:
            self._kept_bytes += picture.nbytes + _KEY
        self._kept[key] = picture
        while self._kept_bytes > _KEPT:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes + _KEY

    def _image(self, seed: int) -> Tensor:
        """The image (1, 3, h, w) that a page shows of a seed at first."""
        pixels = self._row(0, State(replace(self._first, seeds=(seed,))), False, None)[0]
        return from_bytes(pixels[None]).to(device_of(self.generator))

    def latents(self, state: State, side: int) -> np.ndarray:
        """Styles (len(state.samples), num_layers, w_dim) of the edited samples: what the synthesis is given."""
        directions, edit, one = self.sides[side].directions, state.edits[side], torch.ones(1)
        with torch.no_grad():
            rows = [walk(self.generator, directions, edit, sample, one)[:, 0] for sample in state.samples]
        return torch.cat(rows).float().cpu().numpy()

    def label(self, side: int, index: int, label: Label) -> None:
        """Gives a direction a label, in its file if it has one.

        Raises:
            GanwalkError: the name is taken, or the file cannot be written.
        """
        shown = self.sides[side]
        if shown.path is None:
            shown.directions = shown.directions.labelled(index, label)
        else:
            device = shown.directions.vectors.device
            shown.directions = save_label(shown.path, index, label, shown.directions.fingerprint()).to(device)
        self.version += 1

    def measure(self, side: int, on_progress: Callable[[str, float], None]) -> str | None:
        """Scores the directions of a side, and keeps the scores beside their file, as `ganwalk evaluate` does.

        Returns:
            What somebody should know, if scores that are there already stay in their place.
        """
        from ganwalk.evaluation import evaluate
        from ganwalk.evaluation.outputs import write_outputs
        from ganwalk.evaluation.stored import check_other_scores, evaluation_beside

        shown = self.sides[side]
        evaluation = evaluate(self.generator, shown.directions, on_progress=on_progress, reconstructor=False)
        # First: they are there, whether or not they can be written.
        shown.scores = evaluation.to_json()
        self.version += 1
        if shown.path is None:
            return None
        target = evaluation_beside(shown.path)
        try:
            check_other_scores(target, shown.directions, evaluation.settings, self.generator)
        except GanwalkError:
            return f"these scores are shown here only: {target} holds others"
        write_outputs(evaluation, target.parent)
        return None

    def closest(self, side: int, index: int) -> tuple[int, float] | None:
        """The direction of the other side with the largest |cosine|, and that; None without one in the same space."""
        if len(self.sides) < 2:
            return None
        ours, others = self.sides[side].directions, self.sides[1 - side].directions
        if ours.space != others.space:
            return None
        cosines = (others.rows @ ours.rows[index]).abs()
        best = int(cosines.argmax())
        return best, float(cosines[best])

    def _time_of_an_image(self) -> float:
        """Seconds for one image, the second one: the first pays for whatever is set up once."""
        seconds = 0.0
        for seed in self._first.seeds[:2]:
            began = time.perf_counter()
            self._image(seed)
            seconds = time.perf_counter() - began
        return seconds


def _truncates(generator: Any) -> bool:
    """Whether samples can be truncated: ProGAN's cannot."""
    try:
        with torch.no_grad():
            generator.mapping(sample_z(generator, 1, 0), sample_labels(generator, 1, None, 0), truncation_psi=0.5)
    except GanwalkError:
        return False
    return True


def _key(side: int, moves: Sequence[Move], sample: Samples, small: bool) -> tuple[Any, ...]:
    """By which a picture is kept: where nothing is walked, the sides agree."""
    return (side if moves else -1, tuple(moves), sample, small)


def moves_of(edit: tuple[Move, ...]) -> list[Move]:
    """The moves of an edit that go anywhere."""
    return [move for move in edit if move.amplitude]
