"""The benchmark of RTD, at a small size."""

import pytest


@pytest.mark.slow
def test_engines_of_many_points_agree_and_say_how_they_ended(load):
    study = load("rtd")
    rows = {row["engine"]: row for row in study.measure_large([20], 120)}
    assert rows.keys() == study.ENGINES.keys()
    assert rows["ganwalk"]["total"] == pytest.approx(rows["ripser.py"]["total"], rel=1e-4)
    assert all(row["peak_mb"] > 0 if "total" in row else row["ended"] == "not installed" for row in rows.values())
    assert study.measure_large([20], 0.01)[0]["ended"] == "more than 0.01 s"
