"""Who is first, and how sure that is: every relation between two methods, and its words."""

import json

import pytest

from ganwalk.standings import Relation, difference_in_words, how_sure, p_in_words, standing
from ganwalk.statistics import paired_difference


def by_seed(values):
    return dict(enumerate(values))


BEST = by_seed([0.90, 0.91, 0.92, 0.93])
OTHERS = {
    "apart": (by_seed([0.5, 0.52, 0.51, 0.53]), Relation.APART),
    "unclear": (by_seed([0.95, 0.8, 0.95, 0.9]), Relation.UNCLEAR),
    "level": (dict(BEST), Relation.LEVEL),
    "constant": ({seed: value - 0.25 for seed, value in BEST.items()}, Relation.CONSTANT),
    "single": ({2: 0.3}, Relation.SINGLE),
    "unpaired": ({9: 0.3, 10: 0.4}, Relation.UNPAIRED),
    # Ahead on both seeds that it shares, far behind on others.
    "behind": ({0: 0.95, 1: 0.96, 9: 0.1}, Relation.BEHIND),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("lower_is_better", [False, True])
def test_relations(name, lower_is_better):
    other, relation = OTHERS[name]
    values = {"best": BEST, name: other}
    if lower_is_better:
        values = {method: {seed: 1 - value for seed, value in own.items()} for method, own in values.items()}
    found = standing(values, lower_is_better=lower_is_better)
    assert found.first == "best" and found.relation(name) is relation and found.related(relation) == [name]
    # The order in which methods are given changes only signs.
    turned = standing(dict(reversed(values.items())), lower_is_better=lower_is_better)
    if relation is not Relation.LEVEL:
        assert turned.first == "best" and turned.relation(name) is relation and turned.lead(name) == found.lead(name)


def test_words():
    def words(*names):
        return how_sure(standing({"best": BEST, **{name: OTHERS[name][0] for name in names}}), "`")

    assert words() == "the only one with a value"
    # Differences 0.40, 0.39, 0.41, 0.40: std 0.00816.
    assert words("apart") == "by 0.400 ± 0.013 over `apart`, p < 0.0001"
    assert words("unclear", "apart") == "but not told apart from `unclear`; told apart from `apart`"
    assert words("apart", "single", "unpaired") == (
        "by 0.400 ± 0.013 over `apart`, p < 0.0001; one seed gives no interval against `single`; "
        "no seed in common with `unpaired`"
    )
    assert words("constant") == "ahead of `constant` by the same difference with every seed, which no test can judge"
    assert words("level") == "with the same values as `level`"
    assert words("behind") == "but behind `behind` on the seeds that both have"


def test_a_correction_is_named_where_there_is_one():
    low = by_seed([0.40, 0.43, 0.41, 0.42])
    found = standing({"low": low, "apart": OTHERS["apart"][0], "best": BEST})
    assert found.order == ("best", "apart", "low") and found.comparisons == 3
    assert (
        how_sure(found)
        == "by 0.400 ± 0.013 over apart, p < 0.0001 after Holm over 3 comparisons; told apart from low too"
    )


def test_methods_without_values_do_not_stand():
    assert standing({}) is None and standing({"a": {}}) is None
    found = standing({"a": {}, "b": {0: 1.0}})
    assert found.order == ("b",) and found.comparisons == 0


def test_numbers_have_the_digits_that_their_interval_needs():
    small = paired_difference(by_seed([0.99981, 0.99984, 0.9998]), by_seed([0.99971, 0.9997, 0.99972]))
    assert difference_in_words(small) == "0.000107 ± 0.000076"
    assert difference_in_words(paired_difference({0: 0.2}, {0: 0.5})) == "0.300"
    assert p_in_words(small, 1) == f"p = {small.p:.2g}"


def test_json_holds_every_pair_and_no_number_that_json_lacks():
    found = standing({"best": BEST, **{name: other for name, (other, _) in OTHERS.items()}})
    facts = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert facts["relations"]["apart"] == "apart" and facts["first"] == "best"
    pairs = {(pair["method"], pair["other"]): pair for pair in facts["pairs"]}
    assert ("best", "unpaired") not in pairs and ("apart", "level") in pairs
    single, constant = pairs["best", "single"], pairs["best", "constant"]
    assert single["half_width"] is None and single["p"] is None and single["mean"] == 0.62
    assert constant["constant"] and constant["p_corrected"] is None and constant["half_width"] == 0
