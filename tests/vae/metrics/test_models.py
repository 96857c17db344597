"""The models of our own against scikit-learn's."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from tests.vae.metrics.conftest import read_golden
from vae.metrics import dci, explicitness, sap
from vae.metrics.boosting import boost, boost_numbers
from vae.metrics.dci_es import DEPTHS, _errors_by_depth


def clouds(classes, n=600, d=4, seed=0):
    """Overlapping classes of unequal size."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.4, n) - 1, classes - 1)
    return rng.normal(size=(n, d)) + 0.7 * labels[:, None] * rng.normal(size=d), labels


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 5])
def test_boosting_is_that_of_scikit_learn(classes):
    x, labels = clouds(classes)
    found = boost(x[:400], labels[:400], x[400:], labels[400:], rounds=30)
    peer = GradientBoostingClassifier(n_estimators=30, random_state=0).fit(x[:400].astype(np.float32), labels[:400])
    # What differs is which of equally good splits is taken: they occur in small nodes only.
    np.testing.assert_allclose(found.importances, peer.feature_importances_, atol=0.01)
    assert found.train_accuracy == pytest.approx(peer.score(x[:400], labels[:400]), abs=0.01)
    assert found.test_accuracy == pytest.approx(peer.score(x[400:], labels[400:]), abs=0.02)


def test_dci_is_that_of_disentanglement_lib():
    golden = read_golden("fewer")
    expected = golden.scores["dci_first_1500_train_500_test"]
    found = dci(*(part[:1500] for part in golden.train), *(part[:500] for part in golden.test))
    # Seeds decide between equally good splits: over six of them the standard deviations of ours are 0.0003, 0.0004,
    # 0.0014 and 0.0003, and theirs is one seed of the same.
    assert found.disentanglement == pytest.approx(expected["disentanglement"], abs=0.002)
    assert found.completeness == pytest.approx(expected["completeness"], abs=0.002)
    assert found.informativeness == pytest.approx(expected["informativeness_test"], abs=0.006)
    assert found.informativeness_train == pytest.approx(expected["informativeness_train"], abs=0.002)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_sap_is_that_of_liblinear(classes):
    x, labels = clouds(classes, d=3, seed=classes)
    train, test = slice(0, 400), slice(400, 600)
    accuracies = []
    for code in x.T[:, :, None]:
        peer = LinearSVC(C=0.01, class_weight="balanced", tol=1e-8, max_iter=100_000).fit(code[train], labels[train])
        accuracies.append(peer.score(code[test], labels[test]))
    best, next_best = sorted(accuracies)[:-3:-1]
    found = sap(x[train], labels[train, None], x[test], labels[test, None])
    assert found == pytest.approx(best - next_best, abs=1e-9)


def test_explicitness_is_that_of_logistic_regressions():
    x, labels = clouds(4)
    x_train, x_test = ((part - x[:400].mean(axis=0)) / x[:400].std(axis=0) for part in (x[:400], x[400:]))
    peer = OneVsRestClassifier(LogisticRegression(tol=1e-8, max_iter=10_000)).fit(x_train, labels[:400])
    scores = peer.decision_function(x_test)
    expected = np.mean([roc_auc_score(labels[400:] == k, scores[:, k]) for k in range(4)])
    assert explicitness(x[:400], labels[:400, None], x[400:], labels[400:, None]) == pytest.approx(expected, abs=1e-4)


def test_a_forest_that_is_not_cut_is_the_forest():
    x, labels = clouds(4)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(7, max_depth=DEPTHS[-1], random_state=0).fit(x[:400], labels[:400])
    errors = _errors_by_depth(forest, x[400:], labels[400:])
    assert errors[-1] == pytest.approx(1 - forest.score(x[400:], labels[400:]))
    shallow = [np.mean([tree.tree_.max_depth for tree in forest.estimators_]) > depth for depth in DEPTHS]
    assert errors[0] > errors[-1] and any(shallow)


@pytest.mark.slow
def test_boosting_of_numbers_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4))
    y = 5 + x[:, 0] ** 2 + 0.5 * x[:, 1] + 0.1 * rng.normal(size=600)
    found = boost_numbers(x[:400], y[:400], x[400:], y[400:], rounds=30)
    peer = GradientBoostingRegressor(n_estimators=30, random_state=0).fit(x[:400].astype(np.float32), y[:400])
    # Theirs weigh every tree alike, ours by what it gains.
    np.testing.assert_allclose(found.importances, peer.feature_importances_, atol=0.02)
    assert found.train_accuracy == pytest.approx(peer.score(x[:400], y[:400]), abs=1e-3)
    assert found.test_accuracy == pytest.approx(peer.score(x[400:], y[400:]), abs=5e-3)
    assert boost_numbers(x, rng.normal(size=600), x[:1], y[:1], rounds=2).test_accuracy == 0
