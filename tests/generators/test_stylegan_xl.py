"""StyleGAN-XL: parity of stems and super-resolution through the official files, classes, what is refused."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from ganwalk.animation.ways import way_through
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import mean_style, sample_labels, sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.checkpoints.nvidia_torch import read_snapshot
from ganwalk.generators.configs import from_json
from ganwalk.generators.loading import describe, load_generator
from ganwalk.generators.stylegan3 import StyleGAN3, StyleGAN3Config, published_config
from ganwalk.inert.reading import read_inert
from ganwalk.samples import DrawnSamples
from tests.generators.golden import GOLDEN, close, numbers
from tests.generators.protocol import lacking

pytestmark = pytest.mark.usefixtures("canary")
FILES = ("sgxl_stem16_cond", "sgxl_stem16_uncond_r", "sgxl_sr32_cond")


def toy(**changes):
    """A small network whose classes come from a table, and each of them has a centre."""
    torch.manual_seed(0)
    small = {"z_dim": 6, "w_dim": 8, "channel_base": 128, "channel_max": 8, "layers": 4, "margin": 3}
    config = published_config(16, **small, c_dim=3, embed_features=5, class_table=(7, 4), **changes)
    generator = StyleGAN3(config).eval().requires_grad_(False)
    for tensor in generator.state_dict().values():
        tensor += 0.1 * torch.rand_like(tensor)
    return generator


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_parity_through_files(name, gradient):
    golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pkl")
    checkpoint = read_checkpoint(GOLDEN / f"{name}.pkl")
    assert (checkpoint.format, checkpoint.architecture) == ("nvidia-pytorch", "stylegan3")
    assert not lacking(generator, True) and generator.w_avg.shape == (generator.w_dim,)
    z, c = golden["input/z"], golden.get("input/c")
    with torch.set_grad_enabled(gradient):
        w = generator.mapping(z, c).requires_grad_(gradient)
        calls = {
            "w": lambda: w,
            "w_trunc0.7": lambda: generator.mapping(z, c, truncation_psi=0.7),
            "w_trunc0.5_cutoff2": lambda: generator.mapping(z, c, truncation_psi=0.5, truncation_cutoff=2),
            "img": lambda: generator.synthesis(w),
            "img_trunc0.7": lambda: generator(z, c, truncation_psi=0.7),
            "img_ws_mixed": lambda: generator.synthesis(golden["input/ws_mixed"]),
        }
        outputs = [key.removeprefix("output/") for key in golden if key.startswith("output/")]
        assert len(outputs) == len(calls)
        for key in outputs:
            assert close(calls[key](), golden[f"output/{key}"]), key
        if gradient:
            (slope,) = torch.autograd.grad(generator.synthesis(w).square().sum(), w)
            assert slope.isfinite().all() and slope.abs().sum() > 0


@pytest.mark.parametrize("name", FILES)
def test_features_after_every_layer(name):
    golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pkl")
    layers = ["input", *json.loads((GOLDEN / f"{name}.json").read_text())["layers_in_order"]]
    assert len(layers) == generator.num_layers
    for index, layer in enumerate(layers[:-1]):
        features = generator.synthesis(golden["input/ws_mixed"], until=index)
        assert features.shape[2:] == (generator.layer_resolutions[index],) * 2
        # Above 40 px the file holds every second pixel.
        step = 2 if features.shape[2] > 40 else 1
        assert close(features[:1, :2, ::step, ::step], golden[f"debug/{layer}"]), layer


@pytest.mark.parametrize("name", FILES)
def test_conversion_keeps_every_picture(tmp_path, name):
    checkpoint = read_checkpoint(GOLDEN / f"{name}.pkl")
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors")
    before, after = load_generator(GOLDEN / f"{name}.pkl"), load_generator(tmp_path / "g.safetensors")
    z, c = sample_z(before, 3, seed=0), sample_labels(before, 3, None, seed=0)
    assert torch.equal(before(z, c, truncation_psi=0.6), after(z, c, truncation_psi=0.6))
    assert describe(tmp_path / "g.safetensors")["classes"] == before.c_dim


def test_each_class_is_truncated_towards_its_own_centre():
    generator = toy()
    z, c = sample_z(generator, 3, seed=0), torch.eye(3)
    assert torch.allclose(generator.mapping(z, c, truncation_psi=0.0)[:, 0], generator.mapping.w_avg)
    assert torch.equal(generator.w_avg, generator.mapping.w_avg.mean(dim=0)) and mean_style(generator, 9).shape == (8,)
    # Only the largest entry of a label counts.
    assert torch.equal(generator.mapping(z, c), generator.mapping(z, 0.3 * c))


def test_gradients_agree_with_finite_differences():
    generator = toy().double()
    z, c = torch.randn(1, 6, dtype=torch.float64, requires_grad=True), torch.eye(3)[:1]
    assert torch.autograd.gradcheck(lambda z: generator(z, c, truncation_psi=0.7)[..., ::5, ::5], z, atol=1e-6)


def test_configurations_survive_json():
    config = toy().config
    assert from_json(StyleGAN3Config, json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("table", [(2, 4), (0, 4), (7, 2**40), (7,), (7, 4, 2), (7.5, 4)])
def test_impossible_tables_are_refused(table):
    with pytest.raises(GanwalkError):
        replace(toy().config, class_table=table)


def changed(name, change):
    """What is read from a file after a change of its G_ema's mapping and synthesis."""
    snapshot = read_inert(GOLDEN / f"{name}.pkl")
    parts = snapshot["G_ema"].arguments[0]["state"]["_modules"]
    change(*(parts[part].arguments[0]["state"] for part in ("mapping", "synthesis")))
    return read_snapshot(snapshot)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, s: m["_modules"].pop("embed"), "has no part 'embed'"),
        (lambda m, s: m["_modules"].pop("embed_proj"), None),
        (
            lambda m, s: m["_modules"]["embed_proj"].arguments[0]["state"].update(activation="relu"),
            "embed_proj has the",
        ),
        (lambda m, s: m["_modules"]["embed"].state.update(_parameters={}), "embed.weight is missing"),
        (lambda m, s: setattr(m["_modules"]["embed"], "state", 3), "embed is no network"),
        (lambda m, s: s["layer_names"].reverse(), "last layer must make the image"),
        (lambda m, s: s["layer_names"].append(s["layer_names"][-1]), "names a layer twice"),
        (lambda m, s: s["layer_names"].pop(3), "runs in no known order"),
    ],
)
def test_files_that_do_not_fit_are_named(change, message):
    if message is None:
        config, _ = changed("sgxl_sr32_cond", change)
        assert config.class_table is None
    else:
        with pytest.raises(GanwalkError, match=message):
            changed("sgxl_sr32_cond", change)


def test_animations_truncate_each_keyframe_towards_its_own_class():
    generator = load_generator(GOLDEN / "sgxl_stem16_cond.pkl")
    keyframes = [DrawnSamples((seed,), class_index=seed) for seed in (0, 1)]
    way = way_through(generator, keyframes, "spline", closed=False, ends=(0.5, 0.5), cutoff=None)
    for position, keyframe in enumerate(keyframes):
        expected = replace(keyframe, truncation_psi=0.5).styles(generator)
        assert torch.allclose(way.styles([position], [0.5]), expected, atol=1e-5)
