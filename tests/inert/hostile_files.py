"""Pickles that no pickler writes, opcode by opcode, in torch's formats too; and the one line that each ends in."""

import io
import pickle
import struct
import zipfile

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.generators.loading import load_generator

SHELL = "touch $GANWALK_CANARY"


def refused(data, tmp_path):
    """The one line that a file ends in."""
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(GanwalkError) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    return str(caught.value)


def string(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def global_(module, name):
    return string(module) + string(name) + b"\x93"


def text(letters):
    return b"X" + struct.pack("<I", len(letters)) + letters


def integer(number, protocol):
    """Opcodes of a whole number."""
    return pickle.dumps(number, protocol)[2 if protocol == 2 else 0 : -1]


def keyed(keys):
    """A dict under these keys, which are given as opcodes."""
    return b"}(" + b"".join(key + b"N" for key in keys) + b"u"


def times(opening, step, count):
    """A value that is memoised as 0, and a list of what `step` makes of it, many times."""
    return opening + b"q\x000](" + step * count + b"e"


def shared_dicts(levels=2, width=50_000):
    inner = b"N"
    for level in range(levels):
        keys = [text(b"G_ema%d.%d" % (level, i)) for i in range(width)]
        inner += b"q\x000}(" + b"".join(key + b"h\x00" for key in keys) + b"u"
    return inner


def legacy_storage(count, announced, body, cls=b"ctorch\nFloatStorage\n"):
    header = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {}))
    key = b"X\x01\x00\x00\x000"
    persistent = b"\x80\x02(X\x07\x00\x00\x00storage" + cls + key + b"X\x03\x00\x00\x00cpu"
    persistent += b"J" + struct.pack("<i", count) + b"NtQ."
    return header + persistent + pickle.dumps(["0"], 2) + struct.pack("<q", announced) + body


def tensor(storage, offset=0, size=(2,), stride=(1,)):
    start = global_("torch._utils", "_rebuild_tensor_v2") + b"("
    bytes_ = b"B" + struct.pack("<I", len(storage)) + storage
    storage_call = global_("torch.storage", "_load_from_bytes") + bytes_ + b"\x85R"
    parts = b"".join(pickle.dumps(v, 0)[:-1] for v in (offset, size, stride, False))
    return b"\x80\x04" + start + storage_call + parts + b"tR."


def archive(pickled, entries=(), compression=zipfile.ZIP_STORED, folder="archive"):
    """A zip file such as torch.save's, with a given pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        file.writestr(f"{folder}/data.pkl", pickled)
        for name, data in entries:
            file.writestr(f"{folder}/{name}", data)
    return stream.getvalue()


def zipped_tensor(size, stride=(1,), count=4, offset=0, key="0", cls="FloatStorage"):
    """A pickle of one tensor whose storage lies in the archive."""
    numbers = b"".join(pickle.dumps(value, 0)[:-1] for value in (offset, size, stride, False))
    storage = zipped_storage(count, key, cls)
    return b"\x80\x04" + global_("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + numbers + b"tR."


def zipped_storage(count, key="0", cls="FloatStorage"):
    """Opcodes of a reference to a storage beside the pickle."""
    storage = b"(" + string("storage") + global_("torch", cls) + string(key) + string("cpu")
    return storage + pickle.dumps(count, 0)[:-1] + b"tQ"


def legacy(pickled, keys, *storages):
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return head + pickled + pickle.dumps(keys, 2) + b"".join(struct.pack("<q", n) + data for n, data in storages)
