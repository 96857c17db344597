"""ModelCentrality: models that agree are near one another, whatever the order and sign of their codes."""

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from vae.models import VAE, ModelConfig
from vae.scores.centrality import _levels, model_centrality


class Painter(VAE):
    """Paints its codes as three rows of pixels, which it reads again; mixed by a matrix."""

    def __init__(self, mixing):
        super().__init__(ModelConfig(32, 1, z_dim=3, hidden=2))
        self.mixing = torch.as_tensor(mixing, dtype=torch.float32)

    def encode(self, images):
        codes = torch.logit(images[:, 0, :3, 0]) @ torch.linalg.inv(self.mixing).T
        return codes, torch.zeros_like(codes)

    def decode(self, z):
        logits = torch.zeros(len(z), 1, 32, 32)
        logits[:, 0, :3, 0] = z @ self.mixing.T
        return logits


def test_the_model_that_agrees_with_most_is_central():
    turned = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q
    models = [Painter(torch.eye(3)), Painter(-torch.eye(3)[[2, 0, 1]]), Painter(turned)]
    seen = []
    found = model_centrality(models, groups=60, size=20, on_model=seen.append)
    assert seen == [1, 2, 3]
    assert np.array_equal(found.pairwise, found.pairwise.T) and not found.pairwise.diagonal().any()
    assert found.pairwise[0, 1] == 1 and found.pairwise[0, 2] < 0.9
    assert found.scores.argmin() == 2
    np.testing.assert_allclose(found.scores, found.pairwise.sum(axis=1) / 2)
    again = model_centrality(models, groups=60, size=20)
    assert np.array_equal(found.pairwise, again.pairwise)


def test_levels_are_equally_likely():
    z = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    found = _levels(torch.tensor([[-0.5, 0.0, 0.5]]), z)
    assert all((found == level).float().mean() == pytest.approx(1 / 3, abs=0.03) for level in (-0.5, 0.0, 0.5))


def test_models_that_cannot_be_compared_are_refused():
    with pytest.raises(GanwalkError, match="give at least 2, not 1"):
        model_centrality([Painter(torch.eye(3))])
    with pytest.raises(GanwalkError, match="images of one shape"):
        model_centrality([Painter(torch.eye(3)), VAE(ModelConfig(64, 1, 3, hidden=2))])
