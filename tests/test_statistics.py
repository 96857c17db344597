"""Statistics of few seeds: numbers by hand and of scipy, Holm's correction, and what has no spread."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from ganwalk.statistics import holm, least_effect_size, paired_difference, paired_differences, summarise


def by_seed(values):
    return dict(enumerate(values))


def test_a_summary_by_hand():
    found = summarise([1.0, 2.0, 3.0])
    assert found.mean == 2 and found.std == 1 and found.count == 3
    assert found.half_width == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert summarise([]) is None and math.isinf(summarise([4.0]).half_width)


def test_a_paired_difference_by_hand():
    """Differences 1, 2, 3: mean 2, std 1, t = 2 √3, and p = 1 - t / √(t² + 2) with two degrees of freedom."""
    found = paired_difference(by_seed([2.0, 4.0, 9.0]), by_seed([1.0, 2.0, 6.0]))
    assert (found.mean, found.std, found.count, found.effect_size) == (2, 1, 3, 2)
    assert found.half_width == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert found.p == pytest.approx(1 - math.sqrt(12 / 14)) and found.p_corrected == found.p and not found.constant
    back = found.reversed()
    assert (back.mean, back.effect_size, back.p, back.half_width) == (-2, -2, found.p, found.half_width)


def test_a_paired_difference_of_scipy():
    rng = np.random.default_rng(0)
    for n in (2, 5, 9):
        one, other = rng.normal(size=(2, n))
        found = paired_difference(by_seed(one.tolist()), by_seed(other.tolist()))
        expected = ttest_rel(one, other)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
        low, high = expected.confidence_interval()
        assert [found.mean - found.half_width, found.mean + found.half_width] == pytest.approx([low, high])
        assert found.effect_size * math.sqrt(n) == pytest.approx(expected.statistic)


def test_only_seeds_that_both_have_count():
    found = paired_difference({3: 1.0, 5: 2.0, 8: 9.0}, {8: 8.0, 3: 0.5, 9: 100.0})
    assert found.count == 2 and found.mean == 0.75
    assert paired_difference({1: 1.0}, {2: 1.0}) is None and paired_difference({}, {}) is None


def test_one_pair_has_a_difference_and_nothing_else():
    found = paired_difference({3: 1.0}, {3: 0.5})
    assert (found.mean, found.count, found.p, found.effect_size, found.constant) == (0.5, 1, None, None, False)
    assert math.isinf(found.half_width) and not found.tested and not found.equal


@pytest.mark.parametrize("noise", [0.0, 1e-8])
def test_the_same_difference_with_every_seed_is_not_tested(noise):
    """Also where float32 rounds a little: t would be in the millions."""
    one, other = by_seed([0.7, 0.7 + noise, 0.7]), by_seed([0.3, 0.3, 0.3 - noise])
    found = paired_difference(one, other)
    assert found.mean == pytest.approx(0.4) and (found.std, found.half_width) == (0, 0)
    assert found.constant and found.p is None and found.effect_size is None and not found.equal
    level = paired_difference(one, by_seed([0.7, 0.7, 0.7]))
    assert level.equal and (level.mean, level.p, level.effect_size) == (0, 1, 0)
    assert paired_difference(by_seed([0.0, 0.0]), by_seed([0.0, 0.0])).equal


def test_a_small_spread_above_rounding_is_tested():
    one, other = [0.70001, 0.70003, 0.70002], [0.3, 0.3, 0.3]
    found = paired_difference(by_seed(one), by_seed(other))
    assert not found.constant and found.p == pytest.approx(ttest_1samp(np.subtract(one, other), 0).pvalue, rel=1e-6)


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.03, 0.04, times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04, and none below the one before."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([0.2]) == [0.2] and holm([]) == []


def test_every_pair_that_can_be_tested_is_corrected_for():
    values = {
        "a": by_seed([0.9, 0.8, 0.85]),
        "b": by_seed([0.5, 0.45, 0.4]),
        "c": by_seed([0.52, 0.4, 0.45]),
        "one": {0: 0.1},
        "elsewhere": {7: 0.2},
    }
    found = paired_differences(values)
    assert list(found) == [("a", "b"), ("a", "c"), ("a", "one"), ("b", "c"), ("b", "one"), ("c", "one")]
    tested = [pair for pair in found if found[pair].tested]
    assert tested == [("a", "b"), ("a", "c"), ("b", "c")]
    corrected = holm([found[pair].p for pair in tested])
    assert [found[pair].p_corrected for pair in tested] == pytest.approx(corrected)
    assert found["a", "one"].p_corrected is None


def test_methods_that_are_alike_are_seldom_told_from_the_best_of_them():
    """The best is chosen by its mean: 5 % at most, where a correction over its own pairs alone has 9 %."""
    rng = np.random.default_rng(0)
    own = wrong = 0
    for _ in range(300):
        values = rng.normal(size=(6, 5))
        best = str(values.mean(axis=1).argmax())
        found = paired_differences({str(k): by_seed(row.tolist()) for k, row in enumerate(values)})
        pairs = [difference for pair, difference in found.items() if best in pair]
        own += min(holm([pair.p for pair in pairs])) < 0.05
        wrong += min(pair.p_corrected for pair in pairs) < 0.05
    assert wrong / 300 <= 0.05 < own / 300


def test_the_least_effect_size_is_where_p_reaches_the_level():
    size = least_effect_size(3)
    for scale, clear in ((1.01, True), (0.99, False)):
        shifted = by_seed([scale * size - 1, scale * size, scale * size + 1])
        assert (paired_difference(shifted, by_seed([0.0, 0.0, 0.0])).p < 0.05) is clear
    # With two pairs t has one degree of freedom: its quantiles are tangents.
    assert least_effect_size(2, 5) == pytest.approx(math.tan(math.pi / 2 * 0.99) / math.sqrt(2))
