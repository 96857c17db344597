"""Grids and animations: the pixels are those of the generator, the memory is bounded, the text fits."""

import itertools
import sys
from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, format_edit, parse_edit
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.blobs import Blobs, BlobsConfig
from ganwalk.options.ranges import parse_layers, parse_seeds
from ganwalk.pictures.sheets import cell_size, save_picture
from ganwalk.rendering.grids import (
    SHEET_ROWS,
    combination_grid,
    default_seeds,
    overview_grid,
    overview_parts,
    overview_sheets,
    traversal_grid,
)
from ganwalk.rendering.images import from_bytes, to_bytes, traverse, unmoved_pictures
from ganwalk.rendering.loops import save_loop
from ganwalk.rendering.saliency import heat_picture, reduced, saliency_map
from ganwalk.samples import DrawnSamples

ONE = DrawnSamples((1,))


@pytest.fixture
def large():
    """Blobs of 96 px, whose cells are not resized, and directions along its true axes."""
    generator = Blobs(BlobsConfig(resolution=96)).eval()
    generator.identity = GeneratorIdentity("blobs", "0" * 64, "blobs", 96)
    directions = Directions(generator.rotation.clone(), torch.ones(6), "z", generator.identity, method="true")
    return generator, directions


def find(sheet, block):
    """Top left corners at which a block of pixels stands in a sheet."""
    first = (np.abs(sheet[: -len(block), : -block.shape[1]].astype(int) - block[0, 0]).max(axis=2) <= 1).nonzero()
    return [
        (int(y), int(x))
        for y, x in zip(*first, strict=True)
        if np.abs(sheet[y : y + len(block), x : x + block.shape[1]].astype(int) - block).max() <= 1
    ]


@pytest.mark.slow
def test_cells_are_the_images_of_the_walk(large):
    generator, directions = large
    sheet = np.asarray(traversal_grid(generator, directions, 4, DrawnSamples((1, 2)), amplitude=1.0, steps=3))
    corners = []
    for seed in (1, 2):
        z = sample_z(generator, 1, seed)
        for amplitude in (-1.0, 0.0, 1.0):
            w = generator.mapping(z + amplitude * directions.vectors[4])
            expected = to_bytes(generator.synthesis(w))[0]
            corners.append(find(sheet, expected[4:-4, 4:-4]))
    assert all(len(found) == 1 for found in corners)
    (y, x), right, below = corners[0][0], corners[1][0], corners[3][0]
    assert right == (y, x + 100) and below == (y + 100, x)


def test_a_column_of_heat_maps_stands_at_the_end_of_each_row(large):
    generator, directions = large
    samples = DrawnSamples((1, 2))
    plain, with_heat = (
        np.asarray(traversal_grid(generator, directions, 5, samples, amplitude=2.0, steps=3, saliency=saliency))
        for saliency in (False, True)
    )
    # One cell and a gap; what was there stays where it was.
    assert with_heat.shape == (plain.shape[0], plain.shape[1] + 100, 3)
    for seed in (1, 2):
        cells = traverse(generator, directions, [Move(5)], [-2.0, 0.0, 2.0], DrawnSamples((seed,)), batch=8)[0]
        heat = heat_picture(saliency_map([reduced(cells)]) / 2, cells[1])
        ((_, x),) = find(with_heat, heat)
        ((_, last),) = find(with_heat, cells[2][:, 8:-8])
        assert x == last - 8 + 100
    sheet = next(overview_sheets(generator, directions, ONE, steps=3, saliency=True))
    assert sheet.width == overview_grid(generator, directions, ONE, steps=3).width + 100
    edit = [Move(0, 1.0), Move(1, -1.0)]
    combined = [combination_grid(generator, directions, edit, ONE, steps=2, saliency=on).width for on in (False, True)]
    assert combined[1] == combined[0] + 100


def test_the_batch_bounds_memory_and_changes_nothing(toy, monkeypatch):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    walked = (toy, directions, [Move(1, 1.0, (1, 3))], [-1.0, 0.0, 1.0, 2.0], DrawnSamples((0, 1), truncation_psi=0.7))
    together = traverse(*walked, batch=8)
    sizes = []
    toy.synthesis.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    apart = traverse(*walked, batch=3)
    assert max(sizes) == 3 and together.shape == (2, 4, 16, 16, 3)
    assert np.abs(together.astype(int) - apart).max() <= 1


def test_rows_that_do_nearly_nothing_are_pale(toy):
    directions = Directions(torch.eye(8)[:2], torch.ones(2), "z", toy.identity)
    plain = np.asarray(overview_grid(toy, directions, ONE, steps=3)).astype(int)
    weak = replace(directions, effects=torch.tensor([1.0, 0.01]))
    pale = np.asarray(overview_grid(toy, weak, ONE, steps=3)).astype(int)
    # Inside of the last cell of each row: labels and bars change the left only.
    first, second = (slice(60, 110), slice(-90, -30)), (slice(160, 210), slice(-90, -30))
    assert np.array_equal(pale[first], plain[first])
    assert not np.array_equal(pale[second], plain[second]) and pale[second].min() >= 150


def test_overview_has_a_row_per_direction_and_reports_progress(large):
    generator, directions = large
    calls = []
    picture = overview_grid(generator, directions, DrawnSamples((3,)), steps=5, progress=lambda *c: calls.append(c))
    # The sample itself is the middle of every row, and made once.
    assert calls[-1] == (25, 25) and [done for done, _ in calls] == sorted(done for done, _ in calls)
    one = overview_grid(generator, directions, DrawnSamples((3,)), steps=2)
    assert picture.width > 5 * 96 and picture.height > 6 * 96 and 0 <= one.height - picture.height < 96


def test_very_many_directions_are_drawn_on_several_sheets(toy, run, tmp_path, monkeypatch):
    vectors = torch.eye(12).repeat(6, 1)[: 2 * SHEET_ROWS + 2]
    labels = (Label(hidden=True), *[Label()] * (len(vectors) - 1))
    directions = Directions(vectors, torch.ones(len(vectors)), "w", toy.identity, labels=labels)
    parts = overview_parts(directions)
    assert [len(part) for part in parts] == [17, 17, 17] and [*itertools.chain(*parts)] == list(range(1, 52))
    assert overview_parts(directions.select(list(range(SHEET_ROWS)))) == [list(range(1, SHEET_ROWS))]
    calls = []
    sheets = [
        np.asarray(sheet)
        for sheet in overview_sheets(toy, directions, ONE, steps=3, progress=lambda *call: calls.append(call))
    ]
    assert len(sheets) == 3 and calls[-1] == (1 + 2 * 51, 1 + 2 * 51)
    cell = cell_size(toy.resolution)
    assert all(17 * cell < sheet.shape[0] < 20 * cell for sheet in sheets)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganwalk.generators.loading.load_directions_generator", lambda *_, **options: toy)
    directions.save("directions.safetensors")
    code, out, err = run("render", "--direction", "all", "--steps", 3, "--seeds", 1, "-o", "all.png", "-q")
    assert code == 0, err
    assert out.splitlines()[:2] == [
        "51 directions are too many for one picture: they are on 3 sheets",
        "wrote all-1.png, all-2.png, all-3.png",
    ]
    for k, sheet in enumerate(sheets):
        np.testing.assert_array_equal(np.asarray(Image.open(f"all-{k + 1}.png")), sheet)
    assert not (tmp_path / "all.png").exists()


def test_known_pictures_of_the_samples_are_not_made_again(toy):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    walked = (toy, directions, [Move(1)], [-1.0, 0.0, 2.0], DrawnSamples((0, 1)))
    unmoved = unmoved_pictures(toy, directions, walked[3], walked[4], batch=8)
    sizes = []
    expected = traverse(*walked, batch=8)
    toy.synthesis.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    found = traverse(*walked, batch=8, unmoved=unmoved)
    assert sizes == [4] and np.abs(found.astype(int) - expected).max() <= 1
    alone = traverse(toy, directions, [Move(1)], [0.0], walked[4], batch=8, unmoved=unmoved)
    assert sizes == [4] and np.array_equal(alone[:, 0], unmoved)
    assert unmoved_pictures(toy, directions, [-1.0, 1.0], walked[4], batch=8) is None


def test_pixels_become_images_and_back():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_bytes(from_bytes(pixels)), pixels)


def test_grids_of_slow_generators_have_fewer_samples(toy):
    assert default_seeds(toy) == (1, 2, 3, 4, 5, 6)
    toy.resolution = 1024
    assert default_seeds(toy) == (1, 2, 3)


def test_captions_are_drawn_within_the_picture(large):
    generator, directions = large
    picture = np.asarray(traversal_grid(generator, directions, 0, ONE, steps=2))
    bottom = picture[-30:].min(axis=2)
    assert (bottom < 128).any() and not (bottom[:, -4:] < 128).any()


def test_small_images_are_enlarged_and_large_ones_reduced():
    assert [cell_size(r) for r in (4, 32, 64, 96, 128, 1024)] == [96, 96, 128, 96, 128, 256]


def test_images_of_one_channel_and_values_out_of_range():
    pixels = to_bytes(torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]).view(1, 1, 1, 5))
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255] and pixels.shape == (1, 1, 5, 3)
    assert to_bytes(torch.zeros(1, 2, 4, 4)).shape == (1, 4, 4, 3) == to_bytes(torch.zeros(1, 5, 4, 4)).shape


def test_images_with_opacity_lie_on_white():
    colour, opacity = torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0, -9.0, 9.0])
    images = torch.cat([colour.view(1, 3, 1, 1).expand(-1, -1, 1, 5), opacity.view(1, 1, 1, 5)], dim=1)
    clear, half, full = [255, 255, 255], [128, 191, 255], [0, 128, 255]
    assert to_bytes(images)[0, 0].tolist() == [clear, half, full, clear, full]


def test_pictures_that_cannot_be_are_refused(large):
    generator, directions = large
    with pytest.raises(GanwalkError, match="directions 0 to 5"):
        traversal_grid(generator, directions, 6, ONE)
    with pytest.raises(GanwalkError, match="too large"):
        traversal_grid(generator, directions, 0, DrawnSamples(tuple(range(9000))), steps=100)
    with pytest.raises(GanwalkError, match="of one sample, not of 2"):
        overview_grid(generator, directions, DrawnSamples((1, 2)))
    with pytest.raises(GanwalkError, match="batch must be at least 1"):
        traversal_grid(generator, directions, 0, ONE, batch=0)
    with pytest.raises(GanwalkError, match="at least 2"):
        traversal_grid(generator, directions, 0, ONE, steps=1)


def test_a_combination_walks_from_the_sample_to_the_whole_edit(large):
    generator, directions = large
    edit = [Move(4, 1.5), Move(1, -1.0)]
    sheet = np.asarray(combination_grid(generator, directions, edit, ONE, steps=3))
    z = sample_z(generator, 1, 1)
    corners = []
    for fraction in (0.0, 0.5, 1.0):
        shift = fraction * (1.5 * directions.vectors[4] - directions.vectors[1])
        expected = to_bytes(generator.synthesis(generator.mapping(z + shift)))[0]
        corners += find(sheet, expected[4:-4, 4:-4])
    (y, x) = corners[0]
    assert corners == [(y, x), (y, x + 100), (y, x + 200)]


def test_hidden_directions_are_left_out_of_the_overview_and_names_change_it(large):
    generator, directions = large
    plain = np.asarray(overview_grid(generator, directions, ONE, steps=2))
    named = np.asarray(overview_grid(generator, directions.labelled(0, Label(name="hue")), ONE, steps=2))
    fewer = np.asarray(overview_grid(generator, directions.labelled(0, Label(hidden=True)), ONE, steps=2))
    assert named.shape[1] > plain.shape[1] and fewer.shape[0] == plain.shape[0] - 100
    everything = replace(directions, labels=(Label(hidden=True),) * 6)
    assert overview_grid(generator, everything, ONE, steps=2).height == plain.shape[0]


def test_edits_are_typed_by_name_or_number(large):
    _, directions = large
    directions = directions.labelled(3, Label(name="a=b")).labelled(5, Label(name="Smile"))
    text = "smile=2, a=b=-1.5@4-7 ,0=1e-1"
    assert parse_edit(text, directions) == [Move(5, 2.0), Move(3, -1.5, (4, 7)), Move(0, 0.1)]
    assert parse_edit("0=1,1=2@3", directions, (1, 2)) == [Move(0, 1.0, (1, 2)), Move(1, 2.0, (3, 3))]
    assert format_edit(parse_edit(text, directions), directions) == "Smile=2,a=b=-1.5@4-7,0=0.1"
    for wrong, message in (
        ("", "not a list such as"),
        ("smile", "not a list such as"),
        ("smile=", "not a list such as"),
        ("smile=inf", "not a list such as"),
        ("smile=2,,", "not a list such as"),
        ("smile=2@x", "not a range"),
        ("smile=1,0=-1e20", "goes too far: at most 1000 σ"),
        ("grin=2", "no direction is called 'grin'.*names are"),
        ("9=2", "directions 0 to 5"),
        ("smile=1,5=2", "names direction 5 · Smile twice"),
    ):
        with pytest.raises(GanwalkError, match=message):
            parse_edit(wrong, directions)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
@pytest.mark.parametrize("index", [2, None])
def test_animations_can_be_played(large, tmp_path, suffix, index):
    generator, directions = large
    path = tmp_path / f"walk{suffix}"
    edits = [[Move(index, 3.0)]] if index is not None else [[Move(k, 3.0)] for k in range(6)]
    samples = DrawnSamples((1, 2)) if index is not None else ONE
    save_loop(path, generator, directions, edits, samples, frames=8, batch=3)
    frames = imageio.mimread(path)
    tiles = 2 if index is not None else 6
    assert len(frames) == 8 and frames[0].shape[:2] == (96, tiles * 100 - 4)
    assert np.abs(frames[0].astype(int)[..., :3] - frames[2].astype(int)[..., :3]).max() > 20


def test_animations_elsewhere_are_refused_and_leave_nothing(large, tmp_path):
    generator, directions = large
    with pytest.raises(GanwalkError, match=r"must end in \.gif or \.mp4"):
        save_loop(tmp_path / "walk.avi", generator, directions, [[Move(0)]], ONE)
    assert list(tmp_path.iterdir()) == []


def test_animations_of_nothing_are_refused(large, tmp_path):
    generator, directions = large
    for edits, options in (([], {}), ([[Move(0)]], {"frames": 1}), ([[Move(0)]], {"batch": 0})):
        with pytest.raises(GanwalkError, match="at least one direction"):
            save_loop(tmp_path / "walk.gif", generator, directions, edits, ONE, **options)
    with pytest.raises(GanwalkError, match="too large"):
        save_loop(tmp_path / "walk.gif", generator, directions, [[Move(0)]], DrawnSamples(tuple(range(100_000))))
    with pytest.raises(GanwalkError, match="directions 0 to 5"):
        save_loop(tmp_path / "walk.mp4", generator, directions, [[Move(6)]], ONE)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_is_one_line(large, tmp_path, monkeypatch):
    generator, directions = large
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(GanwalkError, match="install imageio-ffmpeg, or write a GIF"):
        save_loop(tmp_path / "walk.mp4", generator, directions, [[Move(0)]], ONE)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_stops_early_is_noticed(large, tmp_path, monkeypatch):
    generator, directions = large
    monkeypatch.setattr("imageio_ffmpeg.count_frames_and_secs", lambda path: (3, 0.1))
    with pytest.raises(GanwalkError, match="the encoder stopped"):
        save_loop(tmp_path / "walk.mp4", generator, directions, [[Move(0)]], ONE, frames=4)
    assert list(tmp_path.iterdir()) == []


def test_a_gif_keeps_the_colours_and_reports_progress(large, tmp_path):
    generator, directions = large
    calls = []
    options = {"frames": 4, "progress": lambda *call: calls.append(call)}
    save_loop(tmp_path / "walk.gif", generator, directions, [[Move(1, 3.0)]], ONE, **options)
    assert calls == [(k, 4) for k in (1, 2, 3, 4)]
    expected = traverse(generator, directions, [Move(1)], [0.0], ONE, batch=1)
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.info["loop"] == 0 and gif.n_frames == 4
        first = np.asarray(gif.convert("RGB")).astype(int)
    assert np.abs(first - expected[0, 0]).mean() < 4


def test_the_overview_shows_effects_as_bars(large):
    generator, directions = large
    effects = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0, 0.0])
    with_bars = overview_grid(generator, replace(directions, effects=effects), ONE, steps=2)
    sheet = np.asarray(with_bars)[:, :60]
    blue = (sheet == (31, 78, 156)).all(axis=2)
    lengths = [int(blue[y : y + 100].sum(axis=1).max()) for y in range(30, 30 + 600, 100)]
    assert lengths[0] == 36 and lengths[1] == 18 and lengths[2] == 9 and lengths[4:] == [0, 0]
    assert with_bars.width > overview_grid(generator, directions, ONE, steps=2).width


def test_saved_pictures_are_png(large, tmp_path):
    generator, directions = large
    save_picture(traversal_grid(generator, directions, 0, ONE, steps=2), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_ranges():
    assert parse_seeds("1-3") == [1, 2, 3] and parse_seeds(" 5, 7-8,1") == [5, 7, 8, 1]
    assert parse_layers("4-7") == (4, 7) and parse_layers("5") == (5, 5)
    for text in ("", "a", "1-", "-3", "1,,2", "1-2-3", "1.5"):
        with pytest.raises(GanwalkError, match="not a list"):
            parse_seeds(text)
    for text in ("x", "1-2-3", "-1"):
        with pytest.raises(GanwalkError, match="not a range"):
            parse_layers(text)
    with pytest.raises(GanwalkError, match="backwards"):
        parse_seeds("3-1")
    with pytest.raises(GanwalkError, match="backwards"):
        parse_layers("3-1")
    with pytest.raises(GanwalkError, match="more than 10000 seeds: give fewer"):
        parse_seeds("0-99999999999")
    with pytest.raises(GanwalkError, match="too large: a seed has up to 18 digits"):
        parse_seeds("1,2-9999999999999999999")


def test_an_overview_says_that_it_shows_one_sample(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("discover", "-g", "blobs", "-m", "random", "-n", 2, "-q")[0] == 0
    rendering = ("render", "-d", "all", "--steps", 2, "--force")
    assert "note: only seed 3 is drawn, of 2 samples" in run(*rendering, "--seeds", "3,5")[1]
    for more in ((), ("--seeds", 3), ("--seeds", "3,5", "-q")):
        assert "only" not in run(*rendering, *more)[1]
