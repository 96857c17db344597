"""Networks whose pictures are not square: parity through the files of forks, features, bands, what is refused."""

import json
from dataclasses import asdict, replace

import imageio.v3
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators import stylegan2
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.configs import from_json
from ganwalk.generators.loading import describe, load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, StyleGAN3Config, published_config
from tests.generators.golden import GOLDEN, close, numbers
from tests.generators.protocol import lacking
from tests.generators.snapshots import snapshot

pytestmark = pytest.mark.usefixtures("canary")
# Height and width of the images, and of those after each layer the larger sides.
FILES = {
    "sghuman_v2_32x16": ((32, 16), (4, 8, 8, 16, 16, 32, 32, 32)),
    "sghuman_v3_32x16": ((32, 16), (36, 36, 36, 52, 52, 52, 32, 32)),
    "eps696_24x40": ((24, 40), (5, 10, 10, 20, 20, 40, 40, 40)),
}


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_parity_through_files(name, gradient):
    golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pkl")
    assert not lacking(generator, True) and (generator.image_size, generator.layer_resolutions) == FILES[name]
    assert generator.resolution == max(generator.image_size) == generator.identity.resolution
    assert generator.identity.image_size == "{}×{}".format(*generator.image_size)
    z = golden["input/z"]
    with torch.set_grad_enabled(gradient):
        w = generator.mapping(z).requires_grad_(gradient)
        calls = {
            "w": lambda: w,
            "w_trunc0.7": lambda: generator.mapping(z, truncation_psi=0.7),
            "w_trunc0.5_cutoff2": lambda: generator.mapping(z, truncation_psi=0.5, truncation_cutoff=2),
            "img": lambda: generator.synthesis(w),
            "img_none": lambda: generator.synthesis(w, noise="none"),
            "img_trunc0.7": lambda: generator(z, truncation_psi=0.7),
            "img_ws_mixed": lambda: generator.synthesis(golden["input/ws_mixed"]),
        }
        outputs = [key.removeprefix("output/") for key in golden if key.startswith("output/")]
        assert len(outputs) >= 6
        for key in outputs:
            assert close(calls[key](), golden[f"output/{key}"]), key
        if gradient:
            (slope,) = torch.autograd.grad(generator.synthesis(w).square().sum(), w)
            assert slope.isfinite().all() and slope.abs().sum() > 0


@pytest.mark.parametrize("name", FILES)
def test_features_after_every_layer(name):
    golden, generator = numbers(name), load_generator(GOLDEN / f"{name}.pkl")
    if isinstance(generator, StyleGAN3):
        layers = [key.removeprefix("debug/") for key in golden if key.startswith("debug/")]
        assert len(layers) == generator.num_layers
        official = dict(enumerate(layers[:-1]))
    else:
        official = {2 * k: f"b{4 * 2**k}.x" for k in range(4)}
    for index, layer in official.items():
        features = generator.synthesis(golden["input/ws_mixed"], until=index)
        assert max(features.shape[2:]) == generator.layer_resolutions[index]
        assert close(features[:1, :2], golden[f"debug/{layer}"]), layer


@pytest.mark.parametrize("name", FILES)
def test_conversion_keeps_every_picture(tmp_path, name):
    checkpoint = read_checkpoint(GOLDEN / f"{name}.pkl")
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors")
    before, after = load_generator(GOLDEN / f"{name}.pkl"), load_generator(tmp_path / "g.safetensors")
    z = sample_z(before, 2, seed=0)
    assert torch.equal(before(z), after(z)) and after.identity.image_size == before.identity.image_size
    assert tuple(describe(tmp_path / "g.safetensors")["image_size"]) == before.image_size


def test_bands_of_wide_and_high_pictures_give_the_same_images(monkeypatch):
    for size in ((3, 5), (6, 2)):
        torch.manual_seed(0)
        config = StyleGAN2Config(64, z_dim=6, w_dim=6, mapping_layers=1, channel_base=8192, channel_max=128)
        generator = StyleGAN2(replace(config, first_size=size)).eval().requires_grad_(False)
        w = generator.mapping(sample_z(generator, 2, seed=0))
        whole = generator.synthesis(w)
        assert whole.shape[2:] == (16 * size[0], 16 * size[1])
        monkeypatch.setattr(stylegan2, "_LARGE_MAP", 2**12)
        monkeypatch.setattr(stylegan2, "_BAND", 2**14)
        monkeypatch.setattr(stylegan2, "_WINOGRAD_PIXELS", 1)
        assert torch.allclose(generator.synthesis(w), whole, atol=1e-4 * float(whole.abs().max()))
        monkeypatch.undo()


@pytest.mark.parametrize("size", [(4, 2), (3, 5)])
def test_rosinalitys_layout_of_such_a_network(tmp_path, size):
    """Editing scripts convert StyleGAN-Human in memory to it."""
    from tests.generators.test_formats import loaded_state

    state = loaded_state("rosinality_32.pt", "g_ema")
    state["input.input"] = state["input.input"][..., : size[0], :2].repeat(1, 1, 1, 3)[..., : size[1]]
    for name in [name for name in state if name.startswith("noises.")]:
        side = state[name].shape[-1]
        state[name] = torch.randn(1, 1, side * size[0] // 4, side * size[1] // 4)
    torch.save({"g_ema": state}, tmp_path / "g.pt")
    generator = load_generator(tmp_path / "g.pt")
    assert generator.image_size == (8 * size[0], 8 * size[1])
    assert generator(sample_z(generator, 1, seed=0)).shape[2:] == generator.image_size


@pytest.mark.parametrize("size", [(16, 8), (8, 16)])
def test_fourier_features_keep_the_pixels_square(size):
    """The waves of a narrow network are the middle columns of a square one's."""
    config = published_config(16, channel_base=128, channel_max=8, layers=4, margin=2, z_dim=6, w_dim=8)
    heights, widths = (tuple(n * side // 16 for n in config.sizes) for side in size)
    narrow = StyleGAN3(replace(config, sizes=heights, widths=widths)).eval().requires_grad_(False)
    whole = StyleGAN3(config).eval().requires_grad_(False)
    for ours, theirs in zip(narrow.synthesis.children(), whole.synthesis.children(), strict=True):
        ours.load_state_dict(theirs.state_dict())
    w = torch.randn(1, narrow.num_layers, 8)
    features, square = narrow.synthesis(w, until=0), whole.synthesis(w, until=0)
    top, left = ((a - b) // 2 for a, b in zip(square.shape[2:], features.shape[2:], strict=True))
    part = square[..., top : top + features.shape[2], left : left + features.shape[3]]
    assert torch.allclose(features, part, atol=1e-5) and narrow(torch.randn(1, 6)).shape[2:] == size


def test_configurations_survive_json():
    for name, kind in (("sghuman_v3_32x16", StyleGAN3Config), ("eps696_24x40", StyleGAN2Config)):
        config = read_checkpoint(GOLDEN / f"{name}.pkl").config
        assert from_json(kind, json.loads(json.dumps(asdict(config)))) == config


def test_noise_that_does_not_double_the_first_map_is_refused(tmp_path):
    torch.manual_seed(0)
    config = StyleGAN2Config(16, z_dim=6, w_dim=6, mapping_layers=1, channel_base=128, channel_max=8)

    def narrow(tensors):
        tensors["synthesis.b4.const"] = tensors["synthesis.b4.const"][..., :2]

    (tmp_path / "g.pkl").write_bytes(snapshot(StyleGAN2(config), narrow))
    with pytest.raises(GanwalkError, match=r"only square|noise_const has the shape \(16, 16\), expected \(16, 8\)"):
        load_generator(tmp_path / "g.pkl")


@pytest.mark.parametrize("size", [(0, 4), (4,), (4, 2**40), (4, 16384), (4.5, 4)])
def test_impossible_first_maps_are_refused(size):
    with pytest.raises(GanwalkError):
        StyleGAN2Config(1024, first_size=size)


@pytest.mark.parametrize("widths", [(22,), (22, 22, 22, 5000, 16, 16), (22, 22, 22, 22, 16, 17), (0,) * 6])
def test_impossible_widths_are_refused(widths):
    config = published_config(16, channel_base=128, channel_max=8, layers=4, margin=3)
    with pytest.raises(GanwalkError):
        replace(config, widths=widths)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ""])
def test_animations_keep_the_proportions(tmp_path, run, suffix):
    out = tmp_path / f"moving{suffix}"
    given = ("-g", str(GOLDEN / "sghuman_v2_32x16.pkl"), "--seeds", "1,2", "--seconds", "0.2", "--size", "50")
    code, _, err = run("animate", *given, "--out", str(out), "-q")
    assert code == 0, err
    frame = imageio.v3.imread(next(out.iterdir()) if out.is_dir() else out, index=0)
    # 50 × 25, but that codecs ask for even sides.
    assert frame.shape[:2] == (50, 26)
