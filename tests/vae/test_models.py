"""The model: its sizes, its parts, its gradients."""

import math

import pytest
import torch
from torch import nn

from ganwalk.errors import GanwalkError
from vae.models import VAE, ModelConfig, PhasedConvTranspose2d, kl_divergence, sample


@pytest.mark.parametrize(("resolution", "channels", "hidden"), [(32, 1, 128), (32, 3, 256), (64, 1, 128), (64, 3, 256)])
def test_shapes(resolution, channels, hidden):
    model = VAE(ModelConfig(resolution, channels, z_dim=7))
    images = torch.rand(3, channels, resolution, resolution)
    mean, log_variance = model.encode(images)
    assert mean.shape == log_variance.shape == (3, 7)
    assert model.decode(mean).shape == images.shape
    assert model.latent_weights.shape == (hidden, 7)


def test_parameters_are_those_of_the_paper():
    """32-32-64-64 convolutions of 4×4, 128 hidden units and a code of 10, counted by hand."""
    model = VAE(ModelConfig(64, 1))
    convolutions = 32 * 16 + 32 + 32 * 32 * 16 + 32 + 32 * 64 * 16 + 64 + 64 * 64 * 16 + 64
    encoder = convolutions + 64 * 128 * 16 + 128 + 128 * 20 + 20
    up = 64 * 64 * 16 + 64 + 64 * 32 * 16 + 32 + 32 * 32 * 16 + 32 + 32 * 16 + 1
    decoder = 10 * 128 + 128 + 128 * 64 * 16 + 64 + up
    assert sum(p.numel() for p in model.encoder.parameters()) == encoder
    assert sum(p.numel() for p in model.decoder.parameters()) == decoder


@pytest.mark.parametrize("channels", [1, 3])
def test_phased_convolution_is_the_transposed_one(channels):
    torch.manual_seed(0)
    phased = PhasedConvTranspose2d(5, channels).double()
    plain = nn.ConvTranspose2d(5, channels, 4, 2, 1).double()
    plain.load_state_dict(phased.state_dict())
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn(2, channels, 8, 12, dtype=torch.float64)
    assert torch.allclose(phased(x), plain(x))
    for module in (phased, plain):
        module(x).backward(cotangent)
    assert torch.allclose(phased.weight.grad, plain.weight.grad)
    assert torch.allclose(phased.bias.grad, plain.bias.grad)


def test_kl_divergence_is_torchs():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(4, 3), torch.randn(4, 3)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    assert torch.allclose(kl_divergence(mean, log_variance), expected, atol=1e-6)


def test_samples_have_the_posteriors_moments():
    noise = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0))
    z = sample(torch.tensor([[2.0]]), torch.tensor([[0.5]]), noise)
    assert z.mean().item() == pytest.approx(2.0, abs=0.02)
    assert z.var().item() == pytest.approx(math.exp(0.5), rel=0.02)


@pytest.mark.parametrize("bad", [{"resolution": 48}, {"channels": 2}, {"z_dim": 0}, {"hidden": 0}])
def test_impossible_models_are_refused(bad):
    with pytest.raises(GanwalkError):
        ModelConfig(**bad)
