"""Rows that are read from files: the array's, whoever asks, and one line where the file was cut meanwhile."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from vae.data.file_rows import FileRows


@pytest.fixture
def array(tmp_path):
    found = np.random.default_rng(0).integers(2**16, size=(500, 7, 3), dtype=np.uint16)
    (tmp_path / "array").write_bytes(b"head" + found.tobytes())
    return found


def open_rows(tmp_path, array):
    with (tmp_path / "array").open("rb") as file:
        return FileRows(file, 4, array.shape, array.dtype)


@pytest.mark.parametrize("indices", [[], [0], [499], [3, 4, 5], [5, 4, 4, 0, 1], range(500)])
def test_rows_are_those_of_the_array(tmp_path, array, indices):
    rows = open_rows(tmp_path, array)
    indices = np.array(indices, np.int64)
    assert len(rows) == 500 and rows.shape == array.shape
    found = rows[indices]
    assert found.dtype == np.uint16 and np.array_equal(found, array[indices])


@pytest.mark.parametrize("index", [-1, 500])
def test_there_are_no_other_rows(tmp_path, array, index):
    with pytest.raises(IndexError, match="has rows 0 to 499"):
        open_rows(tmp_path, array)[np.array([0, index])]


def test_threads_share_a_file(tmp_path, array):
    rows = open_rows(tmp_path, array)
    draws = [np.random.default_rng(seed).integers(500, size=200) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for draw, found in zip(draws, pool.map(rows.__getitem__, draws), strict=True):
            assert np.array_equal(found, array[draw])


def test_a_file_that_is_cut_is_told_of(tmp_path, array):
    rows = open_rows(tmp_path, array)
    os.truncate(tmp_path / "array", 4 + 100 * 42 + 1)
    assert np.array_equal(rows[np.arange(100)], array[:100])
    for indices in ([100], [499], range(90, 110)):
        with pytest.raises(GanwalkError, match=r"array has become shorter while it was in use: start again, which"):
            rows[np.array(indices)]
    with pytest.raises(ValueError, match="ends before its array does"):
        open_rows(tmp_path, array)


def test_a_file_that_is_replaced_stays_what_it_was(tmp_path, array):
    rows = open_rows(tmp_path, array)
    (tmp_path / "other").write_bytes(b"")
    os.replace(tmp_path / "other", tmp_path / "array")
    assert np.array_equal(rows[np.arange(500)], array)


def test_files_are_closed(tmp_path, array):
    rows = open_rows(tmp_path, array)
    handle = rows._file
    del rows
    gc.collect()
    assert handle.closed
