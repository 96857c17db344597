"""Directions of any set of layers, of layers of their own, and with a vector for each layer (W+)."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ganwalk.directions import Directions, shift_latents
from ganwalk.directions.edits import Move, format_edit, parse_edit, walk
from ganwalk.directions.files import replace_directions
from ganwalk.directions.labels import Label
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.generator import told_apart
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.run import evaluate
from ganwalk.evaluation.views import view_of
from ganwalk.explore.sides import Side, found_side
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.files import DIRECTIONS_KEY
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.layers import in_words, indices_of, is_layers, layers_of
from ganwalk.naming.settings import NamingSettings
from ganwalk.naming.suggest import suggest_names
from ganwalk.options.ranges import format_layers, parse_layers
from ganwalk.pictures.sheets import Sheet
from ganwalk.rendering.grids import combination_grid, overview_grid, traversal_grid
from ganwalk.rendering.report import ReportSettings, write_report
from ganwalk.rendering.report.reproduce import discover_command
from ganwalk.samples import DrawnSamples

SET = ((0, 1), (4, 4))
ONE = DrawnSamples((1,))


def plain(toy, n=3, **facts):
    """Directions in w."""
    q = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))[0]
    return Directions(q[:n], torch.arange(1.0, n + 1), "w", toy.identity, **({"method": "pca"} | facts))


def layerwise(toy, n=3, **facts):
    """Directions in w+; the last one shifts layers 0, 1 and 4 only."""
    rows = torch.randn(n, 72, generator=torch.Generator().manual_seed(1))
    rows.view(n, 6, 12)[n - 1, [2, 3, 5]] = 0
    # The sparse one first, so that it stays so.
    q = torch.linalg.qr(rows.flip(0).T)[0].T.flip(0)
    vectors = q.reshape(n, 6, 12).contiguous()
    return Directions(vectors, torch.arange(1.0, n + 1), "w+", toy.identity, **({"method": "pca"} | facts))


def test_sets_of_layers_are_typed_and_printed():
    for text, layers in (("0-3,7", ((0, 3), (7, 7))), ("7, 0-2,3", ((0, 3), (7, 7))), ("0-2+2-5", (0, 5))):
        assert parse_layers(text) == layers
    assert format_layers(((0, 3), (7, 7))) == "0-3,7" and format_layers((5, 5)) == "5"
    for count in range(1, 5):
        for indices in itertools.combinations(range(6), count):
            layers = layers_of(indices)
            assert is_layers(layers) and indices_of(layers) == list(indices)
            assert parse_layers(format_layers(layers)) == parse_layers(format_layers(layers, "+")) == layers
    for text in ("", "1,", ",", "1;2", "0-3,,7"):
        with pytest.raises(GanwalkError, match="not a range such as"):
            parse_layers(text)


@pytest.mark.parametrize(
    "value", [(), ((0, 3),), ((0, 3), (4, 5)), ((4, 5), (0, 1)), ((0, 1), (3,)), (0, 1, 2), [0, 1]]
)
def test_what_is_no_set_of_layers_is_refused(toy, value):
    assert not is_layers(value)
    with pytest.raises(GanwalkError, match=r"layers|first and a last"):
        replace(plain(toy), layers=value)
    with pytest.raises(GanwalkError, match="layers are a first and a last one"):
        walk(toy, plain(toy), [Move(0, 1.0, value or (1, 0))], ONE, torch.ones(1))


def test_old_files_are_what_they_were(toy, tmp_path):
    old = Directions.load(Path(__file__).parent / "files_0_1_0" / "directions.safetensors")
    assert old.fingerprint() == "46a06e7d45cf0045fb225f0bd39290ea8e057e0b92464aa013bfc0becd9f468d"
    identity = GeneratorIdentity("toy", "0" * 64, "stylegan2", 16)
    directions = Directions(torch.eye(12)[:3], torch.arange(1.0, 4), "w", identity, layers=(1, 4), method="rtd")
    assert directions.fingerprint() == "14cc874f5f8a112abc6777e6a9b4a3327eaf6035acdb02a886fa15070a18a78b"
    directions.save(tmp_path / "d.safetensors")
    assert facts_of(tmp_path / "d.safetensors")["layers"] == [1, 4]


def test_a_single_layer_is_no_range_in_words(toy):
    words = {(2, 2): "layer 2", (4, 7): "layers 4-7", ((0, 3), (7, 7)): "layers 0-3, 7", None: "all layers"}
    assert {layers: in_words(layers) for layers in words} == words
    assert str(plain(toy, layers=(2, 2))).splitlines()[0].endswith("dimensions, layer 2")
    assert "2-2" not in str(plain(toy, own_layers=((2, 2), None, (1, 2))))
    with pytest.raises(GanwalkError, match="layer 40 does not exist: the generator has layers 0 to 5"):
        walk(toy, plain(toy), [Move(0, 1.0, (40, 40))], ONE, torch.ones(1))


def test_layers_of_an_edit_are_not_blamed_on_the_option(toy):
    for text, words in (("0=1@5-2", "'5-2' runs backwards: write 2-5"), ("0=1@x", "or a list: 0-3+7")):
        with pytest.raises(GanwalkError) as caught:
            parse_edit(text, plain(toy))
        assert str(caught.value).startswith(f"the edit {text!r}") and words in str(caught.value)
        assert "--layers" not in str(caught.value)


def facts_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[DIRECTIONS_KEY])


def test_layers_of_each_direction_come_back(toy, tmp_path):
    path = tmp_path / "d.safetensors"
    own = (None, (2, 3), SET)
    for changes in ({"layers": SET}, {"own_layers": own}):
        saved = plain(toy, **changes)
        saved.save(path)
        loaded = Directions.load(path)
        assert (loaded.layers, loaded.own_layers) == (saved.layers, saved.own_layers)
        assert loaded.fingerprint() == saved.fingerprint() != plain(toy).fingerprint()
    assert loaded.select([2, 1]).own_layers == (SET, (2, 3)) and loaded.select([2]).layers == SET
    assert [loaded.layers_of(index) for index in range(3)] == list(own)
    # One set for all is no set of each.
    assert plain(toy, own_layers=((1, 2),) * 3).fingerprint() == plain(toy, layers=(1, 2)).fingerprint()
    assert "layers of their own" in str(loaded) and "0-1, 4" in str(loaded) and "0-1, 4" in loaded._repr_html_()
    for changes in ({"own_layers": own, "layers": (0, 1)}, {"own_layers": own[:2]}, {"own_layers": (None, 3, None)}):
        with pytest.raises(GanwalkError, match="layers"):
            plain(toy, **changes)
    with pytest.raises(GanwalkError, match="layers 2-6 do not exist"):
        plain(toy, own_layers=(None, (2, 6), None)).check(toy)


@pytest.mark.parametrize(
    "layers",
    [
        {"each": []},
        {"each": 3},
        {},
        {"each": [None, None]},
        {"each": [[3, 1]] * 3},
        {"each": [["a", 1], None, None]},
        {"each": [{}, {}, {}]},
        [[0, 1], [1, 2]],
        [[0, 1]],
        [[[0, 1]]],
    ],
)
def test_layers_that_lie_are_refused(toy, tmp_path, layers):
    path = tmp_path / "d.safetensors"
    directions = plain(toy)
    directions.save(path)
    metadata = {DIRECTIONS_KEY: json.dumps(facts_of(path) | {"layers": layers})}
    save_file({"vectors": directions.vectors.contiguous(), "scales": directions.scales}, path, metadata)
    with pytest.raises(GanwalkError, match="damaged"):
        Directions.load(path)


def test_walks_shift_the_layers_that_they_are_of(toy):
    w = ONE.styles(toy)[0]

    def shifted(directions, *moves):
        styles = walk(toy, directions, list(moves), ONE, torch.ones(1))[0, 0]
        return (styles - w).norm(dim=1).gt(1e-4).nonzero().flatten().tolist()

    assert shifted(plain(toy, layers=SET), Move(0)) == [0, 1, 4]
    own = plain(toy, own_layers=(None, (2, 3), SET))
    assert shifted(own, Move(0)) == list(range(6)) and shifted(own, Move(1)) == [2, 3]
    assert shifted(own, Move(1), Move(2)) == [0, 1, 2, 3, 4] and shifted(own, Move(1, 1.0, SET)) == [0, 1, 4]
    deep = layerwise(toy)
    assert shifted(deep, Move(0)) == list(range(6)) and shifted(deep, Move(2)) == [0, 1, 4]
    # What is left of its own layers.
    assert shifted(deep, Move(2, 1.0, (1, 3))) == [1]
    moved = walk(toy, deep, [Move(1, -1.5)], ONE, torch.ones(1))[0, 0]
    assert torch.allclose(moved - w, -1.5 * 2 * deep.vectors[1], atol=1e-5)
    latents = torch.zeros(1, 6, 12)
    assert shift_latents(latents, torch.ones(12), SET).sum(dim=2).tolist() == [[12, 12, 0, 0, 12, 0]]
    edit = parse_edit("0=1@0-1+4,2=-1", own)
    assert edit == [Move(0, 1.0, SET), Move(2, -1.0)] and parse_edit(format_edit(edit, own), own) == edit


def test_wplus_comes_back_and_says_what_it_is(toy, tmp_path):
    saved = layerwise(toy, effects=torch.tensor([3.0, 2.0, 1.0]))
    saved.labelled(1, Label("smile")).save(tmp_path / "d.safetensors")
    loaded = Directions.load(tmp_path / "d.safetensors")
    assert torch.equal(loaded.vectors, saved.vectors) and loaded.fingerprint() == saved.fingerprint()
    assert loaded.find("smile") == 1 and loaded.select([2, 0]).vectors.shape == (2, 6, 12)
    assert loaded.layers_of(0) is None and loaded.layers_of(2) == SET
    assert loaded.step(0, 2.0).shape == (6, 12) and loaded.shifts(num_layers=6).shape == (3, 6, 12)
    assert "in w+ of 12 dimensions, for each of 6 layers" in str(loaded) and "0-1, 4" in str(loaded)
    again = replace(loaded, labels=())
    assert replace_directions(tmp_path / "d.safetensors", again) is None
    assert Directions.load(tmp_path / "d.safetensors").labels[1].name == "smile"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": torch.eye(12)[:3]}, r"must be \(n, num_layers, d\)"),
        ({"vectors": torch.zeros(3, 0, 12)}, r"must be \(n, num_layers, d\)"),
        ({"vectors": torch.ones(3, 1000, 1)}, r"must be \(n, num_layers, d\)"),
        ({"vectors": torch.ones(3, 6, 12)}, "unit length"),
        ({"vectors": torch.nn.functional.normalize(torch.ones(3, 72), dim=1).view(3, 6, 12)}, "orthonormal"),
        ({"space": "w"}, "must be a matrix"),
        ({"space": "z"}, "must be a matrix"),
        ({"layers": (0, 1)}, "no layers beside"),
        ({"own_layers": (None, (0, 1), None)}, "no layers beside"),
    ],
)
def test_impossible_directions_in_wplus_are_refused(toy, tmp_path, changes, message):
    with pytest.raises(GanwalkError, match=message):
        replace(layerwise(toy), **changes)
    path = tmp_path / "d.safetensors"
    layerwise(toy).save(path)
    if "vectors" in changes:
        tensors = {"vectors": changes["vectors"], "scales": torch.ones(3)}
        save_file(tensors, path, {DIRECTIONS_KEY: json.dumps(facts_of(path))})
        with pytest.raises(GanwalkError, match=f"is damaged: .*{message}"):
            Directions.load(path)


def test_wplus_of_other_generators_is_refused(toy, blobs):
    fewer = torch.nn.functional.normalize(torch.ones(1, 60), dim=1)
    with pytest.raises(GanwalkError, match="for 5 layers, the generator has 6"):
        Directions(fewer.view(1, 5, 12), torch.ones(1), "w+", toy.identity).check(toy)
    with pytest.raises(GanwalkError, match=r"have 10 dimensions, the generator's w\+ has 12"):
        Directions(fewer.view(1, 6, 10), torch.ones(1), "w+", toy.identity).check(toy)
    with pytest.raises(GanwalkError, match=r"are in w\+, but the generator has no w space"):
        layerwise(toy).check(blobs)


def as_wplus(directions, toy):
    """The same walks, written layer by layer."""
    steps = directions.shifts(num_layers=toy.num_layers)
    lengths = steps.flatten(1).norm(dim=1)
    return Directions(steps / lengths[:, None, None], lengths, "w+", toy.identity, method="imported")


def as_channel_styles(directions, toy):
    """The same walks of what affine layers make of styles."""
    zero = toy.channel_styles(torch.zeros(1, toy.num_layers, toy.w_dim))
    steps = (toy.channel_styles(directions.shifts(num_layers=toy.num_layers)) - zero)[:, 0]
    lengths = steps.norm(dim=1)
    return Directions(
        steps / lengths[:, None], lengths, "s", toy.identity, method="imported", channels=toy.style_channels
    )


@pytest.mark.parametrize("other", [as_wplus, as_channel_styles])
def test_what_is_the_same_walk_is_evaluated_alike(toy, other):
    own = plain(toy, own_layers=(None, (2, 3), SET))
    settings = {"samples": 8, "reconstructor": False, "threads": 1}
    first, second = (evaluate(toy, directions, **settings) for directions in (own, other(own, toy)))
    for name, value in first.summary().items():
        assert value == pytest.approx(second.summary()[name], rel=1e-3), name
    assert other(own, toy).layers_of(2) == SET and other(own, toy).layers_of(0) is None
    assert first.fingerprint != second.fingerprint and json.dumps(second.to_json())
    # Shifts of the last layers are seen only there.
    assert view_of(toy, plain(toy, own_layers=(None, (2, 3), SET))).layer == toy.num_layers - 1
    assert evaluate(toy, layerwise(toy), **settings | {"reconstructor": True}).reconstruction is not None


def test_pictures_and_reports_of_all_kinds(toy, tmp_path):
    own = plain(toy, own_layers=(None, (2, 3), SET))
    deep = layerwise(toy)
    same = traversal_grid(toy, own, 2, ONE, steps=3).tobytes()
    assert same == traversal_grid(toy, plain(toy, layers=SET), 2, ONE, steps=3).tobytes()
    assert same != traversal_grid(toy, plain(toy), 2, ONE, steps=3).tobytes()
    for directions in (own, deep, as_channel_styles(own, toy)):
        overview_grid(toy, directions, ONE, steps=3)
        combination_grid(toy, directions, [Move(0), Move(2)], ONE, steps=3)
        write_report(tmp_path / "r.html", toy, directions, ReportSettings(seeds=(1,), steps=3))
        assert "2: layers 0-1, 4" in (tmp_path / "r.html").read_text()
        assert len(suggest_names(toy, directions, NamingSettings(samples=2), reader=None)) == 3


def test_captions_say_whose_seeds_and_which_layers_of_each_part(toy, monkeypatch):
    captions = []
    finish = Sheet.finish
    monkeypatch.setattr(Sheet, "finish", lambda self, caption: captions.append(caption) or finish(self, caption))
    own = plain(toy, own_layers=(None, (2, 3), SET))
    theirs = DrawnSamples((1, 2), seed_style="nvidia")
    for edit in ([Move(0), Move(1, -2.0)], [Move(0, 1.0, (0, 0)), Move(2, 1.0, (0, 0))]):
        combination_grid(toy, own, edit, theirs, steps=2)
    traversal_grid(toy, own, 0, ONE, steps=2)
    apart, shared, plainly = captions
    assert "0 +1 σ in all layers and 1 −2 σ in layers 2-3 ·" in apart and apart.endswith("NVIDIA's seeds")
    assert "0 +1 σ and 2 +1 σ ·" in shared and "w, layer 0 ·" in shared
    assert "seed" not in plainly


def test_the_explorer_shows_all_kinds(toy, tmp_path):
    own, deep = plain(toy, own_layers=(None, (2, 3), SET)), layerwise(toy)
    studio = Studio(toy, [Side(deep, None), Side(own, None)], preview="never")
    state = State(ONE).moved(0, Move(2, 2.0)).moved(1, Move(2, 2.0, (0, 0)))
    ours, theirs = studio.pictures(state)
    assert (ours[0] != theirs[0]).any() and studio.latents(state, 0).shape == (1, 6, 12)
    assert studio.closest(0, 1) is None
    studio = Studio(toy, [Side(deep, None), Side(layerwise(toy), None)], preview="never")
    assert studio.closest(0, 1) == (1, pytest.approx(1, abs=1e-5))
    channels = as_channel_styles(own, toy)
    studio = Studio(toy, [Side(channels, None), Side(own, None)], preview="never")
    state = State(ONE).moved(0, Move(2, 2.0)).moved(1, Move(2, 2.0))
    ours, theirs = studio.pictures(state)
    assert abs(ours[0].astype(int) - theirs[0]).max() <= 1
    assert found_side(toy, "random", 2, space=deep.sampled_space).directions.space == "w"


def test_a_set_of_layers_is_searched_and_its_command_told(toy):
    settings = DiscoverySettings(n_directions=2, method="sefa", layers=SET, batch=8, equalize=False)
    found = run_discovery(toy, settings).directions
    assert found.layers == SET
    both = [run_discovery(toy, replace(settings, layers=layers)).directions for layers in ((0, 1), (0, 4))]
    assert all(not torch.allclose(found.vectors.abs(), other.vectors.abs(), atol=1e-3) for other in both)
    stored = replace(found, settings=json.loads(json.dumps(found.settings)))
    assert "--layers 0-1,4" in discover_command(stored, toy)
    assert told_apart(settings.resolve(toy).view(), toy.num_layers) == (0, 2, 4, 5)
    with pytest.raises(GanwalkError, match="layers 0-1, 9 do not exist"):
        run_discovery(toy, replace(settings, layers=((0, 1), (9, 9))))
