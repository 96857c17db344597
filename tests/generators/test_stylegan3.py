"""StyleGAN3: parity with the official code, spaces, gradients, and its snapshots."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganwalk.discovery.view import default_layer
from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.configs import from_json
from ganwalk.generators.filtered_activation import Resampling, filtered_activation
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan3 import StyleGAN3, StyleGAN3Config, published_config
from tests.generators.protocol import lacking
from tests.generators.snapshots import PERSISTENT, save, snapshot, stylegan3_network

pytestmark = pytest.mark.usefixtures("canary")
GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {"z_dim": 6, "w_dim": 8, "channel_base": 128, "channel_max": 8, "layers": 4, "margin": 3}


def toy(resolution=16, **changes):
    """A small generator whose every tensor matters; filters are neither symmetric nor separable where they need not."""
    torch.manual_seed(0)
    generator = StyleGAN3(published_config(resolution, **SMALL | changes)).eval().requires_grad_(False)
    for tensor in generator.state_dict().values():
        tensor += 0.1 * torch.rand_like(tensor)
    return generator


def close(ours, official):
    return np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


def official_config(kwargs):
    """Our configuration for the keyword arguments of the official class."""
    ours = {"num_layers": "layers", "num_critical": "critical", "margin_size": "margin", "conv_kernel": "kernel"}
    ours |= {"use_radial_filters": "radial"}
    kwargs = {ours.get(name, name): value for name, value in kwargs.items() if name != "magnitude_ema_beta"}
    mapping_layers = kwargs.pop("mapping_kwargs")["num_layers"]
    return published_config(kwargs.pop("img_resolution"), mapping_layers=mapping_layers, **kwargs)


@pytest.mark.parametrize("name", ["sg3_t32", "sg3r_32_cond"])
@pytest.mark.parametrize("gradient", [False, True])
def test_parity_with_the_official_code(name, gradient):
    config = official_config(json.loads((GOLDEN / f"{name}.json").read_text())["init_kwargs"])
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        golden = {key.removeprefix("state/"): file[key] for key in file}
    state = {k: torch.from_numpy(v) for k, v in golden.items() if k.split("/")[0] not in ("input", "output", "debug")}
    generator = build_generator(config, state, Path(name)).eval()
    z = torch.from_numpy(golden["input/z"])
    c = torch.from_numpy(golden["input/c"]) if "input/c" in golden else None
    with torch.set_grad_enabled(gradient):
        w = generator.mapping(z, c)
        calls = {
            "w": lambda: w,
            "w_psi0.7": lambda: generator.mapping(z, c, truncation_psi=0.7),
            "w_trunc": lambda: generator.mapping(z, c, truncation_psi=0.7),
            "w_psi0.5_cutoff4": lambda: generator.mapping(z, c, truncation_psi=0.5, truncation_cutoff=4),
            "w_trunc_psi0.5_cutoff2": lambda: generator.mapping(z, c, truncation_psi=0.5, truncation_cutoff=2),
            "img_const": lambda: generator.synthesis(w),
            "img_none": lambda: generator.synthesis(w, noise="none"),
            "img_const_trunc0.7": lambda: generator(z, c, truncation_psi=0.7),
            "img_const_ws_mixed": lambda: generator.synthesis(torch.from_numpy(golden["input/ws_mixed"])),
        }
        outputs = [key.removeprefix("output/") for key in golden if key.startswith("output/")]
        assert "img_const" in outputs
        for key in outputs:
            assert close(calls[key](), golden[f"output/{key}"]), key
        for index, layer in enumerate(["input", *config.layer_names[:-1]]):
            if f"debug/synthesis.{layer}.x" in golden:
                assert close(generator.synthesis(w, until=index)[0, :2], golden[f"debug/synthesis.{layer}.x"]), layer


def plain_activation(x, up_filter, down_filter, resampling, gain, slope, clamp):
    """What the activation means: zero insertion, padding, two-dimensional convolutions."""
    n, c, h, w = x.shape
    up, down = resampling.up, resampling.down
    kernel = down_filter if down_filter.ndim == 2 else torch.outer(down_filter, down_filter)
    stuffed = x.new_zeros(n, c, h * up, w * up)
    stuffed[:, :, ::up, ::up] = x
    rows, columns = (
        (before, down * (wanted - 1) + len(kernel) + len(up_filter) - 1 - given * up - before)
        for given, before, wanted in zip((h, w), resampling.pad, resampling.out_size, strict=True)
    )
    stuffed = F.pad(stuffed, (*columns, *rows))
    up_kernel = torch.outer(up_filter, up_filter).flip((0, 1)) * up**2
    fine = F.conv2d(stuffed, up_kernel.expand(c, 1, -1, -1), groups=c)
    fine = F.leaky_relu(fine, slope) * gain
    fine = fine if clamp is None else fine.clamp(-clamp, clamp)
    return F.conv2d(fine, kernel.flip((0, 1)).expand(c, 1, -1, -1), stride=down, groups=c)


@pytest.mark.slow
@pytest.mark.parametrize("radial", [False, True])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize(
    ("up", "down", "up_taps", "down_taps", "pad", "out_size"),
    [
        (1, 1, 1, 1, 0, 10),
        (2, 2, 12, 12, 9, 11),
        (2, 2, 12, 12, 8, 12),
        (2, 2, 12, 12, -13, 5),
        (4, 2, 24, 12, 15, 21),
        (4, 2, 24, 12, 14, 18),
        (4, 4, 24, 24, 5, 10),
        (2, 1, 12, 1, 4, 19),
        (2, 2, 5, 1, 2, 7),
        (3, 1, 7, 5, 2, 17),
        (8, 2, 16, 12, 3, 23),
    ],
)
def test_activation_is_zero_insertion_and_true_convolutions(
    up, down, up_taps, down_taps, pad, out_size, radial, gradient
):
    torch.manual_seed(0)
    x = torch.randn(2, 37, 10, 9, dtype=torch.float64, requires_grad=gradient)
    up_filter = torch.randn(up_taps, dtype=torch.float64)
    down_filter = torch.randn(*[down_taps] * (1 + radial), dtype=torch.float64)
    resampling = Resampling(up, down, (pad, pad - up), (out_size, out_size - 1))
    for clamp in (None, 2.0):
        facts = {"gain": 1.4, "slope": 0.2, "clamp": clamp}
        ours = filtered_activation(x, up_filter, down_filter, resampling, **facts)
        expected = plain_activation(x, up_filter, down_filter, resampling, **facts)
        assert ours.shape == (2, 37, out_size, out_size - 1)
        assert torch.allclose(ours, expected, atol=1e-10)


def test_groups_of_channels_change_nothing(monkeypatch):
    generator = toy(channel_base=1024, channel_max=40)
    w = generator.mapping(sample_z(generator, 2, seed=0))
    whole = generator.synthesis(w)
    monkeypatch.setattr("ganwalk.generators.filtered_activation._CHUNK", 1)
    assert torch.allclose(generator.synthesis(w), whole, atol=1e-6 * float(whole.abs().max()))


def test_implements_the_protocol():
    generator = toy()
    assert not lacking(generator)
    assert generator.num_layers == len(generator.layer_resolutions) == 6
    assert generator(sample_z(generator, 2, seed=0)).shape == (2, 3, 16, 16)


def test_features_depend_on_the_styles_up_to_their_layer_only():
    generator = toy()
    w = generator.mapping(sample_z(generator, 1, seed=0)).clone().requires_grad_()
    for layer, size in enumerate(generator.layer_resolutions):
        features = generator.synthesis(w, until=layer)
        assert features.shape[1:] == (generator.config.channels[layer], size, size)
        (gradient,) = torch.autograd.grad(features.square().sum(), w)
        moved = gradient[0].abs().sum(dim=1) > 0
        assert moved[: layer + 1].all() and not moved[layer + 1 :].any()
    with pytest.raises(GanwalkError, match="layers 0 to 5"):
        generator.synthesis(w, until=6)


@pytest.mark.slow
@pytest.mark.parametrize("radial", [False, True])
def test_gradients_agree_with_finite_differences(radial):
    generator = toy(channel_base=32, channel_max=3, layers=3, radial=radial, kernel=1 if radial else 3).double()
    w = torch.randn(1, generator.num_layers, generator.w_dim, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: generator.synthesis(w)[..., ::5, ::5], w, atol=1e-6)


def test_forward_derivatives_agree_with_backward_ones():
    generator = toy().double()
    w, direction = torch.randn(2, 1, generator.num_layers, generator.w_dim, dtype=torch.float64)
    image, forward = torch.func.jvp(generator.synthesis, (w,), (direction,))
    assert torch.allclose(image, generator.synthesis(w))
    weights = torch.randn_like(image)
    w.requires_grad_()
    (backward,) = torch.autograd.grad((generator.synthesis(w) * weights).sum(), w)
    assert torch.allclose((forward * weights).sum(), (backward * direction).sum())


def test_a_batch_equals_its_samples():
    generator = toy(c_dim=3)
    z, c = sample_z(generator, 3, seed=0), torch.eye(3)
    together = generator(z, c)
    one_by_one = torch.cat([generator(z[i : i + 1], c[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, one_by_one, atol=1e-5 * float(together.abs().max()))
    assert not torch.allclose(generator(z, c), generator(z, c.flip(0)))


def test_the_users_transform_moves_the_features():
    generator = toy()
    w = generator.mapping(sample_z(generator, 1, seed=0))
    generator.synthesis.input.transform.copy_(torch.eye(3))
    still = generator.synthesis(w, until=0)
    # The transform is an inverse one, in image widths, after a rotation by the style: undo that first.
    generator.synthesis.input.affine.weight.zero_()
    generator.synthesis.input.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    plain = generator.synthesis(w, until=0)
    generator.synthesis.input.transform[0, 2] = 2 / generator.config.input_rate
    moved = generator.synthesis(w, until=0)
    assert torch.allclose(moved[..., :-2], plain[..., 2:], atol=1e-4)
    assert not torch.allclose(still, plain)
    generator.synthesis.input.transform.copy_(torch.diag(torch.tensor([100.0, 100.0, 1.0])))
    assert generator.synthesis(w, until=0).abs().max() < plain.abs().max()


def test_published_sizes():
    config = published_config(1024, channel_base=65536, channel_max=1024, kernel=1, radial=True)
    expected = "L0_36_1024 L1_36_1024 L2_52_1024 L3_52_1024 L4_84_1024 L5_148_1024 L6_148_1024 L7_276_645 L8_276_406 "
    expected += "L9_532_256 L10_1044_161 L11_1044_102 L12_1044_64 L13_1024_64 L14_1024_3"
    assert " ".join(config.layer_names) == expected


def test_large_ones_are_compared_by_their_smallest_features():
    with torch.device("meta"):
        generator = StyleGAN3(published_config(256))
    assert default_layer(generator) == 3 and generator.layer_resolutions[3:5] == (36, 52)


def test_configurations_survive_json():
    config = toy(radial=True, kernel=1).config
    assert from_json(StyleGAN3Config, json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"radial": True, "kernel": 1, "c_dim": 3},
        {"mapping_layers": 3, "mapping_lr": 0.1, "img_channels": 1, "conv_clamp": None, "output_scale": 1.0},
        {"activation_rate": 4, "filter_size": 4, "kernel": 2, "critical": 0},
        {"activation_rate": 1, "critical": 1},
    ],
)
def test_snapshots_are_understood_and_converted(tmp_path, change):
    generator = toy(32, **change)
    path = tmp_path / "g.pkl"
    path.write_bytes(snapshot(generator))
    checkpoint = read_checkpoint(path)
    widths = {"mapping_features": 8, "embed_features": 8 if generator.c_dim else None}
    assert checkpoint.config == replace(generator.config, **widths) and checkpoint.architecture == "stylegan3"
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors")
    z = sample_z(generator, 2, seed=0)
    c = torch.eye(3)[:2] if generator.c_dim else None
    for file in (path, tmp_path / "g.safetensors"):
        loaded = load_generator(file)
        assert torch.equal(loaded(z, c), generator(z, c))


def test_a_lone_generator_is_read(tmp_path):
    generator = toy()
    (tmp_path / "g.pt").write_bytes(save(stylegan3_network(generator), PERSISTENT))
    z = sample_z(generator, 2, seed=0)
    assert torch.equal(load_generator(tmp_path / "g.pt")(z), generator(z))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("synthesis.L1_22_8.magnitude_ema"), r"lacks the tensor synthesis\.L1_22_8\.magnitude_ema"),
        (lambda t: t.pop("synthesis.L1_22_8.up_filter"), r"lacks the tensor synthesis\.L1_22_8\.up_filter"),
        (lambda t: t.update({"synthesis.L1_22_8.extra": torch.ones(2)}), "no place for"),
        (lambda t: t.update({"synthesis.input.phases": torch.ones(3)}), r"shape \(3,\), expected \(8,\)"),
        (lambda t: t["synthesis.input.freqs"].fill_(torch.nan), r"synthesis\.input\.freqs holds values that are not"),
        (lambda t: t.pop("synthesis.input.freqs"), "neither a StyleGAN2 nor a StyleGAN3"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    path = tmp_path / "g.pkl"
    path.write_bytes(snapshot(toy(), change))
    with pytest.raises(GanwalkError, match=message):
        load_generator(path)


@pytest.mark.parametrize(
    "attributes",
    [
        {"img_resolution": 2**40},
        {"z_dim": 10**9},
        {"w_dim": "x"},
        {"c_dim": -1},
        {"layer_names": None},
        {"layer_names": []},
        {"layer_names": ["L0_22_8"] * 1000},
        {"layer_names": ["L0_22_8"]},
        {"layer_change": (0, {"out_size": 2**40})},
        {"layer_change": (0, {"out_size": np.asarray([22, 30])})},
        {"layer_change": (0, {"out_size": np.asarray([22, 22, 22])})},
        {"layer_change": (0, {"out_size": np.zeros(1000, np.int64)})},
        {"layer_change": (0, {"in_size": 5})},
        {"layer_change": (0, {"in_channels": 5})},
        {"layer_change": (0, {"up_factor": 10**9})},
        {"layer_change": (0, {"up_factor": 0})},
        {"layer_change": (0, {"down_factor": 3})},
        {"layer_change": (0, {"up_taps": 10**9})},
        {"layer_change": (0, {"conv_kernel": 10**9})},
        {"layer_change": (0, {"conv_clamp": 3.0})},
        {"layer_change": (0, {"padding": [0, 0, 0, 0]})},
        {"layer_change": (0, {"padding": None})},
        {"layer_change": (0, {"is_torgb": True})},
        {"layer_change": (-1, {"sampling_rate": float("inf")})},
        {"layer_change": (-1, {"bandwidth": float("nan")})},
        {"layer_change": (-1, {"bandwidth": 100.0})},
        {"layer_change": (-1, {"channels": 10**9})},
    ],
)
def test_attributes_that_cannot_be_are_refused(tmp_path, attributes):
    path = tmp_path / "g.pkl"
    path.write_bytes(snapshot(toy(), **attributes))
    with pytest.raises(GanwalkError) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": ()}, "1 to 64 layers"),
        ({"sizes": (16, 16)}, "one more than layers"),
        ({"up": (2,)}, "one for each layer"),
        ({"sizes": (22, 22, 22, 5000, 16, 16)}, "layer 2 cannot make 5000 px"),
        ({"img_resolution": 32}, "last layer must make the image"),
        ({"radial": (0,) * 5}, "radial must be"),
        ({"input_rate": 1.0}, "twice its bandwidth"),
        ({"mapping_activation": "gelu"}, "unknown activation"),
        ({"mapping_layers": 65}, "beyond anything"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(toy().config, **change)
