"""Projected GAN's FastGAN: parity with the official outputs; with a plain implementation for all kinds of blocks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.nvidia_network import Network
from ganwalk.generators.checkpoints.stored import load_tensors
from ganwalk.generators.fastgan import FastGANConfig
from ganwalk.generators.loading import load_generator
from ganwalk.inert.reading import read_inert

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = {
    "lite": (("1", "2", None),),
    "full": (("1", "3", "2"), ("5", "7", "6")),
    "lite of classes": (("conv", "bn", None),),
    "full of classes": (("conv1", "bn1", "noise"), ("conv2", "bn2", "noise")),
}


def close(ours, official):
    assert np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


def golden_of(name):
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        return dict(golden)


def test_parity_of_the_lite_one_after_every_layer():
    generator = load_generator(GOLDEN / "projgan_fastgan_lite256.pkl")
    golden = golden_of("projgan_fastgan_lite256")
    z = torch.from_numpy(golden["input/z"])
    w = generator.mapping(z)
    close(w[:, :1], golden["output/w"])
    close(generator.synthesis(w)[..., ::3, ::3], golden["output/img_every3"])
    names = ["init", "feat_8", "feat_16", "feat_32", "se_64", "se_128"]
    for layer, name in enumerate(names):
        found = generator.synthesis(w, until=layer)[:1]
        expected = golden[f"debug/{name}"]
        close(found[:, :2] if layer < 5 else found[:, :1, ::4, ::4], expected)
    assert torch.equal(generator.synthesis(w, noise="none"), generator.synthesis(w))


def test_parity_of_the_full_one_with_classes_and_noise():
    generator = load_generator(GOLDEN / "projgan_fastgan_cond128.pkl")
    golden = golden_of("projgan_fastgan_cond128")
    z, c = (torch.from_numpy(golden[f"input/{name}"]) for name in "zc")
    w = generator.mapping(z, c)
    close(w[:, :1, : generator.z_dim], golden["output/w"])
    close(w[:1, 0, generator.z_dim :][:, :2], golden["debug/embed"])
    close(generator.synthesis(w, noise="none"), golden["output/img"])
    for sample in range(len(z)):
        for index in range(10):
            block = generator.get_submodule(f"block{2 ** (3 + index // 2)}")
            maps = torch.from_numpy(golden[f"input/noise_{index}_times8"][sample, 0])
            block[index % 2].noise_const.copy_(maps / 8)
        image = generator.synthesis(w[sample : sample + 1])
        close(image[..., ::2, ::2], golden["output/img_noise_given"][sample : sample + 1])


def test_noise_is_constant_or_drawn():
    generator = load_generator(GOLDEN / "projgan_fastgan_cond128.pkl")
    again = load_generator(GOLDEN / "projgan_fastgan_cond128.pkl")
    w = generator.mapping(torch.randn(2, 4), torch.eye(5)[:2])
    images = generator.synthesis(w)
    assert torch.equal(images, again.synthesis(w)) and not torch.equal(images, generator.synthesis(w, noise="none"))
    drawn = [generator.synthesis(w, noise="random", seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def raw_state(kind, *, z=3, classes=0, embed=3, size=128):
    """Random tensors under the official names, those of the next size included, which the network does not use."""
    rng = torch.Generator().manual_seed(0)
    width = {side: max(1, 64 // side * 2) for side in (4, 8, 16, 32, 64, 128, 256)}
    state = {}

    def add(name, *shape, scale=1.0, mean=0.0):
        state[f"synthesis.{name}"] = torch.randn(*shape, generator=rng) * scale + mean

    def spectral(name, *shape, transposed=False):
        add(f"{name}.weight_orig", *shape)
        weight = state[f"synthesis.{name}.weight_orig"]
        left, _, right = torch.linalg.svd((weight.transpose(0, 1) if transposed else weight).flatten(1))
        # Near the leading pair, as stored vectors are.
        for part, vectors in (("u", left.T), ("v", right)):
            add(f"{name}.weight_{part}", len(vectors), scale=0.02)
            state[f"synthesis.{name}.weight_{part}"] += vectors[0]

    def norm(name, channels):
        if classes:
            add(f"{name}.stored_mean", channels)
            state[f"synthesis.{name}.stored_var"] = torch.rand(channels, generator=rng) + 0.5
            for part in ("gain", "bias"):
                spectral(f"{name}.{part}", channels, embed)
                add(f"{name}.{part}.bias", channels, scale=0.3)
        else:
            plain_norm(name, channels)

    def plain_norm(name, channels):
        add(f"{name}.weight", channels, scale=0.3, mean=1.0)
        add(f"{name}.bias", channels)
        add(f"{name}.running_mean", channels)
        state[f"synthesis.{name}.running_var"] = torch.rand(channels, generator=rng) + 0.5
        state[f"synthesis.{name}.num_batches_tracked"] = torch.tensor(3)

    spectral("init.init.0", z, 2 * width[4], 4, 4, transposed=True)
    plain_norm("init.init.1", 2 * width[4])
    for side in (8, 16, 32, 64, 128, 256):
        below = width[side // 2]
        for convolution, batch_norm, noise in KINDS[kind]:
            spectral(f"feat_{side}.{convolution}", 2 * width[side], below, 3, 3)
            norm(f"feat_{side}.{batch_norm}", 2 * width[side])
            if noise:
                add(f"feat_{side}.{noise}.weight", 1)
            below = width[side]
        if side >= 64:
            spectral(f"se_{side}.main.1", width[side], width[side // 16], 4, 4)
            spectral(f"se_{side}.main.3", width[side], width[side], 1, 1)
    spectral("to_big", 3, width[size], 3, 3)
    add("to_big.bias", 3)
    if classes:
        add("embed.weight", classes + 2, embed)
    return state


def plain(state, kind, z, label, noises, size=128):
    """One image (1, 3, size, size) of a code (1, z), by the published formulas; noises are used in order."""
    state = {name.removeprefix("synthesis."): tensor for name, tensor in state.items()}

    def spectral(name, transposed=False):
        weight, u, v = (state[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
        matrix = weight.transpose(0, 1).flatten(1) if transposed else weight.flatten(1)
        return weight / (u @ matrix @ v)

    def norm(x, name):
        if f"{name}.stored_mean" not in state:
            parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
            return F.batch_norm(x, *parts)
        x = F.batch_norm(x, state[f"{name}.stored_mean"], state[f"{name}.stored_var"])
        row = state["embed.weight"][label]
        gain, bias = (spectral(f"{name}.{p}") @ row + state[f"{name}.{p}.bias"] for p in ("gain", "bias"))
        return x * (1 + gain[:, None, None]) + bias[:, None, None]

    z = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    x = F.conv_transpose2d(z[:, :, None, None], spectral("init.init.0", transposed=True))
    features = {4: F.glu(norm(x, "init.init.1"), dim=1)}
    for side in (8, 16, 32, 64, 128):
        x = F.interpolate(features[side // 2], scale_factor=2, mode="nearest")
        for convolution, batch_norm, noise in KINDS[kind]:
            x = F.conv2d(x, spectral(f"feat_{side}.{convolution}"), padding=1)
            if noise:
                x = x + state[f"feat_{side}.{noise}.weight"] * next(noises)
            x = F.glu(norm(x, f"feat_{side}.{batch_norm}"), dim=1)
        if side >= 64:
            y = F.conv2d(F.adaptive_avg_pool2d(features[side // 16], 4), spectral(f"se_{side}.main.1"))
            x = x * F.conv2d(y * y.sigmoid(), spectral(f"se_{side}.main.3")).sigmoid()
        features[side] = x
    return F.conv2d(features[size], spectral("to_big"), state["to_big.bias"], padding=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_block_from_state_dicts(tmp_path, kind):
    classes = 4 if "classes" in kind else 0
    state = raw_state(kind, classes=classes)
    torch.save({"G_ema": state, "G": {name: tensor + 1 for name, tensor in state.items()}}, tmp_path / "g.pt")
    generator = load_generator(tmp_path / "g.pt")
    # A state dict does not say that two of the six embedded classes are never used.
    assert (generator.c_dim, generator.resolution) == (classes + 2 if classes else 0, 128)
    z = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    c = torch.eye(generator.c_dim)[[1, 3]] if classes else None
    units = [unit for side in (8, 16, 32, 64, 128) for unit in generator.get_submodule(f"block{side}")]
    for sample, label in enumerate((1, 3)):
        noises = iter([unit.noise_const for unit in units if hasattr(unit, "noise_const")])
        expected = plain(state, kind, z[sample : sample + 1], label, noises)
        close(generator(z, c)[sample : sample + 1], expected.numpy())


def changed(name, tensor):
    return lambda state: state | {f"synthesis.{name}": tensor}


REFUSED = {
    "an unknown layer": (changed("feat_8.skip.weight", torch.ones(1)), "it holds synthesis.feat_8.skip.weight"),
    "no vector": (lambda state: {k: v for k, v in state.items() if k != "synthesis.feat_8.1.weight_u"}, "feat_8.1 is"),
    "a wrong vector": (changed("feat_8.1.weight_v", torch.ones(3)), "feat_8.1 do not fit one another"),
    "no block": (lambda state: {k: v for k, v in state.items() if "feat_8." not in k}, "feat_8 are missing"),
    "no bias": (lambda state: {k: v for k, v in state.items() if k != "synthesis.to_big.bias"}, "to_big.bias is miss"),
    "another size": (changed("to_big.weight_orig", torch.ones(3, 9, 3, 3)), "its images are of none of"),
    "no statistics": (lambda state: {k: v for k, v in state.items() if "running" not in k}, "no running statistics"),
    "a norm of zero": (changed("feat_8.1.weight_u", torch.zeros(32)), "not finite"),
    "a gate of another width": (changed("se_64.main.3.weight_orig", torch.ones(2, 1, 1, 1)), r"gate64|do not fit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name(tmp_path, name):
    change, message = REFUSED[name]
    torch.save(change(raw_state("lite")), tmp_path / "g.pt")
    with pytest.raises(GanwalkError, match=message):
        load_generator(tmp_path / "g.pt")


def test_truncation_is_refused():
    generator = load_generator(GOLDEN / "projgan_fastgan_lite256.pkl")
    with pytest.raises(GanwalkError, match="truncation has no effect, drop it"):
        generator.mapping(torch.randn(1, 3), truncation_psi=0.5)


def test_stale_copies_of_weights_are_not_read():
    """A layer under spectral norm keeps the weight of its last forward pass beside its parameters."""
    network = Network(read_inert(GOLDEN / "projgan_fastgan_lite256.pkl")["G_ema"], "G_ema")
    convolution = network.child("synthesis").child("to_big")
    assert "weight" in convolution.state and "synthesis.to_big.weight" not in network.tensors()
    assert read_checkpoint(GOLDEN / "projgan_fastgan_lite256.pkl").tensors["output.weight"].shape == (3, 1, 3, 3)
    assert load_tensors({"bias": network.tensors()["synthesis.to_big.bias"]})["bias"].shape == (3,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 64}, "must be one of"),
        ({"channels": (2,)}, "must be 6 at 128 px"),
        ({"z_dim": 0}, "must be positive"),
        ({"c_dim": 3}, "cannot have 3 classes of 0 dimensions"),
        ({"embed_dim": 3}, "cannot have 0 classes of 3 dimensions"),
    ],
)
def test_configurations_that_do_not_fit(change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(FastGANConfig(128, (2,) * 6), **change)
