"""Directions of several ranges of layers: which ranges, which directions, and a discovery that stops among them."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.discovery.plan import plan
from ganwalk.discovery.ranges import cleanest, likeness, ranges_of_layers
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.layers import AUTO
from ganwalk.options.ranges import LAYERS_OR_AUTO
from ganwalk.options.records import as_tuples, build_record
from ganwalk.rendering.report.reproduce import discover_command

RANGES = [None, (0, 0), (1, 2), (3, 5)]
FAST = DiscoverySettings(n_directions=4, method="pca", layers=AUTO, batch=8)


def test_layers_are_split_by_their_size(toy, blobs):
    assert toy.layer_resolutions == (4, 8, 8, 16, 16, 16)
    assert ranges_of_layers(toy, 5) == RANGES
    assert ranges_of_layers(toy, 2) == [None, (0, 0), (1, 2)]
    assert ranges_of_layers(toy, 0) == ranges_of_layers(blobs, 0) == [None]
    sizes = [4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512, 1024, 1024, 1024]
    large = type("Large", (), {"resolution": 1024, "layer_resolutions": sizes})()
    assert ranges_of_layers(large, 17) == [None, (0, 2), (3, 6), (7, 17)]


def test_the_cleanest_are_unlike_one_another():
    rtd = torch.tensor([0.3, 0.1, 0.2, 0.05, 0.4])
    effects = torch.tensor([1.0, 0.9, 0.8, 0.01, 0.5])
    alike = torch.eye(5)
    alike[1, 2] = alike[2, 1] = 0.9
    alike[0, 4] = alike[4, 0] = 0.2
    # 3 does nearly nothing, 2 does what 1 does: both come last.
    assert cleanest(rtd, effects, alike, 3) == [1, 0, 4]
    assert cleanest(rtd, effects, alike, 4) == [1, 0, 4, 3]
    assert sorted(cleanest(rtd, effects, alike, 5)) == [0, 1, 2, 3, 4]


def test_what_changes_the_same_is_alike(toy):
    vectors = torch.eye(12)[[0, 0, 5]]
    own = (None, (3, 5), None)
    directions = Directions(vectors, torch.ones(3), "w", toy.identity, oblique=True, own_layers=own)
    view = FAST.resolve(toy).view()
    lengths = torch.tensor([1.0, 1.0, 1.0])
    found = likeness(toy, view, directions, lengths, samples=4, seed=0)
    same = likeness(toy, view, directions.select([0, 0]), lengths[:2], samples=4, seed=0)
    assert torch.allclose(found.diagonal(), torch.ones(3), atol=1e-4) and torch.allclose(found, found.T)
    assert same[0, 1] == pytest.approx(1, abs=1e-4) and found[0, 1] < 0.999


def test_each_direction_has_the_range_that_it_was_found_in(toy, tmp_path):
    result = run_discovery(toy, FAST)
    directions = result.directions
    assert len(directions) == 4 and directions.method == "pca" and directions.oblique
    assert (directions.effects.diff() <= 0).all() and len(result.bases[0].scores.barcodes) == 4
    alone = [run_discovery(toy, replace(FAST, layers=layers)).directions for layers in RANGES]
    for index in range(4):
        layers = directions.layers_of(index)
        products = alone[RANGES.index(layers)].vectors @ directions.vectors[index]
        assert products.abs().max() == pytest.approx(1, abs=1e-5)
    assert result.bases[1].name == "all layers"
    assert any(notice.startswith("the cleanest are ") for notice in result.notices)
    directions.save(tmp_path / "d.safetensors")
    again = Directions.load(tmp_path / "d.safetensors")
    assert again.fingerprint() == directions.fingerprint() == run_discovery(toy, FAST).directions.fingerprint()
    assert "--layers auto" in discover_command(again, toy)
    json.dumps(result.metrics())


def test_the_setting_is_typed_and_stored_as_auto(toy, blobs):
    assert LAYERS_OR_AUTO.parse("auto") == AUTO and LAYERS_OR_AUTO.format(AUTO) == "auto"
    assert LAYERS_OR_AUTO.parse("0-3,7") == ((0, 3), (7, 7)) and LAYERS_OR_AUTO.format((1, 2)) == "1-2"
    stored = {name: as_tuples(value) for name, value in json.loads(json.dumps(asdict(FAST))).items()}
    assert build_record(DiscoverySettings, stored) == FAST
    names = [phase.name for phase in plan(toy, FAST.resolve(toy)).phases]
    assert names == [
        f"{where}: {what}"
        for where in ("all layers", "layer 0", "layers 1-2", "layers 3-5")
        for what in ("search", "scores")
    ] + ["choice", "pictures"]
    with pytest.raises(GanwalkError, match="drop --layers auto"):
        replace(FAST, space="z").resolve(toy)
    with pytest.raises(GanwalkError, match="has a closed form"):
        run_discovery(toy, FAST, resume=True)
    with pytest.raises(GanwalkError, match="drop --layers auto"):
        run_discovery(blobs, replace(FAST, n_directions=3))


def test_the_command_searches_in_ranges(tmp_path, run):
    out = tmp_path / "found"
    args = ("-g", "scenes", "-n", "3", "-m", "pca", "--layers", "auto", "--scored", "4", "--out", str(out), "-q")
    code, text, err = run("discover", *args)
    assert code == 0, err
    assert "note: the cleanest are " in text and "all layers" in text
    assert json.loads((out / "metrics.json").read_text())["settings"]["layers"] == []
    assert Directions.load(out / "directions.safetensors").oblique
    again = ("--config", str(out / "metrics.json"), "--out", str(tmp_path / "again"), "-q")
    code, text, err = run("discover", "-g", "scenes", *again)
    assert code == 0, err
    both = [Directions.load(folder / "directions.safetensors") for folder in (out, tmp_path / "again")]
    assert both[0].fingerprint() == both[1].fingerprint()


@pytest.mark.parametrize("stopped_at", [1, 4])
def test_a_search_that_was_stopped_in_a_range_continues_there(toy, tmp_path, stopped_at):
    settings = replace(FAST, method="rtd", n_directions=2, steps=3, search="direct")
    expected = run_discovery(toy, settings).directions
    done = 0

    def stop(progress):
        nonlocal done
        done += 1
        if done == stopped_at:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.pt"
    first = run_discovery(toy, settings, checkpoint=checkpoint, on_step=stop)
    assert first.ended == "interrupt" and checkpoint.exists()
    assert (tmp_path / "checkpoint-1.pt").exists() == (stopped_at > 3)
    # Of an earlier run, on students.
    (tmp_path / "images-2.safetensors").touch()
    phases = []
    second = run_discovery(
        toy, settings, checkpoint=checkpoint, resume=True, on_phase=lambda *told: phases.append(told)
    )
    assert second.ended == "" and second.directions.fingerprint() == expected.fingerprint()
    assert ("layers 3-5: steps", 1.0) in [(name, share) for name, share, _ in phases]
