"""A model written and read back, and files that are none."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganwalk.errors import GanwalkError
from vae.models import VAE, ModelConfig
from vae.runs.folder import load_model, save_model
from vae.settings import MODEL_FILE


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / MODEL_FILE, VAE(ModelConfig(32, 3, z_dim=4, hidden=16)))
    return tmp_path


def rewrite(run, config=None, tensors=None):
    path = run / MODEL_FILE
    held = tensors if tensors is not None else load_file(path)
    save_file(held, path, None if config is None else {"ganwalk-vae-1": config})


def test_models_come_back(tmp_path):
    torch.manual_seed(1)
    model = VAE(ModelConfig(32, 3, z_dim=4, hidden=16)).eval()
    save_model(tmp_path / MODEL_FILE, model)
    random = torch.get_rng_state()
    again = load_model(tmp_path)
    assert torch.equal(torch.get_rng_state(), random)
    assert again.config == model.config and not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    images = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(again.encode(images), model.encode(images), strict=True))
        assert torch.equal(again.decode(torch.ones(2, 4)), model.decode(torch.ones(2, 4)))


def test_equal_models_are_equal_files(run, tmp_path):
    first = (run / MODEL_FILE).read_bytes()
    save_model(tmp_path / "again.safetensors", load_model(run))
    assert (tmp_path / "again.safetensors").read_bytes() == first


def test_sizes_are_compared_before_they_are_allocated(run, monkeypatch):
    """Nothing of the size that the configuration asks for is made, only described."""
    rewrite(run, json.dumps({"resolution": 64, "hidden": 8192, "z_dim": 8192}), {"weight": torch.zeros(1)})
    made = []
    monkeypatch.setattr("vae.runs.folder.VAE", lambda *built: made.append(VAE(*built)) or made[-1])
    with pytest.raises(GanwalkError, match="other tensors"):
        load_model(run)
    assert made and all(parameter.device.type == "meta" for parameter in made[0].parameters())


@pytest.mark.parametrize("config", [None, "", "[" * 100_000, '{"z_dim": 1e400}', "null", '{"z_dim": 5, "hidden": 16}'])
def test_foreign_and_hostile_metadata(run, config):
    rewrite(run, config)
    with pytest.raises(GanwalkError, match=re.escape(MODEL_FILE)):
        load_model(run)


def test_weights_that_are_not_finite(run):
    tensors = load_file(run / MODEL_FILE)
    tensors["decoder.0.weight"][0] = torch.nan
    rewrite(run, json.dumps({"resolution": 32, "channels": 3, "z_dim": 4, "hidden": 16}), tensors)
    with pytest.raises(GanwalkError, match="not finite"):
        load_model(run)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(GanwalkError, match=r"vae\.train"):
        load_model(tmp_path)
