"""Hostile files of kinds that no checkpoint is: pictures, settings, tables, archives in archives, fields of headers.

Each is read in a process whose CPU time and memory are bounded.
"""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from ganwalk.pictures.photos import read_photo
from tests.inert.hostile_files import archive


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *, bits=8, colour=2, data=None, extra=b""):
    """A picture of zeros."""
    row = 1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[colour] * bits // 8
    if data is None:
        packer = zlib.compressobj(1)
        parts = [packer.compress(bytes(2**20)) for _ in range(row * height // 2**20)]
        data = b"".join(parts) + packer.compress(bytes(row * height % 2**20)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    chunks = (chunk(b"IHDR", header), extra, palette, chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg(width, height, scans=None):
    """A plain JPEG, or a progressive one whose last scan comes again and again."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "JPEG", progressive=scans is not None)
    data = stream.getvalue()
    if scans is None:
        return data
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def gif(frames):
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6)
    return head + (b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00") * frames + b";"


def bitmap(width, height):
    fields = (54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", *fields)


def of_one_colour(kind, width, height):
    """A picture that is small only in its file."""
    stream = io.BytesIO()
    options = {"WEBP": {"lossless": True, "method": 0}, "AVIF": {"speed": 10}, "TIFF": {"compression": "tiff_lzw"}}
    Image.new("RGBA", (width, height), "red").save(stream, kind, **options.get(kind, {}))
    return stream.getvalue()


def npy(header):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)


def packed(data, levels):
    """An archive in an archive, and so on."""
    for _ in range(levels):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("archive/data.pkl", data)
        data = stream.getvalue()
    return data


LONG = b"a\x00\x00" + zlib.compress(bytes(2**28), 1)
PICTURES = {
    "more pixels than are read": lambda: png(40_000, 40_000, data=b"x"),
    "as many pixels as are read": lambda: png(8192, 8192, colour=6),
    "colours of a palette": lambda: png(8192, 8192, colour=3),
    "wide greys": lambda: png(8192, 8192, bits=16, colour=0),
    "a long profile": lambda: png(8, 8, extra=chunk(b"iCCP", LONG)),
    "a long text": lambda: png(8, 8, extra=chunk(b"zTXt", LONG)),
    "many texts": lambda: png(8, 8, extra=chunk(b"tEXt", b"a\x00b") * 500_000),
    "a photo of 200 megapixels": lambda: jpeg(16_320, 12_240),
    "a progressive photo of 108 megapixels": lambda: jpeg(12_000, 9_000, 0),
    "a photo of more pixels than are read": lambda: jpeg(16, 16).replace(
        b"\x00\x10\x00\x10\x03", b"\xff\xdc\xff\xdc\x03"
    ),
    "many scans": lambda: jpeg(4096, 4096, 2000),
    "as many scans as are read": lambda: jpeg(4096, 4096, 85),
    "many frames": lambda: gif(1_000_000),
    "a height below zero": lambda: bitmap(2**30, -(2**31)),
    "more than there is": lambda: b"P6\n8000 8000\n255\n" + bytes(1000),
    "pixels in digits": lambda: b"P3\n8000 8000\n255\n" + b"0 " * 1000,
    "a measure of many digits": lambda: b"P3\n" + b"9" * 1_000_000 + b" 1\n255\n0 0 0",
}
JSON = {
    "deep lists": lambda: b"[" * 2**23,
    "deep objects": lambda: b'{"a":' * 2**21,
    "empty lists": lambda: b"[" + b"[]," * 5_000_000 + b"[]]",
    "a long number": lambda: b'{"seed": ' + b"9" * 2**23 + b"}",
    "a long text": lambda: b'{"method": "' + b"a" * 2**23 + b'"}',
    "many keys": lambda: b"{" + b",".join(b'"%d": 1' % k for k in range(900_000)) + b"}",
    "an infinite number": lambda: b'{"lr": 1e999}',
}
NUMPY = {
    "a header that computes": "{'descr': '<f4', 'fortran_order': False, 'shape': (9**9**9,)}",
    "a header that calls": "__import__('os').abort()",
    "a header of many brackets": "(" * 110,
    "a header of an object": "{'descr': '|O', 'fortran_order': False, 'shape': (2,)}",
    "a type of many fields": "{'descr': [('a', '<f4', (2**40,))], 'fortran_order': False, 'shape': (1,)}",
    "a wide type": "{'descr': '|V99999999999', 'fortran_order': False, 'shape': (1,)}",
    "a size below zero": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4)}",
    "a size that is none": "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4.0)}",
}
# As what each is given.
OTHERS = {name: (lambda text=text: npy(text), "import") for name, text in NUMPY.items()} | {
    "gzip": (lambda: gzip.compress(bytes(2**28), 1), "generator"),
    "archives in archives": (lambda: packed(bytes(2**27), 4), "generator"),
    "an archive in an archive": (lambda: packed(archive(b"\x80\x02N."), 2), "import"),
    "a network of ONNX": (lambda: b"\x08\x07\x12\x07pytorch" + b"\xff" * 2**24, "generator"),
    "a network of Keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(2**24), "generator"),
    "a page": (lambda: b"<!doctype html>" + b"<a>" * 2**22, "generator"),
    "a table": (lambda: b"name,value\n" + b"a" * 2**25 + b",1\n", "directions"),
}
WHOLE = ("WEBP", "AVIF", "JPEG2000", "TIFF")
SLOW = ("gzip", "archives in archives")
# Where fuzzing begins.
SMALL = [("photo.png", make) for make in (lambda: png(9, 9), lambda: jpeg(16, 16, 3), lambda: gif(3))]
SMALL += [("settings.json", lambda: b'{"n_directions": 3, "method": "pca"}')]
SMALL += [("import.pt", OTHERS[name][0]) for name in NUMPY]


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_take_bounded_time_and_memory(measure, name):
    said = measure(PICTURES[name](), "photo", ".png")
    assert not (said and "megapixels" in name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("height", [4096, 8192])
def test_pictures_that_decoders_have_twice_take_bounded_memory(measure, kind, height):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {kind}")
    said = measure(of_one_colour(kind, 8192, height), "photo", ".picture")
    assert bool(said) == (height == 8192)


@pytest.mark.slow
@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("reader", ["settings", "scores"])
def test_settings_and_scores_take_bounded_time_and_memory(measure, name, reader):
    said = measure(JSON[name](), reader, ".json")
    # Scores of other directions are none; whether there is such a method, its search says.
    assert said or reader == "scores" or name == "a long text"


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in OTHERS])
def test_files_of_other_kinds_are_refused(measure, name):
    make, reader = OTHERS[name]
    assert measure(make(), reader, ".npy")


def test_what_no_network_sees_is_left_out_early(tmp_path, monkeypatch):
    Image.fromarray(np.full((90, 90, 3), (10, 200, 30), np.uint8)).save(tmp_path / "a.png")
    Image.new("P", (90, 90)).save(tmp_path / "palette.png")
    monkeypatch.setattr("ganwalk.pictures.photos._ENOUGH", 1000)
    assert (read_photo(tmp_path / "a.png", 16).pixels == (10, 200, 30)).all()
    with pytest.raises(ValueError, match=r"larger than 0\.001 megapixels"):
        read_photo(tmp_path / "palette.png", 16)
