"""Phases: shares of everything from shares of parts."""

import pytest

from ganwalk.progress.phases import Phase, Phases


def test_shares_follow_the_seconds():
    phases = Phases([Phase("a", 1.0), Phase("b", 3.0)])
    assert phases.seconds == 4
    found = [phases.share(*at) for at in (("a", 0.0), ("a", 1.0), ("b", 0.5), ("b", 9.0), ("c", 0.5))]
    assert found == pytest.approx([0, 0.25, 0.625, 1, 0])
    assert Phases([]).share("a", 1.0) == 0 == Phases([Phase("a", 0.0)]).share("a", 0.0)
