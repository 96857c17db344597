"""Every format of a checkpoint: parity with the official outputs, variants of the files, what does not fit."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import describe, load_generator
from tests.generators.protocol import lacking
from tests.generators.tensorflow_snapshots import stand_in_classes, tensorflow_network, tensorflow_pickle

pytestmark = pytest.mark.usefixtures("canary")
GOLDEN = Path(__file__).parents[1] / "golden"
FILES = {
    "tf_sefa_pggan_32.pkl": ("nvidia-tensorflow", "progan"),
    "tf_sefa_stylegan_32.pkl": ("nvidia-tensorflow", "stylegan1"),
    "tf_sg2ada_64_resnet_clamp.pkl": ("nvidia-tensorflow", "stylegan2"),
    "rosinality_32.pt": ("rosinality", "stylegan2"),
    "ganzoo_pgan_32.pth": ("gan-zoo", "progan"),
    "sefa_pggan_32.pth": ("genforce", "progan"),
}


def check_parity(generator, golden):
    """Compares every output that a golden file holds; returns how many there were."""

    def close(ours, official):
        assert np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max(), name

    inputs = {key[6:]: torch.from_numpy(golden[key]) for key in golden if key.startswith("input/")}
    z, c = inputs["z"], inputs.get("label")
    w = generator.mapping(z, c)
    compared = 0
    for key in golden:
        if not key.startswith("output/"):
            continue
        name, official = key[7:], golden[key]
        options = {}
        if "trunc0.7" in name or name in ("w_trunc", "wp_trunc", "w_psi0.7"):
            options = {"truncation_psi": 0.7}
        elif "psi0.7_layers4" in name:
            options = {"truncation_psi": 0.7, "truncation_cutoff": 4}
        elif "psi0.5_layers2" in name or "psi0.5_cutoff2" in name:
            options = {"truncation_psi": 0.5, "truncation_cutoff": 2}
        elif name == "img_none" and "output/w_psi0.7" in golden:
            # The oldest of these files made its picture without noise from truncated styles.
            options = {"truncation_psi": 0.7}
        styles = generator.mapping(z, c, **options) if options else w
        if name.startswith("w"):
            close(styles if official.ndim == 3 else styles[:, 0], official)
        elif "lod" in name or "alpha" in name:
            config = replace(generator.config, lod=float(name.split("lod")[-1].split("alpha")[-1]))
            faded = build_generator(config, generator.state_dict(), Path(name))
            close(faded.synthesis(styles), official)
        elif name == "img_const_mix_inject3":
            other = generator.mapping(inputs["z2"])
            close(generator.synthesis(torch.cat([w[:, :3], other[:, 3:]], dim=1)), official)
        elif name == "img_const_ws_mixed":
            close(generator.synthesis(inputs["ws_mixed"]), official)
        else:
            close(generator.synthesis(styles, noise="none" if name == "img_none" else "const"), official)
        compared += 1
    return compared


@pytest.mark.parametrize("name", FILES)
def test_parity_through_files(name):
    generator = load_generator(GOLDEN / name)
    assert not lacking(generator, loaded=True)
    checkpoint = read_checkpoint(GOLDEN / name)
    assert (checkpoint.format, checkpoint.architecture) == FILES[name]
    with np.load(GOLDEN / f"{Path(name).stem}.npz", allow_pickle=False) as golden:
        assert check_parity(generator, golden) >= 2


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", ["tf_stylegan2_32", "tf_sefa_stylegan_32_fused_label", "tf_sefa_pggan_32_fused"])
def test_parity_through_tensorflow_pickles(tmp_path, name, protocol):
    facts = json.loads((GOLDEN / f"{name}.json").read_text())
    facts = facts.get("tf_state", facts)
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        variables = {key[6:]: golden[key] for key in golden if key.startswith("tfvar/")}
        components = {component: f"G_{component}" for component in facts["components"]}
        path = "tfutil.Network" if not components else "dnnlib.tflib.network.Network"
        network = tensorflow_network(variables, facts["static_kwargs"], path=path, **components)
        (tmp_path / "g.pkl").write_bytes(tensorflow_pickle(network, path=path, protocol=protocol))
        assert check_parity(load_generator(tmp_path / "g.pkl"), golden) >= 3


def state_of(name):
    """The state dict that a golden file holds."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        return {key[6:]: torch.from_numpy(golden[key]) for key in golden if key.startswith("state/")}


def save(value, path, legacy=False):
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["genforce_stylegan32", "genforce_stylegan2_32"])
def test_parity_through_genforce_files(tmp_path, name, legacy):
    state = state_of(name)
    others = {key: tensor + 1 for key, tensor in state.items()}
    path = save({"generator": others, "discriminator": {}, "generator_smooth": state}, tmp_path / "g.pth", legacy)
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        assert check_parity(load_generator(path), golden) >= 3


def loaded_state(name, part):
    """The tensors of one of our golden files, as torch itself reads them."""
    with stand_in_classes("models.utils.config.BaseConfig"):
        torch.serialization.add_safe_globals([sys.modules["models.utils.config"].BaseConfig])
        try:
            return torch.load(GOLDEN / name, weights_only=True)[part]
        finally:
            torch.serialization.clear_safe_globals()


def same_pictures(first, second):
    z = sample_z(first, 2, seed=0)
    return torch.equal(first.synthesis(first.mapping(z)), second.synthesis(second.mapping(z)))


@pytest.mark.parametrize(
    ("name", "part", "wrap"),
    [
        ("rosinality_32.pt", "g_ema", lambda state: {"g_ema": state, "g": {}, "d": {}, "g_optim": {"step": 3}}),
        ("rosinality_32.pt", "g_ema", lambda state: state),
        ("sefa_pggan_32.pth", "generator_smooth", lambda state: {"generator": state}),
        ("sefa_pggan_32.pth", "generator_smooth", lambda state: state),
        ("ganzoo_pgan_32.pth", "avgG", lambda state: {"netG": state, "config": {"alpha": 0.0}}),
    ],
)
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_variants_of_files_give_the_same_pictures(tmp_path, name, part, wrap, parallel, legacy):
    state = loaded_state(name, part)
    if parallel:
        state = {f"module.{key}": tensor for key, tensor in state.items()}
    assert same_pictures(load_generator(GOLDEN / name), load_generator(save(wrap(state), tmp_path / "g.bin", legacy)))


@pytest.mark.parametrize("name", ["genforce_stylegan32", "genforce_stylegan2_32"])
def test_networks_in_the_training_checkpoints_of_genforce(tmp_path, name):
    state = state_of(name)
    others = {key: tensor + 1 for key, tensor in state.items()}
    networks = {"discriminator": {"layer0.weight": torch.ones(1)}, "generator": others, "generator_smooth": state}
    value = {"models": networks, "optimizers": {"generator": {"step": 3}}, "running_stats": {}, "batch_size": 4}
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        assert check_parity(load_generator(save(value, tmp_path / "g.pth")), golden) >= 3


@pytest.mark.parametrize("rows", [0, 1, 8])
@pytest.mark.parametrize("prefix", ["decoder.", "module.decoder.", "net.generator."])
def test_generators_inside_of_encoders(tmp_path, prefix, rows):
    """pSp, e4e and their like; their mean style stands alone, or once for every layer."""
    expected = load_generator(GOLDEN / "rosinality_32.pt")
    state = loaded_state("rosinality_32.pt", "g_ema")
    average = expected.w_avg.expand(rows, -1) if rows else expected.w_avg
    encoder = {
        "encoder.input_layer.0.weight": torch.ones(2, 3, 1, 1),
        "encoder.styles.0.linear.weight": torch.ones(2, 2),
    }
    value = {
        "state_dict": encoder | {prefix + key: tensor for key, tensor in state.items()},
        "latent_avg": average,
        "opts": {"output_size": 32, "encoder_type": "Encoder4Editing"},
    }
    loaded = load_generator(save(value, tmp_path / "e4e.pt"))
    assert same_pictures(expected, loaded) and torch.equal(loaded.w_avg, expected.w_avg)
    assert read_checkpoint(tmp_path / "e4e.pt").format == "rosinality"


def test_a_mean_style_that_differs_between_layers_is_refused(tmp_path):
    state = loaded_state("rosinality_32.pt", "g_ema")
    value = {"g_ema": state, "latent_avg": torch.randn(8, len(state["style.1.bias"]))}
    with pytest.raises(GanwalkError, match="its latent_avg differs between layers"):
        load_generator(save(value, tmp_path / "g.pt"))


def test_the_average_of_a_training_is_taken_wherever_it_lies(tmp_path):
    state = loaded_state("rosinality_32.pt", "g_ema")
    trained = {key: tensor + 1 for key, tensor in state.items()}
    expected = load_generator(save({"g_ema": state}, tmp_path / "a.pt"))
    flat = {f"g.{key}": tensor for key, tensor in trained.items()} | {f"g_ema.{k}": t for k, t in state.items()}
    for value in ({"g": trained, "g_ema": state}, {"generator": trained, "netG_EMA": state}, {"state_dict": flat}):
        assert same_pictures(expected, load_generator(save(value, tmp_path / "b.pt")))


def test_a_missing_average_is_estimated(tmp_path):
    state = loaded_state("rosinality_32.pt", "g_ema")
    generator = load_generator(save({"g_ema": state}, tmp_path / "g.pt"))
    with torch.no_grad():
        average = generator.mapping(torch.randn(20_000, generator.z_dim))[:, 0].mean(dim=0)
    spread = generator.mapping(sample_z(generator, 1000, seed=5))[:, 0].std(dim=0)
    assert ((generator.w_avg - average).abs() < 0.1 * spread).all()
    assert torch.equal(generator.w_avg, load_generator(tmp_path / "g.pt").w_avg)


def test_options_of_gan_zoo(tmp_path):
    state = loaded_state("ganzoo_pgan_32.pth", "avgG")
    config = {"alpha": 0.25, "leakyReluLeak": 0.1, "perChannelNormalization": False, "lossCriterion": "DCGAN"}
    generator = load_generator(save({"config": {**config, "categoryVectorDim": 8}, "avgG": state}, tmp_path / "g.pth"))
    found = generator.config
    assert (found.lod, found.slope, found.pixel_norm, found.normalize_latents) == (0.25, 0.1, False, False)
    assert (found.tanh, found.z_dim, found.c_dim) == (True, 32, 8)
    with torch.no_grad():
        images = generator(torch.randn(2, 32), torch.eye(8)[:2])
    assert images.abs().max() <= 1


@pytest.mark.parametrize("blur", [[1.0, 2.0, 1.0], [1.0, 3.0, 3.0, 1.0], [1.0, 2.0, 3.0]])
def test_other_filters_of_rosinality_are_read(tmp_path, blur):
    state = loaded_state("rosinality_32.pt", "g_ema")
    taps = torch.tensor(blur)
    for name in [name for name in state if name.endswith(".kernel")]:
        state[name] = torch.outer(taps, taps) / taps.sum() ** 2 * 4
    generator = load_generator(save({"g_ema": state}, tmp_path / "g.pt"))
    assert generator.config.resample_filter == tuple(blur) and generator.config.resample_columns is None
    state[name] = state[name] + torch.eye(len(blur))
    with pytest.raises(GanwalkError, match=r"filter .* differs from the others"):
        load_generator(save({"g_ema": state}, tmp_path / "g.pt"))
    for other in [other for other in state if other.endswith(".kernel")]:
        state[other] = torch.outer(taps, taps) / taps.sum() ** 2
    with pytest.raises(GanwalkError, match=r"filter .* sums to 1, not 4"):
        load_generator(save({"g_ema": state}, tmp_path / "g.pt"))


def test_filters_that_are_no_outer_product(tmp_path):
    state = loaded_state("rosinality_32.pt", "g_ema")
    kernel = torch.tensor([[1.0, 2.0, 1.0], [0.0, 4.0, 5.0]])
    for name in [name for name in state if name.endswith(".kernel")]:
        state[name] = kernel / kernel.sum() * 4
    config = load_generator(save({"g_ema": state}, tmp_path / "g.pt")).config
    assert (config.resample_filter, config.resample_columns) == ((1.0, 2.0, 1.0, 0.0, 4.0, 5.0), 3)


NAMED = {
    "rosinality_32.pt": ("g_ema", "convs.1.activate.bias", r"synthesis\.b8\.conv1\.bias"),
    "sefa_pggan_32.pth": ("generator_smooth", "layer3.bias", r"layer3\.bias"),
    "ganzoo_pgan_32.pth": ("avgG", "scaleLayers.0.1.module.bias", r"layer3\.bias"),
}


@pytest.mark.parametrize("name", NAMED)
def test_tensors_that_do_not_fit_are_named(tmp_path, name):
    part, key, ours = NAMED[name]
    state = loaded_state(name, part)

    def load(**changes):
        changed = {**state, **changes}
        return load_generator(save({part: {k: v for k, v in changed.items() if v is not None}}, tmp_path / "g"))

    with pytest.raises(GanwalkError, match=f"lacks the tensor {ours}"):
        load(**{key: None})
    with pytest.raises(GanwalkError, match=rf"tensor {ours} has the shape \(3,\), expected"):
        load(**{key: torch.ones(3)})
    with pytest.raises(GanwalkError, match=f"{ours} holds values that are not finite"):
        load(**{key: torch.full_like(state[key], torch.nan)})
    with pytest.raises(GanwalkError, match="no place for"):
        load(surplus=torch.ones(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonlinearity": "relu"}, "option nonlinearity is 'relu', not 'lrelu'"),
        ({"use_wscale": False}, "option use_wscale"),
        ({"mapping_lrmul": "x"}, "option mapping_lrmul should be a number"),
        ({"architecture": "unet"}, "unknown StyleGAN2 architecture"),
        ({"conv_clamp": -1.0}, "must be positive"),
    ],
)
def test_options_that_compute_something_else_are_refused(tmp_path, options, message):
    with pytest.raises(GanwalkError, match=message):
        load_tensorflow(tmp_path / "g.pkl", stylegan2_variables(), options)


def stylegan2_variables():
    with np.load(GOLDEN / "tf_stylegan2_32.npz", allow_pickle=False) as golden:
        return {key[6:]: golden[key] for key in golden if key.startswith("tfvar/")}


def load_tensorflow(path, variables, options=None):
    network = tensorflow_network(variables, options or {}, mapping="G_mapping", synthesis="G_synthesis")
    path.write_bytes(tensorflow_pickle(network))
    return load_generator(path)


def test_grown_configurations_of_stylegan2(tmp_path):
    variables = stylegan2_variables()
    last = {name: array for name, array in variables.items() if "/ToRGB/" not in name or "/32x32/" in name}
    plain = load_tensorflow(tmp_path / "e.pkl", last, {"architecture": "orig", "resample_kernel": [1, 3, 3, 1]})
    renamed = {}
    for name, array in variables.items():
        size, _, rest = name.removeprefix("synthesis/").partition("/ToRGB/")
        lod = {"4x4": 3, "8x8": 2, "16x16": 1, "32x32": 0}.get(size)
        renamed[f"synthesis/ToRGB_lod{lod}/{rest}" if rest else name] = array
    grown = load_tensorflow(tmp_path / "b.pkl", renamed)
    assert grown.config == plain.config and same_pictures(plain, grown)
    with pytest.raises(GanwalkError, match=r"level of detail 0\.5"):
        load_tensorflow(tmp_path / "b.pkl", renamed | {"lod": np.float32(0.5)})


def test_the_filter_of_a_tensorflow_snapshot_is_read(tmp_path):
    generator = load_tensorflow(tmp_path / "g.pkl", stylegan2_variables(), {"resample_kernel": [1, 2, 1]})
    assert generator.config.resample_filter == (1.0, 2.0, 1.0)
    kernel = [[1, 2, 1], [0, 4, 5]]
    found = load_tensorflow(tmp_path / "g.pkl", stylegan2_variables(), {"resample_kernel": kernel}).config
    assert (found.resample_filter, found.resample_columns) == ((1.0, 2.0, 1.0, 0.0, 4.0, 5.0), 3)
    for damaged in ([], ["x"], [[1, 2], [3]], [1] * 40, "x"):
        with pytest.raises(GanwalkError, match="resample_kernel is no filter"):
            load_tensorflow(tmp_path / "g.pkl", stylegan2_variables(), {"resample_kernel": damaged})


def test_filters_of_genforce_that_are_not_symmetric_are_refused(tmp_path):
    state = state_of("genforce_stylegan2_32")
    taps = torch.tensor([1.0, 2.0, 3.0, 4.0])
    for name in [name for name in state if name.endswith(".kernel")]:
        state[name] = (torch.outer(taps, taps) / taps.sum() ** 2 * 4)[None, None]
    with pytest.raises(GanwalkError, match="is not symmetric, and genforce does not flip it"):
        load_generator(save({"generator_smooth": state}, tmp_path / "g.pth"))


def test_label_concat_of_the_first_stylegan2(tmp_path):
    variables = stylegan2_variables()
    rng = np.random.default_rng(0)
    label = rng.standard_normal((5, 8)).astype(np.float32)
    dense = rng.standard_normal((40, 32)).astype(np.float32)
    variables |= {"mapping/LabelConcat/weight": label, "mapping/Dense0/weight": dense}
    generator = load_tensorflow(tmp_path / "g.pkl", variables)
    z, c = torch.randn(3, 32), torch.eye(5)[:3]
    assert (generator.z_dim, generator.c_dim) == (32, 5)
    x = torch.cat([z, torch.from_numpy(label)[:3]], dim=1)
    x = x / x.square().mean(dim=1, keepdim=True).sqrt()
    for i in range(2):
        weight, bias = (torch.from_numpy(variables[f"mapping/Dense{i}/{kind}"]) for kind in ("weight", "bias"))
        x = torch.nn.functional.leaky_relu(x @ weight * (0.01 / len(weight) ** 0.5) + bias * 0.01, 0.2) * 2**0.5
    assert torch.allclose(generator.mapping(z, c)[:, 0], x, rtol=1e-4, atol=1e-6)


def test_theano_and_other_networks_are_named(tmp_path):
    def load(value, **options):
        (tmp_path / "g.pkl").write_bytes(tensorflow_pickle(value, **options))
        return load_generator(tmp_path / "g.pkl")

    network = tensorflow_network({}, {}, path="network.Network")
    del network.state["version"]
    with pytest.raises(GanwalkError, match="Theano"):
        load(network, path="network.Network")
    with pytest.raises(GanwalkError, match="none of ProGAN, StyleGAN and StyleGAN2"):
        load(tensorflow_network({"conv/weight": np.ones((1, 2), np.float32)}, {}))


@pytest.mark.parametrize("name", FILES)
def test_conversion_keeps_every_picture(tmp_path, name):
    checkpoint = read_checkpoint(GOLDEN / name)
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors", source=name)
    before, after = load_generator(GOLDEN / name), load_generator(tmp_path / "g.safetensors")
    assert same_pictures(before, after) and before.config == after.config
    facts = describe(tmp_path / "g.safetensors")
    assert facts["resolution"] == before.resolution and facts["layers"] == before.num_layers


def test_training_state_beside_the_generator_is_not_read(tmp_path, monkeypatch):
    from ganwalk.inert import torch_reader

    read = []
    whole = torch_reader._read_entry

    def counted(path, entry, first, last):
        read.append(last - first)
        return whole(path, entry, first, last)

    monkeypatch.setattr(torch_reader, "_read_entry", counted)
    state = loaded_state("rosinality_32.pt", "g_ema")
    path = save({"g_ema": state, "d": {"weight": torch.zeros(5_000_000)}, "args": io.BytesIO}, tmp_path / "g.pt")
    load_generator(path)
    assert sum(read) < 2_000_000 < path.stat().st_size
