"""QLAE: levels, the gradient that passes them, and weights that decay as AdamW's."""

import pytest
import torch

from vae.models import VAE, ModelConfig
from vae.objectives import make_objective, model_options
from vae.objectives.base import Context, Encoded
from vae.runs.folder import load_model, save_model


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VAE(ModelConfig(32, 1, 3, hidden=8, levels=5))


def objective(**options):
    return make_objective("qlae", {"levels": 5, **options}, z_dim=3, image_shape=(1, 32, 32))


def test_codes_take_the_nearest_levels(model):
    codes = torch.tensor([[-0.9, 0.1, 0.13], [0.6, -0.2, 0.4]], requires_grad=True)
    latent = objective().latent(model, codes, torch.ones(2, 3), torch.ones(2, 3))
    expected = torch.tensor([[-0.5, 0.0, 0.25], [0.5, -0.25, 0.5]])
    torch.testing.assert_close(latent.z, expected)
    torch.testing.assert_close(latent.levels, expected)
    # The decoder's gradient passes on to the codes, that of the levels to the levels that were taken.
    assert torch.equal(torch.autograd.grad(latent.z.sum(), codes)[0], torch.ones(2, 3))
    (to_levels,) = torch.autograd.grad(latent.levels.sum(), model.codebook)
    assert to_levels.sum() == 6 and to_levels[0, 0] == to_levels[0, 4] == to_levels[1, 2] == 1


def test_losses_by_hand():
    codes, levels = torch.tensor([[0.1, 0.0]], requires_grad=True), torch.tensor([[0.25, 0.0]], requires_grad=True)
    batch = Encoded(torch.zeros(0), codes, torch.zeros(1, 2), codes, levels=levels)
    context = Context(batch, None, lambda z: z, 0, 10, 100, torch.Generator())
    terms = objective(quantisation=0.02, commitment=0.01)(context)
    mean = 0.15**2 / 2
    assert terms.logs["quantisation"].item() == pytest.approx(mean)
    assert terms.loss.item() == pytest.approx(32 * 32 * 0.03 * mean, rel=1e-5)
    to_codes, to_levels = torch.autograd.grad(terms.loss, [codes, levels])
    torch.testing.assert_close(to_levels, -2 * to_codes)


def test_weights_decay_as_those_of_adamw_and_nothing_else(model):
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    objective(weight_decay=0.5).decay(model, 0.1)
    for name, parameter in model.named_parameters():
        share = 0.95 if name.endswith("weight") else 1.0
        torch.testing.assert_close(parameter.detach(), share * before[name])


def test_a_model_with_levels_is_read_back_and_stands_for_images_by_them(model, tmp_path):
    with torch.no_grad():
        model.codebook.add_(0.01)
    save_model(tmp_path / "model.safetensors", model)
    again = load_model(tmp_path)
    assert torch.equal(again.codebook, model.codebook)
    images = torch.rand(4, 1, 32, 32)
    codes, log_variance = again.represent(images)
    assert torch.equal(codes, model.quantise(again.encode(images)[0])) and not log_variance.any()
    assert model_options("qlae", {"levels": 5}) == {"levels": 5} and model_options("beta", {}) == {}
