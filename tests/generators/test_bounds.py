"""Every file is answered in bounded time and memory: small files that would take hours or gigabytes, run by the clock.

Each kind of file is written in every format that it can lie in. One process reads them all, each in a fork of its own
whose CPU time is limited, and whose peak of memory is compared with what it began with.
"""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.inert import read_inert
from ganwalk.generators.checkpoints.pickle_reader import PickleError
from ganwalk.interchange.contents import read_contents
from ganwalk.tensor_files import TensorFileError, open_tensors
from tests.generators.test_checkpoints import global_, string
from tests.generators.test_hostile import archive, legacy, zipped_storage, zipped_tensor

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

PRIME = 2**61 - 1


def integer(number, protocol):
    """Opcodes of a whole number."""
    return pickle.dumps(number, protocol)[2 if protocol == 2 else 0 : -1]


def keyed(keys):
    """A dict under these keys, which are given as opcodes."""
    return b"}(" + b"".join(key + b"N" for key in keys) + b"u"


def times(opening, step, count):
    """A value that is memoised as 0, and a list of what `step` makes of it, many times."""
    return opening + b"q\x000](" + step * count + b"e"


def text(letters):
    return b"X" + struct.pack("<I", len(letters)) + letters


def nested(body):
    """Bytes of a stream of torch's inside of a pickle, which leave a storage; `body` is read and dropped before."""
    return legacy(b"\x80\x02" + body + b"0" + zipped_storage(4) + b".", ["0"], (4, bytes(16)))


def loaded(stream, count=1):
    call = global_("torch.storage", "_load_from_bytes") + b"q\x010"
    return call + times(b"B" + struct.pack("<I", len(stream)) + stream, b"h\x01h\x00\x85R", count)


def shared_dicts(levels=2, width=50_000):
    inner = b"N"
    for level in range(levels):
        keys = [text(b"G_ema%d.%d" % (level, i)) for i in range(width)]
        inner += b"q\x000}(" + b"".join(key + b"h\x00" for key in keys) + b"u"
    return inner


def prefixes(count):
    """A state dict that may be as many networks as it has names."""
    return b"}(" + b"".join(text(b"x%d.main.0.weight" % i) + b"N" for i in range(count)) + b"u"


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


# What is small is where fuzzing begins.
SMALL = {
    "keys": lambda: b"\x80\x04" + keyed(integer(k * PRIME, 2) for k in range(1, 100)) + b".",
    "tuples": lambda: b"\x80\x04" + keyed(integer(k * PRIME, 2) + b"\x85" for k in range(1, 100)) + b".",
    "memo": lambda: b"\x80\x04N" + b"".join(b"p%d\n" % (k * PRIME) for k in range(100)) + b".",
    "names": lambda: b"\x80\x04" + times(b"c" + b"a" * 600 + b"\nb\n", b"h\x00)R", 100) + b".",
    "streams": lambda: b"\x80\x04" + loaded(nested(text(b"a" * 500)), 100) + b".",
    "instances": lambda: b"\x80\x04](" + b"(ia\nb\n" * 100 + b"e.",
    "arrays": lambda: text_of_arrays(10, 2**10),
    "offset": lambda: wide_offset(2**63),
    "empty tensors": lambda: tensors(described("ganwalk-generator-1", "{}"), **{f"t{i}": EMPTY for i in range(10)}),
    "labels": lambda: tensors(described("ganwalk-directions-1", json.dumps(FACTS | {"labels": [{}] * 10}))),
}
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


def npz(compressed, **members):
    """An archive of arrays in numpy's format; values are given as they are, or as the bytes of a whole member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as file:
        for name, value in members.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(value, bytes):
                    member.write(value)
                else:
                    np.save(member, value)
    return stream.getvalue()


def zeros(kind, values):
    """The member of an array of zeros, without having it in memory twice."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": (values // 512, 512)})
    return header.getvalue() + bytes(values * np.dtype(kind).itemsize)


def tensors(metadata, **entries):
    """A file of safetensors whose metadata are given as JSON text."""
    text = json.dumps({name: facts for name, facts in entries.items()})
    text = '{"__metadata__": ' + metadata + (", " + text[1:] if entries else "}")
    return struct.pack("<Q", len(text)) + text.encode()


EMPTY = {"dtype": "F32", "shape": [0, 8], "data_offsets": [0, 0]}
LABELLED = {"dtype": "F32", "shape": [1_000_000, 0], "data_offsets": [0, 0]}
FACTS = {
    "generator": {"reference": "scenes", "sha256": "", "architecture": "stylegan2", "resolution": 64},
    "layers": None,
    "space": "w",
    "method": "",
    "settings": {},
    "seed": 0,
    "version": "",
}


def described(key, text):
    return json.dumps({key: text})


# Of each file: its bytes, as what it is given, and its suffix.
UNFOLDING = {
    "deflated components of bytes": lambda: (npz(True, lat_comp=zeros("|i1", 2**28)), "import", ".npz"),
    "deflated components of float64": lambda: (npz(True, lat_comp=zeros("<f8", 2**26)), "import", ".npz"),
    "deflated header": lambda: (
        npz(True, lat_comp=b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**29) + bytes(2**29)),
        "import",
        ".npz",
    ),
    "announced components": lambda: (npz(False, lat_comp=zeros("|i1", 512)[:-512] + bytes(8)), "import", ".npz"),
    "one text of many arrays": lambda: (text_of_arrays(150), "generator", ".pkl"),
    "lists in metadata of directions": lambda: (
        tensors(described("ganwalk-directions-1", "[" + "[]," * 20_000_000 + "[]]")),
        "directions",
        ".safetensors",
    ),
    "lists in metadata of a generator": lambda: (
        tensors(described("ganwalk-generator-1", "[" + "[]," * 20_000_000 + "[]]")),
        "generator",
        ".safetensors",
    ),
    "lists in metadata that are given as an encoder": lambda: (
        tensors(described("ganwalk-encoder-1", "[" + "[]," * 20_000_000 + "[]]")),
        "encoder",
        ".safetensors",
    ),
    "empty labels": lambda: (
        tensors(
            described("ganwalk-directions-1", json.dumps(FACTS | {"labels": [{}] * 1_000_000})),
            vectors=LABELLED,
            scales=EMPTY | {"shape": [0]},
        ),
        "directions",
        ".safetensors",
    ),
    "empty tensors": lambda: (
        tensors(described("ganwalk-generator-1", "{}"), **{f"t{i}": EMPTY for i in range(100_000)}),
        "generator",
        ".safetensors",
    ),
    "one array in a long list": lambda: (
        archive(
            b"\x80\x04" + times(zipped_tensor((2**14,), count=2**14)[2:-1], b"h\x00", 15_000) + b".",
            [("data/0", bytes(2**16))],
        ),
        "import",
        ".pt",
    ),
    "one dict in many places": lambda: (archive(b"\x80\x04" + shared_dicts(2, 19_000) + b"."), "import", ".pt"),
    "one tensor under many prefixes": lambda: (archive(b"\x80\x04" + prefixes(19_000) + b"."), "import", ".pt"),
}


def text_of_arrays(count, size=2**24):
    """A TensorFlow snapshot of Python 2 whose variables are made of one text."""
    shared = text(b"\x01" * size) + b"q\x000"
    dtype = b"(cnumpy\ndtype\n(" + string("f4") + b"tR"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + integer(size // 4, 2) + b"\x85" + dtype[1:] + b"\x89h\x00tb"
    )
    variables = (
        b"](" + b"".join(string(f"v{i}" if i else "4x4/Dense/weight") + array + b"\x86" for i in range(count)) + b"e"
    )
    state = b"}(" + string("version") + b"K\x04" + string("variables") + variables + b"u"
    return b"\x80\x04" + shared + global_("dnnlib.tflib.network", "Network") + b")\x81" + state + b"b."


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if name in ("deflated header", "deflated components of float64")
        else name
        for name in UNFOLDING
    ],
)
def test_small_files_do_not_become_gigabytes(measure, name):
    data, reader, suffix = UNFOLDING[name]()
    assert measure(data, reader, suffix)


def test_a_large_file_that_is_none_is_not_hashed(measure, tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate(40 * 2**30)
    assert "is not a checkpoint" in measure(["ganwalk", "info", path], "command")
    with path.open("r+b") as file:
        file.write(b"\x80\x04N0.")
    assert "is not a checkpoint" in measure(["ganwalk", "info", path], "command")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("arguments", [["info"], ["import", "--generator", "scenes", "-o", "new.safetensors"]])
def test_files_that_the_system_makes_up_are_refused(measure, tmp_path, arguments):
    for name in ("/proc/self/status", "/proc/self/mem", "/proc/self/environ"):
        assert measure(["ganwalk", arguments[0], name, *arguments[1:]], "command")


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


def test_a_file_that_is_cut_while_it_is_read_is_no_crash(tmp_path):
    values = torch.zeros(2**20)
    path = tmp_path / "cut"
    save_file({"a": values}, path)
    with open_tensors(path) as file:
        os.truncate(path, 5000)
        with pytest.raises(TensorFileError, match="cut off"):
            file.read("a")
    np.save(path.with_suffix(".npy"), values.numpy())
    array = read_contents(path.with_suffix(".npy")).entries[""]
    os.truncate(path.with_suffix(".npy"), 5000)
    with pytest.raises(GanwalkError, match="damaged"):
        array.read()
    for modern in (True, False):
        torch.save(values, path, _use_new_zipfile_serialization=modern)
        tensor = read_inert(path)
        os.truncate(path, 5000)
        with pytest.raises(PickleError, match="cut off"):
            tensor.load()
