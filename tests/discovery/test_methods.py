"""Every method behind one signature, and what each says of itself."""

from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from ganwalk.commands import group
from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import (
    COMPARABLE,
    LEARNED,
    OBLIQUE_TOO,
    ON_STUDENT,
    OPTIMISED,
    SUPERVISED,
    DiscoverySettings,
)
from ganwalk.errors import GanwalkError
from tests.discovery.reading import Reading

FAST = DiscoverySettings(n_directions=3, steps=2, batch=8)
# What supervised methods are told: one coordinate of w, and the sum of two.
READER = Reading(one=("linear", lambda w: w[:, 0]), two=("linear", lambda w: w[:, 1] + w[:, 2]))


def found_by(generator, method, **changes):
    reader = READER if METHODS[method].fit is not None else None
    return run_discovery(generator, replace(FAST, method=method, **changes), reader=reader)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_unit_vectors_that_say_where_they_are_from(toy, quick_local, method):
    result = found_by(toy, method)
    directions = result.directions
    assert directions.method == result.bases[0].name and directions.method in (METHODS[method].candidates or (method,))
    products = directions.vectors @ directions.vectors.T
    assert torch.allclose(products.diagonal(), torch.ones(3), atol=1e-5)
    assert directions.oblique == METHODS[directions.method].oblique
    assert directions.oblique or torch.allclose(products, torch.eye(3), atol=1e-5)
    assert (directions.effects.diff() <= 0).all()
    assert bool(result.history) == (method in OPTIMISED)
    again = found_by(toy, method).directions
    assert torch.equal(directions.vectors, again.vectors)


def test_every_method_is_of_one_kind_and_cites_its_paper():
    for method in METHODS.values():
        kinds = (method.find, method.objective, method.learner, method.fit, method.candidates or None)
        assert sum(kind is not None for kind in kinds) == 1
        assert (method.learner is None and method.objective is None) == (method.cost is None)
        assert method.summary and "20" in method.source


def test_the_help_names_every_method():
    text = " ".join(CliRunner().invoke(group, ["discover", "--help"]).output.split())
    assert all(name in text for name in METHODS)


def test_a_closed_form_has_nothing_to_resume(toy, tmp_path):
    with pytest.raises(GanwalkError, match="has a closed form"):
        run_discovery(toy, replace(FAST, method="pca"), checkpoint=tmp_path / "c.pt", resume=True)


@pytest.mark.slow
def test_methods_find_different_directions(toy):
    # A choice between others is one of these.
    names = [name for name, method in METHODS.items() if not method.candidates]
    found = {name: found_by(toy, name).directions.vectors for name in names}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert not torch.allclose(found[first].abs(), found[second].abs(), atol=1e-3), (first, second)


def test_a_random_basis_lies_in_the_span_of_the_components(toy):
    found = {name: found_by(toy, name).directions.vectors for name in ("random", "pca")}
    assert (found["random"] @ found["pca"].T).square().sum() == pytest.approx(3, abs=1e-4)
    other = found_by(toy, "random", seed=1).directions.vectors
    assert not torch.allclose(found["random"].abs(), other.abs(), atol=1e-2)


def test_the_settings_know_which_methods_are_optimised():
    assert set(OPTIMISED) == {
        name for name, method in METHODS.items() if method.objective or method.learner or method.candidates
    }
    assert set(LEARNED) == {name for name, method in METHODS.items() if method.learner is not None}
    assert set(SUPERVISED) == {name for name, method in METHODS.items() if method.fit is not None}
    assert set(ON_STUDENT) <= set(OPTIMISED) and set(OBLIQUE_TOO) <= set(LEARNED)
    assert set(COMPARABLE) == {name for name, method in METHODS.items() if method.find is not None}
