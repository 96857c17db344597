"""The networks and tables of the study of the field."""

from dataclasses import replace

import numpy as np
import torch

from benchmarks import coloured_sprites
from benchmarks.local import CONSTANTS, print_tables, study_choice, study_constants
from benchmarks.networks import load_network
from ganwalk.discovery.local import overlap, search
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.ledger import Placement


def test_coloured_sprites_are_where_their_factors_say():
    factors = np.array([[0.0, 0.5, 0.3, 0.8, 0, -1.0], [0.0, 0.5, 0.3, 0.8, 0, 1.0]], np.float32)
    left, right = coloured_sprites.render(factors).astype(int)
    changed = np.abs(left - right).sum(axis=(0, 2)) > 0
    assert changed[:32].any() and changed[32:].any() and not changed[[0, 63]].any()
    assert np.ptp(coloured_sprites.to_unit(coloured_sprites.sample_factors(500, 0))[:, 3]) > 1.9
    # The sky is red, the floor cyan.
    assert left[0, 0].argmax() == 0 and left[-1, 0].argmin() == 0


def test_the_committed_network_is_read_by_its_predictor():
    generator, reader = load_network("sprites")
    z = torch.randn(4, generator.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = reader.read(generator.mapping(z), generator(z).clamp(-1, 1))
    assert [factor.name for factor in reader.factors] == list(coloured_sprites.FACTOR_NAMES)
    assert found[4].shape == (4, 3) and torch.allclose(found[4].sum(dim=1), torch.ones(4))


def test_a_part_of_the_study_runs_and_its_directions_can_be_chosen_between(tmp_path, monkeypatch, capsys):
    from benchmarks import field

    for module, name, value in ((search, "SAMPLES", 2), (search, "BASIS", 4), (overlap, "_STEPS", 5)):
        monkeypatch.setattr(module, name, value)
    scope = field.Scope(tmp_path / "work", tmp_path, Placement(), 1, seeds=(11,), variants=("curved",))
    quick = DiscoverySettings(n_directions=2, steps=1, batch=8, scored=8)
    scope = replace(
        scope, settings=quick, evaluation=replace(scope.evaluation, samples=8), minutes=("rtd", "local"), slow=()
    )
    field.study_blobs(scope)
    assert "is first" in capsys.readouterr().out and (tmp_path / "blobs-curved" / "report.md").exists()
    study_choice(tmp_path / "local", tmp_path / "work")
    study_constants(tmp_path / "local", ("sprites",), (11,), 4)
    capsys.readouterr()
    print_tables(tmp_path / "local")
    told = capsys.readouterr().out
    assert all(f"| {change} |" in told for change in CONSTANTS) and "| blobs-curved-11/11 |" in told


def test_layers_of_their_own_and_channels_are_studied(tmp_path, monkeypatch, capsys, quick_local):
    from benchmarks import layers

    monkeypatch.setattr(layers, "_SEARCHED", 12)
    monkeypatch.setattr(layers.jacobian, "SKETCH_SAMPLES", 2)
    settings = DiscoverySettings(n_directions=3, batch=8, scored=4)
    layers.study_ranges(tmp_path, ("sprites",), (11,), settings, ("pca",), samples=4)
    layers.study_channels(tmp_path, ("sprites",), (11,), samples=4)
    capsys.readouterr()
    layers.study_ranges(tmp_path, ("sprites",), (11,), settings, ("pca",), samples=4)
    assert not capsys.readouterr().out
    layers.print_tables(tmp_path)
    printed = capsys.readouterr().out
    assert "| pca, auto |" in printed and "| s, not refined |" in printed
