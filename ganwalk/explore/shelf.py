"""Samples that are no seeds: what somebody gave to the command, or dropped on a page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganwalk.explore.state import key_of
from ganwalk.samples import StoredSamples

# A dozen samples of a large network take half a megabyte.
_MOST = 100


@dataclass(frozen=True)
class _Entry:
    samples: StoredSamples
    files: tuple[Path, ...]


class Shelf:
    """Stored samples by the keys that addresses call them by; those that were kept first are forgotten first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def keep(
        self, samples: StoredSamples, *, files: Sequence[Path] = (), instead_of: StoredSamples | None = None
    ) -> None:
        """Keeps samples.

        Args:
            files: that hold these samples, and no others.
            instead_of: worse latents of the same, whose key leads to these from now on.
        """
        entry = _Entry(samples, tuple(files))
        for key, other in self._entries.items():
            if instead_of is not None and other.samples.fingerprint == instead_of.fingerprint:
                self._entries[key] = entry
        self._entries[key_of(samples)] = entry
        while len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def find(self, key: str) -> StoredSamples | None:
        """The samples that an address calls so, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.samples

    def files(self, samples: StoredSamples) -> tuple[Path, ...]:
        """The files that hold these samples; none if they came otherwise."""
        entry = self._entries.get(key_of(samples))
        return () if entry is None else entry.files
