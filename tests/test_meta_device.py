"""Everything on another device than the CPU (`tests.accelerator`): the same values, and no tensor left behind."""

import copy
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ganwalk.directions import shift_latents
from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.fitting import Network
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.evaluation import axis_scores, effect_scores, factor_reader
from ganwalk.evaluation.reconstructor import reconstruct
from ganwalk.evaluation.representation.encoder import EncoderNetwork
from ganwalk.evaluation.representation.labelled import encode_all, labelled_images
from ganwalk.evaluation.representation.training import train_encoder
from ganwalk.evaluation.unsupervised import change_scores, topology_scores
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import mean_style, sample_labels, sample_z
from ganwalk.generators.biggan import BigGAN, BigGANConfig
from ganwalk.generators.blobs import VARIANTS, BlobsConfig
from ganwalk.generators.calls import Interface
from ganwalk.generators.channels import space_dim
from ganwalk.generators.dcgan import DCGAN, DCGANConfig
from ganwalk.generators.external import adapt, probe
from ganwalk.generators.fastgan import FastGAN, FastGANConfig
from ganwalk.generators.lightweight import Lightweight, LightweightConfig
from ganwalk.generators.loading import make_blobs
from ganwalk.generators.lucidrains import Lucidrains, LucidrainsConfig
from ganwalk.generators.preview import fit_preview
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.r3gan import R3GAN, R3GANConfig
from ganwalk.generators.stylegan1 import StyleGAN1, StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, published_config
from tests.accelerator import DEVICE, accelerator, moved
from tests.vae.squares import Squares
from vae.models import VAE, ModelConfig
from vae.objectives import OBJECTIVES, make_objective, model_options
from vae.settings import TopDisSettings, TrainingSettings
from vae.topdis import TopDis
from vae.training.stack import Stack
from vae.training.step import compute_step, draw_step

SMALL = {"z_dim": 6, "w_dim": 6, "mapping_layers": 2}


def stylegan2(**options):
    options = {"channel_base": 128, "channel_max": 8, **SMALL, **options}
    return lambda: StyleGAN2(StyleGAN2Config(16, **options))


def stylegan3(**options):
    options = {"channel_max": 4, "layers": 3, "filter_size": 2, "margin": 2, **SMALL, **options}
    return lambda: StyleGAN3(published_config(16, **options))


class Plain(nn.Module):
    """A network as people write them, z → image in [0, 1]."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3 * 64))

    def forward(self, z):
        return (z @ self.weight + 0.1 * torch.randn_like(z[:, :1])).sigmoid().view(-1, 3, 8, 8)


class Styled(nn.Module):
    """A network as people write them, with styles of two layers and numbers of classes."""

    num_layers, num_classes = 2, 3

    def __init__(self):
        super().__init__()
        self.table, self.first, self.last = nn.Embedding(3, 2), nn.Linear(8, 5), nn.Linear(5, 3 * 64)

    def mapping(self, z, y):
        return self.first(torch.cat([z, self.table(y)], dim=1))

    def synthesis(self, w, until=None):
        x = self.last(w[:, 0]).view(-1, 3, 8, 8)
        return x if until == 0 else (x + w[:, 1].mean(dim=1)[:, None, None, None]).sigmoid()


GENERATORS = {
    "stylegan1": lambda: StyleGAN1(StyleGAN1Config(16, (8, 8, 4), lod=0.5, **SMALL)),
    "stylegan1 rectified twice": lambda: StyleGAN1(StyleGAN1Config(16, (8, 8, 4), rectified_twice=True, **SMALL)),
    "stylegan1 of classes": lambda: StyleGAN1(StyleGAN1Config(16, (8, 8, 4), c_dim=3, **SMALL)),
    "stylegan2": stylegan2(),
    "stylegan2 of classes": stylegan2(c_dim=3, architecture="resnet", conv_clamp=4.0),
    "stylegan2 with labels beside": stylegan2(c_dim=3, architecture="orig", label_concat=True),
    "stylegan2 with another filter": stylegan2(resample_filter=(1.0, 2.0, 1.0)),
    "stylegan2 with a kernel": stylegan2(resample_filter=(1.0, 2.0, 1.0, 0.0, 4.0, 5.0), resample_columns=3),
    "stylegan3-t": stylegan3(c_dim=3),
    "stylegan2 of high pictures": stylegan2(first_size=(4, 2)),
    "stylegan3-r": stylegan3(kernel=1, radial=True),
    "stylegan3 of wide pictures": lambda: StyleGAN3(
        replace(stylegan3()().config, sizes=(10, 10, 10, 8, 8), widths=(20, 20, 20, 16, 16))
    ),
    "stylegan3 of classes in a table": stylegan3(c_dim=3, embed_features=4, class_table=(5, 3)),
    "progan": lambda: ProGAN(ProGANConfig(16, (8, 8, 4), z_dim=6, lod=0.5)),
    "progan of classes": lambda: ProGAN(ProGANConfig(16, (8, 8, 4), z_dim=6, c_dim=3, normalize_latents=False)),
    "lucidrains": lambda: Lucidrains(LucidrainsConfig((8, 8, 4), latent_dim=6, style_depth=2, attn_layers=(1,))),
    "lucidrains without a constant": lambda: Lucidrains(
        LucidrainsConfig((8, 8, 4), latent_dim=6, style_depth=2, no_const=True, transparent=True)
    ),
    "dcgan": lambda: DCGAN(DCGANConfig((8, 4), z_dim=6)),
    "r3gan": lambda: R3GAN(R3GANConfig((8, 8, 4), (16, 16, 8), (4, 4, 2), (1, 2, 1), z_dim=6)),
    "r3gan of classes": lambda: R3GAN(R3GANConfig((8, 4), (8, 8), (2, 2), (1, 1), 6, 3, 5, 3, (1.0, 2.0, 1.0))),
    "fastgan": lambda: FastGAN(FastGANConfig(128, (4, 4, 4, 2, 2, 2), z_dim=6)),
    "fastgan lite": lambda: FastGAN(FastGANConfig(128, (4, 4, 4, 2, 2, 2), full=False, z_dim=6)),
    "fastgan of classes": lambda: FastGAN(FastGANConfig(128, (4, 4, 4, 2, 2, 2), z_dim=6, c_dim=3, embed_dim=5)),
    "lightweight-gan": lambda: Lightweight(LightweightConfig((4,) * 5, 6, attention=(1,), gate_channels=(3,))),
    "lightweight-gan of frequencies": lambda: Lightweight(
        LightweightConfig((4,) * 5, 6, gate_channels=(3,), frequencies=True, img_channels=4)
    ),
    "biggan": lambda: BigGAN(BigGANConfig((8, 8, 8), (True, True), 6, 3, 2, "chunks", attention=(1,))),
    "biggan without an embedding": lambda: BigGAN(BigGANConfig((8, 4), (True,), 6, 3, 0, "class")),
    "biggan-deep": lambda: BigGAN(
        BigGANConfig((16, 16, 8), (False, True), 6, 3, 6, "all", deep=True, attention=(2,), n_stats=5, z_limit=2.0)
    ),
    **{
        f"blobs {variant}": lambda variant=variant: make_blobs(BlobsConfig(16, variant=variant)) for variant in VARIANTS
    },
    "external": lambda: probe(Plain(), Interface(6), "cpu", "plain"),
    "declared": lambda: adapt(Styled(), Interface(6), "cpu", "styled"),
}


def pair(name):
    """A small generator, and a copy for the device."""
    torch.manual_seed(0)
    generator = GENERATORS[name]().eval().requires_grad_(False)
    for key, tensor in generator.named_parameters():
        if key.endswith("noise_strength"):
            tensor.fill_(0.3)
    return generator, copy.deepcopy(generator)


def close(remote, values):
    assert remote.device == DEVICE
    assert torch.allclose(remote.cpu(), values, rtol=1e-4, atol=1e-5)


def views(generator):
    """Options of the synthesis."""
    noises = [{"noise": noise, "seed": 3} for noise in ("none", "const", "random")]
    return [*noises, *({"until": layer} for layer in {0, generator.num_layers // 2})]


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(monkeypatch, name):
    here, copied = pair(name)
    z, c = sample_z(here, 3, seed=0), sample_labels(here, 3, None, seed=0)
    psi = 1.0 if name == "progan" or name.startswith("fastgan") else 0.7
    with torch.no_grad():
        w = here.mapping(z, c, truncation_psi=psi)
        expected = [here.synthesis(w, **options) for options in views(here)]
    leaf = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(here.synthesis(here.mapping(leaf, c)).square().mean(), leaf)
    centre = mean_style(here, 20)
    with accelerator(monkeypatch) as traffic:
        there = moved(copied)
        z, c = sample_z(there, 3, seed=0), sample_labels(there, 3, None, seed=0)
        leaf = z.clone().requires_grad_()
        close(mean_style(there, 20), centre)
        traffic.to_cpu.clear()
        with torch.no_grad():
            styles = there.mapping(z, c, truncation_psi=psi)
            images = [there.synthesis(styles, **options) for options in views(there)]
        (found,) = torch.autograd.grad(there.synthesis(there.mapping(leaf, c)).square().mean(), leaf)
        assert traffic.questions == 0 and not traffic.to_cpu
        close(styles, w)
        close(found, gradient)
        for image, values in zip(images, expected, strict=True):
            close(image, values)


@pytest.mark.parametrize("name", ["stylegan2 of classes", "progan of classes", "blobs correlated"])
@pytest.mark.parametrize("space", ["w", "z", "s"])
def test_batches_and_their_shifts(monkeypatch, name, space):
    here, copied = pair(name)
    if space == "s" and not hasattr(here, "channel_styles"):
        pytest.skip("has no channel styles")
    view = View(space, None, here.num_layers - 1, "random", 1.0, None, chunk=2)
    step = torch.randn(
        {"w": here.w_dim, "z": here.z_dim}.get(space) or space_dim(here, space),
        generator=torch.Generator().manual_seed(0),
    )
    latents = sample_latents(here, view, 3, 0).requires_grad_()
    expected = features(here, view, shift_latents(latents, step, None), 5)
    (gradient,) = torch.autograd.grad(expected.square().mean(), latents)
    with accelerator(monkeypatch):
        there = moved(copied)
        latents = sample_latents(there, view, 3, 0).requires_grad_()
        images = features(there, view, shift_latents(latents, step.to(DEVICE), None), 5)
        close(images, expected)
        (found,) = torch.autograd.grad(images.square().mean(), latents)
        close(found, gradient)


@pytest.mark.parametrize("method", METHODS)
def test_discovery_by_every_method(monkeypatch, quick_local, method):
    here, copied = pair("blobs correlated" if method != "sefa" else "stylegan2")
    here.identity = copied.identity = make_blobs(BlobsConfig()).identity
    settings = DiscoverySettings(n_directions=2, method=method, steps=1, batch=5, images=256)
    supervised = METHODS[method].fit is not None
    expected = run_discovery(here, settings, reader=factor_reader(here) if supervised else None)
    with accelerator(monkeypatch):
        there = moved(copied)
        found = run_discovery(there, settings, reader=factor_reader(there) if supervised else None)
        assert torch.allclose(found.directions.vectors, expected.directions.vectors, atol=1e-3)
        assert len(found.bases[0].scores.barcodes) == 2


def test_discovery_on_a_student(monkeypatch):
    monkeypatch.setattr("ganwalk.discovery.student.fitting._STEPS", (30, 30))
    monkeypatch.setattr("ganwalk.discovery.student.search._DOUBLINGS", 0)
    here, copied = pair("stylegan2")
    here.identity = copied.identity = make_blobs(BlobsConfig()).identity
    settings = DiscoverySettings(
        n_directions=2, search="student", images=256, steps=2, batch=5, polish=1, scored=4, precision="float32"
    )
    expected = run_discovery(here, settings)

    def back(module):
        for part in module.modules():
            for name, parameter in part._parameters.items():
                part._parameters[name] = nn.Parameter(parameter.detach().cpu(), parameter.requires_grad)
            for name, buffer in part._buffers.items():
                part._buffers[name] = buffer.cpu()
        return module

    with accelerator(monkeypatch):
        # A module's own ways there and back keep its tensors, and put values of another kind into them.
        monkeypatch.setattr(Network, "to", lambda network, device: moved(network))
        monkeypatch.setattr(Network, "cpu", back)
        found = run_discovery(moved(copied), settings)
        assert torch.allclose(found.directions.vectors, expected.directions.vectors, atol=5e-3)
        assert found.student.r2 == pytest.approx(expected.student.r2, abs=0.02)


def test_scores(monkeypatch):
    here, copied = pair("blobs correlated")
    directions = run_discovery(here, DiscoverySettings(n_directions=3, steps=0, batch=8)).directions

    def scored(generator, device):
        found = directions.to(device)
        view = view_of(generator, found)
        how = {"seed": 0}
        axes = axis_scores(generator, found, samples=20, **how)
        effects = effect_scores(generator, found, factor_reader(generator), samples=4, amplitude=1.0, **how)
        topology, barcodes = topology_scores(generator, found, view, batch=6, amplitude=1.0, **how)
        changes = change_scores(generator, found, view, samples=3, amplitude=1.0, **how)
        told = reconstruct(generator, found, view, pairs=64, epochs=1, amplitude=1.0, **how)
        assert len(barcodes) == len(told.recall) == 3
        return [
            axes.cosines,
            axes.correlations,
            effects.matrix,
            topology.rtd,
            changes.straightness,
            changes.interaction,
        ]

    expected = scored(here, "cpu")
    with accelerator(monkeypatch):
        for ours, theirs in zip(scored(moved(copied), DEVICE), expected, strict=True):
            assert torch.allclose(ours.cpu(), theirs, rtol=1e-2, atol=1e-3)


def test_an_encoder(monkeypatch):
    here, copied = pair("blobs correlated")
    directions = run_discovery(here, DiscoverySettings(n_directions=3, steps=0, batch=8)).directions
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def trained(generator, found):
        view = view_of(generator, found)
        encoder = train_encoder(generator, found, view, pairs=96, steps=3, batch=12, width=4)
        codes, factors = encode_all(labelled_images(generator, view, "latents"), encoder.encode, 9, 0, lambda _: None)
        return encoder, codes, factors

    expected, codes, factors = trained(here, directions)
    with accelerator(monkeypatch):
        # A module's own way there keeps its tensors.
        monkeypatch.setattr(EncoderNetwork, "to", lambda network, device: moved(network))
        found, there, their_factors = trained(moved(copied), directions.to(DEVICE))
        assert torch.allclose(found.fit, expected.fit, atol=1e-3)
        assert np.allclose(there, codes, atol=1e-3) and np.allclose(their_factors, factors, atol=1e-4)
        close(found.encode(images.to(DEVICE)), expected.encode(images))


def test_previews(monkeypatch):
    here, copied = (StyleGAN1(StyleGAN1Config(32, (8, 8, 4, 4), **SMALL)) for _ in "ab")
    copied.load_state_dict(here.state_dict())
    expected = fit_preview(here)
    z = sample_z(here, 2, seed=1)
    with accelerator(monkeypatch):
        found = fit_preview(moved(copied))
        remote = sample_z(copied, 2, seed=1)
        assert found.fit == pytest.approx(expected.fit, abs=1e-2)
        assert torch.allclose(
            found.synthesis(found.mapping(remote)).cpu(), expected.synthesis(expected.mapping(z)), atol=1e-2
        )


@pytest.mark.parametrize("term", [None, TopDisSettings(), TopDisSettings(orthogonal=False, sampler="uniform")])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_steps_of_a_vae(monkeypatch, name, term):
    results = []
    for device in ("cpu", DEVICE):
        torch.manual_seed(0)
        options = {"width": 8} if name in ("factor", "dava") else {}
        model = VAE(ModelConfig(32, 1, 3, hidden=16, **model_options(name, options)))
        objective = make_objective(name, options, z_dim=3, image_shape=(1, 32, 32))
        with accelerator(monkeypatch) if device == DEVICE else nullcontext():
            if device == DEVICE:
                model, objective = moved(model), moved(objective)
            if name == "dava":
                # Its discriminator counts once it is better than chance.
                objective.accuracy.fill_(0.7)
            draw = draw_step(Squares(), 12, seed=0, step=0)
            topdis = None if term is None else TopDis()
            settings = TrainingSettings(steps=5, topdis=term)
            step = compute_step(Stack([model]), [objective], Squares(), [draw], settings, step=0, topdis=topdis)
            logs = {**step.logs, **objective.update(step.contexts[0])}
            results.append({key: value.item() for key, value in logs.items()})
            results.append([gradient.cpu() for gradient in step.gradients])
    (logs, gradients), (there, found) = results[:2], results[2:]
    assert there == pytest.approx(logs, rel=1e-4, abs=1e-5)
    for ours, theirs in zip(found, gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-2, atol=1e-3)
