"""Steps that outlive an interruption: with checkpoints, to their end, to that of a budget, or to Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable

from ganwalk.discovery.checkpointing import Polishing, save_checkpoint
from ganwalk.discovery.learned.training import Training
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.optimisation import Progress, optimise
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace

_SAVE_EVERY_SECONDS = 5.0
# Share of a budget after which the steps end: scores follow.
BUDGET_STEPS = 0.75


def run_steps(
    run: Run,
    phase: str,
    settings: DiscoverySettings,
    subspace: Subspace,
    progress: Progress,
    polishing: Polishing | None = None,
) -> str:
    """Runs an optimisation on the generator; returns what ended it early, as `run_guarded`."""
    make = method_of(settings.method).objective
    assert make is not None and settings.steps is not None
    objective = make(run.generator, settings, run.loss)

    def work(after_step: Callable[[Progress | Training], None]) -> None:
        optimise(
            run.generator,
            settings,
            subspace,
            objective,
            progress,
            timing=run.timing,
            on_step=after_step,
            evaluated=polishing is None,
            stop=run.out_of(BUDGET_STEPS),
        )

    return run_guarded(run, phase, settings.steps, progress, work, polishing)


def run_guarded(
    run: Run,
    phase: str,
    steps: int,
    progress: Progress | Training,
    work: Callable[[Callable[[Progress | Training], None]], None],
    polishing: Polishing | None = None,
) -> str:
    """Runs steps with checkpoints, to their end, to that of the budget, or to an interrupt.

    Args:
        steps: that `progress` is to reach.
        work: does those that it lacks, and calls what it is given after each.
    Returns:
        What ended them early: "budget", "interrupt", or nothing.
    """
    name = run.fingerprint
    saved_at = time.monotonic()

    def after_step(progress: Progress | Training) -> None:
        nonlocal saved_at
        if run.checkpoint is not None and time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
            save_checkpoint(run.checkpoint, progress, name, polishing)
            saved_at = time.monotonic()
        last = progress.history[-1]
        run.on_phase(phase, progress.step / steps, f"loss {last.get('loss', last.get('held')):.3f}")
        if run.on_step is not None:
            run.on_step(progress)

    run.on_phase(phase, progress.step / max(1, steps), "")
    try:
        work(after_step)
    except KeyboardInterrupt:
        if progress.step == 0 and polishing is None:
            raise
        return "interrupt"
    finally:
        if run.checkpoint is not None and (progress.step > 0 or polishing is not None):
            save_checkpoint(run.checkpoint, progress, name, polishing)
    return "" if progress.step >= steps else "budget"
