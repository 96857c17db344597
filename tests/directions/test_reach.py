"""What a directions file says of how far directions reach: it comes back, follows them, and is refused if damaged."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ganwalk.directions import Directions
from ganwalk.directions.arithmetic import combine, flip, merge, orthogonalise, select
from ganwalk.directions.edits import Move
from ganwalk.directions.files import amend, replace_directions
from ganwalk.directions.labels import Label
from ganwalk.directions.reach import Reach, merged
from ganwalk.errors import GanwalkError
from ganwalk.files import DIRECTIONS_KEY
from ganwalk.generators.loading import load_generator
from tests.evaluation.known import axes_of


def reach_of_sizes(n):
    """Reach that tells directions and sides apart, at a pace that gets faster."""
    ends = torch.arange(1.0, 2 * n + 1).view(n, 2) / (2 * n) * 8
    return Reach(ends, ends[..., None] * torch.tensor([0.25, 0.5, 0.75, 1.0]).square(), limit=8.0, share=0.25)


@pytest.fixture
def directions():
    found = axes_of(load_generator("blobs"))
    return replace(found, reach=reach_of_sizes(len(found)))


def test_it_is_kept_and_is_not_part_of_the_fingerprint(directions, tmp_path):
    directions.save(tmp_path / "d.safetensors")
    loaded = Directions.load(tmp_path / "d.safetensors")
    assert torch.equal(loaded.reach.ends, directions.reach.ends) and torch.equal(
        loaded.reach.pace, directions.reach.pace
    )
    assert (loaded.reach.limit, loaded.reach.share) == (8.0, 0.25)
    plain = replace(directions, reach=None)
    assert plain.fingerprint() == directions.fingerprint()
    plain.save(tmp_path / "plain.safetensors")
    with safe_open(tmp_path / "plain.safetensors", "pt") as file:
        assert set(file.keys()) == {"vectors", "scales"} and '"reach"' not in file.metadata()[DIRECTIONS_KEY]
    assert Directions.load(tmp_path / "plain.safetensors").reach is None


def test_it_follows_the_directions(directions):
    ends = directions.reach.ends
    chosen = directions.select([4, 1])
    assert torch.equal(chosen.reach.ends, ends[[4, 1]])
    assert torch.equal(select(directions, [2]).reach.ends, ends[[2]])
    turned = flip(directions, [1])
    assert torch.equal(turned.reach.ends[1], ends[1].flip(0)) and torch.equal(turned.reach.ends[0], ends[0])
    assert turned.reach.ends_of(1) == (-float(ends[1, 1]), float(ends[1, 0]))
    assert directions.to("cpu").reach.ends.device.type == "cpu"
    # Of what is another walk nobody knows it.
    assert combine(directions, [Move(0), Move(1)]).reach is None
    assert orthogonalise(directions, 0, [1]).reach is None


def test_files_are_merged_with_it_if_all_were_measured_alike(directions):
    parts = [directions.select([0, 1]), directions.select([3])]
    assert torch.equal(merge(parts).reach.ends, directions.reach.ends[[0, 1, 3]])
    assert merge([parts[0], replace(parts[1], reach=None)]).reach is None
    assert merged([directions.reach, replace(directions.reach, share=0.5)]) is None


def test_the_same_directions_found_again_keep_it_and_others_do_not(directions, tmp_path):
    path = tmp_path / "directions.safetensors"
    directions.save(path)
    replace_directions(path, replace(directions, reach=None))
    assert torch.equal(Directions.load(path).reach.ends, directions.reach.ends)
    replace_directions(path, replace(directions, scales=directions.scales * 2, reach=None))
    assert Directions.load(path).reach is None


def test_names_given_meanwhile_stay(directions, tmp_path):
    path = tmp_path / "directions.safetensors"
    replace(directions, reach=None).labelled(2, Label("size")).save(path)
    kept = amend(path, lambda there: replace(there, reach=directions.reach), directions.fingerprint())
    assert kept.labels[2].name == "size" and kept.reach is not None and Directions.load(path).labels[2].name == "size"


def test_amplitudes_at_a_pace(directions):
    reach = directions.reach
    back, forth = reach.ends[2].tolist()
    assert reach.amplitude(2, -1) == pytest.approx(-back) and reach.amplitude(2, 1) == pytest.approx(forth)
    assert reach.amplitude(2, 0) == 0 and reach.amplitude(2, 0.5) == pytest.approx(forth / 4)
    # Between two steps of the pace.
    assert reach.amplitude(2, -0.625) == pytest.approx(-back * (0.25 + 0.5625) / 2)
    with pytest.raises(GanwalkError, match="from -1 to 1"):
        reach.amplitude(2, 1.1)


def test_words_say_where_nothing_ended(directions):
    assert directions.reach.words(0) == "−0.7 to +1.3 σ"
    assert directions.reach.words(5) == "−7.3 to ≥ +8.0 σ"
    shown = str(directions)
    assert "reach" in shown.splitlines()[1] and "−7.3 to ≥ +8.0 σ" in shown
    assert "reach" not in str(replace(directions, reach=None)).splitlines()[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ends": torch.ones(6)}, "two numbers per direction"),
        ({"pace": torch.ones(6, 2)}, r"must be \(n, 2, m\)"),
        ({"ends": torch.full((6, 2), torch.nan)}, "no finite float32"),
        ({"ends": -torch.ones(6, 2)}, "from 0 to 8"),
        ({"limit": 7.0}, "from 0 to 7"),
        ({"pace": torch.tensor([1.0, 0.5]).repeat(6, 2, 1)}, "must not turn back"),
        ({"pace": torch.zeros(6, 2, 3)}, "must end at the reach"),
        ({"limit": float("nan")}, "measured up to nan"),
        ({"share": 1.0}, "of a share of 1.0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(GanwalkError, match=message):
        replace(reach_of_sizes(6), **changes)


EMPTY = {"reach": torch.zeros(0, 2), "pace": torch.zeros(0, 2, 1)}


def test_damaged_files_are_refused(directions, tmp_path):
    with pytest.raises(GanwalkError, match="reach of 6 directions for 2"):
        replace(directions.select([0, 1]), reach=directions.reach)
    path = tmp_path / "d.safetensors"
    directions.save(path)
    with safe_open(path, "pt") as file:
        tensors, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    for change in ({"pace": None}, {"reach": tensors["reach"][:3]}, {"reach": tensors["reach"].double()}, EMPTY):
        damaged = {name: value for name, value in {**tensors, **change}.items() if value is not None}
        save_file({name: value.contiguous() for name, value in damaged.items()}, path, facts)
        with pytest.raises(GanwalkError, match="is damaged"):
            Directions.load(path)
    save_file(tensors, path, {DIRECTIONS_KEY: facts[DIRECTIONS_KEY].replace('"limit": 8.0', '"limit": "x"')})
    with pytest.raises(GanwalkError, match="is damaged"):
        Directions.load(path)
