"""Ada-GVAE: pairs that share factors, and posteriors that are averaged where they are close."""

import math

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from tests.vae.squares import Squares
from vae.data.pairs import Pairs
from vae.objectives import make_objective
from vae.objectives.ada_gvae import AdaGvae, averaged
from vae.settings import TopDisSettings, TrainingSettings
from vae.training.loop import train


def test_pairs_share_all_factors_but_some():
    data = Squares()
    rng = np.random.default_rng(0)
    for changes, most in ((1, 1), (2, 2), (None, 2)):
        drawn = Pairs(data, changes).draw(2000, rng)
        first, second = np.split(data.factors(drawn), 2)
        differ = (first != second).sum(axis=1)
        assert differ.max() == most
        # Values that are drawn anew may be the old ones: of 8, 8 and 3 they are in 7/8, 7/8 and 2/3 of the cases.
        mean = (7 / 8 + 7 / 8 + 2 / 3) / 3 * (changes or 1.5)
        assert differ.mean() == pytest.approx(mean, abs=0.07)
        assert (np.bincount(first[:, 2]) > 250).all()
    assert np.array_equal(
        Pairs(data).draw(10, np.random.default_rng(1)), Pairs(data).draw(10, np.random.default_rng(1))
    )


@pytest.mark.parametrize("points", [5, 6, None])
def test_few_points_of_the_term_are_of_whole_pairs(points, tmp_path, monkeypatch):
    """The second batch too is averaged in the pairs that it was drawn in."""
    term = TopDisSettings(points=points, delay=0.0)
    settings = TrainingSettings(steps=1, batch=16, objective="ada-gvae", topdis=term)
    rows = []
    latent = AdaGvae.latent

    def noted(self, model, mean, log_variance, noise):
        rows.append(len(mean))
        return latent(self, model, mean, log_variance, noise)

    monkeypatch.setattr(AdaGvae, "latent", noted)
    train(settings, Squares(), tmp_path)
    assert rows == [16, 16]


def test_what_has_no_pairs_is_refused():
    with pytest.raises(GanwalkError, match="give an even --batch"):
        Pairs(Squares()).draw(7, np.random.default_rng(0))
    with pytest.raises(GanwalkError, match="changes must be at most 2 on squares"):
        make_objective("ada-gvae", {"changes": 3}, z_dim=2, image_shape=(1, 32, 32)).source(Squares())
    data = Squares()
    data.factor_names, data.factor_sizes = (), ()
    with pytest.raises(GanwalkError, match="too few known factors"):
        Pairs(data)


def test_close_dimensions_are_averaged_by_hand():
    mean = torch.tensor([[0.0, 0.0, 1.0], [0.2, 3.0, 1.0]])
    variances = torch.tensor([[1.0, 1.0, 1.0], [3.0, 1.0, 1.0]])
    # Divergences: log 3 - 2/3 + 0.04/3 of the first, 9 of the second, 0 of the third; their middle is 4.5.
    found, log_variance = averaged(mean, variances.log())
    torch.testing.assert_close(found, torch.tensor([[0.1, 0.0, 1.0], [0.1, 3.0, 1.0]]))
    torch.testing.assert_close(log_variance, torch.tensor([[math.log(2), 0.0, 0.0], [math.log(2), 0.0, 0.0]]))
    alone = torch.tensor([[0.0], [1.0]])
    assert torch.equal(averaged(alone, torch.zeros(2, 1))[0], alone)
