"""Every file is answered in bounded time and memory: small files that would take hours or gigabytes, run by the clock.

Each kind of file is written in every format that it can lie in. One process reads them all, each in a fork of its own
whose CPU time is limited, and whose peak of memory is compared with what it began with.
"""

import io
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.inert import read_inert
from ganwalk.generators.checkpoints.pickle_reader import PickleError
from ganwalk.generators.loading import load_generator
from ganwalk.interchange.contents import read_contents
from ganwalk.tensor_files import TensorFileError, open_tensors
from tests.generators.test_checkpoints import global_, string
from tests.generators.test_hostile import archive, legacy, zipped_storage, zipped_tensor

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# Seconds of CPU and bytes that SECURITY.md promises; what a file holds itself is allowed twice.
SECONDS = 10
BYTES = 2**30
PRIME = 2**61 - 1

MEASURE = """
import json, os, resource, signal, sys
from ganwalk.commands import group
from ganwalk.errors import GanwalkError
from ganwalk.generators.loading import load_generator
from ganwalk.interchange.contents import one_line_errors, read_contents
from pathlib import Path
import ganwalk.evaluation.representation.encoder
import numpy, torch, safetensors.torch

torch.set_num_threads(1)
seconds = int(sys.argv[1])


def imported(path):
    from ganwalk.interchange import import_directions
    import_directions(path, load_generator("scenes"), reading="rows")


def directions(path):
    from ganwalk.directions import Directions
    Directions.load(path)


def encoder(path):
    from ganwalk.evaluation.representation.encoder import Encoder
    Encoder.load(path)


def command(arguments):
    # A command that waits uses no CPU.
    signal.alarm(seconds)
    group(arguments, standalone_mode=False)


READERS = {"command": command, "generator": load_generator, "import": imported}
READERS |= {"directions": directions, "encoder": encoder}
load_generator("scenes")


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


for line in sys.stdin:
    reader, path = json.loads(line)
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        begun, before = usage()
        try:
            READERS[reader](path)
            said = ""
        except GanwalkError as error:
            said = str(error)
        except BaseException as error:
            said = f"\\n{error!r}"
        ended, after = usage()
        print(json.dumps([said, ended - begun, after - before]), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(json.dumps([f"\\nkilled by {status}", 0, 0]), flush=True)
"""


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


SLOW = ("texts", "empty", "nothing", "names", "entries", "fractions", "wide", "long streams")
CASES = {
    f"{name}: {wrapper}": (body, wrap)
    for name, body in BODIES.items()
    for wrapper, wrap in WRAPPERS.items()
    if wrapper == "pickle" or not name.startswith(LARGE)
}


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    """Reads one file in a fork of a process that has everything imported."""
    folder = tmp_path_factory.mktemp("bounds")
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURE, str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    def run(data, reader="generator", suffix=".pkl"):
        """What is said of a file with these bytes, or by a command with these arguments."""
        given = [str(argument) for argument in data] if reader == "command" else str(folder / f"file{suffix}")
        if reader != "command":
            Path(given).write_bytes(data)
        process.stdin.write(json.dumps([reader, given]) + "\n")
        process.stdin.flush()
        said, seconds, size = json.loads(process.stdout.readline())
        print(f"{seconds:.1f} s, {size / 2**20:.0f} MB: {said}")
        assert "\n" not in said and len(said) < 700
        assert seconds < SECONDS and size < BYTES + 2 * len(data)
        return said

    yield run
    process.stdin.close()
    process.wait()


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


def strange(folder, kind):
    """A path at which there is no regular file."""
    path = folder / "strange.safetensors"
    target = folder / "target"
    if kind.endswith("pipe"):
        os.mkfifo(target)
    elif kind.endswith("socket"):
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(target))
    else:
        target = Path("/dev/zero")
    if kind.startswith("link"):
        path.symlink_to(target)
    else:
        target.rename(path)
    return path


COMMANDS = {
    "info": ["info", "STRANGE"],
    "info of a program": ["info", "STRANGE", "--trust"],
    "convert": ["convert", "STRANGE", "new.safetensors"],
    "import": ["import", "STRANGE", "--generator", "scenes", "-o", "new.safetensors"],
    "render": ["render", "--directions", "STRANGE", "--direction", "0"],
    "render of latents": ["render", "--directions", "GOOD", "--direction", "0", "--latents", "STRANGE"],
    "evaluate": ["evaluate", "--directions", "STRANGE"],
    "name": ["name", "0", "smile", "--directions", "STRANGE"],
    "export": ["export", "new.npz", "--directions", "STRANGE"],
    "report": ["report", "--directions", "STRANGE"],
    "animate": ["animate", "--directions", "STRANGE", "--direction", "0"],
    "merge": ["directions", "merge", "STRANGE", "GOOD", "-o", "new.safetensors"],
    "encode with an encoder": ["encode", "GOOD", "--directions", "GOOD", "--encoder", "STRANGE"],
    "project": ["project", "STRANGE", "--generator", "scenes"],
    "discover": ["discover", "--generator", "STRANGE"],
}


@pytest.mark.parametrize("kind", ["pipe", "socket", "link to a pipe", "link to a device"])
def test_commands_do_not_wait_for_what_is_no_file(measure, tmp_path, kind):
    path = strange(tmp_path, kind)
    good = shipped_directions(tmp_path)
    given = {"STRANGE": path, "GOOD": good, "new.safetensors": tmp_path / "new.safetensors"}
    said = {
        name: measure([given.get(argument, argument) for argument in arguments], "command")
        for name, arguments in COMMANDS.items()
        # All open their files alike: the other kinds are tried on some.
        if kind == "pipe" or name in ("info", "import", "render", "project")
    }
    assert {name: line for name, line in said.items() if "not a regular file" not in line} == {}


def shipped_directions(folder):
    """A small directions file for the shipped generator."""
    generator = load_generator("scenes")
    vectors = torch.eye(generator.w_dim)[:2]
    directions = Directions(vectors, torch.ones(2), "w", generator.identity, None, "random", {}, 0, "")
    directions.save(folder / "good.safetensors")
    return folder / "good.safetensors"


def test_a_large_file_that_is_none_is_not_hashed(measure, tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate(40 * 2**30)
    assert "is not a checkpoint" in measure(["info", path], "command")
    with path.open("r+b") as file:
        file.write(b"\x80\x04N0.")
    assert "is not a checkpoint" in measure(["info", path], "command")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("arguments", [["info"], ["import", "--generator", "scenes", "-o", "new.safetensors"]])
def test_files_that_the_system_makes_up_are_refused(measure, tmp_path, arguments):
    for name in ("/proc/self/status", "/proc/self/mem", "/proc/self/environ"):
        assert measure([arguments[0], name, *arguments[1:]], "command")


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
