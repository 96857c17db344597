"""StyleGAN2: layers, spaces, noise, truncation, gradients. Parity with the official code: test_golden.py."""

from dataclasses import replace

import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config, depthwise_fir, is_linear, upsample
from tests.generators.protocol import lacking

CONFIG = StyleGAN2Config(img_resolution=32, z_dim=16, w_dim=24, mapping_layers=2, channel_base=256, channel_max=16)


def build(config: StyleGAN2Config = CONFIG, seed: int = 0) -> StyleGAN2:
    torch.manual_seed(seed)
    generator = StyleGAN2(config).eval()
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.3)
    generator.mapping.w_avg.normal_()
    return generator


def test_implements_the_protocol():
    generator = build()
    assert not lacking(generator)
    assert generator.num_layers == len(generator.layer_resolutions) == 8
    assert generator(sample_z(generator, 2, seed=0)).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_until_stops_at_every_layer(architecture):
    generator = build(replace(CONFIG, architecture=architecture))
    w = generator.mapping(sample_z(generator, 2, seed=0))
    for layer, size in enumerate(generator.layer_resolutions):
        assert generator.synthesis(w, until=layer).shape[2:] == (size, size)
    assert torch.equal(generator.synthesis(w, until=generator.num_layers - 1), generator.synthesis(w))
    with pytest.raises(GanwalkError, match="layers 0 to 7"):
        generator.synthesis(w, until=8)


def test_until_computes_no_more_than_it_needs(monkeypatch):
    generator = build()
    calls = []
    for name, module in generator.synthesis.named_modules():
        if name.endswith(("conv0", "conv1", "torgb")):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    generator.synthesis(generator.mapping(sample_z(generator, 1, seed=0)), until=2)
    assert calls == ["b4.conv1", "b8.conv0", "b8.conv1"]


def test_features_depend_on_the_styles_up_to_their_layer_only():
    generator = build()
    w = generator.mapping(sample_z(generator, 1, seed=0)).clone().requires_grad_()
    for layer in range(generator.num_layers - 1):
        (gradient,) = torch.autograd.grad(generator.synthesis(w, until=layer).square().sum(), w)
        moved = gradient[0].abs().sum(dim=1) > 0
        assert moved[: layer + 1].all() and not moved[layer + 1 :].any()


def test_gradient_agrees_with_finite_differences():
    generator = build(replace(CONFIG, img_resolution=8)).double()
    w = torch.randn(1, generator.num_layers, generator.w_dim, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: generator.synthesis(w), w, atol=1e-6)


def test_a_batch_equals_its_samples():
    generator = build()
    w = generator.mapping(sample_z(generator, 3, seed=0))
    together = generator.synthesis(w)
    one_by_one = torch.cat([generator.synthesis(w[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, one_by_one, atol=1e-5 * float(together.detach().abs().max()))


def test_noise_modes():
    generator = build()
    w = generator.mapping(sample_z(generator, 2, seed=0))
    none, const = (generator.synthesis(w, noise=mode) for mode in ("none", "const"))
    first, again, other = (generator.synthesis(w, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    for a, b in ((none, const), (const, first), (first, other)):
        assert not torch.allclose(a, b)
    quiet = build(replace(CONFIG, use_noise=False))
    w = quiet.mapping(sample_z(quiet, 1, seed=0))
    assert torch.equal(quiet.synthesis(w, noise="random"), quiet.synthesis(w, noise="none"))


def test_truncation_moves_the_first_layers_to_the_average():
    generator = build()
    z = sample_z(generator, 2, seed=0)
    w = generator.mapping(z)
    truncated = generator.mapping(z, truncation_psi=0.25, truncation_cutoff=3)
    expected = generator.w_avg + 0.25 * (w - generator.w_avg)
    assert torch.allclose(truncated[:, :3], expected[:, :3], atol=1e-6)
    assert torch.equal(truncated[:, 3:], w[:, 3:])
    assert torch.allclose(generator.mapping(z, truncation_psi=0.0), generator.w_avg.expand(2, 8, -1), atol=1e-6)


def test_one_style_is_spread_over_all_layers():
    generator = build()
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert torch.equal(generator.synthesis(w[:, 0]), generator.synthesis(w))
    with pytest.raises(GanwalkError, match=r"expected \(n, 24\) or \(n, 8, 24\)"):
        generator.synthesis(w[:, :5])


def test_class_conditional():
    generator = build(replace(CONFIG, c_dim=3))
    z = sample_z(generator, 2, seed=0)
    images = [generator(z, sample_labels(generator, 2, label, seed=0)) for label in (0, 1)]
    assert not torch.allclose(*images)
    with pytest.raises(GanwalkError, match="class-conditional"):
        generator.mapping(z)
    with pytest.raises(GanwalkError, match="classes are 0 to 2"):
        sample_labels(generator, 1, 3, seed=0)
    with pytest.raises(GanwalkError, match="not class-conditional"):
        sample_labels(build(), 1, 0, seed=0)


def test_clamp_bounds_the_features():
    generator = build(replace(CONFIG, conv_clamp=0.5))
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert generator.synthesis(w, until=2).abs().max() <= 0.5


def plain_upsampling(x, taps):
    """Zero insertion, then the true convolution with a kernel, pixel by pixel."""
    height, width = 2 * x.shape[2], 2 * x.shape[3]
    expected = x.new_zeros(*x.shape[:2], height, width)
    kernel = (taps if taps.ndim == 2 else torch.outer(taps, taps)) * 4
    rows, columns = kernel.shape
    for row in range(height):
        for column in range(width):
            for i in range(rows):
                for j in range(columns):
                    # Correlation with the flipped kernel on the zero-stuffed, zero-padded image.
                    r, c = row + i - (rows + 1) // 2, column + j - (columns + 1) // 2
                    if 0 <= r < height and 0 <= c < width and r % 2 == 0 and c % 2 == 0:
                        weight = kernel[rows - 1 - i, columns - 1 - j]
                        expected[:, :, row, column] += weight * x[:, :, r // 2, c // 2]
    return expected


TAPS = [[1], [1, 3, 3, 1], [1, 2, 1], [1, 4, 2, 1, 3, 1], [[1, 2], [3, 4], [5, 7]], [[1, 0, 2, 4], [3, 1, 1, 5]]]


@pytest.mark.parametrize("taps", TAPS)
def test_upsample_is_zero_insertion_and_a_true_convolution(taps):
    taps = torch.tensor(taps, dtype=torch.float64)
    taps = taps / taps.sum()
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    expected = plain_upsampling(x, taps)
    assert is_linear(taps) == (taps.shape == (4,))
    for linear in {False, is_linear(taps)}:
        assert torch.allclose(upsample(x, taps, linear=linear), expected, atol=1e-12)


@pytest.mark.parametrize("taps", TAPS)
def test_convolutions_that_upsample_do_so_by_the_filter(taps):
    """A convolution with one weight in the middle is up-sampling alone, but for the border that it cuts off."""
    kernel = torch.tensor(taps, dtype=torch.float64)
    columns = {"resample_columns": kernel.shape[1]} if kernel.ndim == 2 else {}
    generator = build(replace(CONFIG, resample_filter=tuple(kernel.flatten().tolist()), **columns)).double()
    layer = generator.synthesis.b8.conv0
    layer.weight.data.zero_()
    layer.weight.data[:, :, 1, 1] = torch.eye(16)
    x = torch.randn(1, 16, 4, 4, dtype=torch.float64)
    assert torch.allclose(layer.convolve(x, None), plain_upsampling(x, layer.taps), atol=1e-12)


def test_fir_flips_its_filter():
    x = torch.zeros(1, 1, 1, 5)
    x[..., 2] = 1
    taps = torch.tensor([1.0, 2.0, 3.0])
    assert depthwise_fir(x, taps, 1.0, (1, 1))[0, 0, 0].tolist() == [0.0, 2.0, 4.0, 6.0, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"img_resolution": 48}, "power of two"),
        ({"architecture": "unet"}, "unknown StyleGAN2 architecture"),
        ({"activation": "gelu"}, "unknown activation"),
        ({"w_dim": 0}, "positive"),
        ({"resample_filter": ()}, "1 to 32 numbers with a sum"),
        ({"resample_filter": (1.0, -1.0)}, "1 to 32 numbers with a sum"),
        ({"resample_filter": (1.0,) * 33}, "1 to 32 numbers with a sum"),
        ({"resample_filter": (1.0,) * 6, "resample_columns": 4}, "6 numbers cannot have 4 columns"),
        ({"resample_filter": (1.0,) * 66, "resample_columns": 33}, "66 numbers cannot have 33 columns"),
        ({"resample_filter": (1.0,) * 66, "resample_columns": 2}, "66 numbers cannot have 2 columns"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(CONFIG, **change)


def test_the_highest_resolution_works():
    config = StyleGAN2Config(img_resolution=1024, z_dim=8, w_dim=8, mapping_layers=1, channel_base=4096, channel_max=8)
    generator = StyleGAN2(config)
    with torch.no_grad():
        assert generator(torch.randn(1, 8)).shape == (1, 3, 1024, 1024)
