"""R3GAN: parity with the official outputs, layer by layer, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.loading import load_generator
from ganwalk.generators.r3gan import R3GANConfig

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ["r3gan_uncond32", "r3gan_cond16_bf16"]


def close(ours, official):
    assert np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


@pytest.mark.parametrize("name", NAMES)
def test_parity_after_every_layer(name):
    generator = load_generator(GOLDEN / f"{name}.pkl")
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        z = torch.from_numpy(golden["input/z"])
        labels = [("c", "img"), ("c_soft", "img_c_soft")] if generator.c_dim else [(None, "img")]
        for label, image in labels:
            c = torch.from_numpy(golden[f"input/{label}"]) if label else None
            close(generator(z, c), golden[f"output/{image}"])
        # What was recorded along the way of the other network passed through bfloat16.
        tolerance = 3e-2 if "bf16" in name else 1e-4
        w = generator.mapping(z, torch.from_numpy(golden["input/c"]) if generator.c_dim else None)
        places = [(stage, step) for stage, blocks in enumerate(generator.config.blocks) for step in range(blocks + 1)]
        for layer, (stage, step) in enumerate(places[:-1]):
            expected = golden[f"debug/stage{stage}.layer{step}"]
            found = generator.synthesis(w, until=layer)[:1, :2].numpy()
            assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_what_the_code_meets_first_is_the_linear_beginning(name):
    generator = load_generator(GOLDEN / f"{name}.pkl")
    c = torch.eye(4)[:2] if generator.c_dim else None
    z, step = torch.randn(2, 2, generator.z_dim, generator=torch.Generator().manual_seed(0))
    before, after = (generator.synthesis(generator.mapping(codes, c), until=0) for codes in (z, z + step))
    (first,) = generator.latent_weights(0)
    assert torch.allclose(after - before, (step @ first.T).view(before.shape), atol=1e-4)
    assert generator.latent_weights(1) == ()


def test_the_state_dict_alone(tmp_path):
    from ganwalk.generators.checkpoints.nvidia_network import Network
    from ganwalk.generators.checkpoints.stored import load_tensors
    from ganwalk.inert.reading import read_inert

    state = load_tensors(Network(read_inert(GOLDEN / "r3gan_cond16_bf16.pkl")["G_ema"], "G_ema").tensors())
    expected = read_checkpoint(GOLDEN / "r3gan_cond16_bf16.pkl")
    for value in (state, {"G_ema": state, "D": {"x": torch.ones(1)}}, {f"module.{k}": v for k, v in state.items()}):
        torch.save(value, tmp_path / "g.pt")
        found = read_checkpoint(tmp_path / "g.pt")
        assert (found.format, found.config) == ("r3gan", expected.config)
        assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in found.tensors.items())
    for change, message in (
        ({"Model.MainLayers.0.Layers.1.LinearLayer4.Layer.weight": torch.ones(1)}, "has no place for"),
        ({"Model.MainLayers.1.Layers.0.Resampler.Kernel": torch.full((4, 4), 1 / 16)}, "differs from the others"),
        ({name: torch.eye(4) / 4 for name in state if name.endswith("Kernel")}, "not separable"),
        ({"Model.AggregationLayer.Layer.weight": torch.ones(3, 2, 1, 1)}, "has the shape"),
        ({"Model.MainLayers.0.Layers.1.LinearLayer2.Layer.weight": torch.ones(36, 5, 3, 3)}, "into groups"),
        ({"Model.MainLayers.7.Layers.1.LinearLayer3.Layer.weight": torch.ones(1)}, "not numbered from 0"),
        ({"Model.EmbeddingLayer.weight": torch.ones(30, 4)}, "must be positive"),
    ):
        torch.save(state | change, tmp_path / "g.pt")
        with pytest.raises(GanwalkError, match=message):
            load_generator(tmp_path / "g.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": ()}, "stages"),
        ({"blocks": (1, 2)}, "stages"),
        ({"groups": (3,)}, "cannot part"),
        ({"blocks": (65,)}, "beyond anything"),
        ({"embed_dim": 4}, "cannot have 0 classes"),
        ({"resample_filter": (1.0, -1.0)}, "sum to zero"),
        ({"z_dim": 0}, "must be positive"),
    ],
)
def test_configurations_that_do_not_fit(change, message):
    config = R3GANConfig(widths=(8,), expanded=(16,), groups=(4,), blocks=(1,))
    with pytest.raises(GanwalkError, match=message):
        replace(config, **change)
