"""Pictures that are not square, through every room that shows, reads or measures them."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ganwalk.directions import Directions
from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.explore.arrivals import Projector, read_arrival
from ganwalk.explore.shots import take_shot, take_strip, take_walk
from ganwalk.explore.sides import open_side
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.calls import Interface
from ganwalk.generators.external import probe
from ganwalk.generators.loading import load_generator
from ganwalk.generators.preview import fit_preview
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, published_config
from ganwalk.pictures.photos import Crop, read_photo
from ganwalk.pictures.sheets import cell_of, fitted
from ganwalk.projection.run import project
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.rendering.report.strips import encode_strip
from ganwalk.rendering.saliency import reduced
from ganwalk.samples import DrawnSamples

GOLDEN = Path(__file__).parents[1] / "golden"
# Height, width.
FILES = {"sghuman_v2_32x16.pkl": (32, 16), "sghuman_v3_32x16.pkl": (32, 16), "eps696_24x40.pkl": (24, 40)}


def proportions(picture):
    return picture.width / picture.height


def shown(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_walked_rendered_and_explored(tmp_path, monkeypatch, run, name):
    monkeypatch.chdir(tmp_path)
    height, width = FILES[name]
    path, directions = GOLDEN / name, Path("found/directions.safetensors")
    code, out, _ = run("info", path)
    assert code == 0 and f"{height}" in out and f"{width}" in out
    code, _, err = run("discover", "--generator", path, "--method", "pca", "--n-directions", 2, "--out", "found", "-q")
    assert code == 0, err
    assert Directions.load(directions).generator.size == (height, width)
    code, _, err = run(
        "render", "--directions", directions, "--direction", 0, "--seeds", 1, "--steps", 3, "--gif", "--mp4", "-q"
    )
    assert code == 0, err
    cell = cell_of((height, width))
    sheet = Image.open(next(Path("found").glob("direction-0*.png")))
    assert sheet.width > 3 * cell[1] and cell[0] < sheet.height < cell[0] + 120
    frame = next(ImageSequence.Iterator(Image.open(next(Path("found").glob("*.gif")))))
    assert abs(frame.width - cell[1]) <= 1 and abs(frame.height - cell[0]) <= 1
    film = next(imageio_ffmpeg.read_frames(str(next(Path("found").glob("*.mp4")))))
    assert np.abs(np.subtract(film["source_size"], cell[::-1])).max() <= 1
    generator = load_generator(path)
    studio = Studio(generator, [open_side(directions)])
    state = State(DrawnSamples((3,)))
    shot = take_shot(studio, state, small=False)
    assert shown(shot.uris[0][0]).size == (width, height)
    strip = take_strip(studio, state, lambda: None)
    assert proportions(shown(strip.heat)) == pytest.approx(width / height, rel=0.02)
    walk = shown(take_walk(studio, state.samples, 0, 0, lambda: None))
    assert proportions(walk) == pytest.approx(5 * width / height, rel=0.05)


@pytest.mark.slow
def test_report_and_evaluation_of_one(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    path = GOLDEN / "sghuman_v2_32x16.pkl"
    fast = ("--method", "pca", "--n-directions", 2, "--batch", 8, "--out", ".", "-q")
    assert run("discover", "--generator", path, *fast)[0] == 0
    code, _, err = run("evaluate", "--samples", 8, "-q")
    assert code == 0, err
    Image.new("RGB", (40, 60)).save("photo.png")
    code, _, err = run("project", "photo.png", "--generator", path, "--steps", 2, "--candidates", 8, "-q")
    assert code == 0, err
    code, _, err = run("report", "--seeds", "1", "--steps", 3, "-q")
    assert code == 0, err
    page = next(Path().glob("report*.html")).read_text(encoding="utf-8")
    assert "32×16 px" in page and '<canvas width="48" height="96"' in page


@pytest.mark.parametrize("name", ["random", "pca", "local", "sefa", "hessian", "rtd"])
def test_methods_that_look_at_pictures(name):
    assert name in METHODS
    generator = load_generator(GOLDEN / "eps696_24x40.pkl")
    settings = DiscoverySettings(n_directions=2, method=name, steps=1, batch=6)
    assert len(run_discovery(generator, settings).directions) == 2


def test_cells_keep_proportions():
    assert [cell_of(size) for size in ((32, 16), (24, 40), (64, 64), (1024, 512), (20, 300))] == [
        (96, 48),
        (72, 120),
        (128, 128),
        (256, 128),
        (17, 256),
    ]
    assert fitted((3, 500), 64) == (1, 64)


@pytest.mark.parametrize("size", [(64, 32), (24, 40), (300, 20)])
def test_strips_and_maps_keep_proportions(size):
    pictures = np.random.default_rng(0).integers(0, 255, (5, *size, 3), np.uint8)
    strip = encode_strip(pictures)
    sheet = shown(strip.uri)
    assert sheet.size == (5 * strip.cell, strip.height) and strip.cell % 16 == 0
    assert strip.height == round(strip.cell * size[0] / size[1])
    small = reduced(pictures)
    assert max(small.shape[1:3]) <= 64 and small.shape[1:3] == (size if max(size) <= 64 else fitted(size, 64))


def test_photos_are_cropped_to_the_proportions(tmp_path):
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 35:65] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    photo = read_photo(tmp_path / "x.png", (32, 16))
    assert photo.pixels.shape == (32, 16, 3) and (photo.pixels == 200).all()
    assert (read_photo(tmp_path / "x.png", (32, 16), Crop(40, 10, 40)).pixels == 200).all()
    assert (read_photo(tmp_path / "x.png", (16, 32), Crop(0, 0, 30)).pixels == 0).all()
    assert (read_photo(tmp_path / "x.png", 8, proportions=(2, 1)).pixels == 200).all()
    with pytest.raises(GanwalkError, match="does not lie in"):
        read_photo(tmp_path / "x.png", (32, 16), Crop(40, 30, 40))


@pytest.mark.parametrize("name", FILES)
def test_photos_that_are_dropped_on_a_page_fit(name):
    generator = load_generator(GOLDEN / name)
    data = io.BytesIO()
    Image.new("RGB", (50, 40), "teal").save(data, "PNG")
    photo = read_arrival("room.png", data.getvalue(), generator, [], None).found
    assert photo.pixels.shape == (*FILES[name], 3)
    projector = Projector(generator)
    settings = ProjectionSettings(steps=1, candidates=8).resolve(generator)
    while projector.candidates(settings) < 1:
        pass
    projected = projector.begin(settings, photo).further(enough=lambda: False).result()
    assert projected.styles.shape[1:] == (generator.num_layers, generator.w_dim)


def test_pictures_are_projected():
    generator = load_generator(GOLDEN / "sghuman_v2_32x16.pkl")
    with torch.no_grad():
        picture = generator(sample_z(generator, 1, 5)).clamp(-1, 1)
    found = project(generator, picture, steps=3, candidates=8)
    assert found.images.shape == picture.shape
    with pytest.raises(GanwalkError, match=r"expected \(n, 3, 32, 16\)"):
        project(generator, torch.zeros(1, 3, 32, 32), steps=1, candidates=8)


@pytest.mark.parametrize("kind", ["stylegan2", "stylegan3"])
def test_previews_are_small_pictures_in_the_same_proportions(kind):
    torch.manual_seed(0)
    if kind == "stylegan2":
        config = StyleGAN2Config(128, z_dim=8, w_dim=8, mapping_layers=1, channel_base=512, channel_max=8)
        generator = StyleGAN2(replace(config, first_size=(2, 4))).eval().requires_grad_(False)
    else:
        whole = published_config(128, z_dim=8, w_dim=8, channel_base=128, channel_max=4, layers=5)
        widths = tuple(size // 2 for size in whole.sizes)
        generator = StyleGAN3(replace(whole, widths=widths)).eval().requires_grad_(False)
    preview = fit_preview(generator, samples=2)
    height, width = generator.image_size
    assert max(preview.image_size) == preview.resolution < generator.resolution
    assert preview.image_size[1] / preview.image_size[0] == pytest.approx(width / height, rel=0.1)
    images = preview.synthesis(preview.mapping(sample_z(generator, 2, 0)))
    assert tuple(images.shape[2:]) == preview.image_size


def test_code_that_makes_such_pictures():
    external = probe(lambda z: (z @ torch.ones(6, 3 * 4 * 8)).view(-1, 3, 4, 8).tanh(), Interface(6), "cpu", "wide")
    assert (external.image_size, external.resolution) == ((4, 8), 8)


@pytest.mark.parametrize("size", ["x", "1024x512", "0×5", "5×5×5", "9999999×2", 7])
def test_sizes_in_a_file_are_checked(tmp_path, size):
    from safetensors import safe_open
    from safetensors.torch import save_file

    identity = GeneratorIdentity("g", "0" * 64, "stylegan2", 32, image_size="32×16")
    Directions(torch.eye(4)[:2], torch.ones(2), "w", identity).save(tmp_path / "d.safetensors")
    assert Directions.load(tmp_path / "d.safetensors").generator == identity
    with safe_open(tmp_path / "d.safetensors", "pt") as file:
        (key,), tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()[key])
    facts["generator"]["image_size"] = size
    save_file(tensors, tmp_path / "d.safetensors", {key: json.dumps(facts)})
    with pytest.raises(GanwalkError, match=r"image_size|damaged"):
        Directions.load(tmp_path / "d.safetensors")
