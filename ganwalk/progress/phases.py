"""What long work consists of, and how long each part should take: for progress bars and announcements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A part of some work: its name, and the seconds that it should take here, roughly."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Phases:
    """The parts of some work in their order."""

    phases: Sequence[Phase]

    @property
    def seconds(self) -> float:
        """Of everything."""
        return sum(phase.seconds for phase in self.phases)

    def share(self, name: str, share: float) -> float:
        """The share of everything that is done when this share of a phase is; 0 for a phase that is not among them."""
        before = 0.0
        for phase in self.phases:
            if phase.name == name:
                return min(1.0, (before + share * phase.seconds) / max(self.seconds, 1e-9))
            before += phase.seconds
        return 0.0
