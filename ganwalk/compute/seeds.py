"""Random numbers of a seed, however large: torch's generator on the CPU reads no more than 32 bits of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Bits of a seed that every one of torch's generators tells apart.
_BITS = 32


def rng_of(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A source of random numbers for a seed of at least 0 and below 2¹²⁸."""
    return torch.Generator(device).manual_seed(_folded(seed))


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Within it torch's random state follows from the seed; afterwards it is as it was."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_folded(seed))
        yield


def _folded(seed: int) -> int:
    """A seed in 32 bits: itself where it has no more, else a hash of it.

    So offsets such as 2⁴⁰, which keep the numbers of one purpose from those of another, are different streams.
    """
    if 0 <= seed < 2**_BITS:
        return seed
    return int.from_bytes(hashlib.blake2b(seed.to_bytes(16, "big"), digest_size=_BITS // 8).digest(), "big")
