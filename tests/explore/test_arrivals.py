"""Files that come to a page: told by their content, bounded, and nothing of this machine in what is said of them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.explore import arrivals
from ganwalk.explore.arrivals import Projector, projected_samples, read_arrival
from ganwalk.pictures.photos import Photo


def picture(side=40):
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def sides(generator, space="w"):
    d = generator.w_dim if space == "w" else generator.z_dim
    return [Directions(torch.eye(d)[:2], torch.ones(2), space, generator.identity)]


def test_a_photo_and_latents_are_told_by_their_content(toy):
    photo = read_arrival("room.npz", picture(), toy, sides(toy), None)
    assert isinstance(photo.found, Photo) and photo.found.pixels.shape == (16, 16, 3) and photo.label == "room"
    latents = torch.randn(2, toy.num_layers, 12)
    arrived = read_arrival("C:\\pictures\\two.jpg", packed(w=latents.numpy()), toy, sides(toy), None)
    assert torch.equal(arrived.found.latents, latents) and arrived.found.labels == ("two 0", "two 1")


def test_more_samples_than_a_page_shows_are_cut(toy):
    arrived = read_arrival("many.npz", packed(w=np.ones((40, 12), np.float32)), toy, sides(toy), None)
    assert len(arrived.found) == 12 and arrived.notes == ("the first 12 of 40 samples",)


def test_refusals_are_one_line_without_folders(toy, monkeypatch):
    monkeypatch.setattr(arrivals, "_MAX_VALUES", 10_000)
    for name, data, words in (
        ("x.png", picture()[:300], r"^x.png is damaged"),
        ("x.txt", b"no picture", "^x.txt is no picture of a known kind: give a JPEG or PNG file$"),
        ("packed.npz", packed(w=np.zeros((2000, 12), np.float32)), r"^packed.npz holds an array .* which is too large"),
        ("long.png", bytes(arrivals.MAX_BYTES + 1), "^long.png is larger than 32 MB: give a smaller file$"),
    ):
        with pytest.raises(GanwalkError, match=words) as caught:
            read_arrival(name, data, toy, sides(toy), None)
        assert "\n" not in str(caught.value)


def test_directions_in_z_take_codes_only(toy):
    with pytest.raises(GanwalkError, match=r"^w: styles, which directions in z cannot shift: open directions in w"):
        read_arrival("w.npz", packed(w=np.ones((1, 12), np.float32)), toy, sides(toy, "z"), None)
    codes = read_arrival("z.npz", packed(z=np.ones((1, 8), np.float32)), toy, sides(toy, "z"), None).found
    assert codes.space == "z"
    projector = Projector(toy)
    assert projector.settings(sides(toy, "z"), None).space == "z" and projector.settings(sides(toy), None).space == "w+"


def test_a_projection_is_made_in_pieces(toy, monkeypatch):
    projector = Projector(toy)
    settings = projector.settings(sides(toy), None)
    shares = [projector.candidates(settings)]
    while shares[-1] < 1:
        shares.append(projector.candidates(settings))
    assert len(shares) == 8 and shares == sorted(shares)
    # They serve the next photo.
    assert projector.candidates(settings) == 1
    ongoing = projector.begin(settings, Photo(np.zeros((16, 16, 3), np.uint8))).further(enough=lambda: True)
    assert ongoing.progress.step == 1
    samples = projected_samples(ongoing.result(), "room")
    assert samples.latents.shape == (1, toy.num_layers, 12) and samples.labels == ("room",) and samples.space == "w"
