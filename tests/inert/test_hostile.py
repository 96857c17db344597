"""Hostile pickles, alone and in torch's files: nothing runs, each ends in one line, in bounded time and memory."""

import pickle
import struct
import subprocess
import sys
import time
import zipfile

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints import read_checkpoint
from tests.inert.hostile_files import (
    SHELL,
    archive,
    global_,
    legacy,
    legacy_storage,
    refused,
    string,
    tensor,
    zipped_storage,
    zipped_tensor,
)

pytestmark = pytest.mark.usefixtures("canary")
STORAGE = legacy_storage(4, 4, bytes(16))


HOSTILE = {
    "os.system": b"\x80\x04" + global_("os", "system") + string(SHELL) + b"\x85R.",
    "posix.system by text opcodes": b"cposix\nsystem\n(S'" + SHELL.encode() + b"'\ntR.",
    "builtins.eval": b"\x80\x04" + global_("builtins", "eval") + string("open('x','w')") + b"\x85R.",
    "instance": b"(S'" + SHELL.encode() + b"'\nios\nsystem\n.",
    "object": b"\x80\x04(" + global_("os", "system") + string(SHELL) + b"o.",
    "new object with keywords": b"\x80\x04" + global_("os", "system") + b")}\x92.",
    "nested reduce": b"\x80\x04"
    + global_("builtins", "getattr")
    + global_("os", "path")
    + string("join")
    + b"\x86R"
    + string("x")
    + b"\x85R.",
    "memoised global": b"\x80\x04" + global_("os", "system") + b"\x940h\x00" + string(SHELL) + b"\x85R.",
    "dotted name": b"\x80\x04" + global_("torch", "serialization.os.system") + string(SHELL) + b"\x85R.",
    "dunder attribute": b"\x80\x04" + global_("builtins", "object.__subclasses__") + b")R.",
    "extension registry": b"\x80\x04\x82\x01.",
    "extension registry, four bytes": b"\x80\x04\x84\xff\xff\xff\x7f.",
    "persistent id": b"\x80\x04" + string("x") + b"Q.",
    "persistent id as text": b"Pid\n.",
    "copyreg": b"\x80\x04"
    + global_("copyreg", "_reconstructor")
    + global_("os", "_wrap_close")
    + global_("builtins", "object")
    + b"N\x87R.",
    "state set on a global": b"\x80\x04" + global_("os", "environ") + b"}" + string("PATH") + string("x") + b"sb.",
    "state set on a tensor": tensor(STORAGE)[:-1] + b"}b.",
    "next buffer": b"\x80\x05\x97.",
    "huge bytes": b"\x80\x04B\xff\xff\xff\xffabc.",
    "huge bytes, eight": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"abc.",
    "huge number": b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
    "negative length": b"\x80\x04\x8b" + struct.pack("<i", -5) + b"abc.",
    "deep nesting": b"\x80\x04" + b"(" * 100_000 + b"t" * 100_000 + b".",
    "deep nesting as a key": b"\x80\x04})" + b"\x85" * 100_000 + b"Ns.",
    "deep nesting of lists": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "many objects": b"\x80\x04" + b"}" * 6_000_000 + b".",
    "beyond the storage": tensor(STORAGE, 0, (5,), (1,)),
    "strides beyond the storage": tensor(STORAGE, 0, (2, 2), (1, 3)),
    "offset beyond the storage": tensor(STORAGE, 4, (1,), (1,)),
    "negative offset": tensor(STORAGE, -1, (1,), (1,)),
    "negative size": tensor(STORAGE, 0, (-1,), (1,)),
    "negative stride": tensor(STORAGE, 0, (2,), (-1,)),
    "repeated values": tensor(STORAGE, 0, (10**12,), (0,)),
    "sizes that overflow": tensor(STORAGE, 0, (2**62, 2**62), (2**62, 1)),
    "strides that overflow": tensor(STORAGE, 0, (1, 2), (2**70, 1)),
    "sizes that are no numbers": tensor(STORAGE, 0, ("a",), (1,)),
    "sizes of other lengths": tensor(STORAGE, 0, (1, 1), (1,)),
    "storage that announces more": tensor(legacy_storage(10**9, 10**9, bytes(16))),
    "storage with two sizes": tensor(legacy_storage(4, 5, bytes(16))),
    "storage of an unknown type": tensor(legacy_storage(4, 4, bytes(16), b"cos\nsystem\n")),
    "storage that is a zip": tensor(b"PK\x03\x04" + bytes(100)),
    "storage that is hostile": tensor(b"cos\nsystem\n(S'" + SHELL.encode() + b"'\ntR."),
    "empty stack": b"\x80\x04R.",
    "mark as a value": b"\x80\x04(.",
    "missing memo": b"\x80\x04h\x07.",
    "append to a number": b"\x80\x04K\x01K\x02a.",
    "no end": b"\x80\x04N",
}
# Millions of objects take seconds.
HOSTILE_NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "many objects" else name for name in HOSTILE]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_pickles_end_in_one_line(tmp_path, name):
    path = tmp_path / "file.pkl"
    path.write_bytes(HOSTILE[name])
    started = time.perf_counter()
    with pytest.raises(GanwalkError) as caught:
        read_checkpoint(path)
    assert time.perf_counter() - started < 20
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


VALUES = [("data/0", bytes(16))]
HOSTILE_FILES = {
    "zip: os.system": archive(b"\x80\x04" + global_("os", "system") + string(SHELL) + b"\x85R."),
    "zip: persistent id of another kind": archive(b"\x80\x04" + string("module") + b"Q."),
    "zip: persistent id with a code": archive(b"\x80\x04(" + string("storage") + global_("os", "system") + b"tQ."),
    "zip: unknown storage type": archive(zipped_tensor((2,), cls="system"), VALUES),
    "zip: missing storage": archive(zipped_tensor((2,), key="../../0"), VALUES),
    "zip: storage smaller than announced": archive(zipped_tensor((2,), count=10**12), VALUES),
    "zip: tensor beyond its storage": archive(zipped_tensor((5,)), VALUES),
    "zip: negative size": archive(zipped_tensor((-1,)), VALUES),
    "zip: repeated values": archive(zipped_tensor((10**12,), stride=(0,)), VALUES),
    "zip: no pickle in it": archive(b"", folder="a/b"),
    "zip: empty pickle": archive(b""),
    "zip: bomb in the pickle": archive(bytes(2**28), compression=zipfile.ZIP_DEFLATED),
    "zip: bomb in a storage": archive(zipped_tensor((2**26,), count=2**26), [("data/0", bytes(2**28))], 8),
    "zip: two pickles": archive(b"N.", [("../other/data.pkl", b"N.")]),
    "zip: link": archive(zipped_tensor((2,)), [("data/0", b"/etc/passwd")]),
    "zip: big-endian": archive(zipped_tensor((2,)), [*VALUES, ("byteorder", b"big")]),
    "zip: truncated": archive(zipped_tensor((2,)), VALUES)[:-30],
    "zip: directory only": b"PK\x03\x04" + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 2**31, 0, 0),
    "zip: torch.save of a module": archive(b"\x80\x04" + global_("torch.nn.modules.linear", "Linear") + b")\x81."),
    "legacy: os.system": legacy(b"\x80\x04" + global_("os", "system") + string(SHELL) + b"\x85R.", []),
    "legacy: nested legacy streams": legacy(
        b"\x80\x04" + global_("torch.storage", "_load_from_bytes") + string("x") + b"\x85R.", []
    ),
    "legacy: missing storage": legacy(zipped_tensor((2,)), []),
    "legacy: surplus storage": legacy(b"\x80\x04N.", ["0"], (4, bytes(16))),
    "legacy: storage cut off": legacy(zipped_tensor((2,), count=2**40), ["0"], (2**40, bytes(16))),
    "legacy: two sizes": legacy(zipped_tensor((2,)), ["0"], (5, bytes(20))),
    "legacy: keys that are none": legacy(b"\x80\x04N.", [[["0"]]], (4, bytes(16))),
    "legacy: another protocol": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(7, 2) + pickle.dumps({}, 2),
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_hostile_torch_files_end_in_one_line(tmp_path, name):
    refused(HOSTILE_FILES[name], tmp_path)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_pickles_inside_of_torch_files(tmp_path, name):
    refused(archive(HOSTILE[name]), tmp_path)
    refused(legacy(HOSTILE[name], []), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zip: bomb in the pickle", "zip: bomb in a storage", "legacy: storage cut off"])
def test_bombs_take_no_memory(tmp_path, name):
    path = tmp_path / "bomb"
    path.write_bytes(HOSTILE_FILES[name])
    limited = (
        "import resource, sys; from ganwalk.generators.checkpoints import read_checkpoint; "
        "from ganwalk.errors import GanwalkError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_checkpoint(sys.argv[1])\n"
        "except GanwalkError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", limited, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100_000, "kB above the interpreter's own"


def repeated(opening, call, times):
    """A pickle that holds a value once, memoised as 0, and calls a function, memoised as 1, on it many times."""
    return b"\x80\x04" + opening + b"q\x000" + call + b"q\x010](" + b"h\x01h\x00\x85R" * times + b"e."


def overlapping(count=50, size=2**16):
    """A zip archive whose directory names one storage many times."""
    data = archive(b"\x80\x04N.", [("data/0", bytes(size))])
    directory = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    storage = data.index(b"PK\x01\x02", directory + 1)
    entries = b"".join(data[storage:end].replace(b"data/0", b"data/" + bytes([65 + i % 50])) for i in range(count))
    size_of = end - directory + len(entries)
    tail = struct.pack("<HHII", count + 2, count + 2, size_of, directory) + b"\x00\x00"
    return data[:end] + entries + data[end : end + 8] + tail


def test_what_is_stored_once_is_not_multiplied(tmp_path):
    text = b"X" + struct.pack("<I", 2**20) + b"a" * 2**20
    entries = b"](" + b"N" * 100_000 + b"e"
    items = b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"N" for i in range(100_000)) + b"u"
    for opening, call in (
        (text, global_("_codecs", "encode")),
        (entries, global_("builtins", "set")),
        (items, global_("collections", "OrderedDict")),
    ):
        assert "over and over" in refused(repeated(opening, call, 1000), tmp_path)
    inside = legacy(b"\x80\x02" + b"N0" * 2400 + zipped_storage(4) + b".", ["0"], (4, bytes(16)))
    stream = b"B" + struct.pack("<I", len(inside)) + inside
    load = global_("torch.storage", "_load_from_bytes")
    assert "holds no generator" in refused(repeated(stream, load, 100), tmp_path)
    assert "too many opcodes" in refused(repeated(stream, load, 1000), tmp_path)
    assert "overlap" in refused(overlapping(), tmp_path)


# What may stand in a record of 64 bits that looks like another one, and where its locator says that it lies.
@pytest.mark.parametrize("disk", [0, 0x06064B50])
@pytest.mark.parametrize("place", [None, 0])
@pytest.mark.parametrize("comment", [0, 2**16 - 1])
def test_directories_of_64_bits_are_measured_too(tmp_path, disk, place, comment):
    data = archive(b"\x80\x04N.")
    end = data.index(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, disk, 1, 1, 2**25, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end if place is None else place, 1)
    last = data[end : end + 20] + struct.pack("<H", comment) + bytes(comment)
    assert "directory is larger" in refused(data[:end] + record + locator + last, tmp_path)
