"""Hostile and damaged files of every format: nothing runs, each ends in one line, in bounded time and memory."""

import io
import json
import os
import pickle
import pickletools
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.files.shipped import shipped_file
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import KEY, write_native
from ganwalk.generators.loading import load_generator
from tests.generators import test_stylegan3 as stylegan3
from tests.generators.snapshots import PERSISTENT, dump, generator_network, network, snapshot
from tests.generators.test_checkpoints import toy
from tests.generators.test_families import FAMILIES
from tests.generators.test_lucidrains import averaged_state
from tests.inert.hostile_files import archive, refused, string, zipped_tensor

pytestmark = pytest.mark.usefixtures("canary")
GOLDEN = Path(__file__).parents[1] / "golden"
FIXTURES = [
    "pickled_sg3repo_sg2_32.pkl",
    "tf_sefa_pggan_32.pkl",
    "tf_sefa_stylegan_32.pkl",
    "tf_sg2ada_64_resnet_clamp.pkl",
    "rosinality_32.pt",
    "ganzoo_pgan_32.pth",
    "sefa_pggan_32.pth",
    "mmgen_stylegan1_32.pth",
    "mmgen_stylegan2_32.pth",
    "mmgen_stylegan3_t16.pth",
    "mmgen_pggan_32.pth",
    "mmagic_stylegan2_32.pth",
    "sgxl_stem16_uncond_r.pkl",
    "sgxl_sr32_cond.pkl",
    "sghuman_v3_32x16.pkl",
    "eps696_24x40.pkl",
]


def explosive(depth=60):
    """Opcodes of a value whose text would be 2^depth long, at the top of the stack."""
    value = b"]"
    for i in range(depth):
        value += b"q" + bytes([i]) + b"0]h" + bytes([i]) + b"ah" + bytes([i]) + b"a"
    return value


def test_values_that_share_parts_are_neither_printed_nor_compared(tmp_path):
    tiny = snapshot(toy())
    # In the place of an attribute that would be shown in a message or compared with another layer's.
    for name in ("conv_clamp", "activation", "use_noise", "img_resolution", "z_dim", "class_name", "architecture"):
        at = tiny.find(string(name)) + len(string(name))
        assert at > len(string(name))
        # The memoised name stays; what follows it becomes the explosive value under other memo places.
        rest = next(position for _, _, position in pickletools.genops(tiny) if position > at)
        data = tiny[:at] + tiny[at:rest] + explosive() + b"0" + tiny[rest:]
        path = tmp_path / "file"
        path.write_bytes(b"\x80\x04" + data[11:])
        try:
            load_generator(path)
        except GanwalkError as error:
            assert len(str(error)) < 700
    refused(b"\x80\x04}" + explosive() + b"Ns.", tmp_path)
    refused(b"\x80\x04}" + explosive() + b"\x85\x85Ns.", tmp_path)
    key = b"N" + b"".join(b"\x94(" + b"h\x00" * 60 + b"t" for _ in range(4))
    refused(b"\x80\x04}" + key + b"Ns.", tmp_path)


def test_explosive_attributes_of_every_kind(tmp_path):
    bomb = []
    for _ in range(60):
        bomb = [bomb, bomb]
    for attributes in ({"img_resolution": bomb}, {"z_dim": bomb}, {"c_dim": bomb}, {"img_channels": bomb}):
        refused(snapshot(toy(), **attributes), tmp_path)
    other = network("Generator", modules={"synthesis": network("S"), "mapping": network("M")})
    other.arguments[0]["class_name"] = bomb
    refused(dump({"G_ema": other}, PERSISTENT), tmp_path)
    for value in ({"g_ema": bomb}, {"generator_smooth": {"layer0.weight": bomb}}, {"avgG": {"formatLayer.": bomb}}):
        stream = io.BytesIO()
        torch.save(value, stream)
        refused(stream.getvalue(), tmp_path)


def test_a_snapshot_cannot_ask_for_more_memory_than_it_stores(tmp_path):
    one = torch.zeros(2**20)
    state = {f"convs.{i}.conv.weight": one for i in range(200)}
    state |= {"input.input": one, "conv1.conv.modulation.weight": one, "style.1.weight": one}
    stream = io.BytesIO()
    torch.save({"g_ema": state}, stream)
    assert "many times larger than what is stored" in refused(stream.getvalue(), tmp_path)


def test_symbolic_links_lead_to_files_only(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in ("loop", "gone", "device", "folder"):
        with pytest.raises(GanwalkError):
            read_checkpoint(tmp_path / name)
    (tmp_path / "good").symlink_to(GOLDEN / "rosinality_32.pt")
    assert read_checkpoint(tmp_path / "good").format == "rosinality"


def fixture_bytes(name):
    """A good file of each format: golden, shipped, or written here."""
    if name == "lucidrains":
        stream = io.BytesIO()
        torch.save({"GAN": averaged_state()}, stream)
        return stream.getvalue()
    if name == "stylegan3":
        return snapshot(stylegan3.toy())
    if name == "legacy":
        stream = io.BytesIO()
        torch.save({"GAN": averaged_state()}, stream, _use_new_zipfile_serialization=False)
        return stream.getvalue()
    return shipped_file(name).read_bytes() if name.endswith(".safetensors") else (GOLDEN / name).read_bytes()


def structure(data):
    """Positions where a change meets structure rather than weights."""
    if data[8:9] == b"{":
        return list(range(int.from_bytes(data[:8], "little") + 8))
    if data[:2] == b"PK":
        start = data.index(b"data.pkl")
        return [*range(start, start + 9000), *range(len(data) - 4000, len(data))]
    starts = [position for _, _, position in pickletools.genops(data)]
    if len(starts) < 10:
        # torch's legacy stream: the first of its pickles is a number, the others follow.
        return list(range(5000))
    return [position + delta for position in starts for delta in (0, 1, 2) if position + delta < len(data)]


def mutated(data, places, rng):
    """A damaged copy: bytes changed, removed, repeated, swapped, or the end cut off."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.choice(places)
        kind = rng.randrange(6)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + 1] = bytes([data[min(at, len(data) - 1)] ^ (1 << rng.randrange(8))])
        elif kind == 2:
            del data[at : at + rng.choice([1, 4, 30])]
        elif kind == 3:
            data[at:at] = data[at : at + rng.choice([1, 8, 200])]
        elif kind == 4:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"])
        else:
            data[at:at] = rng.choice([b"R", b"b", b"0", b"2", b"\x81", b"h\x00", b"(", b"t", b"Q", b"u", b"."])
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FIXTURES, "scenes.safetensors", "lucidrains", "legacy", "stylegan3", *FAMILIES])
def test_damaged_files_raise_nothing_else(tmp_path, name):
    good = FAMILIES[name][2](tmp_path).read_bytes() if name in FAMILIES else fixture_bytes(name)
    places = structure(good)
    rng = random.Random(name)
    path = tmp_path / "file"
    rounds = int(os.environ.get("GANWALK_FUZZ", "60"))
    refusals = 0
    for _ in range(rounds):
        path.write_bytes(mutated(good, places, rng))
        try:
            load_generator(path)
        except GanwalkError as error:
            refusals += 1
            assert "\n" not in str(error) and len(str(error)) < 700
    assert refusals > rounds // 4
    for cut in rng.sample(range(len(good)), 15):
        path.write_bytes(good[:cut])
        with pytest.raises(GanwalkError):
            load_generator(path)


def test_arrays_of_objects_are_refused(tmp_path):
    from tests.generators.tensorflow_snapshots import tensorflow_network, tensorflow_pickle

    for array in (np.array([None, "x"], dtype=object), np.array(["text"]), np.zeros(2, dtype="c16")):
        variables = {"4x4/Dense/weight": array}
        path = tmp_path / "g.pkl"
        path.write_bytes(tensorflow_pickle(tensorflow_network(variables, {})))
        with pytest.raises(GanwalkError, match=r"unknown type|not made of bytes"):
            load_generator(path)


def test_networks_that_share_parts_end(tmp_path):
    part = network("Leaf")
    for _ in range(12):
        part = network("Branch", modules={str(i): part for i in range(8)})
    modules = {"synthesis": network("S", modules={"b4": part}), "mapping": network("M")}
    assert "without end" in refused(dump({"G_ema": network("Generator", modules=modules)}, PERSISTENT), tmp_path)


def plain_module(**parts):
    """A module of torch, which its pickle names by its class."""
    module = torch.nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


def test_plain_modules_that_share_parts_end(tmp_path):
    part = plain_module()
    for _ in range(12):
        part = plain_module(**{f"p{i}": part for i in range(8)})
    for generator in (
        plain_module(Model=plain_module(MainLayers=part, AggregationLayer=plain_module())),
        plain_module(synthesis=plain_module(init=part, feat_8=plain_module(), to_big=plain_module())),
    ):
        generator.img_resolution = 256
        assert "without end" in refused(pickle.dumps({"G_ema": generator}, 4), tmp_path)


def test_explosive_attributes_of_plain_modules(tmp_path):
    bomb = []
    for _ in range(60):
        bomb = [bomb, bomb]
    for name in ("img_resolution", "c_dim"):
        generator = plain_module(
            synthesis=plain_module(init=plain_module(), feat_8=plain_module(), to_big=plain_module())
        )
        generator.img_resolution, generator.c_dim = 256, 0
        setattr(generator, name, bomb)
        refused(pickle.dumps({"G_ema": generator}, 4), tmp_path)


def saved(value):
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def rosinality_with(**changes):
    torch.manual_seed(0)
    zeros = torch.zeros(1)
    state = {"input.input": zeros, "conv1.conv.modulation.weight": zeros, "style.1.weight": zeros}
    return saved({"g_ema": {**state, **{name.replace("__", "."): value for name, value in changes.items()}}})


def snapshot_with(change):
    """A snapshot whose blocks of the synthesis were changed."""
    generator = generator_network(toy())
    synthesis = generator.arguments[0]["state"]["_modules"]["synthesis"].arguments[0]["state"]["_modules"]
    change(synthesis)
    return dump({"G_ema": generator}, PERSISTENT)


def native_with(**changes):
    path = shipped_file("scenes.safetensors").read_bytes()
    size = int.from_bytes(path[:8], "little")
    header = json.loads(path[8 : 8 + size])
    facts = json.loads(header["__metadata__"][KEY])
    facts["config"].update(changes)
    header["__metadata__"][KEY] = json.dumps(facts)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + path[8 + size :]


MISFITS = {
    "resolution of 30,000 digits": lambda: snapshot(toy(), img_resolution=1 << 100_000),
    "negative resolution of 30,000 digits": lambda: snapshot(toy(), img_resolution=-(1 << 100_000)),
    "block b0": lambda: snapshot_with(lambda blocks: blocks.update(b0=blocks["b4"])),
    "block with a raised number": lambda: snapshot_with(lambda blocks: blocks.update({"b²": blocks["b4"]})),
    "block without a name": lambda: snapshot_with(lambda blocks: blocks.update({None: blocks["b4"]})),
    "block of 5,000 digits": lambda: snapshot_with(lambda blocks: blocks.update({"b" + "1" * 5000: blocks["b4"]})),
    "no state": lambda: saved({"state_dict": None}),
    "a number for a state": lambda: saved({"state_dict": 5}),
    "a module for a state": lambda: saved({"state_dict": plain_module()}),
    "state of another code": lambda: saved({"g_ema": {**averaged_state(), "input.input": torch.zeros(1)}}),
    "scalar constant": lambda: rosinality_with(input__input=torch.tensor(1.0)),
    "empty constant": lambda: rosinality_with(input__input=torch.zeros(0, 2)),
    "empty noise": lambda: rosinality_with(noises__noise_0=torch.zeros(1, 0, 2, 2)),
    "two noise strengths": lambda: rosinality_with(conv1__noise__weight=torch.zeros(2)),
    "empty weight": lambda: rosinality_with(conv1__conv__weight=torch.zeros(0, 1, 1, 3, 3)),
    "biases alone": lambda: saved({"avgG": {"formatLayer.module.bias": torch.zeros(16)}}),
    "overflowing empty tensor": lambda: archive(zipped_tensor((0, 2**62, 8), (1, 1, 1)), [("data/0", bytes(16))]),
    "rate of 400 digits": lambda: native_with(mapping_lr=10**400),
    "clamp of 400 digits": lambda: native_with(conv_clamp=10**400),
    "filter of 400 digits": lambda: native_with(resample_filter=[10**400, 1]),
    "channels of 400 digits": lambda: native_with(block_channels=[10**400]),
    "resolution of 4,000 digits": lambda: native_with(img_resolution=10**4000),
    "resolution beyond memory": lambda: native_with(img_resolution=32768),
}


@pytest.mark.parametrize("name", MISFITS)
def test_numbers_and_shapes_that_do_not_fit_end_in_one_line(tmp_path, name):
    assert refused(MISFITS[name](), tmp_path).isprintable()


def test_names_from_a_file_cannot_write_to_the_terminal(tmp_path):
    generator = toy()
    path = tmp_path / "g.safetensors"
    tensors = dict(generator.state_dict()) | {"a\n\x1b[2Jganwalk: all is well": torch.zeros(1)}
    write_native(generator.config, tensors, path)
    assert refused(path.read_bytes(), tmp_path).isprintable()
    write_native(generator.config, dict(generator.state_dict()) | {"a" * 100_000: torch.zeros(1)}, path)
    assert len(refused(path.read_bytes(), tmp_path)) < 700


def test_tensors_spread_over_one_storage_are_refused(tmp_path):
    whole = torch.zeros(2**18)
    spread = {f"convs.{i}.conv.weight": whole.as_strided((2,), (2**18 - 1,)) for i in range(100)}
    marks = {name: whole for name in ("input.input", "conv1.conv.modulation.weight", "style.1.weight")}
    assert "many times larger" in refused(saved({"g_ema": spread | marks}), tmp_path)


def test_arrays_that_share_their_bytes_are_refused(tmp_path):
    from tests.generators.tensorflow_snapshots import tensorflow_network, tensorflow_pickle

    array = np.zeros(2**16, np.float32)
    shared = tensorflow_pickle(tensorflow_network({f"v{i}": array for i in range(100)}, {}))
    assert len(shared) < 2**20
    refused(shared, tmp_path)


def test_networks_with_endless_tensors_or_names_are_refused(tmp_path):
    leaf = network("Leaf", {f"p{i}": torch.zeros(1) for i in range(50)})
    parts = network("S", modules={f"c{i}": leaf for i in range(900)})
    modules = {"synthesis": parts, "mapping": network("M")}
    assert "without end" in refused(dump({"G_ema": network("Generator", modules=modules)}, PERSISTENT), tmp_path)
