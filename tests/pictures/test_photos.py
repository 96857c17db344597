"""Pictures as people have them, and what only looks like one."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from ganwalk.errors import GanwalkError
from ganwalk.pictures import photos
from ganwalk.pictures.photos import Crop, find_photos, parse_crop, read_photo


def halves(height=40, width=60):
    """Black above, white below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 2 :] = 255
    return pixels


DOWN = np.uint8([0, 0, 255, 255])


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "LA", "PA", "RGBA", "I;16", "I", "F"])
def test_every_kind_of_picture(tmp_path, mode):
    path = tmp_path / ("x.png" if mode in ("P", "I;16", "LA") else "x.tif")
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        Image.fromarray((halves()[..., 0] / 255 * (1 if mode == "F" else 65535)).astype(kind)).save(path)
    elif mode == "PA":
        path = tmp_path / "x.png"
        Image.fromarray(halves()).convert("P").save(path, transparency=200)
    else:
        Image.fromarray(halves()).convert(mode).save(path)
    photo = read_photo(path, 4)
    assert photo.pixels.shape == (4, 4, 3) and photo.pixels.dtype == np.uint8 and photo.notes == ()
    assert np.abs(photo.pixels[..., 1].T.astype(int) - DOWN).max() <= 45
    for channels in (1, 3):
        image = photo.image(channels)
        assert image.shape == (1, channels, 4, 4) and image.dtype == torch.float32
        assert image[0, 0, 0, 0] < -0.6 and image[0, 0, 3, 3] > 0.6


def test_the_square_in_the_middle_upright(tmp_path):
    pixels = np.full((20, 60, 3), 128, np.uint8)
    pixels[:, 20:40] = halves(20, 20)
    exif = Image.Exif()
    # Shot with the camera on its head.
    exif[0x0112] = 3
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels[::-1].copy()).save(tmp_path / "turned.png", exif=exif)
    for name in ("wide.png", "turned.png"):
        found = read_photo(tmp_path / name, 4, averaged=True).pixels
        assert np.array_equal(found[..., 0].T, np.tile(DOWN, (4, 1)))


def test_a_crop_is_of_the_upright_picture(tmp_path):
    pixels = np.zeros((30, 20, 3), np.uint8)
    pixels[5:15, 4:14] = 200
    exif = Image.Exif()
    # The top is at the left: a quarter turn clockwise shows it.
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "x.png", exif=exif)
    assert (read_photo(tmp_path / "x.png", 10, parse_crop("4, 5,10")).pixels == 200).all()
    with pytest.raises(GanwalkError, match=r"--crop 4,25,10 does not lie in .*, which is 20×30 pixels"):
        read_photo(tmp_path / "x.png", 10, Crop(4, 25, 10))
    for text in ("1,2", "1,2,0", "-1,2,3", "a,b,c", "1,2,3,4", ""):
        with pytest.raises(GanwalkError, match="is not a part such as"):
            parse_crop(text)


def test_what_is_transparent_lies_on_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    palette = Image.fromarray(np.repeat(np.uint8([[0, 1]]), 4, axis=1).repeat(8, axis=0), "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "p.png", transparency=1)
    for name in ("x.png", "p.png"):
        assert np.array_equal(read_photo(tmp_path / name, 8).pixels[..., 1], np.tile(np.repeat([0, 255], 4), (8, 1)))


def test_large_pictures_are_averaged_or_filtered_and_small_ones_enlarged(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    means = noise.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    averaged, filtered = (read_photo(tmp_path / "x.png", 8, averaged=way).pixels for way in (True, False))
    assert np.abs(averaged - means).max() <= 1 < np.abs(filtered - means).max() < 80
    assert read_photo(tmp_path / "x.png", 32).notes == ()
    assert read_photo(tmp_path / "x.png", 128).notes == ("only 32 pixels wide: enlarged to 128",)


def test_of_frames_the_first_counts_and_that_is_said(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    photo = read_photo(tmp_path / "x.gif", 8)
    assert photo.notes == ("the first of its frames",) and tuple(photo.pixels[0, 0]) == (255, 0, 0)


def swapped():
    """A profile of sRGB whose red is blue, and its blue red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"xXYZ").replace(b"bXYZ", b"rXYZ").replace(b"xXYZ", b"bXYZ")


def linear_grey():
    """A profile of greys in proportion to the light."""
    d50 = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    white = b"XYZ " + bytes(4) + d50
    curve = b"curv" + bytes(8)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", start, len(white), b"kTRC", start + len(white), len(curve))
    size = struct.pack(">I", start + len(white) + len(curve))
    kind = bytes(4) + b"\x02\x40\0\0" + b"mntrGRAYXYZ " + bytes(12) + b"acsp"
    return (size + kind).ljust(68, b"\0") + d50.ljust(60, b"\0") + tags + white + curve


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_profiles_of_colour(tmp_path, mode):
    picture = Image.new("RGB", (8, 8), (204, 51, 51)).convert(mode)
    for profile, colour in ((swapped(), [51, 51, 204]), (b"damaged", [204, 51, 51])):
        picture.save(tmp_path / "x.png", icc_profile=profile)
        assert np.abs(read_photo(tmp_path / "x.png", 8).pixels.astype(int) - colour).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_profiles_of_greys(tmp_path, mode):
    Image.new("L", (8, 8), 55).convert(mode).save(tmp_path / "x.png", icc_profile=linear_grey())
    assert np.abs(read_photo(tmp_path / "x.png", 8).pixels.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L"])
def test_what_is_transparent_stays_so_in_other_colours(tmp_path, mode):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255
    pixels[:, 4:, :3] = 9
    picture = Image.fromarray(pixels)
    key = {"RGB": {"transparency": (9, 9, 9)}, "L": {"transparency": 9}}.get(mode, {})
    profile = linear_grey() if mode in ("L", "LA") else swapped()
    picture.convert(mode).save(tmp_path / "x.png", icc_profile=profile, **key)
    assert np.array_equal(read_photo(tmp_path / "x.png", 8).pixels[..., 1], np.tile(np.repeat([0, 255], 4), (8, 1)))


def refused(path):
    with pytest.raises(GanwalkError) as caught:
        read_photo(path, 4)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def test_what_is_no_picture_is_one_line(tmp_path):
    path = tmp_path / "x.png"
    assert "does not exist" in refused(path)
    assert "is a folder" in refused(tmp_path)
    for content in (b"", b"<html>no</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", bytes(100)):
        path.write_bytes(content)
        assert "is no picture of a known kind: give a JPEG or PNG" in refused(path)
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    assert "HEIC" in refused(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_and_damaged_files_end_in_one_line_or_a_picture(tmp_path, kind):
    noise = np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    data, path = buffer.getvalue(), tmp_path / "x"
    path.write_bytes(data[: len(data) // 2])
    assert refused(path)
    rng = np.random.default_rng(1)
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(len(data), size=4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_photo(path, 4).pixels.shape == (4, 4, 3)
        except GanwalkError as error:
            assert "\n" not in str(error)


def test_pictures_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    Image.fromarray(halves()).save(tmp_path / "x.png")
    monkeypatch.setattr("ganwalk.pictures.photos._MAX_PIXELS", 1000)
    assert "larger than 0.001 megapixels: make it smaller, or save it as a JPEG" in refused(tmp_path / "x.png")
    monkeypatch.setattr("ganwalk.pictures.photos._MAX_PIXELS", 4000)
    assert read_photo(tmp_path / "x.png", 4).pixels.shape == (4, 4, 3)


@pytest.mark.parametrize(("pixels", "factor"), [(2400, 1), (2399, 2), (600, 2), (599, 4), (40, 8)])
def test_jpegs_beyond_the_limit_are_read_at_a_part_of_their_size(tmp_path, monkeypatch, pixels, factor):
    # Of 40×60 pixels; all telephones turn their pictures by EXIF.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "x.jpg"
    Image.fromarray(halves()).save(path, quality=100, subsampling=0, exif=exif)
    monkeypatch.setattr("ganwalk.pictures.photos._MAX_PIXELS", pixels)
    photo = read_photo(path, 4)
    part = (f"60×40 pixels, read at 1/{factor} of its size",) if factor > 1 else ()
    assert photo.notes == part
    # A quarter turn clockwise has the black half on the right.
    assert np.abs(photo.pixels[..., 0].astype(int) - DOWN[::-1]).max() <= 60


def test_a_crop_is_in_the_pixels_of_the_file_however_it_is_read(tmp_path, monkeypatch):
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[16:48, 32:64] = 255
    Image.fromarray(pixels).save(tmp_path / "x.jpg", quality=100)
    for limit in (96 * 64, 96 * 64 // 4):
        monkeypatch.setattr("ganwalk.pictures.photos._MAX_PIXELS", limit)
        assert read_photo(tmp_path / "x.jpg", 8, Crop(32, 16, 32)).pixels.min() > 250
        with pytest.raises(GanwalkError, match="which is 96×64 pixels"):
            read_photo(tmp_path / "x.jpg", 8, Crop(65, 16, 32))


@pytest.mark.parametrize("options", [{"progressive": True}, {"progressive": True, "subsampling": 0}, {}])
def test_a_jpeg_whose_coefficients_lie_in_memory_is_refused_sooner(tmp_path, monkeypatch, options):
    Image.fromarray(halves()).save(tmp_path / "x.jpg", **options)
    # Two bytes each, and in colours every second one of each row and column.
    wanted = 2 * 2400 * (3 if "subsampling" in options else 1.5)
    monkeypatch.setattr("ganwalk.pictures.photos._MAX_COEFFICIENTS", wanted)
    assert read_photo(tmp_path / "x.jpg", 4).pixels.shape == (4, 4, 3)
    monkeypatch.setattr("ganwalk.pictures.photos._MAX_COEFFICIENTS", wanted - 1)
    if options:
        assert "scans, too many for its size: save it as a plain JPEG" in refused(tmp_path / "x.jpg")
    else:
        assert read_photo(tmp_path / "x.jpg", 4).pixels.shape == (4, 4, 3)


def test_folders_stand_for_their_pictures(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / "in" / name).touch()
    own = tmp_path / "own.xyz"
    own.touch()
    inside = [tmp_path / "in" / name for name in ("a.png", "b.JPG")]
    assert find_photos([own, tmp_path / "in", inside[0]]) == [own, *inside]
    with pytest.raises(GanwalkError, match="does not exist"):
        find_photos([tmp_path / "none.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(GanwalkError, match="holds no picture"):
        find_photos([tmp_path / "empty"])


def test_only_formats_of_photographs_are_opened():
    assert not {"EPS", "PDF", "WMF", "FITS"} & set(photos._FORMATS)
