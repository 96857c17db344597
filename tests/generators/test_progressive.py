"""ProGAN and StyleGAN: layers, spaces, noise, levels of detail, gradients. Parity: test_formats.py."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.progressive import upsample_convolution
from ganwalk.generators.stylegan1 import StyleGAN1, StyleGAN1Config, adaptive_instance_norm
from tests.generators.protocol import lacking

PROGAN = ProGANConfig(resolution=16, block_channels=(12, 8, 6), z_dim=10)
STYLEGAN = StyleGAN1Config(resolution=16, block_channels=(12, 8, 6), z_dim=10, w_dim=14, mapping_layers=2)


def build(config):
    torch.manual_seed(0)
    generator = (ProGAN if isinstance(config, ProGANConfig) else StyleGAN1)(config).eval()
    for name, tensor in [*generator.named_parameters(), *generator.named_buffers()]:
        if name.endswith(("bias", "noise_strength", "mapping.w_avg")):
            tensor.data.normal_(0, 0.3)
    return generator.requires_grad_(False)


@pytest.fixture(params=[PROGAN, STYLEGAN], ids=["progan", "stylegan1"])
def config(request):
    return request.param


def test_implements_the_protocol(config):
    generator = build(config)
    assert not lacking(generator)
    assert generator.num_layers == len(generator.layer_resolutions) == 6
    assert generator(sample_z(generator, 2, seed=0)).shape == (2, 3, 16, 16)


def test_until_stops_at_every_layer(config):
    generator = build(config)
    w = generator.mapping(sample_z(generator, 2, seed=0))
    for layer, size in enumerate(generator.layer_resolutions):
        assert generator.synthesis(w, until=layer).shape[2:] == (size, size)
    assert torch.equal(generator.synthesis(w, until=5), generator.synthesis(w))
    with pytest.raises(GanwalkError, match="layers 0 to 5"):
        generator.synthesis(w, until=6)


def test_until_computes_no_more_than_it_needs(config):
    generator = build(config)
    calls = []
    for name, module in generator.named_modules():
        if name.split(".")[-1].startswith(("layer", "output")):
            module.register_forward_hook(lambda *_, name=name: calls.append(name.split(".")[-1]))
    generator.synthesis(generator.mapping(sample_z(generator, 1, seed=0)), until=2)
    assert calls == ["layer0", "layer1", "layer2"]


def test_features_depend_on_the_styles_up_to_their_layer_only():
    generator = build(STYLEGAN)
    w = generator.mapping(sample_z(generator, 1, seed=0)).clone().requires_grad_()
    for layer in range(generator.num_layers - 1):
        (gradient,) = torch.autograd.grad(generator.synthesis(w, until=layer).pow(3).sum(), w)
        moved = gradient[0].abs().sum(dim=1) > 0
        assert moved[: layer + 1].all() and not moved[layer + 1 :].any()


@pytest.mark.slow
@pytest.mark.parametrize("lod", [0.0, 0.3])
def test_gradients_agree_with_finite_differences(config, lod):
    generator = build(replace(config, resolution=8, block_channels=(4, 3), lod=lod)).double()
    w = generator.mapping(torch.randn(1, 10, dtype=torch.float64)).clone().requires_grad_()
    assert torch.autograd.gradcheck(generator.synthesis, w, atol=1e-6, check_forward_ad=True)


def test_a_batch_equals_its_samples(config):
    generator = build(config)
    w = generator.mapping(sample_z(generator, 3, seed=0))
    one_by_one = torch.cat([generator.synthesis(w[i : i + 1]) for i in range(3)])
    assert torch.allclose(generator.synthesis(w), one_by_one, atol=1e-5)


def test_noise_modes_of_stylegan():
    generator = build(STYLEGAN)
    w = generator.mapping(sample_z(generator, 2, seed=0))
    none, const = (generator.synthesis(w, noise=mode) for mode in ("none", "const"))
    first, again, other = (generator.synthesis(w, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    for a, b in ((none, const), (const, first), (first, other)):
        assert not torch.allclose(a, b)


def test_truncation():
    generator = build(STYLEGAN)
    z = sample_z(generator, 2, seed=0)
    w = generator.mapping(z)
    truncated = generator.mapping(z, truncation_psi=0.25, truncation_cutoff=3)
    assert torch.allclose(truncated[:, :3], (generator.w_avg + 0.25 * (w - generator.w_avg))[:, :3], atol=1e-6)
    assert torch.equal(truncated[:, 3:], w[:, 3:])
    with pytest.raises(GanwalkError, match="truncation has no effect"):
        build(PROGAN).mapping(z, truncation_psi=0.7)
    plain = build(replace(PROGAN, normalize_latents=False))
    assert torch.allclose(plain.mapping(z, truncation_psi=0.7)[:, 0], 0.7 * z)


def test_class_conditional(config):
    generator = build(replace(config, c_dim=3))
    z = sample_z(generator, 2, seed=0)
    images = [generator(z, torch.eye(3)[[label, label]]) for label in (0, 1)]
    assert not torch.allclose(*images)
    with pytest.raises(GanwalkError, match="class-conditional"):
        generator.mapping(z)


def test_a_level_of_detail_leaves_finer_layers_out(config):
    generator = build(replace(config, lod=1.0))
    image = generator(sample_z(generator, 1, seed=0))
    assert torch.equal(image[..., ::2, ::2], image[..., 1::2, 1::2])
    blended = build(replace(config, lod=0.5))(sample_z(generator, 1, seed=0))
    fine = build(config)(sample_z(generator, 1, seed=0))
    assert torch.allclose(blended, (fine + image) / 2, atol=1e-5)


@pytest.mark.parametrize("size", [6, 40])
def test_upsampling_and_convolving_at_once(size):
    """Few pixels and many are computed in two ways."""
    x, weight = torch.randn(2, 5, size, size, dtype=torch.float64), torch.randn(4, 5, 3, 3, dtype=torch.float64)
    expected = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    assert torch.allclose(upsample_convolution(x, weight), expected, atol=1e-12)


def test_adaptive_instance_norm():
    x, style = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
    normal = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-8).sqrt()
    expected = normal * (style[:, :3, None, None] + 1) + style[:, 3:, None, None]
    assert torch.allclose(adaptive_instance_norm(x, style), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 24}, "power of two"),
        ({"resolution": 2**40}, "beyond anything"),
        ({"block_channels": (4, 4)}, "must be 3 numbers"),
        ({"block_channels": (4, 4, 0)}, "positive"),
        ({"block_channels": (4, 4, 10**9)}, "beyond anything"),
        ({"z_dim": 0}, "positive"),
        ({"lod": 2.5}, "level of detail"),
        ({"lod": float("nan")}, "must be float"),
        ({"c_dim": -1}, r"-1 classes|beyond anything"),
        ({"tanh": 1}, "must be bool"),
    ],
)
def test_impossible_configurations_are_refused(config, change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(config, **change)


def test_full_size_networks_work():
    channels = (16, 16, 16, 16, 16, 8, 8, 4, 4)
    with torch.no_grad():
        for network in (
            ProGAN(ProGANConfig(1024, channels, z_dim=8)),
            StyleGAN1(StyleGAN1Config(1024, channels, z_dim=8, w_dim=8, mapping_layers=1)),
        ):
            assert network(torch.randn(1, 8)).shape == (1, 3, 1024, 1024)
