"""Pickles and torch's files are answered in bounded time and memory: small ones that would take hours or gigabytes.

Each is written in every format that it can lie in. One process reads them all, each in a fork of its own whose CPU time
is limited, and whose peak of memory is compared with what it began with.
"""

import io
import os
import struct

import pytest
import torch

from ganwalk.inert.pickle_reader import PickleError
from ganwalk.inert.reading import read_inert
from tests.inert.hostile_files import (
    archive,
    global_,
    integer,
    keyed,
    legacy,
    shared_dicts,
    string,
    text,
    times,
    zipped_storage,
    zipped_tensor,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

PRIME = 2**61 - 1


def nested(body):
    """Bytes of a stream of torch's inside of a pickle, which leave a storage; `body` is read and dropped before."""
    return legacy(b"\x80\x02" + body + b"0" + zipped_storage(4) + b".", ["0"], (4, bytes(16)))


def loaded(stream, count=1):
    call = global_("torch.storage", "_load_from_bytes") + b"q\x010"
    return call + times(b"B" + struct.pack("<I", len(stream)) + stream, b"h\x01h\x00\x85R", count)


# Opcodes that leave one value. Numbers that collide when they are hashed; names, texts and streams that are used again
# and again; very many small values.
BODIES = {
    "colliding keys, protocol 0": lambda: keyed(integer(k * PRIME, 0) for k in range(1, 60_000)),
    "colliding keys, protocol 2": lambda: keyed(integer(k * PRIME, 2) for k in range(1, 60_000)),
    "keys with equal low bits": lambda: keyed(integer(k << 40, 2) for k in range(1, 100_000)),
    "colliding tuples": lambda: keyed(integer(k * PRIME, 2) + b"\x85" for k in range(1, 60_000)),
    "colliding tuples of many": lambda: keyed(b"(" + integer(k << 40, 2) * 20 + b"t" for k in range(1, 40_000)),
    "fractions as keys": lambda: keyed(b"G" + struct.pack(">d", k * 2.0**40) for k in range(1, 100_000)),
    "colliding keys of a call": lambda: (
        global_("collections", "OrderedDict")
        + b"]("
        + b"".join(integer(k * PRIME, 2) + b"N\x86" for k in range(1, 60_000))
        + b"e\x85R"
    ),
    "colliding memo": lambda: b"N" + b"".join(b"p%d\n" % (k * PRIME) for k in range(60_000)),
    "sparse memo": lambda: b"N" + b"".join(b"r" + struct.pack("<I", k << 12) for k in range(2**20)),
    "long names of calls": lambda: times(b"c" + b"a" * 2**24 + b"\nb\n", b"h\x00)R", 100_000),
    "long names put together": lambda: times(text(b"a" * 2**24), b"h\x00h\x00\x93", 100_000),
    "long keys that are equal": lambda: (
        text(b"a" * 2**23) + b"q\x000" + text(b"a" * 2**23) + b"q\x010}h\x00Ns(" + b"h\x01N" * 100_000 + b"u"
    ),
    "long streams": lambda: loaded(nested(text(b"a" * 2**24)), 20_000),
    "long streams of a bytearray": lambda: (
        global_("torch.storage", "_load_from_bytes")
        + b"q\x010"
        + times(b"\x96" + struct.pack("<Q", 2**24) + nested(b"N").ljust(2**24, b"."), b"h\x01h\x00\x85R", 20_000)
    ),
    "streams of many opcodes": lambda: loaded(nested(b"N0" * 50_000 + b"N"), 1000),
    "instances": lambda: b"](" + b"(ia\nb\n" * 2_450_000 + b"e",
    "empty dicts": lambda: b"](" + b"}" * 4_000_000 + b"e",
    "nothing": lambda: b"](" + b"N" * 2_900_000 + b"e",
    "names": lambda: b"](" + b"ca\nb\n" * 1_000_000 + b"e",
    "texts": lambda: b"](" + b"".join(string(f"{k}") for k in range(2_000_000)) + b"e",
    "entries": lambda: keyed(string(f"G_ema.{k}") for k in range(1_000_000)),
    "wide text": lambda: text(("😀" + "a" * 2**26).encode()),
    "long lines": lambda: b"V" + b"a" * 2**26,
    "dicts of one dict": shared_dicts,
    "one array many times": lambda: times(
        b"(cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n("
        + text(b"<" * 2**22 + b"f4")
        + b"tR"
        + text(b"a" * 4)
        + b"tR",
        b"h\x00",
        200_000,
    ),
}
WRAPPERS = {
    "pickle": lambda body: b"\x80\x04" + body + b".",
    "zip": lambda body: archive(b"\x80\x04" + body + b"."),
    "legacy": lambda body: legacy(b"\x80\x04" + body + b".", []),
    "nested": lambda body: b"\x80\x04" + loaded(nested(body)) + b".",
}
# What is large goes into one format: it costs the same in each.
LARGE = (
    "colliding tuples of",
    "instances",
    "empty",
    "nothing",
    "names",
    "texts",
    "entries",
    "wide",
    "long",
    "fractions",
    "dicts",
    "streams",
)
SLOW = ("texts", "empty", "nothing", "names", "entries", "fractions", "wide", "long streams")
CASES = {
    f"{name}: {wrapper}": (body, wrap)
    for name, body in BODIES.items()
    for wrapper, wrap in WRAPPERS.items()
    if wrapper == "pickle" or not name.startswith(LARGE)
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name.startswith(SLOW) else name for name in CASES]
)
def test_pickles_are_answered_in_bounded_time_and_memory(measure, name):
    body, wrap = CASES[name]
    assert measure(wrap(body()))


def wide_offset(offset, name="archive/data/0"):
    """A zip archive of torch's, one entry of which lies at an offset of 64 bits."""
    data = archive(zipped_tensor((2,)), [("data/0", bytes(16))])
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data.index(b"PK\x01\x02", directory + 1)
    changed = bytearray(data[entry:end])
    changed[30:32] = struct.pack("<H", 12)
    changed[42:46] = b"\xff" * 4
    changed += struct.pack("<HHQ", 1, 8, offset)
    size = entry - directory + len(changed)
    return data[:entry] + changed + data[end : end + 12] + struct.pack("<II", size, directory) + bytes(2)


@pytest.mark.parametrize("offset", [2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("reader", ["generator", "import"])
def test_offsets_of_64_bits_lead_nowhere(measure, offset, reader):
    assert measure(wide_offset(offset), reader, ".pt")


@pytest.mark.parametrize("sizes", [(0, 2**62, 8), (0, 2**40, 2**40)])
@pytest.mark.parametrize("reader", ["generator", "import"])
def test_empty_tensors_beyond_count_are_refused(measure, sizes, reader):
    data = archive(zipped_tensor(sizes, (1,) * len(sizes)), [("data/0", bytes(16))])
    assert "impossible sizes" in measure(data, reader, ".pt")


def test_nested_tensors_are_refused(measure):
    stream = io.BytesIO()
    torch.save(torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(3, 3)]), stream)
    assert "_rebuild_nested_tensor" in measure(stream.getvalue(), "import", ".pt")


@pytest.mark.parametrize("modern", [True, False])
def test_a_file_of_torch_that_is_cut_while_it_is_read_is_no_crash(tmp_path, modern):
    path = tmp_path / "cut"
    torch.save(torch.zeros(2**20), path, _use_new_zipfile_serialization=modern)
    tensor = read_inert(path)
    os.truncate(path, 5000)
    with pytest.raises(PickleError, match="cut off"):
        tensor.load()


# Where fuzzing begins.
SMALL = {
    "keys": lambda: b"\x80\x04" + keyed(integer(k * PRIME, 2) for k in range(1, 100)) + b".",
    "tuples": lambda: b"\x80\x04" + keyed(integer(k * PRIME, 2) + b"\x85" for k in range(1, 100)) + b".",
    "memo": lambda: b"\x80\x04N" + b"".join(b"p%d\n" % (k * PRIME) for k in range(100)) + b".",
    "names": lambda: b"\x80\x04" + times(b"c" + b"a" * 600 + b"\nb\n", b"h\x00)R", 100) + b".",
    "streams": lambda: b"\x80\x04" + loaded(nested(text(b"a" * 500)), 100) + b".",
    "instances": lambda: b"\x80\x04](" + b"(ia\nb\n" * 100 + b"e.",
    "offset": lambda: wide_offset(2**63),
}
