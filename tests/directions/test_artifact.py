"""The directions artifact: what is saved comes back, damage is refused, walks are what they say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ganwalk.directions import Directions, shift_latents
from ganwalk.directions.edits import Move, walk
from ganwalk.directions.files import save_label
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.files import DIRECTIONS_KEY
from ganwalk.files.shipped import shipped_file
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.loading import load_directions_generator
from ganwalk.samples import DrawnSamples, StoredSamples


def directions_of(generator, n=3, space="w", **changes):
    d = generator.w_dim if space == "w" else generator.z_dim
    q = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(0)))[0]
    facts = {
        "layers": None,
        "method": "rtd",
        "settings": {"steps": 3, "layers": [1, 2]},
        "seed": 7,
        "version": "0.1.0",
        "effects": torch.tensor([3.0, 2.0, 1.0])[:n],
    }
    return Directions(q[:n], torch.arange(1.0, n + 1), space, generator.identity, **(facts | changes))


def test_everything_comes_back(toy, tmp_path):
    for changes in ({}, {"layers": (1, 4)}, {"effects": None}):
        saved = directions_of(toy, **changes)
        saved.save(tmp_path / "d.safetensors")
        loaded = Directions.load(tmp_path / "d.safetensors")
        for name in ("vectors", "scales", "effects"):
            a, b = getattr(saved, name), getattr(loaded, name)
            assert (a is None and b is None) or torch.equal(a, b)
        for name in ("space", "layers", "generator", "method", "settings", "seed", "version"):
            assert getattr(saved, name) == getattr(loaded, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": torch.zeros(0, 3)}, "must be a matrix"),
        ({"vectors": torch.ones(3, 12)}, "unit length"),
        ({"vectors": torch.full((3, 12), torch.nan)}, "not finite"),
        ({"scales": torch.ones(2)}, "one number per direction"),
        ({"space": "x"}, "unknown space"),
        ({"space": "s"}, "how many channels"),
        ({"space": "s", "channels": ((0, 5), (1, 6))}, "a value for each channel"),
        ({"space": "s", "channels": ((0, 12.0),)}, "channels must be layers and numbers"),
        ({"space": "s", "channels": ((0, 12),), "layers": (0, 1)}, "no layers beside"),
        ({"vectors": torch.eye(12)[:1].repeat(3, 1)}, "must be orthonormal"),
        ({"vectors": torch.eye(12, dtype=torch.float64)[:3]}, "must be float32"),
        ({"scales": -torch.ones(3)}, "must not be negative"),
        ({"scales": torch.full((3,), torch.inf)}, "scales hold values that are not finite"),
        ({"effects": torch.full((3,), torch.nan)}, "effects hold values that are not finite"),
        ({"layers": (4, 2)}, "a first and a last layer"),
        ({"layers": (-2, 1)}, "a first and a last layer"),
    ],
)
def test_impossible_directions_are_refused(toy, change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(directions_of(toy), **change)


def test_files_that_are_something_else_are_refused(toy, tmp_path):
    path = tmp_path / "d.safetensors"
    directions_of(toy).save(path)
    whole = path.read_bytes()
    with pytest.raises(GanwalkError, match="does not exist: run ganwalk discover"):
        Directions.load(tmp_path / "no.safetensors")
    with pytest.raises(GanwalkError, match="is a folder"):
        Directions.load(tmp_path)
    for content in (b"", b"text", whole[:100], whole[:-5], b"\xff" * 200):
        path.write_bytes(content)
        with pytest.raises(GanwalkError, match="not a directions file"):
            Directions.load(path)
    save_file({"vectors": torch.eye(3)}, path)
    with pytest.raises(GanwalkError, match="not a directions file"):
        Directions.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [1]},
        {"layers": "a"},
        {"settings": 3},
        {"seed": {}},
        {"seed": float("inf")},
        {"layers": [0.5, 1]},
        {"layers": [float("inf"), 1]},
        {"layers": [-3, -1]},
        {"generator": {"reference": 3, "sha256": None, "architecture": [], "resolution": "x"}},
        {"generator": []},
        {"generator": {"reference": "x"}},
        {"vectors": None, "space": None},
        None,
        "[" * 100_000,
    ],
)
def test_hostile_metadata_is_refused(toy, tmp_path, change):
    path = tmp_path / "d.safetensors"
    directions_of(toy).save(path)
    facts, tensors = contents(path)
    text = change if isinstance(change, str) else json.dumps(None if change is None else {**facts, **change})
    save_file(tensors, path, {DIRECTIONS_KEY: text})
    with pytest.raises(GanwalkError, match=r"damaged|unknown space"):
        Directions.load(path)


def contents(path):
    """The description and the tensors in a directions file."""
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[DIRECTIONS_KEY]), {k: file.get_tensor(k) for k in ("vectors", "scales")}


def test_checkpoints_and_files_of_others_are_named(tmp_path):
    golden = Path(__file__).parents[1] / "golden"
    for path, kind in (
        (golden / "rosinality_32.pt", "rosinality"),
        (golden / "pickled_sg3repo_sg2_32.pkl", "nvidia-pytorch"),
        (golden / "tf_sefa_pggan_32.pkl", "nvidia-tensorflow"),
        (shipped_file("scenes.safetensors"), "ganwalk"),
    ):
        with pytest.raises(GanwalkError, match=rf"is a checkpoint \({kind}\), not directions: give it as --generator"):
            Directions.load(path)
    np.save(tmp_path / "d.npy", np.eye(4))
    with pytest.raises(GanwalkError, match="or from other files with import"):
        Directions.load(tmp_path / "d.npy")


def test_damaged_tensors_are_refused(toy, tmp_path):
    path = tmp_path / "d.safetensors"
    directions_of(toy).save(path)
    facts, tensors = contents(path)
    changes = (
        {"vectors": torch.ones(3)},
        {"vectors": torch.zeros(3, 12)},
        {"vectors": torch.eye(12)[:3].double()},
        {"vectors": torch.eye(12)[:3].bool()},
        {"scales": torch.ones(5)},
    )
    for change in changes:
        save_file({**tensors, **change}, path, {DIRECTIONS_KEY: json.dumps(facts)})
        with pytest.raises(GanwalkError, match=r"d\.safetensors is damaged: "):
            Directions.load(path)
    save_file({"scales": tensors["scales"]}, path, {DIRECTIONS_KEY: json.dumps(facts)})
    with pytest.raises(GanwalkError, match="damaged"):
        Directions.load(path)


def test_a_walk_in_w_shifts_its_layers_by_standard_deviations(toy):
    directions = directions_of(toy)
    z = sample_z(toy, 2, seed=0)
    w = toy.mapping(z)
    amplitudes = torch.tensor([-1.5, 0.0, 2.0])
    styles = walk(toy, directions, [Move(1)], StoredSamples(z, "z"), amplitudes)
    assert styles.shape == (2, 3, toy.num_layers, toy.w_dim)
    assert torch.allclose(styles[:, 1], w)
    assert torch.allclose(styles[:, 2] - w, (2.0 * 2.0 * directions.vectors[1]).expand_as(w), atol=1e-5)
    part = walk(toy, directions, [Move(1, 1.0, (2, 3))], StoredSamples(z, "z"), amplitudes)
    assert torch.equal(part[:, 2][:, [0, 1, 4, 5]], w[:, [0, 1, 4, 5]])
    assert torch.allclose(part[:, 2][:, 2:4], styles[:, 2][:, 2:4])


def test_samples_are_truncated_before_they_are_shifted(toy):
    samples = DrawnSamples((0,), truncation_psi=0.0)
    styles = walk(toy, directions_of(toy), [Move(0)], samples, torch.tensor([1.0]))
    assert torch.allclose(styles[0, 0], toy.w_avg + directions_of(toy).step(0), atol=1e-6)


def test_a_walk_in_z_goes_through_the_mapping(toy, blobs):
    z = sample_z(toy, 2, seed=0)
    directions = directions_of(toy, space="z")
    styles = walk(toy, directions, [Move(2)], StoredSamples(z, "z"), torch.tensor([1.0]))
    assert torch.allclose(styles[:, 0], toy.mapping(z + directions.step(2)))
    with pytest.raises(GanwalkError, match="needs directions in w"):
        walk(toy, directions, [Move(0, 1.0, (0, 1))], StoredSamples(z, "z"), torch.tensor([1.0]))
    samples = DrawnSamples((0, 1))
    assert walk(blobs, directions_of(blobs, space="z"), [Move(0)], samples, torch.zeros(3)).shape == (2, 3, 1, 6)


def test_shift_latents_leaves_its_argument_alone(toy):
    w = torch.zeros(1, 6, 12)
    shifted = shift_latents(w, torch.ones(12), (1, 2))
    assert not w.any() and shifted.sum() == 24


def test_directions_that_do_not_fit_are_refused(toy, blobs):
    with pytest.raises(GanwalkError, match="no w space"):
        directions_of(toy).check(blobs)
    with pytest.raises(GanwalkError, match="8 dimensions, the generator's z has 6"):
        directions_of(toy, space="z").check(blobs)
    with pytest.raises(GanwalkError, match="layers 0 to 5"):
        directions_of(toy, layers=(3, 6)).check(toy)
    with pytest.raises(GanwalkError, match="directions 0 to 2"):
        directions_of(toy).step(3)


def test_the_generator_is_found_again_and_its_hash_checked(blobs, tmp_path):
    directions = directions_of(blobs, space="z")
    assert load_directions_generator(directions.generator, None).identity == blobs.identity
    other = replace(directions, generator=replace(blobs.identity, sha256="f" * 64))
    with pytest.raises(GanwalkError, match="not the generator of these directions"):
        load_directions_generator(other.generator, None)
    moved = replace(directions, generator=GeneratorIdentity(str(tmp_path / "gone.pkl"), "f" * 64, "stylegan2", 32))
    with pytest.raises(GanwalkError, match="is gone: give it with --generator"):
        load_directions_generator(moved.generator, None)


def test_equal_directions_are_equal_files(toy, tmp_path):
    for name in ("a", "b"):
        directions_of(toy).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert contents(tmp_path / "a")[0]["generator"]["sha256"] == "0" * 64


def test_imported_directions_need_not_be_orthogonal(toy):
    rows = torch.eye(12)[:1].repeat(3, 1)
    assert len(Directions(rows, torch.ones(3), "w", toy.identity, method="imported from npy")) == 3


def test_oblique_directions_say_so_in_their_file(toy, tmp_path):
    rows = torch.eye(12)[:1].repeat(3, 1)
    oblique = Directions(rows, torch.ones(3), "w", toy.identity, method="local", oblique=True)
    oblique.select([2, 0]).save(tmp_path / "oblique.safetensors")
    loaded = Directions.load(tmp_path / "oblique.safetensors")
    assert loaded.oblique and torch.equal(loaded.vectors, rows[:2])
    with pytest.raises(GanwalkError, match="must be orthonormal"):
        replace(loaded, oblique=False)


def test_angles_that_take_long_to_check_are_not_known(toy, monkeypatch):
    monkeypatch.setattr("ganwalk.directions.artifact._MAX_PRODUCTS", 3 * 36 - 1)
    for count, oblique in ((3, True), (2, False)):
        assert Directions(torch.eye(12)[:count], torch.ones(count), "w", toy.identity, method="rtd").oblique is oblique


def test_a_selection_keeps_what_belongs_together(toy):
    directions = directions_of(toy)
    chosen = directions.select([2, 0])
    assert torch.equal(chosen.vectors, directions.vectors[[2, 0]])
    assert chosen.scales.tolist() == [3.0, 1.0] and chosen.effects.tolist() == [1.0, 3.0]
    assert chosen.generator == directions.generator and chosen.seed == directions.seed
    with pytest.raises(GanwalkError, match="direction 3 does not exist: there are directions 0 to 2"):
        directions.select([0, 3])
    with pytest.raises(GanwalkError, match="matrix"):
        directions.select([])
    assert torch.equal(directions.to("cpu").effects, directions.effects)


def test_settings_that_are_no_json_are_refused_and_nothing_is_written(toy, tmp_path):
    for settings in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(GanwalkError, match="settings of directions must be JSON"):
            directions_of(toy, settings=settings).save(tmp_path / "d.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_truncation_stops_at_its_cutoff(toy):
    z = sample_z(toy, 1, seed=0)
    samples = DrawnSamples((0,), truncation_psi=0.0, truncation_cutoff=2)
    styles = walk(toy, directions_of(toy), [Move(0)], samples, torch.zeros(1))[0, 0]
    assert torch.allclose(styles[:2], toy.w_avg.expand(2, -1)) and torch.equal(styles[2:], toy.mapping(z)[0, 2:])


def test_layers_that_do_not_exist_are_refused(toy):
    for layers in ((4, 9), (50, 60)):
        with pytest.raises(GanwalkError, match="the generator has layers 0 to 5"):
            walk(toy, directions_of(toy), [Move(0, 1.0, layers)], DrawnSamples((0,)), torch.ones(1))


def test_names_and_notes_are_kept_in_the_file(toy, tmp_path):
    path = tmp_path / "d.safetensors"
    directions = directions_of(toy)
    directions.save(path)
    plain = path.read_bytes()
    label = Label("smile <b>", 'says "cheese" & shows teeth', starred=True)
    named = save_label(path, 1, label, directions.fingerprint())
    hidden = save_label(path, 2, Label(hidden=True), directions.fingerprint())
    loaded = Directions.load(path)
    assert loaded.labels == hidden.labels == (Label(), label, Label(hidden=True)) and named.labels[2] == Label()
    assert loaded.title(1) == "1 · smile <b>" and loaded.title(0) == "0" and loaded.visible() == [0, 1]
    assert loaded.find("SMILE <B>") == 1 and loaded.find(" 2 ") == 2
    assert loaded.select([1, 0]).labels == (label, Label())
    assert loaded.fingerprint() == directions.fingerprint() != loaded.select([0, 1]).fingerprint()
    save_label(path, 2, Label(), directions.fingerprint())
    save_label(path, 1, Label(), directions.fingerprint())
    assert path.read_bytes() == plain


def test_labels_that_cannot_be_are_refused(toy, tmp_path):
    for wrong, message in (
        ({"name": "a,b"}, "comma"),
        ({"name": "12"}, "no name"),
        ({"name": "ALL"}, "no name"),
        ({"name": "a\nb"}, "one line"),
        ({"name": "\u202egnp"}, "one line"),
        ({"name": " a"}, "begins or ends"),
        ({"name": "x" * 61}, "at most 60"),
        ({"note": "x" * 501}, "at most 500"),
        ({"name": 3}, "one line"),
        ({"starred": 1}, "true or false"),
    ):
        with pytest.raises(GanwalkError, match=message):
            Label(**wrong)
    directions = directions_of(toy).labelled(0, Label("smile"))
    with pytest.raises(GanwalkError, match="direction 0 is called 'smile' already"):
        directions.labelled(1, Label("Smile"))
    with pytest.raises(GanwalkError, match="labels for 3 directions"):
        replace(directions, labels=(Label("a"),))
    with pytest.raises(GanwalkError, match=r"no direction is called 'grin'.*the names are smile"):
        directions.find("grin")
    path = tmp_path / "d.safetensors"
    directions.save(path)
    with pytest.raises(GanwalkError, match="holds other directions by now: load it again, or run the command again"):
        save_label(path, 0, Label(), "0" * 64)
    assert Directions.load(path).labels == directions.labels


@pytest.mark.parametrize(
    "labels",
    [
        {"0": {}},
        ["smile"],
        [{"name": 1}],
        [{"nom": "a"}],
        [{"name": "b"}],
        [{"name": "a,"}] * 3,
        [{"name": "a"}] * 3,
        3,
    ],
)
def test_damaged_labels_are_one_line(toy, tmp_path, labels):
    path = tmp_path / "d.safetensors"
    directions_of(toy).save(path)
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()[DIRECTIONS_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no container)
    save_file(tensors, path, {DIRECTIONS_KEY: json.dumps({**facts, "labels": labels})})
    with pytest.raises(GanwalkError, match="is damaged"):
        Directions.load(path)


def test_moves_add_up_in_their_own_layers(toy):
    directions, z = directions_of(toy), sample_z(toy, 2, seed=1)
    edit = [Move(0, 2.0), Move(2, -1.0, (1, 2))]
    styles = walk(toy, directions, edit, StoredSamples(z, "z"), torch.tensor([0.0, 0.5, 1.0]))
    w = toy.mapping(z)
    assert torch.equal(styles[:, 0], w)
    shift = torch.zeros_like(w[0]) + directions.step(0, 2.0)
    shift[1:3] += directions.step(2, -1.0)
    for column, fraction in ((1, 0.5), (2, 1.0)):
        assert torch.allclose(styles[:, column], w + fraction * shift, atol=1e-6)
    assert torch.equal(walk(toy, directions, [], StoredSamples(z, "z"), torch.ones(1))[:, 0], w)
