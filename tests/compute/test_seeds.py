"""Seeds that differ anywhere are different random numbers."""

from pathlib import Path

import pytest
import torch

from ganwalk.compute.seeds import rng_of, seeded

ROOT = Path(__file__).parents[2]


def numbers(seed):
    return torch.randn(4, generator=rng_of(seed)).tolist()


def test_a_seed_of_32_bits_is_torch_s_own():
    assert numbers(7) == torch.randn(4, generator=torch.Generator().manual_seed(7)).tolist()
    assert numbers(2**32 - 1) == torch.randn(4, generator=torch.Generator().manual_seed(2**32 - 1)).tolist()


@pytest.mark.parametrize("offset", [2**32, 2**40, 2**41, 2**61, 2**62])
def test_an_offset_that_keeps_a_purpose_apart_is_a_stream_of_its_own(offset):
    drawn = {tuple(numbers(seed)) for seed in (0, 3, offset, offset + 3, offset + 2**20)}
    assert len(drawn) == 5


def test_the_random_state_within_is_of_the_seed_and_afterwards_as_it_was():
    before = torch.get_rng_state()
    inside = []
    for seed in (5, 5 + 2**40):
        with seeded(torch.device("cpu"), seed):
            inside.append(torch.randn(4).tolist())
    assert inside == [numbers(5), numbers(5 + 2**40)]
    assert torch.equal(torch.get_rng_state(), before)


def test_no_other_room_seeds_torch_by_itself():
    """So that no seed is cut to 32 bits unnoticed; the trainings of `vae` draw theirs at random."""
    users = [path for path in (ROOT / "ganwalk").rglob("*.py") if "manual_seed" in path.read_text(encoding="utf-8")]
    assert [path.name for path in users] == ["seeds.py"]
