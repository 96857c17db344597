"""Projection: what a generator made is found again, and what stops continues as if it had not."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.projection import ProjectionSettings, project
from ganwalk.projection import run as running
from ganwalk.projection.checkpointing import load_checkpoint
from ganwalk.projection.coordinates import coordinates_of
from ganwalk.projection.distance import Distance, shown
from ganwalk.projection.optimisation import ramp
from ganwalk.projection.perceptual import load_perceptual
from ganwalk.projection.run import begin_projection, prepare, run_projection
from ganwalk.rendering.images import to_bytes
from tests.accelerator import accelerator, moved

FEW = {"candidates": 8, "steps": 6}


class Linear(nn.Module):
    """A generator whose images are linear in w, so that one w alone makes an image: w = 3 + 2 z, one layer."""

    z_dim = w_dim = 6
    c_dim, num_layers, resolution, img_channels, style_based = 0, 2, 16, 3, True
    layer_resolutions = image_size = (16, 16)
    identity = GeneratorIdentity("linear", "1" * 64, "python", 16)

    def __init__(self):
        super().__init__()
        basis = torch.linalg.qr(torch.randn(3 * 256, 12, generator=torch.Generator().manual_seed(0)))[0]
        self.register_buffer("basis", basis)
        self.register_buffer("w_avg", torch.full((6,), 3.0))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return (3 + 2 * z)[:, None].expand(-1, 2, -1)

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        return (((w.flatten(1) - 3) @ self.basis.T) / 2).view(-1, 3, 16, 16)


@pytest.fixture
def linear():
    return Linear()


def picture_of(generator, seed=5):
    with torch.no_grad():
        w = generator.mapping(sample_z(generator, 1, seed))
        return shown(generator.synthesis(w).clamp(-1, 1)), w


@pytest.mark.parametrize("space", ["w", "w+", "z"])
def test_the_true_latents_are_found(linear, space):
    pictures, true = picture_of(linear)
    found = project(linear, pictures, space=space, steps=300, candidates=4)
    assert (found.styles - true).abs().max() < 0.15 and float(found.error[0]) < 0.005
    assert found.styles.shape == (1, 2, 6) and found.styles.dtype == torch.float32
    assert (found.codes is None) == (space != "z")
    if space == "z":
        assert torch.allclose(linear.mapping(found.codes), found.styles)


def test_every_layer_has_its_own_style_only_where_that_is_asked_for(linear):
    with torch.no_grad():
        w = linear.mapping(sample_z(linear, 1, 5)).clone()
        w[:, 1] += 1.5
        pictures = linear.synthesis(w).clamp(-1, 1)
    shared, own = (project(linear, pictures, space=space, steps=200, candidates=4) for space in ("w", "w+"))
    assert torch.equal(shared.styles[:, 0], shared.styles[:, 1])
    assert (own.styles - w).abs().max() < 0.15 and own.error < 0.2 * shared.error


def test_the_start_is_the_nearest_candidate(toy):
    prepared = prepare(toy, ProjectionSettings(candidates=8, space="w"))
    codes = prepared.candidates.codes[[5, 2]]
    with torch.no_grad():
        pictures = toy.synthesis(toy.mapping(codes)).clamp(-1, 1)
    found, styles = prepared.candidates.nearest(pictures)
    assert torch.equal(found, codes)
    values = prepared.coordinates.of(found, styles)
    assert torch.allclose(prepared.coordinates.styles(values), toy.mapping(codes), atol=1e-3)


def test_coordinates_of_samples_are_standard_normal(toy):
    toy.w_avg.copy_(toy.mapping(sample_z(toy, 5000, 1))[:, 0].mean(dim=0))
    coordinates = coordinates_of(toy, "w")
    z = sample_z(toy, 4000, 9)
    values = coordinates.of(z, toy.mapping(z)[:, 0])[:, 0]
    assert 0.8 < float(values.square().mean()) < 1.2
    assert values.mean(dim=0).abs().max() < 0.15


def test_codes_that_are_cut_off_stay_within_their_limit(linear):
    linear.z_limit = 0.5
    codes = sample_z(linear, 2000, 1)
    coordinates = coordinates_of(linear, "z")
    values = coordinates.of(codes, codes)
    assert abs(float(values.std()) - 1) < 0.05
    torch.testing.assert_close(coordinates.codes(values), codes)
    # A picture that no code makes: three times as far away as the limit.
    picture = shown(linear.synthesis(3 + 2 * torch.full((1, 2, 6), 1.5)))
    found = project(linear, picture, space="z", candidates=8, steps=40)
    assert found.codes.abs().max() <= 0.5 < 1.01 * found.codes.abs().max()
    torch.testing.assert_close(found.styles[:, 0], 3 + 2 * found.codes)


def test_a_projection_stays_near_samples(linear):
    """A picture that no latents make pulls them away without end; samples of these coordinates have mean square 1."""
    found = project(linear, torch.ones(1, 3, 16, 16), space="w", steps=100, candidates=4)
    assert ((found.styles - 3) / 2).square().mean() < 20


def test_pictures_of_a_batch_do_not_touch_one_another(linear):
    pictures = torch.cat([picture_of(linear, seed)[0] for seed in (5, 6)])
    prepared = prepare(linear, ProjectionSettings(**FEW))
    both = run_projection(prepared, pictures)
    each = torch.cat([run_projection(prepared, one).styles for one in pictures.split(1)])
    assert torch.allclose(both.styles, each, atol=1e-4)


def test_a_resumed_projection_is_the_same_bit_for_bit(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_SAVE_EVERY_SECONDS", 0.0)
    prepared, pictures = prepare(toy, ProjectionSettings(candidates=8, steps=10)), picture_of(toy)[0]
    undisturbed = tmp_path / "undisturbed.pt"
    whole = run_projection(prepared, pictures, checkpoint=undisturbed)
    for stopped in (1, 3, 5, 9, 10):
        path = tmp_path / f"{stopped}.pt"

        def stop(share, stopped=stopped, path=path):
            # The checkpoint of the step before is the last one that is there.
            if round(10 * share) == stopped:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_projection(prepared, pictures, checkpoint=path, on_share=stop)
        again = run_projection(prepared, pictures, checkpoint=path, resume=True)
        assert torch.equal(again.styles, whole.styles) and torch.equal(again.images, whole.images)
        assert load_checkpoint(path, prepared.fingerprint(pictures), toy).step == 10
        assert path.read_bytes() == undisturbed.read_bytes()


def test_checkpoints_of_others_are_refused(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_SAVE_EVERY_SECONDS", 0.0)
    path, pictures = tmp_path / "x.pt", picture_of(toy)[0]
    settings = ProjectionSettings(**FEW)
    run_projection(prepare(toy, settings), pictures, checkpoint=path)
    with pytest.raises(GanwalkError, match="another seed, steps: resume with its options"):
        run_projection(prepare(toy, replace(settings, seed=1, steps=7)), pictures, checkpoint=path, resume=True)
    with pytest.raises(GanwalkError, match="another picture"):
        run_projection(prepare(toy, settings), -pictures, checkpoint=path, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(GanwalkError, match="is not a checkpoint"):
        run_projection(prepare(toy, settings), pictures, checkpoint=path, resume=True)


def test_results_come_early_and_get_better(linear, monkeypatch):
    monkeypatch.setattr(running, "_EARLY_SECONDS", -1.0)
    monkeypatch.setattr(running, "_BETWEEN_SECONDS", -1.0)
    early, pictures = [], picture_of(linear)[0]
    last = run_projection(prepare(linear, ProjectionSettings(candidates=4, steps=50)), pictures, on_early=early.append)
    assert [result.steps for result in early] == list(range(1, 50))
    assert float(last.error) < float(early[20].error) < float(early[0].error)


def test_settings_that_do_not_fit(toy):
    torch.manual_seed(0)
    progan = ProGAN(ProGANConfig(16, (8, 8, 4), z_dim=8)).eval().requires_grad_(False)
    progan.identity = GeneratorIdentity("progan", "2" * 64, "progan", 16)
    assert ProjectionSettings().resolve(progan).space == "z" and ProjectionSettings().resolve(toy).space == "w+"
    with pytest.raises(GanwalkError, match="no w space: use --space z"):
        ProjectionSettings(space="w+").resolve(progan)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, c_dim=3, channel_base=128, channel_max=8)
    conditional = StyleGAN2(config).eval().requires_grad_(False)
    conditional.identity = GeneratorIdentity("classes", "3" * 64, "stylegan2", 16)
    with pytest.raises(GanwalkError, match="need their class: give --class"):
        ProjectionSettings(space="z").resolve(conditional)
    for bad in ({"steps": 0}, {"space": "s"}, {"seed": -1}):
        with pytest.raises(GanwalkError):
            ProjectionSettings(**bad)
    with pytest.raises(GanwalkError, match=r"expected \(n, 3, 16, 16\)"):
        project(toy, torch.zeros(1, 3, 8, 8))
    for generator, options in ((progan, {}), (conditional, {"space": "z", "class_index": 1}), (conditional, {})):
        found = project(generator, torch.zeros(1, 3, 16, 16), **FEW, **options)
        assert found.styles.shape == (1, generator.num_layers, generator.w_dim)


def test_learning_rates_rise_and_fall():
    assert ramp(0.0) == ramp(0.9999) == 0.02 and ramp(0.025) == 0.5 and ramp(0.5) == 1 > ramp(0.9) > ramp(0.95)


def test_distances_are_zero_for_the_same_and_grow(toy):
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    distance = Distance(pictures)
    assert distance(pictures).max() < 1e-6
    near, far = (distance(pictures + shift * torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)) for shift in (0.05, 0.2))
    assert 1e-3 < near[0] < far[0] and max(near[1], far[1]) < 1e-6
    # Gradients count: noise of the same size as a shift is farther.
    assert distance(pictures + 0.2 * torch.randn_like(pictures).sign())[0] > far[0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_what_is_compared_is_what_is_shown(channels):
    images = torch.rand(2, channels, 8, 8) * 2 - 1
    assert np.abs(to_bytes(shown(images)).astype(int) - to_bytes(images)).max() <= 1


class Features(nn.Module):
    def forward(self, x):
        return [x.mean(dim=(2, 3)), x[:, :, ::2, ::2]]


class Weighted(nn.Module):
    """Called as NVIDIA's vgg16.pt is."""

    def forward(self, x, resize_images: bool = True, return_lpips: bool = False):
        assert return_lpips and not resize_images and bool(x.max() > 2)
        return x.flatten(1) / 255


def saved(network, path):
    torch.jit.script(network).save(str(path))
    return str(path)


def test_perceptual_networks(linear, tmp_path):
    pictures, _ = picture_of(linear)
    for network in (Features(), Weighted()):
        perceptual = load_perceptual(saved(network, tmp_path / "x.pt"), "cpu", trust=True)
        measure = perceptual.towards(pictures)
        assert measure(pictures).shape == (1,) and float(measure(pictures)) == 0 < float(measure(-pictures))
        prepared = prepare(linear, ProjectionSettings(**FEW), perceptual=perceptual)
        plain = prepare(linear, ProjectionSettings(**FEW))
        assert not torch.equal(run_projection(prepared, pictures).styles, run_projection(plain, pictures).styles)
        assert prepared.fingerprint(pictures) != plain.fingerprint(pictures)
    grey = load_perceptual(saved(Features(), tmp_path / "x.pt"), "cpu", trust=True)
    assert grey.towards(torch.zeros(2, 1, 512, 512))(torch.ones(2, 1, 512, 512)).shape == (2,)


def test_perceptual_networks_that_cannot_be_used(tmp_path, monkeypatch):
    path = saved(Features(), tmp_path / "x.pt")
    with pytest.raises(GanwalkError, match="add --trust"):
        load_perceptual(path, "cpu", trust=False)
    (tmp_path / "no.pt").write_bytes(b"nothing")
    with pytest.raises(GanwalkError, match="not a TorchScript program"):
        load_perceptual(str(tmp_path / "no.pt"), "cpu", trust=True)
    with pytest.raises(GanwalkError, match="check --perceptual"):
        load_perceptual(str(tmp_path / "none.pt"), "cpu", trust=True)
    with pytest.raises(GanwalkError, match="does not take images"):
        load_perceptual(saved(nn.Linear(5, 5), tmp_path / "y.pt"), "cpu", trust=True)
    monkeypatch.setitem(__import__("sys").modules, "lpips", None)
    with pytest.raises(GanwalkError, match="pip install lpips"):
        load_perceptual("lpips", "cpu", trust=False)


@pytest.mark.parametrize("space", ["w+", "z"])
def test_on_another_device(toy, monkeypatch, space):
    pictures = picture_of(toy)[0]
    here = project(toy, pictures, **FEW, space=space)
    with accelerator(monkeypatch) as traffic:
        there = project(moved(copy.deepcopy(toy)), pictures, **FEW, space=space)
        # Latents and images come back once, not with every step.
        assert traffic.questions == 0
    assert torch.allclose(there.styles, here.styles, atol=1e-3) and torch.allclose(there.error, here.error, atol=1e-3)


def test_a_projection_in_pieces_ends_where_the_whole_one_does(linear):
    pictures, _ = picture_of(linear)
    settings = ProjectionSettings(**FEW)
    whole = run_projection(prepare(linear, settings), pictures)
    ongoing, pieces = begin_projection(prepare(linear, settings), pictures), []
    while ongoing.share < 1:
        ongoing = ongoing.further(enough=lambda: True)
        pieces.append(ongoing.progress.step)
    assert pieces == [1, 2, 3, 4, 5, 6]
    found = ongoing.result()
    assert torch.equal(found.styles, whole.styles) and found.steps == 6


def test_more_candidates_come_nearer(linear):
    pictures, _ = picture_of(linear)
    few = prepare(linear, ProjectionSettings(candidates=1, steps=1))
    many = few.sampled(200, seed=1)
    assert len(many.candidates.codes) == 201
    nearer, far = (begin_projection(prepared, pictures).result().error for prepared in (many, few))
    assert nearer < far
