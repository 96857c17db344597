"""States of runs in files: they come back as they were, and what is hostile is read in bounded time and memory."""

import pytest
import torch

from ganwalk.inert.pickle_reader import PickleError
from ganwalk.resuming.states import read_state, write_state
from tests.inert.hostile_files import archive

HOSTILE = {
    "in itself": b"]q\x00h\x00a.",
    "shared without end": b"]q\x00" + b"".join(b"](" + b"h%c" % k * 50 + b"eq%c" % (k + 1) for k in range(9)) + b".",
    "a call": b"cos\nsystem\n(X\x02\x00\x00\x00lstR.",
    "deep": b"]" * 5000 + b"a" * 4999 + b".",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("wrapped", [False, True])
def test_hostile_states_are_read_in_bounded_time(measure, name, wrapped):
    data = b"\x80\x02" + HOSTILE[name]
    said = measure(archive(data) if wrapped else data, "checkpoint", ".pt")
    assert said or name == "shared without end"


def test_states_come_back_as_they_were(tmp_path):
    weights = torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last)
    values = {"a": [1, 2.5, None, True, "text"], "b": {0: (0.9, 0.999)}, "weights": weights, "none": torch.empty(0, 3)}
    values |= {"half": torch.ones(2, dtype=torch.bfloat16), "view": torch.arange(10.0)[3:5], "flag": torch.tensor(True)}
    write_state(tmp_path / "a.pt", values)
    read = read_state(tmp_path / "a.pt")
    assert read.keys() == values.keys() and read["a"] == values["a"] and read["b"] == values["b"]
    for name in ("weights", "none", "half", "view", "flag"):
        assert torch.equal(read[name], values[name]) and read[name].dtype == values[name].dtype
    assert read["weights"].stride() == weights.stride()
    write_state(tmp_path / "b.pt", read)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_views_of_one_storage_do_not_become_gigabytes(tmp_path):
    values = torch.zeros(2**22)
    torch.save([values[k:] for k in range(100)], tmp_path / "views.pt")
    with pytest.raises(PickleError, match="many times larger"):
        read_state(tmp_path / "views.pt")
