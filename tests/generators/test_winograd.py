"""Winograd's convolution against torch's, its gradients, and the bands of rows that it makes possible."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ganwalk.generators import stylegan2, winograd
from ganwalk.generators.filters import depthwise_fir
from ganwalk.generators.stylegan2 import StyledConv, StyleGAN2, StyleGAN2Config

CONFIG = StyleGAN2Config(img_resolution=32, z_dim=8, w_dim=12, mapping_layers=1, channel_base=512, channel_max=16)


def sample(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(8, 8), (5, 6), (4, 13)])
@pytest.mark.parametrize("slab", [1, 40, 2**18])
def test_equals_a_convolution(monkeypatch, size, slab):
    monkeypatch.setattr(winograd, "_SLAB", slab)
    x, weight = sample(3, 7, *size), sample(5, 7, 3, 3)
    y = winograd.convolve_tiles(F.pad(x, (1, 1, 1, 1)), winograd.transform_weight(weight))
    assert torch.allclose(y, F.conv2d(x, weight, padding=1), atol=1e-12)


def test_up_sampling_equals_a_transposed_convolution_and_its_filter():
    taps = torch.tensor([1.0, 2.0, 5.0, 3.0], dtype=torch.float64) / 11
    x, weight = sample(2, 7, 6, 8), sample(5, 7, 3, 3)
    y = winograd.convolve_tiles(F.pad(x, (1, 1, 1, 1)), winograd.transform_weight(weight, taps), phases=4)
    expected = depthwise_fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), taps, 4.0, (1, 1))
    assert torch.allclose(y, expected, atol=1e-12)


def test_single_precision_loses_little():
    x, weight = sample(1, 256, 32, 32, dtype=torch.float32), sample(64, 256, 3, 3, dtype=torch.float32)
    y = winograd.convolve_tiles(F.pad(x, (1, 1, 1, 1)), winograd.transform_weight(weight))
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    assert (y - expected).abs().max() < 5e-6 * expected.abs().max()


def test_gradients_backwards_and_forwards():
    weight = winograd.transform_weight(sample(2, 2, 3, 3), torch.tensor([0.1, 0.2, 0.3, 0.4]))
    x = sample(1, 2, 7, 6).requires_grad_()
    function = lambda x: winograd.convolve_tiles(x, weight, phases=4)  # noqa: E731
    assert torch.autograd.gradcheck(function, x, check_forward_ad=True)


def prefer_winograd(monkeypatch):
    """Lets small networks take the path of large ones."""
    taken = []
    original = StyledConv.winograd_kernel

    def kernel(self, x):
        result = original(self, x)
        taken.append(result is not None)
        return result

    monkeypatch.setattr(StyledConv, "winograd_kernel", kernel)
    for name in ("_WINOGRAD_PIXELS", "_WINOGRAD_MIN", "_WINOGRAD_WIDE", "_WINOGRAD_WIDE_BACKWARDS"):
        monkeypatch.setattr(stylegan2, name, 1)
    return taken


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("noise", ["none", "const", "random"])
@pytest.mark.parametrize("band", [1, 2**11, 2**21])
def test_bands_without_a_gradient_equal_the_differentiable_path(monkeypatch, architecture, noise, band):
    torch.manual_seed(0)
    generator = StyleGAN2(replace(CONFIG, architecture=architecture, conv_clamp=1.5)).double().requires_grad_(False)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.3)
    w = sample(3, generator.num_layers, 12)
    layers = range(generator.num_layers)
    # Without Winograd's algorithm and with a gradient: whole maps, torch's convolutions.
    expected = [generator.synthesis(w.requires_grad_(), until=k, noise=noise, seed=1).detach() for k in layers]
    taken = prefer_winograd(monkeypatch)
    monkeypatch.setattr(stylegan2, "_LARGE_MAP", 500)
    monkeypatch.setattr(stylegan2, "_BAND", band)
    kept = w.detach().clone()
    bands = []
    original = stylegan2.Block.forward_in_bands
    monkeypatch.setattr(
        stylegan2.Block, "forward_in_bands", lambda *args: bands.append(1) or original(*args), raising=True
    )
    for k in layers:
        with torch.no_grad():
            result = generator.synthesis(w, until=k, noise=noise, seed=1)
        assert torch.allclose(result, expected[k], atol=1e-10)
        with torch.enable_grad():
            followed = generator.synthesis(w, until=k, noise=noise, seed=1)
        assert torch.allclose(followed.detach(), expected[k], atol=1e-10)
    assert any(taken) and bands
    assert torch.equal(w.detach(), kept)


def test_gradient_of_the_whole_synthesis_by_winograd(monkeypatch):
    torch.manual_seed(0)
    generator = StyleGAN2(replace(CONFIG, img_resolution=8, channel_max=4)).double().requires_grad_(False)
    taken = prefer_winograd(monkeypatch)
    w = sample(1, generator.num_layers, 12).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: generator.synthesis(w), w, atol=1e-6, check_forward_ad=True)
    assert any(taken)


def test_trained_weights_and_low_precision_take_plain_convolutions(monkeypatch):
    generator = StyleGAN2(CONFIG)
    taken = prefer_winograd(monkeypatch)
    image = generator.synthesis(torch.zeros(1, 12))
    image.sum().backward()
    assert generator.synthesis.b8.conv1.weight.grad.abs().sum() > 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        generator.synthesis(torch.zeros(1, 12))
    assert not any(taken)
