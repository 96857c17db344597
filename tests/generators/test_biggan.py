"""BigGAN of both repositories: parity with the official outputs, kinds without golden files, truncation, refusals."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.biggan import BigGANConfig
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.loading import load_generator

GOLDEN = Path(__file__).parents[1] / "golden"
DEEP = GOLDEN / "hf_biggan_deep_32" / "pytorch_model.bin"
HIERARCHICAL = GOLDEN / "ajbrock_biggan64_shared_hier" / "G_ema.pth"
MY_NORM = GOLDEN / "ajbrock_bigganmybn32" / "G_ema.pth"


def close(ours, official):
    assert np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


def golden_of(name):
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        return {key: torch.from_numpy(golden[key]) for key in golden}


@pytest.mark.parametrize(
    "name", ["img_trunc0.4", "img_trunc0.417", "img_trunc0.58", "img_trunc1", "img_c_soft_trunc0.4"]
)
def test_parity_of_the_deep_one_at_every_truncation(name):
    """0.58 lands on the row below its own, and 0.417 is interpolated the wrong way round, as in the official code."""
    generator = load_generator(DEEP)
    golden = golden_of("hf_biggan_deep_32")
    truncation = float(name.split("trunc")[1])
    z, c = golden["input/z"], golden["input/c_soft" if "soft" in name else "input/c"]
    close(generator(z / truncation, c, truncation_psi=truncation), golden[f"output/{name}"].numpy())


def test_parity_of_the_deep_one_after_every_layer():
    generator = load_generator(DEEP)
    golden = golden_of("hf_biggan_deep_32")
    w = generator.mapping(golden["input/z"] / 0.4, golden["input/c"], truncation_psi=0.4)
    names = ["gen_z", *(f"layer{k}" for k in range(6))]
    assert len(names) == generator.num_layers
    for layer, name in enumerate(names[:-1]):
        close(generator.synthesis(w, until=layer)[:1, :2], golden[f"debug/{name}"].numpy())


@pytest.mark.parametrize("path", [HIERARCHICAL, MY_NORM])
def test_parity_of_biggan_pytorch(path):
    generator = load_generator(path)
    golden = golden_of(path.parent.name)
    z, c = golden["input/z"], torch.eye(generator.c_dim)[golden["input/y"]]
    close(generator(z, c), golden["output/img"].numpy())
    mixed = torch.cat([z, golden["input/embedding_mixed"]], dim=1)
    close(generator.synthesis(mixed), golden["output/img_embedding_mixed"].numpy())
    w = generator.mapping(z, c)
    for layer, (kind, number) in enumerate(generator.config.places[:-1], start=1):
        name = f"debug/blocks.{number - (kind == 'attention')}.{int(kind == 'attention')}"
        close(generator.synthesis(w, until=layer)[:1, :2], golden[name].numpy())


def test_codes_are_cut_off_where_users_cut_them_off():
    generator = load_generator(DEEP)
    z = sample_z(generator, 4000, seed=0)
    plain = torch.randn(4000, generator.z_dim, generator=torch.Generator().manual_seed(0))
    assert z.abs().max() <= 2 < plain.abs().max()
    # The standard deviation of a normal distribution that is cut off at two of its own.
    assert z.std().item() == pytest.approx(0.8796, abs=0.01)
    # The order of values stays.
    assert torch.equal(z.flatten().argsort(), plain.flatten().argsort())
    assert sample_z(load_generator(HIERARCHICAL), 4000, seed=0).abs().max() > 3


def test_truncation_scales_codes_and_chooses_statistics():
    generator = load_generator(DEEP)
    z, c = sample_z(generator, 2, seed=0), torch.eye(6)[:2]
    whole, half = generator.mapping(z, c), generator.mapping(z, c, truncation_psi=0.51)
    assert torch.equal(half[..., :8], 0.51 * whole[..., :8]) and torch.equal(half[..., 8:16], whole[..., 8:16])
    assert whole[0, 0, 16:].tolist() == [50, 1] and half[0, 0, 16:].tolist() == pytest.approx([25, 0.5])
    assert not torch.allclose(
        generator.synthesis(torch.cat([half[..., :16], whole[..., 16:]], dim=-1)), generator.synthesis(half)
    )
    for psi in (0.0, 1.5, -0.1):
        with pytest.raises(GanwalkError, match="knows truncations from 0 to 1"):
            generator.mapping(z, c, truncation_psi=psi)
    other = load_generator(HIERARCHICAL)
    z, c = sample_z(other, 2, seed=0), torch.eye(5)[:2]
    assert torch.equal(other.mapping(z, c, truncation_psi=1.5)[..., :10], 1.5 * other.mapping(z, c)[..., :10])


def test_the_class_is_needed():
    with pytest.raises(GanwalkError, match="is class-conditional"):
        load_generator(MY_NORM).mapping(torch.randn(1, 9))


def test_what_the_code_meets_first():
    """The matrices for closed forms are those by which the code enters, here seen in the change of what they give."""
    generator = load_generator(HIERARCHICAL)
    z, c = sample_z(generator, 1, seed=0), torch.eye(5)[:1]
    step = torch.zeros(1, 10)
    step[:, 4:6] = 1
    (first,) = generator.latent_weights(0)
    before, after = (generator.synthesis(generator.mapping(codes, c), until=0) for codes in (z, z + step))
    assert first.shape == (512, 10) and torch.equal(before, after) and not (step @ first.T).any()
    shares = [len(generator.latent_weights(layer)) for layer in range(generator.num_layers)]
    assert shares == [1, 4, 4, 4, 0, 4]
    assert (step @ generator.latent_weights(2)[0].T).any() and not (step @ generator.latent_weights(1)[0].T).any()
    assert [len(load_generator(MY_NORM).latent_weights(layer)) for layer in range(4)] == [1, 0, 0, 0]


def raw_state(kind, *, classes=4, z=6, shared=3):
    """Random tensors under the names of BigGAN-PyTorch: `deep hierarchical`, `deep`, or a CIFAR one of `tables`."""
    rng = torch.Generator().manual_seed(0)
    deep, state = kind.startswith("deep"), {}
    conditioned = shared + z if kind == "deep hierarchical" else shared
    widths = [8, 8, 4, 4, 4] if deep else [8, 4]

    def add(name, *shape, scale=1.0, mean=0.0):
        state[name] = torch.randn(*shape, generator=rng) * scale + mean

    def layer(name, *shape, bias=True):
        add(f"{name}.weight", *shape)
        add(f"{name}.u0", 1, shape[0])
        state[f"{name}.sv0"] = torch.ones(1)
        if bias:
            add(f"{name}.bias", shape[0], scale=0.2)

    def statistics(name, width):
        middle = "bn.running" if deep else "stored"
        add(f"{name}.{middle}_mean", width, scale=0.2)
        state[f"{name}.{middle}_var"] = torch.rand(width, generator=rng) + 0.5

    if kind != "tables":
        add("shared.weight", classes, shared)
    layer("linear", 16 * widths[0], conditioned if kind == "deep hierarchical" else z)
    for block, (below, width) in enumerate(itertools.pairwise(widths)):
        name = f"blocks.{block}.0"
        inner = below // 4
        convolutions = [(below, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, width, 1)]
        for k, (inputs, outputs, size) in enumerate(
            convolutions if deep else [(below, width, 3), (width, width, 3)], 1
        ):
            statistics(f"{name}.bn{k}", inputs)
            for part in ("gain", "bias"):
                if kind == "tables":
                    add(f"{name}.bn{k}.{part}.weight", classes, inputs, scale=0.3)
                else:
                    layer(f"{name}.bn{k}.{part}", inputs, conditioned, bias=False)
            layer(f"{name}.conv{k}", outputs, inputs, size, size)
        if not deep:
            layer(f"{name}.conv_sc", width, below, 1, 1)
    add("output_layer.0.gain", widths[-1], scale=0.2, mean=1.0)
    add("output_layer.0.bias", widths[-1], scale=0.2)
    statistics("output_layer.0", widths[-1])
    layer("output_layer.2", 3, widths[-1], 3, 3)
    return state


def plain(state, kind, z, label):
    """One image of a code (1, z) and the number of a class, by the published formulas."""
    deep = kind.startswith("deep")

    def weight(name):
        w = state[f"{name}.weight"]
        v = F.normalize(state[f"{name}.u0"] @ w.flatten(1), dim=1)
        u = F.normalize(v @ w.flatten(1).T, dim=1)
        return w / (v @ w.flatten(1).T @ u.T)

    def conv(x, name):
        w = weight(name)
        return F.conv2d(x, w, state[f"{name}.bias"], padding=w.shape[2] // 2)

    def statistics(name):
        forms = ("stored", "bn.running")
        return next((state[f"{name}.{f}_mean"], state[f"{name}.{f}_var"]) for f in forms if f"{name}.{f}_mean" in state)

    def norm(x, name):
        mean, variance = statistics(name)
        gain, bias = (
            state[f"{name}.{part}.weight"][label] if kind == "tables" else weight(f"{name}.{part}") @ y
            for part in ("gain", "bias")
        )
        x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return F.relu(x * (1 + gain[:, None, None]) + bias[:, None, None])

    begin = z
    if kind != "tables":
        y = state["shared.weight"][label]
        if kind == "deep hierarchical":
            y = torch.cat([y, z[0]])
            begin = y[None]
    x = F.linear(begin, weight("linear"), state["linear.bias"]).view(1, -1, 4, 4)
    for block in range(4 if deep else 1):
        name = f"blocks.{block}.0"
        up = not deep or block % 2 == 1
        beside, x = x, norm(x, f"{name}.bn1")
        if deep:
            x = norm(conv(x, f"{name}.conv1"), f"{name}.bn2")
            beside = beside[:, : len(state[f"{name}.conv4.bias"])]
        if up:
            x, beside = (F.interpolate(t, scale_factor=2, mode="nearest") for t in (x, beside))
        if deep:
            x = norm(conv(x, f"{name}.conv2"), f"{name}.bn3")
            x = norm(conv(x, f"{name}.conv3"), f"{name}.bn4")
            x = conv(x, f"{name}.conv4")
        else:
            x, beside = (
                conv(norm(conv(x, f"{name}.conv1"), f"{name}.bn2"), f"{name}.conv2"),
                conv(beside, f"{name}.conv_sc"),
            )
        x = x + beside
    mean, variance = statistics("output_layer.0")
    x = F.batch_norm(x, mean, variance, state["output_layer.0.gain"], state["output_layer.0.bias"])
    return torch.tanh(conv(F.relu(x), "output_layer.2"))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ["deep hierarchical", "deep", "tables"])
def test_kinds_of_biggan_pytorch_without_golden_files(tmp_path, kind, wrapped):
    state = raw_state(kind)
    value = {"G_ema": {f"module.{key}": tensor for key, tensor in state.items()}} if wrapped else state
    torch.save(value, tmp_path / "G.pth")
    generator = load_generator(tmp_path / "G.pth")
    assert (generator.c_dim, generator.z_dim, generator.resolution) == (4, 6, 16 if "deep" in kind else 8)
    z = sample_z(generator, 2, seed=3)
    images = generator(z, torch.eye(4)[[1, 3]])
    for sample, label in enumerate((1, 3)):
        close(images[sample : sample + 1], plain(state, kind, z[sample : sample + 1], label).numpy())


def deep_folder(tmp_path, **changes):
    """A copy of the deep one, with another description."""
    path = tmp_path / "pytorch_model.bin"
    shutil.copyfile(DEEP, path)
    facts = json.loads((DEEP.parent / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))
    return path


def test_the_description_lies_beside_under_either_name(tmp_path):
    path = deep_folder(tmp_path)
    expected = load_generator(DEEP).config
    assert load_generator(path).config == expected
    path.rename(tmp_path / "biggan-deep-32-pytorch_model.bin")
    (tmp_path / "config.json").rename(tmp_path / "biggan-deep-32-config.json")
    assert load_generator(tmp_path / "biggan-deep-32-pytorch_model.bin").config == expected
    (tmp_path / "biggan-deep-32-config.json").unlink()
    with pytest.raises(GanwalkError, match=r"needs its config\.json beside it"):
        load_generator(tmp_path / "biggan-deep-32-pytorch_model.bin")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel_width": 8}, r"does not fit the config\.json"),
        ({"layers": [[True, 16, 8]]}, r"does not fit the config\.json"),
        ({"layers": [[1, 16, 8], [0, 8, 8], [1, 8, 4], [1, 4, 2], [0, 2, 1]]}, r"does not fit the config\.json"),
        ({"layers": None}, "none of a BigGAN"),
        ({"layers": 3}, "none of a BigGAN"),
        ({"eps": None}, "none of a BigGAN"),
        ({"eps": "x"}, "eps must be float"),
        ({"eps": -1.0}, "must be positive"),
    ],
)
def test_descriptions_that_do_not_fit(tmp_path, changes, message):
    with pytest.raises(GanwalkError, match=message):
        load_generator(deep_folder(tmp_path, **changes))


def test_damaged_descriptions(tmp_path):
    path = deep_folder(tmp_path)
    for data in (b"", b"[" * 100_000, b"\xff", b" " * (2**20 + 1)):
        (tmp_path / "config.json").write_bytes(data)
        with pytest.raises(GanwalkError, match="none of a BigGAN"):
            load_generator(path)


def published_state():
    """A tiny network of the published kind: two blocks for each size, the second of which doubles it."""
    rng = torch.Generator().manual_seed(0)
    state, widths = {"embeddings.weight": torch.randn(2, 3, generator=rng)}, [8, 8, 4]

    def layer(name, *shape, bias=True):
        state[f"{name}.weight_orig"] = torch.randn(*shape, generator=rng)
        state[f"{name}.weight_u"] = torch.randn(shape[0], generator=rng)
        state[f"{name}.weight_v"] = torch.randn(torch.Size(shape[1:]).numel(), generator=rng)
        if bias:
            state[f"{name}.bias"] = torch.randn(shape[0], generator=rng)

    def statistics(name, width):
        state[f"{name}.running_means"] = torch.randn(51, width, generator=rng)
        state[f"{name}.running_vars"] = torch.rand(51, width, generator=rng) + 0.5

    layer("generator.gen_z", 16 * 8, 4)
    for block in range(2):
        below, width = widths[block : block + 2]
        shapes = [(2, below, 1), (2, 2, 3), (2, 2, 3), (width, 2, 1)]
        for k, (outputs, inputs, size) in enumerate(shapes):
            name = f"generator.layers.{block}.bn_{k}"
            statistics(name, inputs)
            layer(f"{name}.scale", inputs, 4, bias=False)
            layer(f"{name}.offset", inputs, 4, bias=False)
            layer(f"generator.layers.{block}.conv_{k}", outputs, inputs, size, size)
    statistics("generator.bn", 4)
    state["generator.bn.weight"], state["generator.bn.bias"] = torch.ones(4), torch.zeros(4)
    layer("generator.conv_to_rgb", 4, 4, 3, 3)
    return state


def test_published_networks_need_no_description(tmp_path):
    torch.save(published_state(), tmp_path / "biggan-deep-8.bin")
    config = load_generator(tmp_path / "biggan-deep-8.bin").config
    assert (config.up, config.eps, config.resolution, config.widths) == ((False, True), 1e-4, 8, (8, 8, 4))


def test_damage_is_named(tmp_path):
    def refused(state, message):
        torch.save(state, tmp_path / "g.bin")
        with pytest.raises(GanwalkError, match=message):
            load_generator(tmp_path / "g.bin")

    state = published_state()
    without = {key: tensor for key, tensor in state.items() if key != "generator.layers.1.bn_2.scale.weight_u"}
    refused(without, "spectral norm of generator.layers.1.bn_2.scale is not complete")
    refused(state | {"generator.layers.3.gamma": torch.ones(1)}, "not numbered from 0 on")
    refused(state | {"generator.bn.surplus": torch.ones(1)}, "no place for")
    refused(state | {"generator.gen_z.weight_orig": torch.ones(64, 4)}, "do not fit one another")
    refused(state | {"generator.bn.running_means": torch.ones(7, 4)}, "has the shape")
    state = raw_state("deep")
    refused({key: tensor for key, tensor in state.items() if key != "linear.weight"}, "holds no generator")
    refused(state | {"linear.u0": torch.ones(1, 3)}, "singular vector of linear does not fit")
    refused(state | {"linear.u1": torch.ones(1, 128)}, "holds linear.u1")
    refused(
        {key: tensor for key, tensor in state.items() if not key.startswith("blocks.3.")}, "two blocks for each size"
    )
    refused({key: tensor for key, tensor in state.items() if "bn2.bn.running_mean" not in key}, "lacks the tensor")


def test_the_two_are_told_apart():
    assert [read_checkpoint(path).format for path in (DEEP, MY_NORM)] == ["huggingface-biggan", "biggan-pytorch"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"up": ()}, "blocks"),
        ({"widths": (8, 8)}, "blocks"),
        ({"conditioning": "none"}, "must be class, chunks or all"),
        ({"conditioning": "chunks", "z_dim": 7}, "7 dimensions into 3 equal chunks"),
        ({"attention": (3,)}, "must precede blocks 0 to 2"),
        ({"attention": (2,)}, "needs at least 8 channels"),
        ({"deep": True, "widths": (4, 8, 8)}, "but not add any"),
        ({"eps": 0.0}, "must be positive"),
        ({"z_limit": -1.0}, "not negative"),
        ({"up": (True,) * 11, "widths": (1,) * 12}, "beyond anything"),
        ({"c_dim": 0}, "must be positive"),
    ],
)
def test_configurations_that_do_not_fit(change, message):
    config = BigGANConfig((8, 8, 4), (True, True), z_dim=6, c_dim=3, embed_dim=2, conditioning="all")
    with pytest.raises(GanwalkError, match=message):
        replace(config, **change)
