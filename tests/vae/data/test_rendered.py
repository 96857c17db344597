"""Sprites and scenes: whole pictures, in the order of the grid, at both resolutions."""

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from vae.data import DATASETS, load_dataset
from vae.data.base import grid_indices, grid_positions
from vae.data.scene_renderer import grid_factors, render
from vae.data.sprites import Sprites, draw_masks


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("name", ["sprites", "scenes"])
def test_images_and_factors(name, resolution):
    data = load_dataset(name, resolution=resolution)
    indices = data.draw(20, np.random.default_rng(0))
    images, factors = data.images(indices), data.factors(indices)
    assert images.shape == (20, resolution, resolution, data.channels) and images.dtype == np.uint8
    assert factors.shape == (20, len(data.factor_names)) and len(data) == np.prod(data.factor_sizes)
    assert (factors < data.factor_sizes).all()
    assert np.array_equal(grid_indices(factors, data.factor_sizes), indices)
    assert np.array_equal(data.images(indices), images)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sprites", "scenes"])
def test_halves_show_the_same_picture(name):
    """32 px pictures are those of 64 px seen from farther away."""
    small, large = load_dataset(name, resolution=32), load_dataset(name, resolution=64)
    indices = large.draw(50, np.random.default_rng(1))
    images = large.images(indices).astype(float)
    halved = images.reshape(50, 32, 2, 32, 2, -1).mean(axis=(2, 4))
    difference = np.abs(small.images(indices) - halved)
    assert difference.max() <= 0.5 if name == "sprites" else difference.mean() < 2


@pytest.mark.parametrize("resolution", [32, 64])
def test_every_step_of_a_sprites_factor_changes_its_picture(resolution):
    data = Sprites(resolution)
    rng = np.random.default_rng(2)
    for column, size in enumerate(data.factor_sizes):
        positions = data.factors(data.draw(400, rng))
        positions[:, column] %= size - 1
        following = positions.copy()
        following[:, column] += 1
        first, second = (data.images(grid_indices(p, data.factor_sizes)) for p in (positions, following))
        assert (first != second).any(axis=(1, 2, 3)).all()


def test_sprites_are_whole_everywhere():
    """Moving to a corner loses no pixel, and no mask touches its border."""
    masks = draw_masks()
    assert not masks[:, [0, -1]].any() and not masks[:, :, [0, -1]].any()
    data = Sprites(64)
    largest = np.zeros((4, 5), np.int64)
    largest[:, 1] = 5
    largest[:, 3:] = [[0, 0], [31, 0], [0, 31], [31, 31]]
    images = data.images(grid_indices(largest, data.factor_sizes))
    assert len({int((image > 0).sum()) for image in images}) == 1
    assert set(np.unique(images)) == {0, 255}


def test_sprites_move_right_and_down():
    data = Sprites(64)
    for column, axis in ((3, 1), (4, 0)):
        places = []
        for k in (0, 10, 31):
            position = np.zeros((1, 5), np.int64)
            position[0, column] = k
            image = data.images(grid_indices(position, data.factor_sizes))[0, :, :, 0]
            places.append(np.argwhere(image)[:, axis].mean())
        assert np.diff(places) == pytest.approx([10, 21])


def test_orientations_turn_and_shapes_differ():
    masks = draw_masks().reshape(3, 6, 40, 33, 33)
    for shape, period in ((0, 10), (1, 20)):
        assert np.array_equal(masks[shape, 5, 3], masks[shape, 5, 3 + period])
    assert np.array_equal(np.rot90(masks[2, 5, 0]), masks[2, 5, 10])
    areas = (masks[:, :, 0] > 0).sum(axis=(2, 3))
    assert (np.diff(areas, axis=1) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [32, 64])
def test_painted_scenes_are_the_rendered_ones(resolution):
    data = load_dataset("scenes", resolution=resolution)
    indices = data.draw(40, np.random.default_rng(3))
    cast = render(grid_factors(data.factors(indices)), resolution)
    assert np.abs(data.images(indices).astype(int) - cast).max() <= 1


@pytest.mark.slow
def test_scenes_need_no_cache(tmp_path, monkeypatch):
    kept = load_dataset("scenes", resolution=32)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / "file"))
    indices = np.array([0, 123_456, 479_999])
    assert np.array_equal(load_dataset("scenes", resolution=32).images(indices), kept.images(indices))


@pytest.mark.slow
def test_scenes_are_cast_once(cache, monkeypatch):
    load_dataset("scenes", resolution=32)
    monkeypatch.setattr("vae.data.scenes.shadings_of", lambda *_: pytest.fail("cast again"))
    load_dataset("scenes", resolution=32)
    assert list(cache.glob("datasets/scenes-32-*.npy"))


def test_grid_order_is_that_of_the_public_data_sets():
    assert grid_positions(np.array([0, 1, 32, 1024, 737_279]), Sprites.factor_sizes).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [2, 5, 39, 31, 31],
    ]


def test_unknown_names_and_resolutions_are_refused():
    with pytest.raises(GanwalkError, match=next(iter(DATASETS))):
        load_dataset("cats")
    with pytest.raises(GanwalkError, match="32 or 64"):
        load_dataset("sprites", resolution=48)
