"""What pictures say of edits whose answer is known: of places, of colours and light, and of shapes."""

import numpy as np
import pytest
import torch

from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.naming.appearance import Trend, appearance_of, recoloured_share
from ganwalk.naming.settings import NamingSettings
from ganwalk.naming.suggest import suggest_names
from ganwalk.naming.words import after_appearance
from ganwalk.rendering.images import to_bytes
from ganwalk.rendering.saliency import HARDLY_SEEN, heat_picture, place_of, reduced, saliency_map, thirds
from tests.evaluation.known import axes_of

GREY = np.ones(3) / 3**0.5
TWIST = np.array([[0, -GREY[2], GREY[1]], [GREY[2], 0, -GREY[0]], [-GREY[1], GREY[0], 0]])

# A soft light on the middle of a picture.
SPOT = np.exp(-np.square(np.mgrid[-1:1:64j, -1:1:64j]).sum(axis=0) / 0.3)[..., None]


@pytest.fixture(scope="module")
def pictures():
    """Eight scenes (8, 64, 64, 3), from 0 to 1."""
    generator = load_generator("scenes")
    with torch.no_grad():
        return reduced(to_bytes(generator.synthesis(generator.mapping(sample_z(generator, 8, 0)))))


def part(rows=slice(None), columns=slice(None)):
    """1 in a part of a picture of 64 pixels, 0 elsewhere: (64, 64, 1)."""
    mask = np.zeros((64, 64, 1))
    mask[rows, columns] = 1
    return mask


def lit(amount, mask=1.0):
    """More light, on pictures that are nowhere so bright or dark that it is cut off."""
    return lambda x, sign: 0.5 * x + 0.25 + sign * amount * mask


def turned(x, sign, angle=0.4):
    """All hues turned around grey, whose brightness stays."""
    c, s = np.cos(sign * angle), np.sin(sign * angle)
    return x @ (np.eye(3) + s * TWIST + (1 - c) * TWIST @ TWIST).T


def stretched(x, sign):
    return (x - 0.5) * (1 + 0.15 * sign) + 0.5


def coloured(x, sign):
    grey = x.mean(axis=3, keepdims=True)
    return grey + (x - grey) * (1 + 0.2 * sign)


def softened(x, sign):
    """Means over neighbours: once for no shift, twice forwards."""
    for _ in range(1 + sign):
        for axis in (1, 2):
            x = (np.roll(x, 1, axis) + 2 * x + np.roll(x, -1, axis)) / 4
    return x


def tinted(x, sign):
    return x + sign * np.array([0.0, -0.04, 0.1]) * part(rows=slice(0, 22))


def moved(x, sign):
    return np.roll(x, 2 * sign, axis=2)


def of(edit, pictures):
    minus, here, plus = (np.clip(edit(pictures, sign), 0, 1).astype(np.float32) for sign in (-1, 0, 1))
    return appearance_of(minus, here, plus)


KNOWN = {
    "brighter on the left": lit(0.1, part(columns=slice(0, 32))),
    "darker at the top right": lit(-0.1, part(slice(0, 28), slice(36, 64))),
    "brighter everywhere": lit(0.1),
    "brighter in the centre": lit(0.2, SPOT),
    "darker in the background": lit(-0.1, 1 - SPOT),
    "colour everywhere": turned,
    "bluer at the top": tinted,
    "more contrast everywhere": stretched,
    "more colourful everywhere": coloured,
    "softer everywhere": softened,
    "shape in the centre": moved,
    "hardly anything": lit(0.01),
}


@pytest.mark.parametrize("name", KNOWN)
def test_edits_are_called_what_they_are(pictures, name):
    found = after_appearance(of(KNOWN[name], pictures))
    assert found.name == name, found.note


def test_the_other_way_has_the_opposite_name(pictures):
    for there, back in (("brighter on the left", "darker on the left"), ("bluer at the top", "yellower at the top")):
        assert after_appearance(of(lambda x, sign, n=there: KNOWN[n](x, -sign), pictures)).name == back
    for there, back in (
        ("more contrast everywhere", "less contrast everywhere"),
        ("more colourful everywhere", "paler everywhere"),
    ):
        assert after_appearance(of(lambda x, sign, n=there: KNOWN[n](x, -sign), pictures)).name == back


def test_contrast_and_sharpness_are_told_in_percent_not_as_logarithms():
    ramp = np.linspace(0, 1, 8, dtype=np.float32)[None, None, :, None] * np.ones((3, 8, 1, 3), np.float32)
    found = appearance_of(*((0.5 + (ramp - 0.5) * size).astype(np.float32) for size in (0.1, 0.4, 1.0)))
    faded = appearance_of(*((0.5 + (ramp - 0.5) * size).astype(np.float32) for size in (1.0, 0.4, 0.1)))
    assert found.contrast.change == pytest.approx(-faded.contrast.change) and found.contrast.change > 1
    assert f"contrast +{100 * np.expm1(found.contrast.change):.0f} %" in after_appearance(found).note
    # Never as much as all of it.
    assert f"contrast −{-100 * np.expm1(faded.contrast.change):.0f} %" in after_appearance(faded).note


def test_pictures_of_which_everything_changes_change_by_100_percent():
    black = np.zeros((3, 8, 8, 3), np.float32)
    assert "pixels change by 100 % of" in after_appearance(appearance_of(black, black + 1, black)).note


def test_numbers_of_an_even_light_by_hand():
    grey = np.full((3, 8, 8, 3), 0.5, np.float32)
    light = np.zeros((8, 8, 3), np.float32)
    light[:, :4] = 0.1
    found = appearance_of(grey - light, grey, grey + light)
    assert found.amount == pytest.approx(0.05) and found.spread == pytest.approx(0.5)
    assert found.coloured == pytest.approx(0, abs=1e-6)
    # Where it changes, and by as much in all samples.
    assert found.brightness.change == pytest.approx(0.1) and found.brightness.agreement == pytest.approx(1)
    # Half a picture of light has a spread of half its height, both ways: contrast goes nowhere.
    assert found.contrast.change == pytest.approx(0, abs=1e-6)
    nothing = appearance_of(grey, grey, grey)
    assert (nothing.amount, nothing.spread, nothing.place) == (0, 0, "nowhere")
    assert nothing.brightness == Trend(0, 0)


def test_trends_know_whether_samples_agree():
    assert Trend.of(np.array([1.0, 3.0])) == Trend(2, 1)
    assert Trend.of(np.array([1.0, -1.0])) == Trend(0, 0)
    assert Trend.of(np.array([1.0, 1.0]), np.array([4.0, 4.0])) == Trend(1, 0.25)


def test_new_colours_are_explained_and_moved_shapes_are_not(pictures):
    assert recoloured_share(pictures, turned(pictures, 1).astype(np.float32)) > 0.99
    assert recoloured_share(pictures, lit(0.1, part(columns=slice(0, 32)))(pictures, 1)) > 0.8
    assert recoloured_share(pictures, moved(pictures, 1)) < 0.2
    assert recoloured_share(pictures, pictures) == 0
    plain = np.full((2, 8, 8, 3), 0.25, np.float32)
    assert recoloured_share(plain, plain + 0.5) == pytest.approx(1)


@pytest.mark.parametrize("variant", ["blobs", "blobs-curved"])
def test_true_axes_of_blobs_are_told_by_what_they_change(variant):
    """Position, size and angle are shapes in the centre, where blobs are; hue and background are none."""
    generator = load_generator(variant)
    shares = []
    found = suggest_names(
        generator, axes_of(generator), NamingSettings(samples=12), reader=None, on_share=shares.append
    )
    names = [suggestion.name for suggestion in found]
    assert names[:4] == ["shape in the centre"] * 4
    assert names[4] in ("bluer in the centre", "colour in the centre") and names[5] == "brighter in the background"
    assert shares == sorted(shares) and shares[-1] == 1


def test_places_of_maps():
    x = np.linspace(0, 1, 64)
    assert place_of(np.tile(x, (64, 1))) == "on the right"
    assert place_of(np.outer(1 - x, np.ones(64))) == "at the top"
    assert place_of(np.outer(x, 1 - x)) == "at the bottom left"
    assert place_of(np.ones((64, 64))) == "everywhere"
    assert place_of(0.1 + 0.4 * (x > 0.7)[:, None] * np.ones(64)) == "at the bottom"
    assert place_of(np.full((64, 64), HARDLY_SEEN / 2)) == "nowhere"
    assert thirds(np.ones((64, 64))) == pytest.approx(np.full((3, 3), 1 / 9))
    assert not thirds(np.zeros((5, 5))).any()


def test_a_map_is_the_mean_change_from_step_to_step():
    walk = np.zeros((3, 4, 4, 3), np.float32)
    walk[1, 0, 0], walk[2, 0, 0, 0] = 0.5, 0.5
    # Half up in three channels, then down in two of them: a mean of 0.5 and of 1/3.
    found = saliency_map([walk, np.zeros_like(walk)])
    assert found[0, 0] == pytest.approx((0.5 + 1 / 3) / 2 / 2) and found.sum() == pytest.approx(found[0, 0])
    large = np.zeros((2, 256, 256, 3), np.uint8)
    large[1, :128] = 255
    small = reduced(large)
    assert small.shape == (2, 64, 64, 3) and small[1, :32].min() == 1 and small[1, 32:].max() == 0
    assert reduced(large, 256).shape == large.shape


def test_a_heat_map_is_hot_where_most_changes_and_grey_where_nothing_does():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :, 1] = 200
    saliency = np.zeros((16, 16))
    saliency[4:12, 10:14] = 0.3
    shown = heat_picture(saliency, picture)
    assert shown.shape == picture.shape and shown.dtype == np.uint8
    still, hot = shown[16, 4].astype(int), shown[16, 24].astype(int)
    assert still.max() - still.min() == 0 and hot[0] > 180 and hot[2] < 120
    # What nobody sees is not blown up to the whole scale.
    faint = heat_picture(saliency * 0.001, picture)
    assert np.abs(faint.astype(int) - heat_picture(saliency * 0, picture)).max() < 30
