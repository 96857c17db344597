"""What must agree between two runs, and the line that says what does not."""

import json

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.resuming.agreement import check_fingerprint, check_same, differing

BEFORE = {"settings": {"steps": 5, "layers": [0, 1]}, "class_index": 2, "seed": 3}


def test_what_differs_is_named_down_to_the_setting():
    assert differing(BEFORE, json.loads(json.dumps(BEFORE))) == []
    now = {"settings": {"steps": 6, "layers": [0, 1], "more": None}, "class_index": 2, "other": 1}
    assert differing(BEFORE, now) == ["other", "seed", "settings.more", "settings.steps"]
    assert differing(BEFORE, {**BEFORE, "settings": None}) == ["settings"]


def test_one_line_says_whose_it_is_what_differs_and_what_to_do():
    check_same("run", BEFORE, BEFORE, "start anew")
    with pytest.raises(GanwalkError, match=r"^run belongs to a run with another class, seed: start anew$"):
        check_same("run", BEFORE, {**BEFORE, "class_index": 1, "seed": 4}, "start anew")


def test_what_a_version_did_not_know_was_none(tmp_path):
    for before, now in (({"a": 1}, {"a": 1, "b": None}), ({"a": 1, "b": None}, {"a": 1})):
        check_fingerprint(tmp_path, json.dumps(before), json.dumps(now))
    with pytest.raises(GanwalkError, match="another b: resume with its options, or start anew with --force"):
        check_fingerprint(tmp_path, json.dumps({"a": 1}), json.dumps({"a": 1, "b": 2}))


@pytest.mark.parametrize("before", ["", "[" * 100_000, "5", "[1]", "null", "{"])
def test_marks_of_runs_that_are_damaged_end_in_a_line(tmp_path, before):
    with pytest.raises(ValueError, match="damaged: start anew"):
        check_fingerprint(tmp_path / "run", before, json.dumps({"a": 1}))
