"""Directions made of others: steps are those that they say, files hold them, commands write them."""

from dataclasses import replace

import pytest
import torch

from ganwalk.directions import Directions, arithmetic
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.generators.loading import load_generator
from ganwalk.rendering.report.reproduce import discover_command

SET = ((0, 1), (4, 4))
# Of the affine layers of `toy`.
CHANNELS = tuple((layer, 8) for layer in (0, 1, 1, 2, 3, 3, 4, 5))


def directions_of(identity, n=3, space="w", seed=0, **facts):
    """Oblique directions of a generator with six layers, w of 12 and z of 8 dimensions."""
    shape = {"z": (8,), "w": (12,), "w+": (6, 12), "s": (64,)}[space]
    if space == "s":
        facts["channels"] = CHANNELS
    vectors = torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))
    lengths = vectors.flatten(1).norm(dim=1).view(-1, *[1] * len(shape))
    return Directions(vectors / lengths, torch.arange(1.0, n + 1), space, identity, **facts)


def shift(directions, index, amplitude=1.0):
    return directions.shift(index, amplitude, num_layers=6)


@pytest.mark.parametrize("space", ["z", "w", "w+", "s", "each"])
def test_a_combination_is_the_sum_of_its_moves(toy, space):
    own = {"own_layers": (None, (2, 3), SET)} if space == "each" else {}
    directions = directions_of(toy.identity, space="w" if space == "each" else space, **own)
    made = arithmetic.combine(directions, [Move(0, 2.0), Move(2, -1.0)], num_layers=6, label=Label("grin"))
    assert len(made) == 1 and made.find("grin") == 0 and made.space == ("w+" if space == "each" else space)
    assert torch.allclose(shift(made, 0), shift(directions, 0, 2.0) + shift(directions, 2, -1.0), atol=1e-5)
    made.check(toy)


def test_a_combination_stays_in_w_where_layers_agree(toy):
    directions = directions_of(toy.identity, own_layers=(None, SET, SET))
    assert arithmetic.combine(directions, [Move(1), Move(2)]).layers == SET
    assert arithmetic.combine(directions, [Move(0, 1.0, (1, 2)), Move(2, 1.0, (1, 2))]).layers == (1, 2)
    for edit, message in (
        ([Move(0), Move(1)], "w\\+ only: say how many"),
        ([], "no moves"),
        ([Move(3)], "does not exist"),
        ([Move(1), Move(1, -1.0)], "goes nowhere"),
    ):
        with pytest.raises(GanwalkError, match=message):
            arithmetic.combine(directions, edit)
    with pytest.raises(GanwalkError, match="layer 7 does not exist"):
        arithmetic.combine(directions, [Move(0), Move(1, 1.0, (2, 7))], num_layers=6)
    with pytest.raises(GanwalkError, match="in z have no layers"):
        arithmetic.combine(directions_of(toy.identity, space="z"), [Move(0, 1.0, (0, 1))])


@pytest.mark.parametrize("space", ["z", "w", "w+", "s", "each"])
def test_what_is_orthogonal_to_others_leaves_them_alone(toy, space):
    own = {"own_layers": (None, (2, 3), SET)} if space == "each" else {}
    directions = directions_of(toy.identity, space="w" if space == "each" else space, **own)
    made = arithmetic.orthogonalise(directions, 0, [1, 2], num_layers=6)
    before, after = (torch.stack([shift(entry, k).flatten() for k in range(3)]) for entry in (directions, made))
    assert torch.allclose(after[1:], before[1:], atol=1e-5)
    assert (after[1:] @ after[0]).abs().max() < 1e-4
    # What was taken away lies in their span, and nothing else changed.
    others = torch.linalg.qr(before[1:].T)[0]
    taken = before[0] - after[0]
    assert torch.allclose(others @ (others.T @ taken), taken, atol=1e-4) and taken.norm() > 1e-2


def test_what_lies_in_others_cannot_be_orthogonal_to_them(toy):
    directions = directions_of(toy.identity)
    twice = replace(directions, vectors=directions.vectors[[0, 0, 1]], oblique=True)
    with pytest.raises(GanwalkError, match="nothing is left of direction 0"):
        arithmetic.orthogonalise(twice, 0, [1])
    # Others that are the same span what one of them does.
    made = arithmetic.orthogonalise(twice, 2, [0, 1])
    assert abs(made.vectors[2] @ made.vectors[0]) < 1e-5
    for others in ([], [0]):
        with pytest.raises(GanwalkError, match="name at least one, and not itself"):
            arithmetic.orthogonalise(directions, 0, others)


def test_flips_and_selections_keep_what_belongs_together(toy):
    labels = (Label("a"), Label("b", starred=True), Label("c"))
    effects = torch.tensor([3.0, 2.0, 1.0])
    directions = directions_of(toy.identity, labels=labels, effects=effects, own_layers=(None, SET, (1, 2)))
    flipped = arithmetic.flip(directions, [1])
    assert torch.equal(shift(flipped, 1), -shift(directions, 1)) and torch.equal(
        shift(flipped, 2), shift(directions, 2)
    )
    assert flipped.labels == labels and torch.equal(flipped.effects, effects)
    chosen = arithmetic.select(directions, [2, 1])
    assert [label.name for label in chosen.labels] == ["c", "b"] and chosen.own_layers == ((1, 2), SET)
    once = "direction 1 · b is named twice: name each once"
    for change in (arithmetic.flip, arithmetic.select, lambda found, twice: arithmetic.orthogonalise(found, 0, twice)):
        with pytest.raises(GanwalkError, match=once):
            change(directions, [1, 2, 1])
    for change in (arithmetic.flip, arithmetic.select):
        with pytest.raises(GanwalkError, match="does not exist"):
            change(directions, [3])


def test_layers_of_moves_leave_parts_of_channel_styles(toy):
    directions = directions_of(toy.identity, space="s")
    made = arithmetic.combine(directions, [Move(0, 2.0, (1, 2)), Move(1, -1.0)])
    expected = directions.shift(0, 2.0, num_layers=6, layers=(1, 2)) - directions.shift(1, num_layers=6)
    assert torch.allclose(made.shift(0, num_layers=6), expected, atol=1e-5)
    assert arithmetic.combine(directions, [Move(0, 1.0, (1, 2))]).layers_of(0) == (1, 2)
    both = arithmetic.merge([directions, made])
    assert len(both) == 4 and both.channels == CHANNELS and both.layers_of(3) is None


def test_merged_files_hold_the_same_walks(toy, tmp_path):
    first = directions_of(toy.identity, labels=(Label("smile"), Label(), Label()), effects=torch.ones(3))
    second = directions_of(toy.identity, 2, seed=1, layers=SET, labels=(Label("Smile"), Label("age")))
    deep = directions_of(toy.identity, 1, "w+", seed=2)
    in_w, all_of_them = arithmetic.merge([first, second]), arithmetic.merge([first, second, deep])
    assert in_w.own_layers == (None, None, None, SET, SET) and in_w.effects is None
    assert [label.name for label in in_w.labels] == ["smile", "", "", "Smile 2", "age"]
    assert all_of_them.space == "w+" and all_of_them.layers_of(4) == SET
    expected = torch.cat([part.shifts(num_layers=6) for part in (first, second, deep)])
    assert torch.allclose(all_of_them.shifts(num_layers=6), expected, atol=1e-5)
    all_of_them.save(tmp_path / "d.safetensors")
    assert Directions.load(tmp_path / "d.safetensors").fingerprint() == all_of_them.fingerprint()
    assert arithmetic.merge([first, first]).effects.tolist() == [1] * 6
    other = replace(first, generator=replace(first.generator, sha256="f" * 64))
    for parts, message in (
        ([first, other], r"different generators \(.* and .*\) .* merge those of each by themselves"),
        ([first, directions_of(toy.identity, space="z")], "in z cannot be in one file"),
        ([directions_of(toy.identity, space="s"), deep], "in s cannot be in one file"),
        ([first, replace(first, vectors=torch.eye(9)[:3])], "different sizes"),
    ):
        with pytest.raises(GanwalkError, match=message):
            arithmetic.merge(parts)


def test_what_was_derived_says_of_what_and_no_command_finds_it(blobs):
    directions = Directions(
        torch.eye(6)[:3], torch.ones(3), "z", blobs.identity, method="pca", settings={"method": "pca", "class_index": 2}
    )
    made = arithmetic.flip(arithmetic.select(directions, [1, 0]), [0])
    assert made.method == "pca (derived)" and made.class_index == 2 and made.settings["of"] == directions.settings
    assert made.settings["operations"] == ["select [1, 0]", "flip [0]"]
    assert discover_command(made, blobs) is None
    strange = replace(directions, settings={"operations": 3, "of": None})
    assert arithmetic.flip(strange, [0]).settings["operations"] == ["flip [0]"]


def test_the_commands_write_new_files(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = load_generator("scenes")
    vectors = torch.linalg.qr(torch.randn(generator.w_dim, 3, generator=torch.Generator().manual_seed(0)))[0].T
    labels = (Label("smile"), Label("age"), Label())
    made = Directions(
        vectors.contiguous(), torch.ones(3), "w", generator.identity, labels=labels, own_layers=(None, (0, 1), None)
    )
    made.save("d.safetensors")
    given = ("--directions", "d.safetensors")
    for words, written, space, count in (
        (("combine", "smile=1,2=-1", "--name", "grin", *given), "d-combine.safetensors", "w", 1),
        (("combine", "smile=1,age=1", *given, "-o", "deep.safetensors"), "deep.safetensors", "w+", 1),
        (("orthogonalise", "smile", "--against", "age,2", *given), "d-orthogonalise.safetensors", "w+", 3),
        (("flip", "age,0", *given), "d-flip.safetensors", "w", 3),
        (("select", "2,smile", *given), "d-select.safetensors", "w", 2),
        (("merge", "d.safetensors", "deep.safetensors"), "d-merge.safetensors", "w+", 4),
        (("channels", "0:5,3:17", "-g", "scenes"), "channels.safetensors", "s", 2),
    ):
        code, out, err = run("directions", *words)
        assert code == 0, err
        lines = out.splitlines()
        assert lines[-2].startswith(f"wrote {written}: {count} direction") and lines[-1].startswith(
            "next: ganwalk render"
        )
        assert (Directions.load(written).space, len(Directions.load(written))) == (space, count)
        code, _, err = run("directions", *words)
        assert code == 2 and "--force" in err
        assert run("directions", *words, "--force")[0] == 0
    for words, message in (
        (("combine", "smile", *given, "--force"), "is not a list such as"),
        (("combine", "smile=1", *given, "-o", "a.npy"), "must end in .safetensors"),
        (("flip", "hat", *given, "--force"), "no direction is called"),
        (("merge", "d.safetensors"), "at least two"),
        (("channels", "40:1", "-g", "scenes", "--force"), "there are layers 0 to 13"),
        (("orthogonalise", "smile", "--against", "smile", *given, "--force"), "not itself"),
    ):
        code, _, err = run("directions", *words)
        assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    for command in ("combine", "orthogonalise", "flip", "select", "merge", "channels"):
        assert f"Example: ganwalk directions {command}" in run("directions", command, "--help")[1]
    code, out, err = run(
        "render", "--directions", "deep.safetensors", "--direction", "0", "--seeds", "1", "--steps", "3", "-q"
    )
    assert code == 0, err


def test_names_and_measured_notes_are_true_after_a_flip(toy):
    labels = (Label("more scale", "scale rises; 56 % of its effect; 0.58 σ per σ"), Label("smile", "by eye"), Label())
    found = directions_of(toy.identity, labels=labels)
    turned = arithmetic.flip(found, [0, 1])
    assert turned.labels[0] == Label("less scale") and turned.labels[1] == Label("smile", "by eye")
    assert arithmetic.orthogonalise(found, 0, [1]).labels[0] == Label("more scale")
    pair = replace(found, labels=(Label("more scale"), Label("less scale"), Label()))
    names = [label.name for label in arithmetic.flip(pair, [0]).labels]
    assert names[1] == "less scale" and names[0] != "less scale" and names[0].startswith("less scale")


def test_derived_files_leave_the_scores_and_pictures_of_their_source_alone(run, tmp_path):
    source, flipped, one = (tmp_path / f"{name}.safetensors" for name in ("directions", "flipped", "one"))
    generator = load_generator("blobs")
    Directions(generator.axes.clone(), torch.ones(6), "z", generator.identity, method="true").save(source)
    scoring = ("--no-reconstructor", "--samples", 8, "-q")
    assert run("evaluate", "--directions", source, *scoring)[0] == 0
    assert run("directions", "flip", "0", "--directions", source, "--out", flipped)[0] == 0
    code, _, err = run("evaluate", "--directions", flipped, *scoring)
    assert code == 2 and "scores of the directions.safetensors beside it" in err
    assert run("evaluate", "--directions", flipped, *scoring, "--out", tmp_path / "apart")[0] == 0
    assert run("directions", "select", "2", "--directions", source, "--out", one)[0] == 0
    for file, picture, following in (
        (source, "overview.png", "0"),
        (flipped, "flipped-overview.png", "0"),
        (one, "one-direction-0.png", "0"),
    ):
        code, out, err = run("render", "--directions", file, "--direction", "all", "-q")
        assert code == 0 and (tmp_path / picture).exists(), err
        assert out.rstrip().endswith(f"--direction {following}")
