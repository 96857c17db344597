"""What one discovery and its searches know of one another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwalk.discovery.checkpointing import fingerprint
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.learned.training import Training
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.results import Basis, DiscoveryResult, as_directions
from ganwalk.discovery.settings import OBLIQUE_TOO, DiscoverySettings
from ganwalk.discovery.student.search import OnPhase
from ganwalk.discovery.subspace import Subspace
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss


@dataclass(frozen=True)
class Run:
    """What the parts of one discovery share; see `run_discovery`."""

    generator: Generator
    settings: DiscoverySettings
    loss: RTDLoss
    timing: Timing
    started: float
    checkpoint: Path | None
    resume: bool
    images: Path | None
    on_step: Callable[[Progress | Training], None] | None
    on_phase: OnPhase
    on_early: Callable[[DiscoveryResult], object] | None
    reader: FactorReader | None

    def out_of(self, share: float) -> Callable[[], bool] | None:
        """Asks whether a share of the budget is spent; None without a budget."""
        budget = self.settings.budget
        return None if budget is None else lambda: time.monotonic() - self.started > share * budget

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.settings, self.generator.identity)

    def sharing(self, phase: str) -> Callable[[float], None]:
        """Takes the share of a phase that is done."""
        return lambda share: self.on_phase(phase, share, "")

    def result(self, subspace: Subspace, found: Basis, **search: Any) -> DiscoveryResult:
        """The result of a basis, and what is known of its search: further fields of `DiscoveryResult`."""
        settings = self.settings
        oblique = method_of(settings.method).oblique or (settings.oblique and settings.method in OBLIQUE_TOO)
        return DiscoveryResult(
            directions=as_directions(self.generator, settings, found, oblique=oblique),
            bases=(found,),
            explained=subspace.explained,
            settings=settings,
            timing=self.timing,
            **search,
        )
