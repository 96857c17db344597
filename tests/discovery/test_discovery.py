"""Discovery: it finds known axes, resumes bit for bit, stays in bounds, and refuses what cannot be."""

import json
from dataclasses import replace

import pytest
import torch

import ganwalk
from ganwalk.discovery import jacobian, optimisation, pca
from ganwalk.discovery.checkpointing import load_checkpoint
from ganwalk.discovery.factors import Factor, read_factors
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import View, default_layer, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_labels
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import make_blobs
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from tests.small import make_toy

FAST = DiscoverySettings(n_directions=4, steps=6, batch=12, evaluate_every=3)


@pytest.fixture(scope="module")
def usual():
    """What `FAST` finds."""
    return run_discovery(make_toy(), FAST)


def alignment(vectors, axes):
    """Mean over the axes of the best |cosine|; each direction serves one axis (greedily, from the best pair)."""
    cosines = (vectors @ axes.T).abs()
    total = 0.0
    for _ in range(len(axes)):
        best = cosines.argmax()
        i, j = divmod(int(best), cosines.shape[1])
        total += float(cosines[i, j])
        cosines[i, :] = cosines[:, j] = -1
    return total / len(axes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "start", "enough"),
    [("independent", "jacobian", 0.99), ("independent", "random", 0.85), ("dead", "jacobian", 0.99)],
)
def test_the_true_axes_of_blobs_are_found(variant, start, enough):
    blobs = make_blobs(BlobsConfig(variant=variant, resolution=16))
    settings = DiscoverySettings(n_directions=6, start=start, steps=120, batch=48, directions_per_step=6, seed=1)
    result = run_discovery(blobs, replace(settings, compared=("pca", "random")))
    alignments = {basis.name: alignment(basis.vectors, blobs.axes) for basis in result.bases}
    assert list(alignments) == ["rtd", "pca", "random"]
    assert alignments["rtd"] > enough > 0.8 > alignments["random"]


def test_z_with_dead_dimensions_is_searched_where_the_image_changes():
    blobs = make_blobs(BlobsConfig(variant="dead"))
    subspace = search_space(blobs, DiscoverySettings(n_directions=6).resolve(blobs))
    assert (blobs.axes.double() @ subspace.components.T).square().sum() == pytest.approx(6, abs=0.05)


def test_a_baseline_that_cannot_serve_says_so(toy):
    settings = replace(FAST, method="jacobian", space="z", compared=("sefa", "jacobian", "random"))
    result = run_discovery(toy, settings)
    assert [basis.name for basis in result.bases] == ["jacobian", "random"]
    assert len(result.notices) == 1 and "sefa has no scores: sefa factorises the weights that w" in result.notices[0]


def test_directions_are_orthonormal_sorted_and_described(toy):
    result = run_discovery(toy, replace(FAST, compared=("pca", "random")))
    directions = result.directions
    assert torch.allclose(directions.vectors @ directions.vectors.T, torch.eye(4), atol=1e-5)
    assert (directions.effects.diff() <= 0).all()
    assert directions.space == "w" and directions.method == "rtd" and directions.generator == toy.identity
    assert directions.settings["layer"] == toy.num_layers - 1
    metrics = json.loads(json.dumps(result.metrics(), allow_nan=False))
    assert set(metrics["bases"]) == {"rtd", "pca", "random"} and len(metrics["rtd"]) == 4
    barcodes = result.bases[0].scores.barcodes
    assert len(barcodes) == 4
    # Distances are in units of their 0.9 quantile: most bars lie below one.
    assert all(0 < float(barcode.births.mean()) < 1.2 for barcode in barcodes)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(toy, usual):
    first, again = (result.directions.vectors for result in (usual, run_discovery(toy, FAST)))
    other = run_discovery(toy, replace(FAST, seed=1)).directions.vectors
    assert torch.equal(first, again) and not torch.allclose(first, other)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """By `equalize`, what a run finds that nobody stops, and its checkpoint."""
    path = tmp_path_factory.mktemp("undisturbed") / "checkpoint.pt"
    found = {}
    for equalize in (True, False):
        found[equalize] = (
            run_discovery(make_toy(), replace(FAST, equalize=equalize), checkpoint=path),
            path.read_bytes(),
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 3, 5])
@pytest.mark.parametrize("equalize", [True, False])
def test_a_stopped_run_continues_bit_for_bit(toy, undisturbed, tmp_path, stop_at, equalize):
    settings, checkpoint = replace(FAST, equalize=equalize), tmp_path / "checkpoint.pt"
    whole, written = undisturbed[equalize]

    def stop(progress):
        if progress.step == stop_at:
            raise KeyboardInterrupt

    stopped = run_discovery(toy, settings, checkpoint=checkpoint, on_step=stop)
    assert stopped.steps_done == stop_at
    resumed = run_discovery(toy, settings, checkpoint=checkpoint, resume=True)
    assert torch.equal(resumed.directions.vectors, whole.directions.vectors)
    assert resumed.history == whole.history and resumed.metrics() == whole.metrics()
    assert checkpoint.read_bytes() == written


@pytest.mark.slow
@pytest.mark.parametrize("space", ["w", "z"])
def test_a_run_out_of_memory_continues_with_less(toy, tmp_path, space):
    settings, less = replace(FAST, steps=3, space=space), 1e5
    assert replace(settings, memory=less).resolve(toy).chunk < FAST.batch < settings.resolve(toy).chunk

    def stop(progress):
        if progress.step == 1:
            raise KeyboardInterrupt

    found = {}
    for name, before, after in (
        ("same", {}, {}),
        ("less", {}, {"memory": less}),
        ("more", {"memory": less}, {}),
        ("little", {"memory": less}, {"memory": less}),
    ):
        checkpoint = tmp_path / name / "checkpoint.pt"
        run_discovery(toy, replace(settings, **before), checkpoint=checkpoint, on_step=stop)
        found[name] = run_discovery(toy, replace(settings, **after), checkpoint=checkpoint, resume=True)
    vectors = {name: result.directions.vectors for name, result in found.items()}
    chunks = {name: result.settings.chunk for name, result in found.items()}
    # A run goes on as it began; with less memory, in smaller pieces.
    assert chunks["more"] == chunks["little"] and torch.equal(vectors["more"], vectors["little"])
    assert chunks["less"] == chunks["little"]
    assert torch.allclose(vectors["less"], vectors["same"], atol=1e-3)
    typed = run_discovery(toy, replace(settings, chunk=7), checkpoint=checkpoint, resume=True)
    assert typed.settings.chunk == 7


@pytest.mark.slow
@pytest.mark.parametrize("where", ["evaluation", "step"])
def test_an_interrupt_anywhere_finds_a_step_whole_or_not_done(toy, usual, tmp_path, monkeypatch, where):
    checkpoint = tmp_path / "checkpoint.pt"
    if where == "evaluation":
        name, at = "equalize", 2
    else:
        # Between Adam's step and the new state.
        name, at = "replace", 5
    original, calls = getattr(optimisation, name), 0

    def interrupted(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(optimisation, name, interrupted)
        stopped = run_discovery(toy, FAST, checkpoint=checkpoint)
    assert 0 < stopped.steps_done < FAST.steps
    resumed = run_discovery(toy, FAST, checkpoint=checkpoint, resume=True)
    assert torch.equal(resumed.directions.vectors, usual.directions.vectors) and resumed.history == usual.history


@pytest.mark.slow
def test_runs_of_different_seeds_share_no_batch(toy, monkeypatch):
    seen = []
    original = optimisation.sample_latents

    def sample(generator, view, n, seed):
        seen.append(seed)
        return original(generator, view, n, seed)

    monkeypatch.setattr(optimisation, "sample_latents", sample)
    for seed in (0, 1, 2):
        run_discovery(toy, replace(FAST, seed=seed))
    assert len(seen) == len(set(seen)) == 3 * FAST.steps


def test_a_checkpoint_of_another_run_is_refused(toy, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(GanwalkError, match="nothing to resume"):
        run_discovery(toy, FAST, checkpoint=checkpoint, resume=True)
    run_discovery(toy, FAST, checkpoint=checkpoint)
    with pytest.raises(GanwalkError, match="another batch, lr"):
        run_discovery(toy, replace(FAST, batch=9, lr=0.1), checkpoint=checkpoint, resume=True)
    saved = torch.load(checkpoint, weights_only=True)
    torch.save({**saved, "fingerprint": "no JSON"}, checkpoint)
    with pytest.raises(GanwalkError, match="not a checkpoint"):
        load_checkpoint(checkpoint, "{}", Progress)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(GanwalkError, match="not a checkpoint"):
        load_checkpoint(checkpoint, "{}", Progress)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"space": "z"},
        {"layers": (1, 3)},
        {"layer": 2},
        {"subspace_dim": 9},
        {"n_directions": 1},
        {"equalize": False},
        {"start": "random"},
        {"ramp": 1.0},
        {"both_signs": True},
        {"minimax": False},
        {"scale_gradient": "constant"},
        {"truncation_psi": 0.5},
        {"truncation_psi": 0.5, "truncation_cutoff": 2},
        {"chunk": 5},
        {"steps": 0},
    ],
)
def test_every_option_runs_and_changes_the_result(toy, usual, change):
    vectors = run_discovery(toy, replace(FAST, **change)).directions.vectors
    assert torch.allclose(vectors @ vectors.T, torch.eye(len(vectors)), atol=1e-5)
    if "chunk" in change:
        # Only the memory changes.
        assert torch.allclose(vectors, usual.directions.vectors, atol=1e-3)
    else:
        assert vectors.shape != usual.directions.vectors.shape or not torch.allclose(vectors, usual.directions.vectors)


def test_equalized_shifts_change_the_image_more_equally(blobs):
    found = {
        equalize: run_discovery(blobs, DiscoverySettings(n_directions=6, steps=0, start="random", equalize=equalize))
        for equalize in (True, False)
    }
    spread = {
        equalize: float(result.bases[0].scores.displacement.max() / result.bases[0].scores.displacement.min())
        for equalize, result in found.items()
    }
    assert spread[True] < 0.7 * spread[False]


def test_chunks_change_neither_features_nor_gradients(toy):
    views = [View("z", None, 3, "random", 1.0, None, chunk) for chunk in (16, 16, 5)]
    results = []
    for view in views:
        z = sample_latents(toy, view, 16, 0).requires_grad_()
        value = features(toy, replace(view, noise="none"), z, seed=4)
        (gradient,) = torch.autograd.grad(value.square().sum(), z)
        results.append((value.detach(), gradient))
    for value, gradient in results[1:]:
        assert torch.allclose(value, results[0][0], atol=1e-4) and torch.allclose(gradient, results[0][1], rtol=1e-3)


@pytest.fixture
def conditional():
    """A StyleGAN2 of 8 px and three classes."""
    torch.manual_seed(0)
    config = StyleGAN2Config(
        img_resolution=8, z_dim=6, w_dim=8, c_dim=3, mapping_layers=1, channel_base=64, channel_max=8
    )
    generator = StyleGAN2(config).eval().requires_grad_(False)
    generator.identity = None
    return generator


class Read:
    """Reads the first coordinate of the last style."""

    factors, needs_images, identity = (Factor("first"),), False, "first"

    def read(self, styles, images):
        return [styles[:, -1, 0]]


def test_classes_of_a_batch_do_not_depend_on_the_chunk(conditional):
    whole = View("z", None, 3, "const", 1.0, None, 4000)
    parts = replace(whole, chunk=300)
    z = sample_latents(conditional, whole, 700, 3)
    styles = conditional.mapping(z, sample_labels(conditional, 700, None, 3))
    for view in (whole, parts):
        assert torch.allclose(features(conditional, view, z, 3), conditional.synthesis(styles), atol=1e-5)
        (read,) = read_factors(conditional, Read(), view, z, 3)
        assert torch.allclose(read, styles[:, -1, 0], atol=1e-5)
    for find in (pca.find_directions, jacobian.find_directions):
        few = parts if find is pca.find_directions else replace(parts, chunk=5)
        first, second = (find(conditional, view, 2, seed=0) for view in (whole, few))
        assert torch.allclose(first, second, atol=1e-4)


def test_class_conditional_generators(conditional):
    generator = conditional
    view = View("w", None, generator.num_layers - 1, "const", 1.0, 2, 8)
    assert sample_latents(generator, view, 5, 0).shape == (5, 4, 8)
    with pytest.raises(GanwalkError, match="classes are 0 to 2"):
        replace(FAST, class_index=3).resolve(generator)


def test_large_generators_compare_early_features():
    config = StyleGAN2Config(img_resolution=256, z_dim=4, w_dim=4, mapping_layers=1, channel_base=512, channel_max=2)
    generator = StyleGAN2(config)
    layer = default_layer(generator)
    assert generator.layer_resolutions[layer] == 32 and generator.layer_resolutions[layer + 1] == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_directions": 13}, "above the 12 dimensions of w: use --n-directions 12"),
        ({"subspace_dim": 3}, "subspace-dim must lie between"),
        ({"subspace_dim": 13}, "subspace-dim must lie between"),
        ({"layers": (2, 9)}, "layers 0 to 5"),
        ({"space": "z", "layers": (0, 1)}, "needs directions in w"),
        ({"layer": 6}, "layers 0 to 5"),
        ({"layer": 0, "layers": (2, 3)}, "do not depend on layers"),
        ({"space": "x"}, "unknown space"),
        ({"start": "x"}, "unknown start"),
        ({"ramp": 0.0}, "ramp must be"),
        ({"method": "x"}, "unknown method"),
        ({"batch": 2}, "at least 3"),
        ({"n_directions": 0}, "at least 1"),
        ({"amplitude": float("nan")}, "above 0 and at most 1000"),
        ({"steps": -1}, "negative"),
        ({"truncation_psi": 0.0}, "all images are one"),
        ({"truncation_psi": 1e30}, "at most 10"),
        ({"class_index": 0}, "not class-conditional"),
    ],
)
def test_impossible_settings_are_refused(toy, change, message):
    with pytest.raises(GanwalkError, match=message):
        run_discovery(toy, replace(FAST, **change))


def test_the_function_for_people(toy):
    directions = ganwalk.discover(toy, n_directions=3, steps=2, batch=8)
    assert isinstance(directions, ganwalk.Directions) and len(directions) == 3
    with pytest.raises(TypeError, match="has no setting 'stepz': did you mean steps"):
        ganwalk.discover(toy, n_directions=3, stepz=2)


@pytest.mark.slow
def test_an_interrupt_leaves_the_basis_as_it_stands(toy, usual):
    def stop(progress):
        if progress.step == 4:
            raise KeyboardInterrupt

    stopped = run_discovery(toy, FAST, on_step=stop)
    assert stopped.steps_done == 4
    assert not torch.allclose(stopped.directions.vectors, usual.directions.vectors)


def test_large_networks_are_synthesised_in_small_chunks(toy):
    assert DiscoverySettings(n_directions=2).resolve(toy).chunk == 64
    config = StyleGAN2Config(img_resolution=256, z_dim=4, w_dim=4, mapping_layers=1, channel_base=256, channel_max=2)
    large = StyleGAN2(config)
    chunks = [DiscoverySettings(n_directions=2, layer=layer).resolve(large).chunk for layer in (2, 6, 13)]
    assert chunks == [64, 16, 1]
    assert DiscoverySettings(n_directions=2, chunk=5).resolve(large).chunk == 5


def test_memory_bounds_the_chunk_of_small_networks_too():
    with torch.device("meta"):
        small = StyleGAN2(StyleGAN2Config(img_resolution=128))
    chunks = [DiscoverySettings(n_directions=2, memory=memory).resolve(small).chunk for memory in (1e8, 3e9, 1e11)]
    # 208 to 237 MB of an image's gradient, of which two thirds of the memory hold as many.
    assert chunks == [1, 8, 64]


@pytest.mark.parametrize("name", ["blobs", "scenes"])
def test_what_ships_fits_in_one_piece(name):
    assert DiscoverySettings(n_directions=2).resolve(ganwalk.load_generator(name)).chunk == 64
