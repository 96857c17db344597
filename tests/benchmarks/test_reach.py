"""The benchmark of the reach, in its quick mode."""

import pytest

from ganwalk.calibration import walks
from ganwalk.calibration.settings import Sizes


@pytest.mark.slow
def test_the_benchmark_of_the_reach_runs(main_of, monkeypatch):
    monkeypatch.setattr(walks, "default_sizes", lambda generator: Sizes(4, 2, natural=48, held=16))
    shown = main_of("reach", "--quick", "--threads", "1").out
    assert "rank correlation" in shown and "background" in shown
