"""What all pages share: pictures, latents, labels, scores, and the other side of a comparison."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import Label
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation import outputs
from ganwalk.evaluation.outputs import write_outputs
from ganwalk.evaluation.run import evaluate
from ganwalk.explore import studio as module
from ganwalk.explore.queue import Superseded
from ganwalk.explore.shots import AMPLITUDES, strip_base, take_strip
from ganwalk.explore.sides import Side, found_side, open_side
from ganwalk.explore.state import State, start_state
from ganwalk.explore.studio import Studio
from ganwalk.generators.loading import load_generator
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.rendering.images import to_bytes, traverse
from ganwalk.rendering.saliency import change_words, reduced, saliency_map
from ganwalk.samples import DrawnSamples

EDITED = State(DrawnSamples((3, 5), truncation_psi=0.8)).moved(0, Move(0, 2.0)).moved(0, Move(2, -1.0, (0, 4)))


@pytest.fixture(scope="module")
def scenes():
    return load_generator("scenes")


@pytest.fixture(scope="module")
def found(scenes):
    settings = DiscoverySettings(n_directions=4, method="pca", batch=8, equalize=False)
    return run_discovery(scenes, settings).directions


@pytest.fixture
def studio(scenes, found, tmp_path):
    path = tmp_path / "directions.safetensors"
    found.save(path)
    return Studio(scenes, [open_side(path), found_side(scenes, "random", 4)])


def test_pictures_are_those_of_render(studio, scenes, found):
    expected = traverse(scenes, found, list(EDITED.edits[0]), [1.0], EDITED.samples, batch=8)[:, 0]
    edited, samples = studio.pictures(EDITED)
    np.testing.assert_array_equal(np.stack(edited), expected)
    plain = traverse(scenes, found, [], [1.0], EDITED.samples, batch=8)[:, 0]
    np.testing.assert_array_equal(np.stack(samples), plain)


def test_pictures_are_made_once_and_the_oldest_are_forgotten(studio, monkeypatch):
    made = []
    real = module.traverse
    monkeypatch.setattr(module, "traverse", lambda *args, **options: made.append(args) or real(*args, **options))
    first = studio.pictures(EDITED)
    assert len(made) == 4
    again = studio.pictures(EDITED)
    assert len(made) == 4 and all(a is b for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    monkeypatch.setattr(module, "_KEPT", 2 * first[0][0].nbytes)
    studio.pictures(State(DrawnSamples((9,))))
    np.testing.assert_array_equal(studio.pictures(EDITED)[0][0], first[0][0])
    assert len(made) > 5


def test_work_ends_between_images_if_nobody_wants_it(studio):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 2:
            raise Superseded

    with pytest.raises(Superseded):
        studio.pictures(EDITED, check=check)


def test_latents_are_what_the_synthesis_takes(studio, scenes):
    latents = studio.latents(EDITED, 0)
    assert latents.shape == (2, scenes.num_layers, scenes.w_dim) and latents.dtype == np.float32
    with torch.no_grad():
        shown = to_bytes(scenes.synthesis(torch.from_numpy(latents)))
    assert np.abs(shown.astype(int) - np.stack(studio.pictures(EDITED)[0])).max() <= 1


def test_labels_go_into_the_file_or_stay_here(studio):
    path = studio.sides[0].path
    studio.label(0, 1, Label("smile", starred=True))
    assert Directions.load(path).labels[1] == Label("smile", starred=True) == studio.directions[0].labels[1]
    with pytest.raises(GanwalkError, match="already"):
        studio.label(0, 2, Label("Smile"))
    studio.label(1, 0, Label("mine"))
    assert studio.directions[1].labels[0].name == "mine" and studio.version == 2
    # Somebody else wrote other directions into the file.
    Directions.load(path).select([1, 0]).save(path)
    with pytest.raises(GanwalkError, match="other directions"):
        studio.label(0, 0, Label("late"))


def test_scores_beside_a_file_are_taken_if_they_are_about_it(scenes, found, tmp_path):
    path = tmp_path / "directions.safetensors"
    found.save(path)
    assert open_side(path).scores is None
    scored = evaluate(scenes, found, samples=4, reconstructor=False, threads=1)
    write_outputs(scored, tmp_path)
    assert open_side(path).scores == json.loads(json.dumps(scored.to_json()))
    (tmp_path / "evaluation.json").write_text("{")
    assert open_side(path).scores is None


def test_measuring_keeps_the_scores_beside_the_file(tmp_path):
    blobs = load_generator("blobs")
    directions = Directions(blobs.rotation.clone(), torch.ones(6), "z", blobs.identity).select([0, 1])
    path = tmp_path / "directions.safetensors"
    directions.save(path)
    studio = Studio(blobs, [open_side(path)])
    stages = []
    studio.measure(0, lambda stage, share: stages.append(share))
    assert stages and studio.sides[0].scores["directions"][0]["cosine"] == pytest.approx(1.0, abs=1e-4)
    assert open_side(path).scores is not None and studio.version == 1


def test_measuring_leaves_the_scores_of_others(tmp_path):
    blobs = load_generator("blobs")
    directions = Directions(blobs.rotation.clone(), torch.ones(6), "z", blobs.identity)
    directions.select([0, 1]).save(tmp_path / "directions.safetensors")
    Studio(blobs, [open_side(tmp_path / "directions.safetensors")]).measure(0, lambda stage, share: None)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    directions.select([2, 3]).save(tmp_path / "others.safetensors")
    studio = Studio(blobs, [open_side(tmp_path / "others.safetensors")])
    words = studio.measure(0, lambda stage, share: None)
    assert words == f"these scores are shown here only: {tmp_path / 'evaluation.json'} holds others"
    assert studio.sides[0].scores is not None and studio.version == 1
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_scores_that_cannot_be_written_are_shown(monkeypatch, tmp_path):
    def full(*args):
        raise OSError("no space")

    monkeypatch.setattr(outputs, "write_outputs", full)
    blobs = load_generator("blobs")
    path = tmp_path / "directions.safetensors"
    Directions(blobs.rotation.clone(), torch.ones(6), "z", blobs.identity).select([0, 1]).save(path)
    studio = Studio(blobs, [open_side(path)])
    with pytest.raises(OSError, match="no space"):
        studio.measure(0, lambda stage, share: None)
    assert studio.sides[0].scores is not None and studio.version == 1


@pytest.mark.parametrize("method", ["random", "pca", "sefa"])
def test_the_other_side_is_found_by_a_method(scenes, found, method):
    side = found_side(scenes, method, 4)
    assert side.path is None and side.directions.method == method
    assert side.directions.vectors.shape == found.vectors.shape and side.directions.space == found.space


def test_a_small_space_has_fewer_directions():
    side = found_side(load_generator("blobs"), "random", 20)
    assert side.directions.vectors.shape == (6, 6) and side.directions.space == "z"


@pytest.mark.parametrize("method", ["rtd", "hessian", "nobody"])
def test_what_is_no_quick_method_is_refused(scenes, method):
    with pytest.raises(GanwalkError, match=r"closed form: local, random, pca, sefa, jacobian"):
        found_side(scenes, method, 4)


def test_the_closest_direction_of_the_other_side(scenes, found):
    turned = found.select([2, 0, 3, 1])
    studio = Studio(scenes, [Side(found, None), Side(turned, None)])
    assert [studio.closest(0, k)[0] for k in range(4)] == [1, 3, 0, 2]
    assert studio.closest(1, 0) == (2, pytest.approx(1.0, abs=1e-5))
    assert Studio(scenes, [Side(found, None)]).closest(0, 0) is None


def test_directions_of_another_generator_are_refused(scenes):
    blobs = load_generator("blobs")
    directions = Directions(blobs.rotation.clone(), torch.ones(6), "z", blobs.identity)
    with pytest.raises(GanwalkError, match="dimensions"):
        Studio(scenes, [Side(directions, None)])


def test_slow_generators_get_previews(scenes, found, monkeypatch):
    assert Studio(scenes, [Side(found, None)], preview="never").preview is None
    monkeypatch.setattr(module, "_SLOW", 0.0)
    studio = Studio(scenes, [Side(found, None)])
    assert studio.preview is not None and studio.pictures(EDITED, small=True)[0][0].shape == (32, 32, 3)
    assert studio.pictures(EDITED)[0][0].shape == (64, 64, 3)
    monkeypatch.setattr(module, "FAITHFUL", 1.0)
    assert Studio(scenes, [Side(found, None)]).preview is None
    assert Studio(scenes, [Side(found, None)], preview="always").preview is not None
    monkeypatch.setattr(module, "_SLOW", 1e9)
    assert Studio(scenes, [Side(found, None)]).preview is None


def test_a_page_shows_at_first_what_previews_were_fitted_on(scenes, found, monkeypatch):
    made = []
    handle = scenes.synthesis.register_forward_hook(lambda module, inputs, output: made.append(tuple(output.shape)))
    studio = Studio(scenes, [Side(found, None)], preview="always")
    wholes = [shape for shape in made if shape[-1] == 64]
    # Four that pages show at first, two more that tell how faithful previews are: none is made twice.
    assert sum(shape[0] for shape in wholes) == 6
    made.clear()
    state = start_state(studio.directions, 0)
    first = studio.pictures(state, small=True)[0]
    assert made == [] and all(picture.shape == (64, 64, 3) for picture in first)
    # Previews of all samples are one batch.
    walked = state.moved(0, Move(0, 2.0))
    assert studio.pictures(walked, small=True)[0][3].shape == (32, 32, 3) and [shape[0] for shape in made] == [4]
    studio.pictures(walked, small=True)
    assert len(made) == 1
    handle.remove()
    truth = traverse(scenes, found, [], [1.0], state.samples.select([2]), batch=1)[0, 0]
    np.testing.assert_array_equal(first[2], truth)


def test_it_is_seen_whether_samples_can_be_truncated(scenes, found):
    assert Studio(scenes, [Side(found, None)]).truncates
    torch.manual_seed(0)
    progan = ProGAN(ProGANConfig(resolution=8, block_channels=(4, 4), z_dim=6)).eval()
    progan.identity = load_generator("blobs").identity
    directions = Directions(torch.eye(6), torch.ones(6), "z", progan.identity)
    assert not Studio(progan, [Side(directions, None)]).truncates


def test_a_strip_says_where_it_changes_and_compares_what_is_alike(scenes, found):
    plain = Studio(scenes, [Side(found, None)], preview="never")
    base = strip_base(State(DrawnSamples((1,)), selected=1))
    shot = take_strip(plain, base, lambda: None)
    assert len(shot.uris) == len(AMPLITUDES)
    walked = traverse(scenes, found, [Move(1)], AMPLITUDES, DrawnSamples((1,)), batch=8)[0]
    # Neighbours are one σ apart.
    saliency = saliency_map([reduced(walked)])
    assert shot.words == change_words(saliency) == "changes most at the top"
    assert opened(shot.heat).shape == (128, 128, 3)
    previewed = Studio(scenes, [Side(found, None)], preview="always")
    small = opened(take_strip(previewed, base, lambda: None).heat)
    # The whole picture of the sample is in the middle now, among previews.
    previewed.pictures(base)
    mixed = opened(take_strip(previewed, base, lambda: None).heat)
    assert mixed.shape == (128, 128, 3) and np.abs(mixed.astype(int) - small).mean() < 25
    assert np.abs(small.astype(int) - opened(shot.heat)).mean() < 25


def opened(uri):
    """The pixels of a data URI."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
