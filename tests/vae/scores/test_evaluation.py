"""Evaluations of models whose codes and reconstructions are known."""

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from tests.vae.squares import Reader, Squares
from vae.data.correlated import Correlated
from vae.models import VAE, ModelConfig
from vae.scores.evaluation import draw_rows, encode, evaluate_model, reconstruct


class Unlabelled(Squares):
    """The same images, of which nothing is known."""

    factor_names = ()
    factor_sizes = ()

    def images(self, indices):
        return Squares().images(indices)

    def factors(self, indices):
        return np.empty((len(indices), 0), np.int64)


def scores(model, data, seed=0):
    return evaluate_model(model, data, level="quick", seed=seed, threads=1)


def test_codes_that_are_factors_have_the_best_scores():
    found = scores(Reader(), Squares())
    for name in ("mig", "dci_disentanglement", "dci_completeness", "factor_vae", "modularity"):
        assert found.values[name] > 0.95, name
    assert found.values["active_units"] == 3
    assert found.values["mse"] == pytest.approx(0, abs=1e-9) and found.values["psnr"] > 90
    assert found.information.shape == (3, 3)
    # All that a code knows of its factor is the factor's entropy, and of the others nearly nothing.
    assert np.diag(found.information) == pytest.approx(np.log(Squares.factor_sizes), abs=0.01)
    assert found.information[~np.eye(3, dtype=bool)].max() < 0.02


def test_mixed_codes_have_worse_scores():
    angle = np.pi / 4
    turned = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    clean, mixed = scores(Reader(), Squares()).values, scores(Reader(turned), Squares()).values
    assert mixed["mig"] < clean["mig"] - 0.3
    assert mixed["dci_disentanglement"] < clean["dci_disentanglement"] - 0.3
    assert mixed["psnr"] == pytest.approx(clean["psnr"])


def test_kl_is_that_of_the_codes():
    """With unit variances it is the mean square by two; uniform grids of 8 and 3 have variances 5.25 and 2/3."""
    kl = scores(Reader(), Squares()).kl
    assert kl == pytest.approx([5.25 / 2, 5.25 / 2, 1 / 3], rel=0.05)


def test_the_same_seed_gives_the_same_numbers():
    one, again, other = (scores(Reader(), Squares(), seed).values for seed in (0, 0, 1))
    assert one == again and one != other


def test_images_are_uniform_also_where_training_drew_them_together():
    correlated = Correlated(Squares(), [("x", "y")], 0.05)
    assert np.corrcoef(correlated.factors(correlated.draw(2000, np.random.default_rng(0))).T)[0, 1] > 0.9
    rows = draw_rows(correlated, 4000, 0)
    assert abs(np.corrcoef(correlated.factors(rows).T)[0, 1]) < 0.1
    assert scores(Reader(), correlated).values == scores(Reader(), Squares()).values


def test_without_factors_there_are_scores_without_labels():
    found = scores(Reader(), Unlabelled())
    assert set(found.values) == {"active_units", "bce", "mse", "psnr", "kl"}
    assert found.information.shape == (3, 0)


def test_chunks_do_not_change_results(monkeypatch):
    torch.manual_seed(0)
    model, data, rows = VAE(ModelConfig(32, 1, z_dim=3, hidden=8)), Squares(), np.arange(50)
    whole, codes = reconstruct(model, data, rows), encode(model, data, rows)
    monkeypatch.setattr("vae.scores.evaluation._CHUNK", 7)
    parts = reconstruct(model, data, rows)
    assert (parts.bce, parts.mse, parts.psnr) == pytest.approx((whole.bce, whole.mse, whole.psnr), rel=1e-5)
    assert encode(model, data, rows).mean == pytest.approx(codes.mean, abs=1e-5)
    assert np.array_equal(encode(model, data, rows).factors, data.factors(rows))


def test_images_of_another_size_are_refused():
    with pytest.raises(GanwalkError, match="32×32×1, but squares has 32×32×3"):
        encode(Reader(), Squares(channels=3), np.arange(3))


def test_weights_that_overflow_are_refused():
    model = VAE(ModelConfig(32, 1, z_dim=3, hidden=8))
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.mul_(1e30)
    with pytest.raises(GanwalkError, match="reconstructions are not finite"):
        reconstruct(model, Squares(), np.arange(3))
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.mul_(1e30)
    with pytest.raises(GanwalkError, match="codes are not finite"):
        encode(model, Squares(), np.arange(3))
