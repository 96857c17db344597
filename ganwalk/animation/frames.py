"""The frames of an animation, a batch at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganwalk.animation.pace import PARTS, measure_pace
from ganwalk.animation.settings import AnimationSettings
from ganwalk.animation.timeline import Moment, Pace, count_transitions, is_closed, moments
from ganwalk.animation.ways import Way, cutoff_at, is_style, way_through
from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, walk
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.pictures.sheets import fitted, resize
from ganwalk.rendering.images import to_bytes
from ganwalk.samples import Samples


@dataclass(frozen=True)
class Walk:
    """What is walked at every keyframe.

    Attributes:
        directions: of the edit.
        edit: its whole length.
        there_and_back: from 0 to the edit, to its negative and back; otherwise to the edit and back only.
    """

    directions: Directions
    edit: Sequence[Move]
    there_and_back: bool = True


@dataclass(frozen=True)
class Animation:
    """A way through keyframes, with a walk at each of them if there is one.

    Attributes:
        generator: of the images.
        keyframes: each of them one sample, without truncation of its own.
        settings: as they were given, or resolved.
        walk: at every keyframe; None just goes on.
        cutoff: truncate only so many first layers; None truncates all.
        batch: images synthesised at once, and frames in memory.
    Raises:
        GanwalkError: on construction, if a keyframe, the settings or the walk do not fit the generator or one another.
    """

    generator: Generator
    keyframes: Sequence[Samples]
    settings: AnimationSettings
    walk: Walk | None = None
    cutoff: int | None = None
    batch: int = 8

    def __post_init__(self) -> None:
        if not self.keyframes or self.batch < 1:
            raise GanwalkError("an animation needs at least one keyframe, and a batch of one")
        codes = not any(map(is_style, self.keyframes))
        settings = self.settings.resolve(self.generator, codes=codes, walks=self.walk is not None)
        object.__setattr__(self, "settings", settings)
        for keyframe in self.keyframes:
            keyframe.check(self.generator)
        if self.walk is not None:
            self.walk.directions.check(self.generator)
            # What cannot be walked is told now, and not when the animation is half done.
            first = self.keyframes[0] if codes else next(filter(is_style, self.keyframes))
            with torch.no_grad():
                walk(self.generator, self.walk.directions, self.walk.edit, first, torch.zeros(1))
        moments(len(self.keyframes), settings, walks=self.walk is not None)

    @property
    def closed(self) -> bool:
        """Whether the end joins the beginning."""
        return is_closed(len(self.keyframes), self.settings.loop, self.walk is not None)

    @property
    def transitions(self) -> int:
        """Ways from a keyframe to another."""
        return count_transitions(len(self.keyframes), self.closed)

    @property
    def frames(self) -> int:
        """How many there will be, but for what an even pace rounds."""
        return len(self._moments_at(None))

    @property
    def images(self) -> int:
        """What has to be synthesised, likewise."""
        measured = PARTS * self.transitions + 1 if self._measures else 0
        return self.frames + measured

    def fingerprint(self, suffix: str) -> str:
        """What must agree between an animation that stopped and the one that continues, as JSON.

        Args:
            suffix: of the file's name.
        """
        identity = self.generator.identity
        walked = None
        if self.walk is not None:
            moves = [asdict(move) for move in self.walk.edit]
            walked = {"directions": self.walk.directions.fingerprint(), "moves": moves}
        facts = {
            "generator": identity.sha256 + identity.interface,
            "keyframes": hashlib.sha256(repr(tuple(self.keyframes)).encode()).hexdigest(),
            "walk": walked,
            "truncation-cutoff": self.cutoff,
            "format": suffix,
            "batch": self.batch,
        }
        return json.dumps({**facts, **asdict(self.settings)}, sort_keys=True)

    def plan(self, on_images: Callable[[int], None] | None = None) -> Plan:
        """What every frame shows, and the way there; measures the way for an even pace.

        Args:
            on_images: hears how many images were made for that.
        """
        settings = self.settings
        assert settings.interpolation is not None
        way = way_through(
            self.generator,
            self.keyframes,
            settings.interpolation,
            closed=self.closed,
            ends=settings.truncation,
            cutoff=self.cutoff,
        )
        if not self._measures:
            return Plan(self, way, self._moments_at(None))
        psi = sum(settings.truncation) / 2

        def images_at(positions: Sequence[float]) -> Tensor:
            return self.generator.synthesis(way.styles(positions, [psi] * len(positions)))

        pace = measure_pace(images_at, self.transitions, batch=self.batch, on_images=on_images)
        return Plan(self, way, self._moments_at(pace))

    @property
    def _measures(self) -> bool:
        return self.settings.pace == "even" and self.transitions > 0

    def _moments_at(self, pace: Pace | None) -> list[Moment]:
        there_and_back = self.walk is None or self.walk.there_and_back
        return moments(
            len(self.keyframes),
            self.settings,
            walks=self.walk is not None,
            there_and_back=there_and_back,
            pace=pace,
        )


@dataclass(frozen=True)
class Plan:
    """The frames of an animation, to be made.

    Attributes:
        animation: whose they are.
        way: through its keyframes.
        moments: what each frame shows.
    """

    animation: Animation
    way: Way
    moments: Sequence[Moment]

    def __len__(self) -> int:
        return len(self.moments)

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames (height, width, 3), uint8, of a part of the animation.

        Numbers of a picture may differ in the last bits with the batch that it is in: parts that begin at a multiple of
        the batch are the same, whatever else is made.
        """
        animation = self.animation
        larger = animation.settings.size
        assert larger is not None
        size = fitted(animation.generator.image_size, larger)
        if larger % 2 == 0:
            # Codecs ask for even sides.
            size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        for first in range(start, stop, animation.batch):
            for picture in self._pixels(self.moments[first : min(stop, first + animation.batch)]):
                yield np.asarray(resize(picture, size))

    def _pixels(self, part: Sequence[Moment]) -> np.ndarray:
        """Pixels (n, h, w, 3) of some moments."""
        synthesis, walked = self.animation.generator.synthesis, self.animation.walk
        # By themselves: the styles of a walk may have another form than those of the way.
        off = [k for k, one in enumerate(part) if one.fraction]
        on = [k for k, one in enumerate(part) if not one.fraction]
        made = []
        with torch.no_grad():
            if on:
                styles = self.way.styles([part[k].position for k in on], [part[k].psi for k in on])
                made.append(to_bytes(synthesis(styles)))
            if off:
                assert walked is not None
                made.append(to_bytes(synthesis(torch.stack([self._walked(walked, part[k]) for k in off]))))
        return np.concatenate(made)[np.argsort([*on, *off])]

    def _walked(self, walked: Walk, moment: Moment) -> Tensor:
        """The styles of a moment at a keyframe."""
        animation = self.animation
        keyframe: Any = animation.keyframes[int(moment.position)]
        if not is_style(keyframe):
            cutoff = cutoff_at(moment.psi, animation.cutoff)
            keyframe = replace(keyframe, truncation_psi=moment.psi, truncation_cutoff=cutoff)
        fractions = torch.tensor([moment.fraction], dtype=torch.float32)
        return walk(animation.generator, walked.directions, walked.edit, keyframe, fractions)[0, 0]
