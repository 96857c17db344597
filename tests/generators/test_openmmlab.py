"""Files of mmgeneration and mmagic: parity with the official outputs, layouts, colours, what does not fit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import describe, load_generator
from tests.generators import golden
from tests.generators.golden import GOLDEN, close
from tests.generators.protocol import lacking

FILES = {
    "mmgen_stylegan1_32": "stylegan1",
    "mmgen_stylegan2_32": "stylegan2",
    "mmagic_stylegan2_32": "stylegan2",
    "mmgen_stylegan3_t16": "stylegan3",
    "mmgen_pggan_32": "progan",
}


def numbers(name):
    """Inputs and outputs; mmagic's file holds the tensors of mmgen's."""
    return golden.numbers(name.replace("mmagic", "mmgen"))


def state_of(name, part="generator_ema"):
    """The state dict of one network of a golden file."""
    state = torch.load(GOLDEN / f"{name}.pth", weights_only=True)["state_dict"]
    return {key.removeprefix(f"{part}."): tensor for key, tensor in state.items() if key.startswith(f"{part}.")}


def load(value, path):
    torch.save(value, path)
    return load_generator(path)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_parity_through_files(name, gradient):
    golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pth")
    checkpoint = read_checkpoint(GOLDEN / f"{name}.pth")
    assert (checkpoint.format, checkpoint.architecture) == ("openmmlab", FILES[name]) and not lacking(generator, True)
    z = golden["input/z"]
    if "input/w_mean" in golden:
        generator.mapping.w_avg.copy_(golden["input/w_mean"][0])
    # The networks make blue, green, red, that of StyleGAN3 too in this run.
    bgr = "stylegan3" not in name

    def synthesize(w, **options):
        images = generator.synthesis(w, **options)
        return images.flip(1) if bgr else images

    def faded(lod):
        other = build_generator(replace(generator.config, lod=lod), generator.state_dict(), Path(name))
        return other.synthesis(w).flip(1)

    with torch.set_grad_enabled(gradient):
        w = generator.mapping(z).requires_grad_(gradient)
        calls = {
            "w": lambda: w,
            "w_trunc0.7": lambda: generator.mapping(z, truncation_psi=0.7),
            "w_trunc0.5_cutoff2": lambda: generator.mapping(z, truncation_psi=0.5, truncation_cutoff=2),
            "img": lambda: synthesize(w),
            "img_none": lambda: synthesize(w, noise="none"),
            "img_trunc0.7": lambda: synthesize(generator.mapping(z, truncation_psi=0.7)),
            "img_ws_mixed": lambda: synthesize(golden["input/ws_mixed"]),
            "img_transition0.35": lambda: faded(0.65),
            "img_scale16": lambda: faded(1.0)[..., ::2, ::2],
        }
        outputs = [key.removeprefix("output/") for key in golden if key.startswith("output/")]
        assert "img" in outputs
        for key in outputs:
            assert close(calls[key](), golden[f"output/{key}"]), key
        if gradient:
            (slope,) = torch.autograd.grad(synthesize(w).square().sum(), w)
            assert slope.isfinite().all() and slope.abs().sum() > 0


def test_features_after_every_layer():
    for name, layers in {
        "mmgen_stylegan1_32": ("", "convs.0", "", "convs.1", "", "convs.2"),
        "mmgen_stylegan2_32": ("conv1", "convs.0", "convs.1", "convs.2", "convs.3", "convs.4", "convs.5"),
        "mmgen_stylegan3_t16": ("input", "L0_36_12", "L1_36_12", "L2_36_10", "L3_36_6", "L4_16_6"),
        "mmgen_pggan_32": ("noise2feat", *(f"conv_blocks.{i}" for i in range(6))),
    }.items():
        golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pth")
        w = golden.get("input/ws_mixed", generator.mapping(golden["input/z"]))
        for index, layer in enumerate(layers):
            features = generator.synthesis(w, until=index)
            assert features.shape[2:] == (generator.layer_resolutions[index],) * 2
            if layer:
                assert close(features[:1, :2], golden[f"debug/{layer}"]), (name, layer)


@pytest.mark.parametrize("name", FILES)
def test_conversion_keeps_every_picture(tmp_path, name):
    checkpoint = read_checkpoint(GOLDEN / f"{name}.pth")
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors")
    before, after = load_generator(GOLDEN / f"{name}.pth"), load_generator(tmp_path / "g.safetensors")
    z = sample_z(before, 2, seed=0)
    assert torch.equal(before(z), after(z)) and describe(tmp_path / "g.safetensors")["layers"] == before.num_layers


@pytest.mark.parametrize("name", ["mmgen_stylegan1_32", "mmgen_stylegan2_32", "mmgen_stylegan3_t16", "mmgen_pggan_32"])
def test_layouts_of_files(tmp_path, name):
    expected, state = load_generator(GOLDEN / f"{name}.pth"), state_of(name)
    meta = torch.load(GOLDEN / f"{name}.pth", weights_only=True)["meta"]
    z = sample_z(expected, 2, seed=0)
    others = {f"generator.{key}": tensor + 1 for key, tensor in state.items()}
    wrapped = {f"generator_ema.module.{key}": tensor for key, tensor in state.items()}
    for value in (
        {"state_dict": others | wrapped | {"generator_ema.steps": torch.tensor(3)}, "meta": meta},
        {"state_dict": {f"generator.{key}": tensor for key, tensor in state.items()}, "meta": meta, "optimizer": {}},
        {"state_dict": state, "meta": meta},
        {f"module.{key}": tensor for key, tensor in state.items()} | {"meta": meta},
    ):
        assert torch.equal(load(value, tmp_path / "g.pth")(z), expected(z))


def test_a_mean_style_in_the_file_is_taken(tmp_path):
    state = state_of("mmgen_stylegan2_32")
    average = torch.arange(16.0)
    assert torch.equal(load({"state_dict": state | {"w_avg": average}}, tmp_path / "g.pth").w_avg, average)


def test_colours_of_stylegan3_are_what_its_configuration_says(tmp_path):
    state = state_of("mmgen_stylegan3_t16")
    z = torch.randn(2, 14)
    images = {
        text: load({"state_dict": state, "meta": {"config": text} if text else {}}, tmp_path / "g.pth")(z)
        for text in ("", "generator=dict(rgb2bgr=True)", "generator=dict(rgb2bgr=False)", "'rgb2bgr': True")
    }
    assert torch.equal(images[""], images["generator=dict(rgb2bgr=True)"])
    assert torch.equal(images[""], images["'rgb2bgr': True"])
    assert torch.equal(images[""].flip(1), images["generator=dict(rgb2bgr=False)"])


def test_classes_of_stylegan3(tmp_path):
    state = state_of("mmgen_stylegan3_t16")
    state["style_mapping.embed.weight"], state["style_mapping.embed.bias"] = torch.randn(5, 3), torch.randn(5)
    state["style_mapping.fc0.weight"] = torch.randn(16, 14 + 5)
    generator = load({"state_dict": state}, tmp_path / "g.pth")
    assert (generator.z_dim, generator.c_dim) == (14, 3)
    z, c = torch.randn(2, 14), torch.eye(3)
    assert not torch.equal(generator(z, c[:2]), generator(z, c[1:]))


def test_layers_of_progan_that_are_not_fused(tmp_path):
    """Nearest neighbours, then a convolution: theirs are told apart by the axes of the layer that changes the width."""
    state = state_of("mmgen_pggan_32")
    fused = load({"state_dict": state}, tmp_path / "a.pth")
    for i in (1, 3, 5):
        weight = state[f"conv_blocks.{i}.conv.weight_orig"]
        # √2/√fan of the transposed weight is that of its second axis.
        plain = weight.transpose(0, 1).flip((2, 3)) * (len(weight) / weight.shape[1]) ** 0.5
        state[f"conv_blocks.{i}.conv.weight_orig"] = plain.contiguous()
    plain = load({"state_dict": state}, tmp_path / "b.pth")
    z = sample_z(fused, 2, seed=0)
    assert torch.allclose(fused(z), plain(z), atol=1e-5)


def test_labels_of_progan_are_part_of_the_code(tmp_path):
    value = {"state_dict": state_of("mmgen_pggan_32"), "meta": {"config": "generator=dict(label_size=4)"}}
    generator = load(value, tmp_path / "g.pth")
    assert (generator.z_dim, generator.c_dim) == (10, 4)
    z, c = torch.randn(2, 10), torch.eye(4)[:2]
    plain = load_generator(GOLDEN / "mmgen_pggan_32.pth")
    assert torch.equal(generator(z, c), plain(torch.cat([z, c], dim=1)))


def test_other_blurs_of_stylegan1_are_refused(tmp_path):
    state = state_of("mmgen_stylegan1_32")
    for name in [name for name in state if name.endswith(".kernel")]:
        state[name] = torch.full((3, 3), 1 / 9)
    with pytest.raises(GanwalkError, match="the filter that it blurs by is not 1 2 1"):
        load({"state_dict": state}, tmp_path / "g.pth")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("stylegan1_32", {"convs.1.conv2.conv.bias": None}, r"lacks the tensor synthesis\.layer3\.bias"),
        ("stylegan1_32", {"convs.1.noise_injector1.weight": torch.ones(3)}, r"layer2\.noise_strength has the shape"),
        ("stylegan1_32", {"convs.0.conv1.input": torch.ones(1, 12, 4, 2)}, "a stylegan1 must be square"),
        ("stylegan1_32", {"convs.9.conv1.input": torch.ones(1, 12, 4, 4)}, "no place for"),
        ("stylegan2_32", {"convs.1.activate.bias": None}, r"lacks the tensor synthesis\.b8\.conv1\.bias"),
        ("stylegan2_32", {"surplus": torch.ones(2)}, "no place for"),
        (
            "stylegan2_32",
            {"constant_input.input": torch.ones(1, 14, 4, 6)},
            r"noise_const has the shape \(16, 16\), expected",
        ),
        ("stylegan3_t16", {"synthesis.L1_36_12.bias": torch.full((12,), torch.nan)}, "not finite"),
        ("stylegan3_t16", {"synthesis.L1_36_12.up_filter": torch.ones(13)}, "13 taps, no multiple of 6"),
        ("stylegan3_t16", {"synthesis.L1_36_12.up_filter": torch.ones(24)}, "sizes of its layer 1 do not follow"),
        ("stylegan3_t16", {"synthesis.L7_36_12.bias": torch.ones(12)}, "not numbered from L0 on"),
        (
            "stylegan3_t16",
            {"style_mapping.fc1.weight": None},
            r"holds mapping\.fc1\.bias, which this stylegan3",
        ),
        ("pggan_32", {"torgb_layers.3.conv.bias": None}, r"lacks the tensor output3\.bias"),
        ("pggan_32", {"noise2feat.linear.weight_orig": torch.ones(32, 14)}, "noise2feat makes 32 values"),
        ("pggan_32", {"conv_blocks.2.conv.bias": torch.ones(10**5)}, "beyond anything that exists"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, name, changes, message):
    state = state_of(f"mmgen_{name}") | changes
    with pytest.raises(GanwalkError, match=message):
        load({"state_dict": {key: tensor for key, tensor in state.items() if tensor is not None}}, tmp_path / "g.pth")
