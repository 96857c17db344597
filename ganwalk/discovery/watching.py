"""Progress of a discovery: one bar, or one share, for all of its phases."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ganwalk.discovery.plan import plan
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.search import OnPhase
from ganwalk.generators.base import Generator
from ganwalk.progress.bars import progress_bar

# Of a bar.
_PARTS = 1000


@contextlib.contextmanager
def watched(
    generator: Generator,
    settings: DiscoverySettings,
    *,
    shown: bool,
    on_progress: Callable[[float, str], object] | None = None,
    pictures: float = 0.0,
    on_estimate: Callable[[float], object] | None = None,
) -> Iterator[OnPhase]:
    """A callback for the phases of `run_discovery`.

    Args:
        settings: resolved.
        shown: show a bar, or a line now and then where there is no terminal.
        on_progress: called with the share of everything that is done, and what is being done.
        pictures: seconds of the pictures that follow.
        on_estimate: told first how many seconds all will take, roughly.
    """
    if not (shown or on_progress):
        yield lambda phase, share, note: None
        return
    planned = plan(generator, settings, pictures=pictures)
    if on_estimate is not None:
        on_estimate(planned.seconds)
    with progress_bar(_PARTS, "discovering", not shown) as advance:
        reached = 0.0

        def on_phase(phase: str, share: float, note: str) -> None:
            nonlocal reached
            # More images than planned lead back to an earlier phase, but no bar goes back.
            reached = max(reached, planned.share(phase, share))
            what = f"{phase} {note}".strip()
            advance(int(_PARTS * reached), what)
            if on_progress is not None:
                on_progress(reached, what)

        yield on_phase
