"""Encoders in files: they come back whole, or with one line."""

import json
from dataclasses import asdict

import pytest
import torch
from safetensors import torch as safetensors_torch

from ganwalk.errors import GanwalkError
from ganwalk.evaluation.representation.encoder import Encoder, EncoderConfig, EncoderNetwork, prepared
from ganwalk.generators.base import GeneratorIdentity

KEY = "ganwalk-encoder-1"
CONFIG = EncoderConfig(directions=2, size=16, channels=3, width=4)
IDENTITY = GeneratorIdentity("toy", "0" * 64, "stylegan2", 16)


def facts(**changes):
    described = {"config": asdict(CONFIG), "directions": "f", "generator": asdict(IDENTITY), "settings": {"lr": 0.1}}
    return {**described, "version": "0", **changes}


def tensors(**changes):
    torch.manual_seed(0)
    return {**EncoderNetwork(CONFIG).state_dict(), **changes}


def test_it_comes_back_as_it_was(trained, tmp_path):
    path = tmp_path / "encoder.safetensors"
    trained.encoder.save(path)
    found = Encoder.load(path)
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    assert torch.equal(found.encode(images), trained.encoder.encode(images))
    assert torch.equal(found.fit, trained.encoder.fit)
    for name in ("config", "fingerprint", "generator", "settings", "version"):
        assert getattr(found, name) == getattr(trained.encoder, name)
    again = path.read_bytes()
    found.save(path)
    assert path.read_bytes() == again
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_it_refuses_other_directions(trained):
    trained.encoder.check(trained.directions)
    with pytest.raises(GanwalkError, match="belongs to other directions: give its own with --directions, or train one"):
        trained.encoder.check(trained.directions.select([1, 0, 2, 3, 4, 5]))


@pytest.mark.parametrize(
    ("description", "weights"),
    [
        (facts(config={**asdict(CONFIG), "width": 512}), tensors()),
        (facts(config={**asdict(CONFIG), "width": 2**40}), tensors()),
        (facts(config={**asdict(CONFIG), "size": 0}), tensors()),
        (facts(config={**asdict(CONFIG), "channels": 2}), tensors()),
        (facts(config={**asdict(CONFIG), "width": 6}), tensors()),
        (facts(config={**asdict(CONFIG), "depth": 6}), tensors()),
        (facts(config=None), tensors()),
        (facts(directions=3), tensors()),
        (facts(settings=[]), tensors()),
        (facts(generator={}), tensors()),
        ([], tensors()),
        (facts(), tensors(offset=torch.zeros(3))),
        (facts(), tensors(offset=torch.zeros(2, dtype=torch.float64))),
        (facts(), tensors(offset=torch.full((2,), torch.nan))),
        (facts(), {"offset": torch.zeros(2)}),
    ],
)
def test_damage_is_one_line(tmp_path, description, weights):
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(safetensors_torch.save(weights, {KEY: json.dumps(description)}))
    with pytest.raises(GanwalkError, match="is damaged: make it again with ganwalk evaluate --representation"):
        Encoder.load(path)


def test_the_sound_file_of_these_tests_is_read(tmp_path):
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(safetensors_torch.save(tensors(fit=torch.full((2,), torch.nan)), {KEY: json.dumps(facts())}))
    assert Encoder.load(path).settings == {"lr": 0.1}


def test_what_is_no_encoder(tmp_path):
    path = tmp_path / "encoder.safetensors"
    with pytest.raises(GanwalkError, match="does not exist: make an encoder"):
        Encoder.load(path)
    for data in (b"", b"{}", safetensors_torch.save(tensors())):
        path.write_bytes(data)
        with pytest.raises(GanwalkError, match="is no encoder, or a damaged one"):
            Encoder.load(path)
    with pytest.raises(GanwalkError, match="is a folder"):
        Encoder.load(tmp_path)


def test_images_as_the_network_sees_them():
    grey = torch.full((2, 1, 8, 8), 0.5)
    assert torch.equal(prepared(grey, 3, 4), torch.full((2, 3, 4, 4), 0.5))
    assert torch.equal(prepared(grey, 1, 8), grey)
    # Black at half opacity, over white; values beyond are clamped.
    opacity = torch.cat([torch.full((1, 3, 8, 8), -1.0), torch.zeros(1, 1, 8, 8)], dim=1)
    assert torch.equal(prepared(opacity, 3, 4), torch.zeros(1, 3, 4, 4))
    assert prepared(torch.full((1, 3, 8, 8), 7.0), 3, 8).max() == 1
