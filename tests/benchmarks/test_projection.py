"""The benchmark of projections, in its quick mode."""

import pytest


@pytest.mark.slow
def test_the_benchmark_of_projections_runs(main_of):
    printed = main_of("projection", "--quick", "--threads", "1").out
    assert "published, 4 steps in w" in printed and "after the walk" in printed
