"""What all pages share: the generator, the directions of both sides, their scores, and how pictures are made."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ganwalk.directions import Directions, save_label
from ganwalk.edits import Move, walk
from ganwalk.errors import GanwalkError
from ganwalk.explore.sides import Side
from ganwalk.explore.state import State
from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.preview import Preview, fit_preview
from ganwalk.labels import Label
from ganwalk.rendering.images import traverse
from ganwalk.samples import DrawnSamples, Samples

# Seconds for an image, beyond which dragging a slider shows previews.
_SLOW = 0.15
# Least R² of previews that are shown without having been asked for.
_FAITHFUL = 0.5
# Of pictures that are kept, in bytes: undoing, and the side that did not change, cost nothing.
_KEPT = 2**27


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
    Raises:
        GanwalkError: the directions do not fit the generator.
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
    ):
        for side in sides:
            side.directions.check(generator)
        self.generator, self.sides, self.batch = generator, sides, batch
        self.generator_options = tuple(generator_options)
        self.truncates = _truncates(generator)
        # Those that have a style of their own: what truncation and moves can be limited to.
        self.styled_layers = generator.num_layers if generator.style_based else 1
        self._kept: OrderedDict[Any, np.ndarray] = OrderedDict()
        self.seconds = self._time_of_an_image()
        self.preview: Preview | None = None
        if preview == "always" or (preview == "auto" and self.seconds > _SLOW):
            fitted = fit_preview(generator, on_progress=on_progress)
            if fitted is not None and (preview == "always" or fitted.fit >= _FAITHFUL):
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
            small: previews, where there are any.
            check: called before each image is made; what it raises ends the work.
        """
        return [
            [self._picture(side, sample, state, small and self.preview is not None, check) for sample in state.samples]
            for side in range(len(self.sides))
        ]

    def _picture(
        self, side: int, sample: Samples, state: State, small: bool, check: Callable[[], None] | None
    ) -> np.ndarray:
        moves = moves_of(state.edits[side])
        # Where nothing is walked, the sides agree.
        key = (side if moves else -1, tuple(moves), sample, small)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if check is not None:
            check()
        generator: Any = self.preview if small else self.generator
        directions = self.sides[side].directions
        picture = traverse(generator, directions, moves, [1.0], sample, batch=self.batch)[0, 0]
        self._kept[key] = picture
        while sum(kept.nbytes for kept in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)
        return picture

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

    def measure(self, side: int, on_progress: Callable[[str, float], None]) -> None:
        """Scores the directions of a side, and keeps the scores beside their file, as `ganwalk evaluate` does."""
        from ganwalk.evaluation import evaluate
        from ganwalk.evaluation.outputs import write_outputs

        shown = self.sides[side]
        evaluation = evaluate(self.generator, shown.directions, on_progress=on_progress, reconstructor=False)
        if shown.path is not None:
            write_outputs(evaluation, shown.path.parent)
        shown.scores = evaluation.to_json()
        self.version += 1

    def closest(self, side: int, index: int) -> tuple[int, float] | None:
        """The direction of the other side with the largest |cosine|, and that; None where there is no other side."""
        if len(self.sides) < 2:
            return None
        ours, others = self.sides[side].directions, self.sides[1 - side].directions
        if ours.space != others.space:
            return None
        cosines = (others.vectors @ ours.vectors[index]).abs()
        best = int(cosines.argmax())
        return best, float(cosines[best])

    def _time_of_an_image(self) -> float:
        """Seconds for one image, the second one: the first pays for whatever is set up once."""
        seconds = 0.0
        for _ in range(2):
            began = time.perf_counter()
            traverse(self.generator, self.sides[0].directions, [], [0.0], DrawnSamples((0,)), batch=1)
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


def moves_of(edit: tuple[Move, ...]) -> list[Move]:
    """The moves of an edit that go anywhere."""
    return [move for move in edit if move.amplitude]
