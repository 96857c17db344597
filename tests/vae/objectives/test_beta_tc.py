"""β-TCVAE: the weights of a minibatch, and the three parts of the KL divergence."""

import math

import pytest
import torch

from ganwalk.errors import GanwalkError
from tests.vae.objectives.contexts import code_context
from vae.objectives import make_objective
from vae.objectives.beta_tc import decompose, sampling_weights
from vae.objectives.settings import SAMPLINGS


def make(**options):
    return make_objective("beta-tc", options, z_dim=2, image_shape=(1, 32, 32))


def posteriors(n, d=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(n, d, generator=rng), torch.randn(n, d, generator=rng) - 1
    return mean, log_variance, mean + (log_variance / 2).exp() * torch.randn(n, d, generator=rng)


@pytest.mark.parametrize(("n", "data_size"), [(2, 2), (3, 100), (64, 737_280), (8, 5)])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_weights_sum_to_one(sampling, n, data_size):
    weights = sampling_weights(n, data_size, sampling)
    assert torch.allclose(weights.sum(dim=1), torch.ones(n)) and (weights >= 0).all()


def test_stratified_weights_by_hand():
    """Own 1/10; of the two others one 1/2, and one (10 - 2) / (10 · 2)."""
    expected = torch.tensor([[0.1, 0.4, 0.5], [0.5, 0.1, 0.4], [0.4, 0.5, 0.1]])
    assert torch.allclose(sampling_weights(3, 10, "stratified"), expected)


def test_stratified_sampling_is_unbiased():
    """Over all batches with a code, the mean of the estimate of q(z) is q(z) of the data set."""
    mean, log_variance, z = (x.double() for x in posteriors(5, 1))
    density = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z[0]).exp().flatten()
    weights = sampling_weights(3, 5, "stratified").double()
    batches = [(0, j, k) for j in range(1, 5) for k in range(1, 5) if j != k]
    estimates = [(weights[0] * density[list(batch)]).sum() for batch in batches]
    assert torch.stack(estimates).mean().item() == pytest.approx(density.mean().item(), rel=1e-6)


def test_two_codes_by_hand():
    """Unit posteriors at ±1 and codes there: densities in one dimension are φ(0) and φ(2)."""
    mean = torch.tensor([[1.0], [-1.0]])
    mi, tc, dwkl = decompose(mean, mean, torch.zeros(2, 1), torch.full((2, 2), 0.5).log())
    near, far = 1 / math.sqrt(2 * math.pi), math.exp(-2) / math.sqrt(2 * math.pi)
    mixture = math.log((near + far) / 2)
    assert mi.item() == pytest.approx(math.log(near) - mixture, rel=1e-5)
    assert tc.item() == pytest.approx(0.0, abs=1e-6)
    assert dwkl.item() == pytest.approx(mixture - (math.log(near) - 0.5), rel=1e-5)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_parts_sum_to_the_estimate_of_the_kl(sampling):
    mean, log_variance, z = posteriors(16)
    parts = decompose(z, mean, log_variance, sampling_weights(16, 500, sampling).log())
    normal = torch.distributions.Normal
    ratio = normal(mean, (log_variance / 2).exp()).log_prob(z) - normal(0.0, 1.0).log_prob(z)
    assert sum(parts).item() == pytest.approx(ratio.sum(dim=1).mean().item(), rel=1e-5)


def test_many_samples_of_few_images_reach_the_exact_parts():
    """Four images, far apart in two dimensions that agree: MI is log 4, TC log 4, all else is in the dimensions."""
    places = torch.tensor([-9.0, -3.0, 3.0, 9.0])
    mean = torch.stack([places, places], dim=1)
    log_variance = torch.full((4, 2), math.log(0.01))
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    weights = sampling_weights(4, 4, "weighted").log()
    mi, tc, _ = decompose(mean + 0.1 * noise, mean, log_variance, weights)
    assert mi.item() == pytest.approx(math.log(4), abs=1e-4)
    assert tc.item() == pytest.approx(math.log(4), abs=1e-4)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_total_correlation_of_normal_codes(sampling, correlation):
    """Posteriors of variance s² whose means make the aggregate N(0, R): TC is -½ log det R."""
    n, noise = 1500, 0.05
    rng = torch.Generator().manual_seed(2)
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]]) - noise * torch.eye(2)
    mean = torch.randn(n, 2, generator=rng) @ torch.linalg.cholesky(covariance).T
    z = mean + math.sqrt(noise) * torch.randn(n, 2, generator=rng)
    weights = sampling_weights(n, n, sampling).log()
    _, tc, dwkl = decompose(z, mean, torch.full((n, 2), math.log(noise)), weights)
    assert tc.item() == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.06)
    assert dwkl.item() == pytest.approx(0.0, abs=0.05)


def test_beta_weighs_the_total_correlation():
    mean, log_variance, z = posteriors(8)
    for sampling in SAMPLINGS:
        one, six = (make(beta=beta, sampling=sampling)(code_context(mean, log_variance, z)) for beta in (1.0, 6.0))
        assert (six.loss - one.loss).item() == pytest.approx(5 * one.logs["tc"].item(), rel=1e-4)
        assert one.loss.item() == pytest.approx(sum(one.logs.values()).item(), rel=1e-5)


def test_weighted_sampling_has_the_gradient_of_the_papers_estimator():
    """With 1 / (batch · data size) as its weights, as printed, only the values differ."""
    mean, log_variance, z = (x.requires_grad_() for x in posteriors(8))
    size = 1000
    parts = decompose(z, mean, log_variance, torch.full((8, 8), -math.log(8 * size)))
    printed = torch.autograd.grad(parts[0] + 6 * parts[1] + parts[2], [z, mean, log_variance])
    terms = make(beta=6.0)(code_context(mean, log_variance, z, data_size=size))
    ours = torch.autograd.grad(terms.loss, [z, mean, log_variance])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, printed, strict=True))
    assert (parts[1] - terms.logs["tc"]).item() == pytest.approx((3 - 1) * math.log(size), rel=1e-4)


def test_one_image_cannot_be_stratified():
    with pytest.raises(GanwalkError, match="at least 2"):
        make(sampling="stratified")(code_context(torch.zeros(1, 2), torch.zeros(1, 2)))
