"""Where the file of a public data set lies. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganwalk.files.download import OnBytes


@dataclass(frozen=True)
class DataPlace:
    """How the file of a public data set may be had; see `vae.data.load_dataset`.

    Attributes:
        root: the folder that holds it, or the file itself; None for the folder in the cache.
        download: whether it may be downloaded if it is not there.
        progress: called with bytes done and in all, while the file arrives and while it is converted.
    """

    root: Path | None = None
    download: bool = True
    progress: OnBytes | None = None

    def watched(self, progress: OnBytes) -> DataPlace:
        """The same place, with somebody who is told of bytes."""
        return replace(self, progress=progress)
