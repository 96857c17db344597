"""Headers of .npy files: those that numpy writes, and what nobody should write."""

import io

import numpy as np
import pytest

from ganwalk.files.npy import START, read_npy_header


def written(text, version=(1, 0), announced=None):
    length = len(text) if announced is None else announced
    return START + bytes(version) + length.to_bytes(2 if version == (1, 0) else 4, "little") + text


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", "CF")
def test_what_numpy_writes_is_read_and_the_stream_stands_at_the_values(version, order):
    array = np.asarray(np.arange(12.0).reshape(3, 4), order=order)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    stream.seek(0)
    header = read_npy_header(stream)
    assert (header.shape, header.by_columns, header.dtype, header.size) == ((3, 4), order == "F", array.dtype, 96)
    # The stream may be one that cannot seek: the values are what is left of it.
    stream.seek(header.start)
    assert np.frombuffer(stream.read(), header.dtype).reshape(3, 4, order=order).tolist() == array.tolist()


def test_nothing_is_read_beyond_the_header():
    stream = io.BytesIO(written(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}") + bytes(16))
    assert read_npy_header(stream).start == stream.tell()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        START,
        written(b""),
        written(b"{", announced=2**15),
        written(b"{}", version=(2, 0), announced=2**31),
        written(b"{}", version=(9, 9)),
        written(b"[" * 3000),
        written(b"__import__('os').abort()"),
        written(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}"),
        written(b"{'descr': '<q9', 'fortran_order': False, 'shape': (2,)}"),
        b"PK\x03\x04" + bytes(100),
    ],
)
def test_what_is_no_header_is_refused(data):
    with pytest.raises(ValueError, match=r"header|fewer than no"):
        read_npy_header(io.BytesIO(data))
