"""The study of students, in its quick mode."""

import json

import pytest


@pytest.mark.slow
def test_the_study_of_students_runs(main_of, quick_student, tmp_path):
    printed = main_of("students", "--quick", "--work", tmp_path, "--threads", "1").out
    assert "| effort quick |" in printed and "| student |" in printed
    rows = json.loads((tmp_path / "quick" / "scenes.json").read_text())
    assert rows["defaults/scenes/11"]["images"] >= 256 and "before" in rows["defaults/scenes/11"]
    assert rows["direct, 50 steps of 32 images/scenes/11"]["latents"] > 100
