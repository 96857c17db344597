"""What must agree between two runs, and the line that says what does not."""

import json

import pytest

from ganwalk.resuming.agreement import check_same


@pytest.mark.parametrize("before", ["", "[" * 100_000, "5", "[1]", "null", "{"])
def test_marks_of_runs_that_are_damaged_end_in_a_line(tmp_path, before):
    with pytest.raises(ValueError, match="damaged: start anew"):
        check_same(tmp_path / "run", before, json.dumps({"a": 1}))
