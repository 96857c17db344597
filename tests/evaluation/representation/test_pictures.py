"""Pictures as people have them."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.errors import GanwalkError
from ganwalk.evaluation.representation.pictures import read_picture


def halves(height=40, width=60, channels=3):
    """Black on top, white below."""
    pixels = np.zeros((height, width, channels), np.uint8)
    pixels[height // 2 :] = 255
    return pixels


TOP_DOWN = torch.tensor([-1.0, -1.0, 1.0, 1.0])[:, None].expand(4, 4)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_every_kind_of_picture(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode in ("CMYK", "LA") else "x.png")
    if mode == "I;16":
        Image.fromarray(halves()[..., 0].astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(halves()).convert(mode).save(path)
    for channels in (1, 3):
        found = read_picture(path, 4, channels)
        assert found.shape == (1, channels, 4, 4)
        assert torch.allclose(found, TOP_DOWN.expand(1, channels, 4, 4), atol=0.02)


def test_the_square_in_the_middle_upright(tmp_path):
    pixels = np.full((20, 60, 3), 128, np.uint8)
    pixels[:, 20:40] = halves(20, 20)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert torch.equal(read_picture(tmp_path / "wide.png", 4, 3)[0, 0], TOP_DOWN)
    exif = Image.Exif()
    # Shot with the camera on its head.
    exif[0x0112] = 3
    Image.fromarray(pixels[::-1].copy()).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(read_picture(tmp_path / "turned.png", 4, 3)[0, 0], TOP_DOWN)


def test_what_is_transparent_lies_on_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    row = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    assert torch.equal(read_picture(tmp_path / "x.png", 4, 3)[0, 1], row.expand(4, 4))
    palette = Image.fromarray(np.repeat(np.uint8([[0, 1]]), 4, axis=1).repeat(8, axis=0), "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "p.png", transparency=1)
    assert torch.equal(read_picture(tmp_path / "p.png", 4, 1)[0, 0], row.expand(4, 4))


def test_large_pictures_are_averaged_and_small_ones_enlarged(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    means = noise.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    found = read_picture(tmp_path / "x.png", 8, 3)[0].permute(1, 2, 0).numpy()
    assert np.abs((found + 1) * 127.5 - means).max() <= 1
    assert read_picture(tmp_path / "x.png", 64, 3).shape == (1, 3, 64, 64)


def test_what_is_no_picture_is_one_line(tmp_path):
    Image.fromarray(halves()).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    for content, reason in (
        (b"", "neither JPEG nor PNG"),
        (b"<html>no</html>", "neither JPEG nor PNG"),
        (data[: len(data) // 2], "is no picture"),
    ):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(GanwalkError, match=reason) as caught:
            read_picture(tmp_path / "x.png", 4, 3)
        assert "\n" not in str(caught.value) and "give a JPEG or PNG file" in str(caught.value)
    with pytest.raises(GanwalkError, match="does not exist"):
        read_picture(tmp_path / "none.png", 4, 3)
    with pytest.raises(GanwalkError, match="is a folder"):
        read_picture(tmp_path, 4, 3)


def test_pictures_larger_than_memory_are_refused(tmp_path, monkeypatch):
    Image.fromarray(halves()).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(GanwalkError, match="is no picture"):
        read_picture(tmp_path / "x.png", 4, 3)
