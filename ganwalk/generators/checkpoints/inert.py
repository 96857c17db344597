"""Files that Python or torch pickled, whole and as inert values: nothing in them runs, tensors stay in the file."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from ganwalk.generators.checkpoints import torch_reader
from ganwalk.generators.checkpoints.pickle_reader import PickleError, read_pickle

PICKLE_STARTS = (b"\x80", b"(")
ZIP_START = b"PK\x03\x04"


def read_inert(path: Path) -> Any:
    """The inert object in a pickle, or in what torch.save wrote in either of its formats.

    Raises:
        PickleError: the file is damaged, hostile, or neither.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(len(ZIP_START))
        if head == ZIP_START:
            return torch_reader.read_zip(path)
        if not head.startswith(PICKLE_STARTS):
            raise PickleError("it is neither a pickle nor a file of torch's")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            value = read_pickle(data, torch_reader.CALLS)
    if type(value) is int and value == torch_reader.LEGACY_MAGIC:
        return torch_reader.read_legacy_file(path)
    return value
