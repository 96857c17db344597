"""Files that Python or torch pickled, whole and as inert values: nothing in them runs, tensors stay in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganwalk.files import open_regular
from ganwalk.inert import torch_reader
from ganwalk.inert.file_source import FileSource
from ganwalk.inert.pickle_reader import Budget, PickleError, read_pickle

PICKLE_STARTS = (b"\x80", b"(")
ZIP_START = b"PK\x03\x04"


def read_inert(path: Path, budget: Budget | None = None) -> Any:
    """The inert object in a pickle, or in what torch.save wrote in either of its formats.

    Args:
        budget: what reading it may cost; by default that of a generator's checkpoint.
    Raises:
        PickleError: the file is damaged, hostile, or neither.
        GanwalkError: it is no regular file.
        OSError: it cannot be read.
    """
    budget = budget or Budget()
    with open_regular(path) as file:
        head = file.read(len(ZIP_START))
        if head == ZIP_START:
            return torch_reader.read_zip(path, budget)
        if not head.startswith(PICKLE_STARTS):
            raise PickleError("it is neither a pickle nor a file of torch's")
        file.seek(0)
        value = read_pickle(FileSource(file), torch_reader.known_calls(budget), budget=budget)
    if type(value) is int and value == torch_reader.LEGACY_MAGIC:
        return torch_reader.read_legacy_file(path, budget)
    return value
