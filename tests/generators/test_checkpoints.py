"""Checkpoints: golden parity, nothing in a file ever runs, and every bad file ends in one clear line."""

import errno
import json
import os
import pickle
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import KEY, write_native
from ganwalk.generators.loading import describe, load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from tests.generators.snapshots import PERSISTENT, Call, dump, generator_network, network, save, snapshot
from tests.inert.hostile_files import string
from tests.inert.test_hostile import HOSTILE

pytestmark = pytest.mark.usefixtures("canary")
GOLDEN = Path(__file__).parents[1] / "golden"
PICKLED = ("pickled_sg2ada_64_resnet_clamp", "pickled_sg3repo_sg2_32")
STATES = ("ada_skip32", "ada_resnet64", "ada_cond32", "sg3repo_sg2_32")


def close(ours, official):
    return np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


@pytest.mark.parametrize("name", PICKLED)
def test_parity_with_the_official_code_through_its_own_files(name):
    generator = load_generator(GOLDEN / f"{name}.pkl")
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        z, mixed = (torch.from_numpy(golden[f"input/{key}"]) for key in ("z", "ws_mixed"))
        w = generator.mapping(z)
        truncated = generator.mapping(z, truncation_psi=0.7)
        assert close(w, golden["output/w"])
        assert close(truncated, golden["output/w_trunc"])
        cut = generator.mapping(z, truncation_psi=0.5, truncation_cutoff=2)
        assert close(cut, golden["output/w_trunc_psi0.5_cutoff2"])
        assert close(generator.synthesis(w), golden["output/img_const"])
        assert close(generator.synthesis(w, noise="none"), golden["output/img_none"])
        assert close(generator.synthesis(truncated), golden["output/img_const_trunc0.7"])
        assert close(generator.synthesis(mixed), golden["output/img_const_ws_mixed"])


def official_config(kwargs):
    """Our configuration for the keyword arguments of the official classes."""
    nested = "synthesis_kwargs" in kwargs
    synthesis = kwargs["synthesis_kwargs"] if nested else kwargs
    return StyleGAN2Config(
        img_resolution=kwargs["img_resolution"],
        z_dim=kwargs["z_dim"],
        w_dim=kwargs["w_dim"],
        c_dim=kwargs["c_dim"],
        img_channels=kwargs["img_channels"],
        mapping_layers=kwargs["mapping_kwargs"]["num_layers"],
        architecture=synthesis.get("architecture", "skip"),
        channel_base=synthesis["channel_base"],
        channel_max=synthesis["channel_max"],
        conv_clamp=synthesis.get("conv_clamp", None if nested else 256.0),
    )


@pytest.mark.parametrize("name", STATES)
def test_parity_with_the_official_code_by_its_state(name):
    config = official_config(json.loads((GOLDEN / f"{name}.json").read_text())["init_kwargs"])
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        state = {k[6:]: torch.from_numpy(golden[k]) for k in golden if k.startswith("state/")}
        state = {k: v for k, v in state.items() if not k.endswith("resample_filter")}
        generator = build_generator(config, state, Path(name)).eval()
        z = torch.from_numpy(golden["input/z"])
        c = torch.from_numpy(golden["input/c"]) if "input/c" in golden else None
        w, truncated = generator.mapping(z, c), generator.mapping(z, c, truncation_psi=0.7)
        assert close(w, golden["output/w"])
        assert close(truncated, golden["output/w_psi0.7"])
        cut = generator.mapping(z, c, truncation_psi=0.5, truncation_cutoff=4)
        assert close(cut, golden["output/w_psi0.5_cutoff4"])
        assert close(generator.synthesis(w), golden["output/img_const"])
        # The picture without noise was made of the truncated styles.
        assert close(generator.synthesis(truncated, noise="none"), golden["output/img_none"])


CONFIG = StyleGAN2Config(img_resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8)


def toy(**changes):
    torch.manual_seed(0)
    return StyleGAN2(replace(CONFIG, **changes)).eval().requires_grad_(False)


def load_bytes(data, tmp_path):
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    return load_generator(path)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"architecture": "resnet"},
        {"architecture": "orig", "img_channels": 1},
        {"c_dim": 3},
        {"c_dim": 3, "embed_features": 5, "mapping_features": 7},
        {"conv_clamp": 2.5},
        {"use_noise": False},
        {"activation": "relu", "resample_filter": (1.0, 2.0, 1.0)},
        {"resample_filter": (1.0, 3.0, 3.0, 1.0), "mapping_layers": 1},
        {"resample_filter": (1.0, 2.0, 5.0)},
        {"resample_filter": (1.0, 2.0, 3.0, 7.0), "architecture": "resnet"},
        {"resample_filter": (1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0)},
        {"resample_filter": (1.0,)},
        {"resample_filter": (1.0, 2.0, 1.0, 3.0, 6.0, 3.0), "resample_columns": 3},
        {"resample_filter": (1.0, 0.0, 2.0, 5.0, 3.0, 1.0, 1.0, 1.0, 4.0), "resample_columns": 3},
    ],
)
def test_variants_of_snapshots_are_understood(tmp_path, change):
    generator = toy(**change)
    loaded = load_bytes(snapshot(generator), tmp_path)
    z = sample_z(generator, 2, seed=0)
    c = torch.eye(3)[:2] if generator.c_dim else None
    assert torch.equal(loaded(z, c), generator(z, c))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda g: g,
        lambda g: {"G_ema": g},
        lambda g: {"D": None, "G": g},
        lambda g: {"G_ema": None, "D": network("Discriminator"), "G": g},
        lambda g: {"generator_trained": g, "discriminator": network("Discriminator")},
        lambda g: {"step": 3, "networks": {"D": network("Discriminator"), "G_ema": g}},
        lambda g: (generator_network(toy(conv_clamp=9.0)), network("Discriminator"), g),
        lambda g: {"net": generator_network(toy(conv_clamp=9.0)), "net_average": g},
    ],
)
@pytest.mark.parametrize("write", [dump, save, lambda *arguments: save(*arguments, legacy=True)])
def test_lone_generators_are_read_like_the_snapshots_that_they_are_part_of(tmp_path, wrap, write):
    generator = toy()
    loaded = load_bytes(write(wrap(generator_network(generator)), PERSISTENT), tmp_path)
    z = sample_z(generator, 2, seed=0)
    assert torch.equal(loaded(z), generator(z))
    assert read_checkpoint(tmp_path / "file.pkl").format == "nvidia-pytorch"


def test_several_generators_of_unknown_names_are_named(tmp_path):
    both = {"first": generator_network(toy()), "second": generator_network(toy())}
    with pytest.raises(GanwalkError, match=r"several generators \(first, second\): save the one that you want alone"):
        load_bytes(dump(both, PERSISTENT), tmp_path)


def test_what_forks_add_is_passed_over(tmp_path):
    generator = toy()
    added = {"epochs": 3, "res": 16, "output_shape": [None, 3, 16, 16], "fmap_base": 128, "square": True, "topk": {}}
    fork = snapshot(generator, _init_kwargs={"square": True, "mapping_kwargs": {"topk": 3}}, **added)
    z = sample_z(generator, 2, seed=0)
    assert torch.equal(load_bytes(fork, tmp_path)(z), generator(z))


def test_the_average_comes_before_what_is_trained(tmp_path):
    torch.manual_seed(1)
    trained = StyleGAN2(CONFIG)
    both = {"G": generator_network(trained), "G_ema": generator_network(toy())}
    assert torch.equal(load_bytes(save(both, PERSISTENT), tmp_path).w_avg, toy().w_avg)


def test_tensors_in_half_precision_and_other_strides(tmp_path):
    generator = toy()

    def to_half(tensors):
        for name, tensor in tensors.items():
            tensors[name] = tensor.half()
            if tensor.ndim == 4:
                tensors[name] = tensors[name].contiguous(memory_format=torch.channels_last)

    loaded = load_bytes(snapshot(generator, to_half), tmp_path)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("synthesis.b8.conv1.bias"), r"lacks the tensor synthesis\.b8\.conv1\.bias of shape \(8,\)"),
        (lambda t: t.update({"synthesis.b8.conv1.extra": torch.ones(2)}), "no place for"),
        (lambda t: t.update({"mapping.fc1.bias": torch.ones(3)}), r"shape \(3,\), expected \(8,\)"),
        (lambda t: t["synthesis.b4.const"].fill_(torch.nan), r"synthesis\.b4\.const holds values that are not finite"),
        (lambda t: t.pop("synthesis.b16.conv1.weight"), "missing or no matrix"),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("synthesis.b4.")], "neither a StyleGAN2"),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("mapping.")], "no part 'mapping'"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    with pytest.raises(GanwalkError, match=message):
        load_bytes(snapshot(toy(), change), tmp_path)


@pytest.mark.parametrize(
    "attributes", [{"img_resolution": 2**40}, {"z_dim": "x"}, {"w_dim": 10**9}, {"c_dim": -1}, {"img_channels": None}]
)
def test_attributes_that_cannot_be_are_refused(tmp_path, attributes):
    with pytest.raises(GanwalkError):
        load_bytes(snapshot(toy(), **attributes), tmp_path)


def test_snapshots_of_something_else_are_named(tmp_path):
    for value, message in (
        ({"G_ema": None, "D": network("Discriminator")}, "holds no G_ema"),
        ({"G_ema": network("Generator", modules={"synthesis": network("S"), "mapping": network("M")})}, "neither"),
        ((1, 2, 3), "no generator that is known"),
        ([1, 2], "no generator that is known"),
    ):
        with pytest.raises(GanwalkError, match=message):
            load_bytes(dump(value, PERSISTENT), tmp_path)


def with_embedding():
    """A plain module of others inside of persistent ones."""
    generator = generator_network(toy())
    mapping = generator.arguments[0]["state"]["_modules"]["mapping"].arguments[0]["state"]["_modules"]
    mapping["embed"] = Call("plain_nn.sparse", "Embedding")
    return generator


CLASSES = ("plain_nn.sparse.Embedding", "gan.networks.Generator")
STRANGERS = {
    "a fork of NVIDIA's": (
        with_embedding,
        r"G_ema, a Generator of an architecture that is not supported: its part G_ema\.mapping\.embed is a "
        r"plain_nn\.sparse\.Embedding.*give module:function",
    ),
    "another persistent network": (
        lambda: network("TriPlaneGenerator", modules={"backbone": network("Backbone")}),
        "a TriPlaneGenerator of an architecture .* has no part synthesis, but backbone",
    ),
    "a plain module": (
        lambda: Call("gan.networks", "Generator"),
        r"G_ema, a whole module of the class gan\.networks\.Generator.*TorchScript.*or write a function",
    ),
}


@pytest.mark.parametrize("write", [dump, save])
@pytest.mark.parametrize("name", STRANGERS)
def test_unknown_networks_are_named_and_not_called_damaged(tmp_path, name, write):
    make, message = STRANGERS[name]
    with pytest.raises(GanwalkError, match=message) as caught:
        load_bytes(
            write({"G_ema": make()}, PERSISTENT, "plain_nn.sparse.Embedding", "gan.networks.Generator"), tmp_path
        )
    assert "damaged" not in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_state_dicts_show_what_they_hold(tmp_path):
    for value, message in (
        (
            {"meta": 1, "state_dict": {"style_mapping.1.weight": torch.ones(2)}},
            r"state_dict holds style_mapping\.1\.we",
        ),
        ({"GAN": {}, "version": "1"}, "it holds GAN, version"),
        (dict(toy().state_dict()), r"tensors of NVIDIA's network alone.*torch\.save\(G\)"),
        (torch.ones(3, 4), "if these are directions, bring them with ganwalk import"),
        ([torch.ones(4), torch.ones(4)], "if these are directions"),
        ({"deformator": {"log_mat_half": torch.ones(2, 2)}}, "if these are directions"),
        ({"mean": torch.ones(4), "comp": torch.ones(2, 4), "std": torch.ones(2)}, "if these are directions"),
    ):
        with pytest.raises(GanwalkError, match=message):
            load_bytes(save(value), tmp_path)


def test_networks_that_are_not_square_are_read(tmp_path):
    def halve(tensors):
        for name, tensor in tensors.items():
            if name.endswith("const"):
                tensors[name] = tensor[..., : tensor.shape[-1] // 2]

    assert load_bytes(snapshot(toy(), halve), tmp_path).image_size == (16, 8)


def test_directions_are_no_generator(tmp_path):
    directions = Directions(torch.eye(8)[:2], torch.ones(2), "z", GeneratorIdentity("toy", "0" * 64, "stylegan2", 16))
    directions.save(tmp_path / "d.safetensors")
    np.save(tmp_path / "d.npy", np.eye(8))
    np.savez(tmp_path / "d.npz", lat_comp=np.eye(8))
    for name, message in (
        ("d.safetensors", "holds directions, no generator: give it as --directions"),
        ("d.npy", "is a numpy array: if it holds directions, bring them with ganwalk import"),
        ("d.npz", "is a numpy archive: if it holds directions, bring them with ganwalk import"),
    ):
        with pytest.raises(GanwalkError, match=message):
            load_generator(tmp_path / name)


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "nested reduce", "copyreg", "instance", "object"])
def test_hostile_values_inside_a_snapshot_stay_inert(tmp_path, name):
    good = snapshot(toy())
    # The hostile value becomes the first entry of the dict that holds the networks.
    start = good.index(b"}\x94(", 11) + 3
    payload = HOSTILE[name].removeprefix(b"\x80\x04")[:-1]
    data = b"\x80\x04" + good[11:start] + string("extra") + payload + good[start:]
    loaded = load_bytes(data, tmp_path)
    assert torch.equal(loaded.w_avg, toy().w_avg)


def test_a_cycle_of_networks_ends(tmp_path):
    loop = network("Loop")
    meta = loop.arguments[0]
    modules = {"synthesis": network("S", modules={"b4": loop}), "mapping": network("M")}
    data = dump({"G_ema": network("Generator", modules=modules), "meta": meta}, PERSISTENT)
    with pytest.raises(GanwalkError):
        load_bytes(data, tmp_path)


@pytest.mark.slow
def test_truncated_and_flipped_files_raise_nothing_else(tmp_path):
    good = snapshot(toy())
    rng = random.Random(0)
    path = tmp_path / "file.pkl"
    for cut in sorted(rng.sample(range(len(good)), 25)):
        path.write_bytes(good[:cut])
        with pytest.raises(GanwalkError):
            load_generator(path)
    survived = 0
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            load_generator(path)
            survived += 1
        except GanwalkError as error:
            assert "\n" not in str(error)
    assert survived < 150


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download it again"),
        (b"hello, this is no checkpoint", "not a checkpoint that can be read"),
        (b"\n <!DOCTYPE html><html>404</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x08\x0e:\x9f\n\n\x15\n\x01z", "is an ONNX network.*TorchScript.*give module:function"),
        (b'\x08\x0e\x12\x07pytorch\x1a\x062.13.0"\x03x.y(\xac\x022\x01d:\x05', "is an ONNX network"),
        (b"\x08\x0e\x12\x07pytorch\x1a\xff\xff\xff\xff\x7f2.13.0:", "not a checkpoint that can be read"),
        (b"\x08\x0e\x4a\x01x:\x01", "not a checkpoint that can be read"),
        (b"PK\x03\x04" + bytes(60), "its zip directory is missing"),
        (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "not a checkpoint that can be read"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", "not of a ganwalk generator"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}      ", "damaged or truncated safetensors"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, message):
    path = tmp_path / "file.pkl"
    path.write_bytes(content)
    with pytest.raises(GanwalkError, match=message):
        load_generator(path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / "gone.pkl", "does not exist"),
        ("nonsense", "unknown generator 'nonsense': use scenes, blobs, "),
    ):
        with pytest.raises(GanwalkError, match=message):
            load_generator(path)


@pytest.mark.parametrize("padding", range(0, 256, 8))
def test_formats_are_told_apart_whatever_the_length_of_the_header(tmp_path, padding):
    generator = toy()
    path = tmp_path / "g.pkl"
    write_native(generator.config, dict(generator.state_dict()), path, source="x" * padding)
    assert read_checkpoint(path).format == "ganwalk"


def test_our_own_format_keeps_every_picture(tmp_path):
    for source in (GOLDEN / f"{name}.pkl" for name in PICKLED):
        checkpoint = read_checkpoint(source)
        write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors", source=source.name)
        before, after = load_generator(source), load_generator(tmp_path / "g.safetensors")
        z = sample_z(before, 1, seed=0)
        assert torch.equal(before(z), after(z)) and before.config == after.config
        assert describe(tmp_path / "g.safetensors")["parameters"] == describe(source)["parameters"]


@pytest.mark.parametrize(
    "config",
    [
        "not json",
        "[]",
        "{}",
        '{"img_resolution": 16, "unknown": 1}',
        '{"img_resolution": 1099511627776}',
        '{"img_resolution": 16.0}',
        '{"img_resolution": "16"}',
        '{"img_resolution": 16, "mapping_layers": 1000000000}',
        '{"img_resolution": 16, "z_dim": 1000000000}',
        '{"img_resolution": 16, "w_dim": 0}',
        '{"img_resolution": 16, "channel_base": 1}',
        '{"img_resolution": 16, "resample_filter": "x"}',
        '{"img_resolution": 16, "resample_filter": []}',
        '{"img_resolution": 16, "resample_filter": [1, -1]}',
        '{"img_resolution": 16, "mapping_lr": "x"}',
        '{"img_resolution": 16, "conv_clamp": []}',
        '{"img_resolution": 16, "embed_features": "x"}',
        '{"img_resolution": 16, "use_noise": 2}',
        '{"img_resolution": 16}',
    ],
)
def test_hostile_configurations_are_refused(tmp_path, config):
    path = tmp_path / "g.safetensors"
    text = f'{{"architecture": "stylegan2", "config": {config}}}'
    save_file({"a": torch.ones(1)}, path, {KEY: text})
    with pytest.raises(GanwalkError, match=str(path)):
        load_generator(path)


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GanwalkError, match="No space left"):
        write_native(CONFIG, dict(toy().state_dict()), tmp_path / "g.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_calls_pickle_as_intended():
    data = dump(Call("os_not", "system", "x"), "os_not.system")
    assert b"os_not" in data and b"system" in data
