"""The renderer of scenes: every factor shows in the picture, and only where it should."""

import numpy as np
import pytest

from vae.data.scene_renderer import (
    FACTOR_NAMES,
    FACTOR_SIZES,
    SHAPE_NAMES,
    from_unit,
    grid_factors,
    render,
    sample_factors,
    to_unit,
)

SCENE = np.array([[0.0, 0.33, 0.66, 1.0, 2, 0.0]], np.float32)


def hue_of(pixel):
    return int(np.argmax(pixel))


def test_surfaces_have_their_hues():
    image = render(SCENE)[0].astype(int)
    assert hue_of(image[60, 4]) == 0  # floor red
    assert hue_of(image[3, 32]) == 1  # wall green
    assert hue_of(image[32, 32]) == 2  # solid blue


@pytest.mark.parametrize("column", range(6))
def test_every_factor_changes_the_picture(column):
    changed = SCENE.copy()
    changed[0, column] += {3: 0.2, 4: -1, 5: 12.0}.get(column, 0.4)
    difference = np.abs(render(SCENE).astype(int) - render(changed))
    assert (difference.sum(axis=-1) > 30).mean() > 0.02, FACTOR_NAMES[column]


def test_scale_grows_the_solid():
    def solid_pixels(scale):
        scene = SCENE.copy()
        scene[0, 3] = scale
        return (render(scene)[0].argmax(axis=-1) == 2).sum()

    sizes = [solid_pixels(scale) for scale in (0.75, 1.0, 1.25)]
    assert sizes == sorted(sizes) and sizes[2] > 2 * sizes[0]


def test_shapes_are_told_apart():
    scenes = np.repeat(SCENE, len(SHAPE_NAMES), axis=0)
    scenes[:, 4] = range(len(SHAPE_NAMES))
    images = render(scenes).astype(int)
    for i in range(len(images)):
        for j in range(i):
            assert (np.abs(images[i] - images[j]).sum(axis=-1) > 30).sum() > 60


def test_factors_of_the_grid_and_of_samples_are_in_range():
    rng = np.random.default_rng(0)
    grid = grid_factors(np.stack([rng.integers(size, size=50) for size in FACTOR_SIZES], axis=1))
    for values in (grid, sample_factors(50, seed=0)):
        assert ((values[:, :3] >= 0) & (values[:, :3] < 1)).all()
        assert ((values[:, 3] >= 0.75) & (values[:, 3] <= 1.25)).all()
        assert np.isin(values[:, 4], range(4)).all()
        assert (np.abs(values[:, 5]) <= 30).all()
    assert np.array_equal(sample_factors(5, seed=3), sample_factors(5, seed=3))


def test_resolution_and_rendering_are_deterministic():
    assert render(SCENE, resolution=32).shape == (1, 32, 32, 3)
    assert np.array_equal(render(SCENE), render(SCENE))


@pytest.mark.parametrize("bad", [np.zeros((2, 5)), np.full((1, 6), np.nan), np.array([[0, 0, 0, 1, 7, 0.0]])])
def test_bad_factors_are_refused(bad):
    with pytest.raises(ValueError):
        render(bad)


def test_units_span_the_ranges():
    factors = np.array([[0.1, 0.2, 0.3, 0.75, 1, 30.0], [0, 0, 0, 1.0, 3, 0.0]])
    assert np.allclose(to_unit(factors), [[0.1, 0.2, 0.3, -1, 1, 1], [0, 0, 0, 0, 3, 0]])
    assert np.allclose(from_unit(to_unit(factors)), factors)
