"""DIP-VAE: covariances, and what is left where they are the identity."""

import pytest
import torch

from tests.vae.objectives.contexts import code_context
from vae.models import kl_divergence
from vae.objectives import make_objective
from vae.objectives.dip import covariance


def term(mean, log_variance, **options):
    objective = make_objective("dip", options, z_dim=mean.shape[1], image_shape=(1, 32, 32))
    return objective(code_context(mean, log_variance))


def test_covariance_is_that_of_torch():
    codes = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(covariance(codes), torch.cov(codes.T, correction=0))


def test_terms_by_hand():
    # Covariance of the means ((1, 1), (1, 1)), variances 0.5.
    mean = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    log_variance = torch.full((2, 2), 0.5).log()
    kl = kl_divergence(mean, log_variance).sum(dim=1).mean()
    one = term(mean, log_variance, dip="i", off_diagonal=3.0)
    assert one.logs["dip"].item() == pytest.approx(3 * 2) and one.loss.item() == pytest.approx(6 + kl.item())
    two = term(mean, log_variance, dip="ii", off_diagonal=3.0)
    assert two.logs["dip"].item() == pytest.approx(3 * (2 + 2 * 0.25))
    heavy = term(2 * mean, log_variance, dip="i", off_diagonal=1.0, diagonal=0.5)
    assert heavy.logs["dip"].item() == pytest.approx(2 * 16 + 0.5 * 2 * 9)
    assert term(2 * mean, log_variance, dip="i", off_diagonal=1.0).logs["dip"].item() == pytest.approx(32 + 10 * 18)
