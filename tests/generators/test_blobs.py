"""The analytic generator: its axes are the rows of its rotation."""

import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.blobs import FACTOR_NAMES, VARIANTS, Blobs, BlobsConfig
from ganwalk.generators.loading import NAMES, load_generator
from tests.generators.protocol import lacking

every_variant = pytest.mark.parametrize("variant", VARIANTS)


def styles(blobs, n, seed=0):
    return blobs.mapping(sample_z(blobs, n, seed))[:, 0]


@every_variant
def test_implements_the_protocol(variant):
    blobs = Blobs(BlobsConfig(variant=variant))
    assert not lacking(blobs)
    images = blobs.synthesis(styles(blobs, 4))
    assert images.shape == (4, 3, 32, 32)
    assert images.abs().max() <= 1


@every_variant
def test_walking_an_axis_changes_one_factor_and_the_image(variant):
    blobs = Blobs(BlobsConfig(variant=variant))
    w = styles(blobs, 16)
    reference = blobs.synthesis(w)
    for i, axis in enumerate(blobs.axes):
        change = blobs.factors(w + axis) - blobs.factors(w)
        assert torch.allclose(change, torch.eye(len(FACTOR_NAMES))[i].expand(16, -1), atol=1e-5)
        assert (blobs.synthesis(w + axis) - reference).abs().mean() > 0.005


def test_dead_dimensions_are_dead_and_faint_ones_faint():
    blobs = Blobs(BlobsConfig(variant="dead"))
    w = styles(blobs, 64)
    reference = blobs.synthesis(w)
    change = torch.stack([(blobs.synthesis(w + row) - reference).abs().mean() for row in blobs.rotation])
    assert (change[:6] > 0.01).all() and (change[8:] < 1e-6).all()
    assert (change[6:8] > 5e-4).all() and (change[6:8] < 0.5 * change[:6].min()).all()


def test_the_mapping_correlates_factors_or_gives_them_unequal_variances():
    correlated, unequal = (Blobs(BlobsConfig(variant=variant)) for variant in ("correlated", "unequal"))
    factors = correlated.factors(styles(correlated, 20_000))
    correlations = torch.corrcoef(factors.T)
    assert torch.allclose(factors.std(dim=0), torch.ones(6), atol=0.03)
    for i, j, expected in ((0, 2, 0.7), (4, 5, -0.6), (1, 3, 0.5), (0, 1, 0.0)):
        assert float(correlations[i, j]) == pytest.approx(expected, abs=0.03)
    deviations = unequal.factors(styles(unequal, 20_000)).std(dim=0)
    assert torch.allclose(deviations, torch.tensor([2.0, 1.5, 1.1, 0.8, 0.55, 0.35]), rtol=0.03)


def test_curved_factors_come_round():
    blobs = Blobs(BlobsConfig(variant="curved"))
    w = styles(blobs, 8)
    assert set(blobs.factor_periods) == {"hue", "angle"}
    for name, period in blobs.factor_periods.items():
        axis = blobs.axes[FACTOR_NAMES.index(name)]
        assert torch.allclose(blobs.synthesis(w + period * axis), blobs.synthesis(w), atol=1e-4)
        assert not torch.allclose(blobs.synthesis(w + 0.5 * period * axis), blobs.synthesis(w), atol=1e-2)


def test_a_bar_hides_the_blob_of_the_curved_variant():
    blobs = Blobs(BlobsConfig(variant="curved"))
    images = blobs.synthesis(styles(blobs, 32))
    column = images[:, :, :, int((0.35 + 1) / 2 * 32)]
    assert column.std() < 0.02 < images[:, :, :, 4].std()


def test_every_variant_loads_by_name_and_no_other():
    for name in NAMES[1:]:
        assert load_generator(name).identity.reference == name
    with pytest.raises(GanwalkError, match="close: blobs-curved"):
        load_generator("blobs-curvy")
    with pytest.raises(GanwalkError, match="unknown variant"):
        Blobs(BlobsConfig(variant="straight"))


def test_the_seed_turns_the_axes():
    assert torch.equal(Blobs().rotation, Blobs().rotation)
    other = Blobs(BlobsConfig(seed=1)).rotation
    assert not torch.allclose(Blobs().rotation, other)
    assert torch.allclose(other @ other.T, torch.eye(6), atol=1e-6)


def test_gradient_agrees_with_finite_differences():
    blobs = Blobs(BlobsConfig(resolution=8)).double()
    z = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: blobs.synthesis(blobs.mapping(z)), z)
