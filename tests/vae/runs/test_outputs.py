"""Pictures of models and trainings, and the table of scores."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vae.squares import Reader, Squares
from vae.models import VAE, ModelConfig
from vae.runs.outputs import (
    draw_history,
    draw_information,
    draw_model,
    reconstruction_sheet,
    traversal_frames,
    traversal_sheet,
)
from vae.scores.evaluation import ModelScores
from vae.scores.tables import score_table

PITCH, CELL = 100, 96
ACCENT = (31, 78, 156)


class Dimmer(VAE):
    """Grey pictures as bright as the first coordinate says, whatever the others are."""

    def __init__(self, z_dim=3):
        super().__init__(ModelConfig(32, 1, z_dim=z_dim, hidden=8))

    def decode(self, z):
        return z[:, :1, None, None].expand(-1, 1, 32, 32)


def brightness(position):
    return 255 / (1 + math.exp(-position))


def cells(sheet, rows, columns):
    """Mean brightness (rows, columns) of a sheet's cells; its margins are what rows and columns leave."""
    left = sheet.width - 14 - (columns * PITCH - 4)
    top = sheet.height - 42 - rows * PITCH
    pixels = np.asarray(sheet.convert("L"), float)
    starts = [(top + PITCH * row, left + PITCH * column) for row in range(rows) for column in range(columns)]
    # Not the edges, where the frame of the middle column is.
    found = [pixels[y + 10 : y + CELL - 10, x + 10 : x + CELL - 10].mean() for y, x in starts]
    return np.array(found).reshape(rows, columns)


def test_rows_of_a_traversal_show_one_coordinate_each():
    mean, kl, active = np.array([0.7, 0.0, 0.0]), np.array([2.0, 0.0, 1.0]), np.array([True, False, True])
    sheet = traversal_sheet(Dimmer(), mean, kl, active, np.array([0, 2, 1]))
    shown = cells(sheet, 3, 11)
    assert shown[0] == pytest.approx([brightness(p) for p in np.linspace(-2.5, 2.5, 11)], abs=1)
    assert shown[1:] == pytest.approx(np.full((2, 11), brightness(0.7)), abs=1)


def test_bars_are_shares_of_the_largest_kl():
    kl = np.array([2.0, 1.0, 0.0])
    sheet = np.asarray(traversal_sheet(Dimmer(), np.zeros(3), kl, np.ones(3, bool), np.arange(3)))
    left = sheet.shape[1] - 14 - (11 * PITCH - 4)
    top = sheet.shape[0] - 42 - 3 * PITCH
    bars = [sheet[top + PITCH * row : top + PITCH * row + CELL, : left - 5] for row in range(3)]
    lengths = [(bar == ACCENT).all(axis=2).any(axis=0).sum() for bar in bars]
    assert lengths[0] > 0 and lengths[2] == 0 and lengths[1] == pytest.approx(lengths[0] / 2, abs=1)


def test_dimensions_out_of_use_are_marked():
    def labels(active):
        return np.asarray(traversal_sheet(Dimmer(), np.zeros(3), np.ones(3), np.array(active), np.arange(3)))

    assert labels([True] * 3).shape[1] < labels([True, True, False]).shape[1]


def test_frames_move_there_and_back():
    frames = traversal_frames(Dimmer(), np.array([0.7, 0.0, 0.0]), np.array([1, 0]))
    assert {frame.shape for frame in frames} == {(CELL, 2 * PITCH - 4, 3)}
    still = [frame[:, :CELL].mean() for frame in frames]
    moving = [frame[:, PITCH:].mean() for frame in frames]
    assert still == pytest.approx([brightness(0.7)] * len(frames), abs=1)
    quarter = len(frames) // 4
    turning = [brightness(p) for p in (0, 2.5, 0, -2.5)]
    assert [moving[k * quarter] for k in range(4)] == pytest.approx(turning, abs=1)


def test_reconstructions_are_below_their_images():
    rows = np.arange(0, 190, 19)
    good = cells(reconstruction_sheet(Reader(), Squares(), rows), 2, len(rows))
    assert good[0].std() > 1 and good[1] == pytest.approx(good[0], abs=0.5)
    with torch.no_grad():
        other = cells(reconstruction_sheet(Dimmer(), Squares(), rows), 2, len(rows))
    assert np.array_equal(other[0], good[0]) and abs(other[1] - good[1]).min() > 1


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_a_model(tmp_path, channels):
    model = VAE(ModelConfig(32, channels, z_dim=7, hidden=8)).train()
    paths = draw_model(model, Squares(channels), tmp_path)
    assert [path.name for path in paths] == ["reconstructions.png", "traversals.png", "traversals.gif"]
    assert model.training
    with Image.open(paths[2]) as animation:
        assert animation.size == (5 * PITCH - 4, 2 * PITCH - 4) and animation.n_frames > 10


@pytest.mark.slow
def test_pictures_show_the_most_informative_of_many_dimensions(tmp_path):
    draw_model(VAE(ModelConfig(32, 1, z_dim=400, hidden=8)), Squares(), tmp_path)
    with Image.open(tmp_path / "traversals.png") as sheet:
        assert sheet.height < 51 * PITCH + 100
    with Image.open(tmp_path / "traversals.gif") as animation:
        assert animation.height == 10 * PITCH - 4
    scores = ModelScores({}, np.arange(400.0), np.ones((400, 2)))
    draw_information(scores, ("x", "y"), tmp_path / "effects.png")
    with Image.open(tmp_path / "effects.png") as picture:
        assert picture.height < 3000


def curves(folder, history):
    (path,) = draw_history(history, folder)
    return np.asarray(Image.open(path).convert("RGB"), int)


def inked(picture):
    return int((picture == ACCENT).all(axis=2).sum())


def test_a_history_of_one_row_is_seen(tmp_path):
    assert inked(curves(tmp_path, [{"step": 5, "kl": math.nan}])) == 0
    assert inked(curves(tmp_path, [{"step": 5, "kl": 3.0}])) > 0


def test_rows_without_a_number_are_left_out(tmp_path):
    rows = [{"step": 10 * k, "kl": k**0.5, "topdis": 1 / k} for k in range(1, 9)]
    gap, hole = [dict(row) for row in rows], [dict(row) for row in rows]
    gap[3]["kl"] = math.nan
    del hole[3]["kl"]
    assert np.array_equal(curves(tmp_path, gap), curves(tmp_path, hole))
    assert not np.array_equal(curves(tmp_path, gap), curves(tmp_path, rows))


def test_every_column_has_a_panel(tmp_path):
    few = [{"step": k, "loss": 1.0, "kl": float(k)} for k in range(5)]
    more = [{**row, "reconstruction": 1.0, "tc": 0.1, "a_new_column": 2.0, "quick_mig": 0.5} for row in few]
    assert curves(tmp_path, more).shape[0] > curves(tmp_path, few).shape[0]
    assert draw_history([], tmp_path) == [] and draw_history([{"step": 1, "loss": 2.0}], tmp_path) == []


def test_heat_maps_change_with_what_they_show(tmp_path):
    pictures = []
    for table in (np.eye(3), 1 - np.eye(3)):
        draw_information(ModelScores({}, np.array([3.0, 2.0, 1.0]), table), ("x", "y", "shade"), tmp_path / "e.png")
        pictures.append(np.asarray(Image.open(tmp_path / "e.png").convert("L"), float))
    assert pictures[0].shape == pictures[1].shape and abs(pictures[0] - pictures[1]).max() > 100


def test_tables_have_a_column_for_each_model():
    scores = [{"mig": 0.25, "active_units": 9.0, "psnr": 21.5}, {"mig": 0.5, "active_units": 4.5}]
    lines = score_table(scores, ["first", "second"], [{}, {"mig": 0.1, "active_units": 0.7}])
    assert lines[0].split() == ["first", "second"]
    assert lines[1].split() == ["MIG", "0.250", "0.500", "±", "0.100"]
    assert lines[2].split() == ["active", "units", "9", "4.500", "±", "0.700"]
    assert lines[3].split() == ["PSNR,", "dB", "21.5"]
    assert len({len(line) for line in lines[:3]}) == 1
