"""What every family of networks owes: files, conversion, features, gradients, and the commands end to end."""

import shutil
from pathlib import Path

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.discovery import sefa
from ganwalk.discovery.view import View, default_layer
from ganwalk.errors import GanwalkError
from ganwalk.explore.sides import open_side
from ganwalk.explore.state import start_state
from ganwalk.explore.studio import Studio
from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import describe, load_generator
from tests.generators.protocol import lacking
from tests.generators.test_dcgan import tutorial

GOLDEN = Path(__file__).parents[1] / "golden"


def _dcgan(folder):
    torch.save({"netG": tutorial().state_dict()}, folder / "dcgan.pth")
    return folder / "dcgan.pth"


def _golden(*names):
    """Copies of golden files; the first is the one to read."""

    def copy(folder):
        for name in names:
            shutil.copyfile(GOLDEN / name, folder / Path(name).name)
        return folder / Path(names[0]).name

    return copy


# Format, architecture, and what writes or copies the file.
FAMILIES = {
    "dcgan": ("dcgan", "dcgan", _dcgan),
    "r3gan": ("r3gan", "r3gan", _golden("r3gan_uncond32.pkl")),
    "r3gan of classes": ("r3gan", "r3gan", _golden("r3gan_cond16_bf16.pkl")),
    "fastgan lite": ("projected-gan", "fastgan", _golden("projgan_fastgan_lite256.pkl")),
    "fastgan of classes": ("projected-gan", "fastgan", _golden("projgan_fastgan_cond128.pkl")),
    "lightweight": ("lightweight-gan", "lightweight-gan", _golden("lightweight_gan_256_sle.pt")),
    "lightweight with attention": ("lightweight-gan", "lightweight-gan", _golden("lightweight_gan_64_attn.pt")),
    "biggan": ("biggan-pytorch", "biggan", _golden("ajbrock_biggan64_shared_hier/G_ema.pth")),
    "biggan of its own norm": ("biggan-pytorch", "biggan", _golden("ajbrock_bigganmybn32/G_ema.pth")),
    "biggan-deep": (
        "huggingface-biggan",
        "biggan",
        _golden("hf_biggan_deep_32/pytorch_model.bin", "hf_biggan_deep_32/config.json"),
    ),
}


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path):
    """Format and architecture, and a file of the family."""
    kind, architecture, make = FAMILIES[request.param]
    return kind, architecture, make(tmp_path)


def labels(generator, n, seed=0):
    return sample_labels(generator, n, None, seed)


def test_files_are_told_apart_and_described(family):
    kind, architecture, path = family
    checkpoint = read_checkpoint(path)
    assert (checkpoint.format, checkpoint.architecture) == (kind, architecture)
    generator = load_generator(path)
    assert not lacking(generator, loaded=True)
    facts = describe(path)
    assert facts["layers"] == generator.num_layers == len(generator.layer_resolutions)
    assert facts["resolution"] == generator.resolution == generator.layer_resolutions[-1]
    assert facts["classes"] == generator.c_dim


def test_conversion_keeps_every_picture(family, tmp_path):
    _, _, path = family
    checkpoint = read_checkpoint(path)
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "native.safetensors", source=path.name)
    before, after = load_generator(path), load_generator(tmp_path / "native.safetensors")
    z, c = sample_z(before, 3, seed=0), labels(before, 3)
    images = before.synthesis(before.mapping(z, c))
    assert before.config == after.config and images.shape == (3, before.img_channels, *2 * (before.resolution,))
    assert torch.equal(images, after.synthesis(after.mapping(z, c)))


def test_features_after_every_layer(family):
    """Each has its size, and partial synthesis of the last layer is the image."""
    generator = load_generator(family[2])
    w = generator.mapping(sample_z(generator, 2, seed=0), labels(generator, 2))
    assert w.shape == (2, generator.num_layers, generator.w_dim)
    for layer, size in enumerate(generator.layer_resolutions):
        assert generator.synthesis(w, until=layer).shape[2:] == (size, size)
    assert torch.equal(generator.synthesis(w, until=generator.num_layers - 1), generator.synthesis(w))
    # What discovery compares: the image, or features that are small.
    compared = generator.layer_resolutions[default_layer(generator)]
    assert compared == (32 if generator.resolution > 128 else generator.resolution)
    with pytest.raises(GanwalkError, match=f"layer {generator.num_layers} does not exist"):
        generator.synthesis(w, until=generator.num_layers)


def test_gradients_are_those_of_differences(family):
    generator = load_generator(family[2]).double()
    c = labels(generator, 2)
    z = sample_z(generator, 2, seed=0).double().requires_grad_()
    step = 1e-6 * torch.randn(z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss(z, until):
        made = generator.synthesis(generator.mapping(z, c), until=until)
        weights = torch.randn(made.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        return (made * weights).sum()

    for until in (0, generator.num_layers // 2, None):
        (gradient,) = torch.autograd.grad(loss(z, until), z)
        assert gradient.isfinite().all() and gradient.abs().max() > 0
        with torch.no_grad():
            difference = loss(z + step, until) - loss(z - step, until)
        assert float(difference) == pytest.approx(float(2 * (gradient * step).sum()), rel=1e-4)


def test_closed_forms_by_what_the_code_meets_first(family):
    generator = load_generator(family[2])
    view = View("z", None, 0, "const", 1.0, None, chunk=4)
    n = min(3, generator.z_dim)
    found = sefa.find_directions(generator, view, n, seed=0)
    assert found.shape == (n, generator.z_dim)
    assert torch.allclose(found @ found.T, torch.eye(n, dtype=torch.float64), atol=1e-6)


def test_truncation_scales_codes_or_is_refused(family):
    generator = load_generator(family[2])
    z, c = sample_z(generator, 2, seed=0), labels(generator, 2)
    if generator.config.__class__.__name__ == "FastGANConfig":
        with pytest.raises(GanwalkError, match="truncation has no effect, drop it"):
            generator.mapping(z, c, truncation_psi=0.5)
        return
    whole, half = (generator.mapping(z, c, truncation_psi=psi)[:, 0] for psi in (1.0, 0.5))
    assert torch.equal(half[:, : generator.z_dim], 0.5 * z) and torch.equal(whole[:, : generator.z_dim], z)


def test_low_precision_is_near(family):
    """As discovery computes the features of large networks on processors that can."""
    generator = load_generator(family[2])
    z, c = sample_z(generator, 2, seed=0), labels(generator, 2)
    with torch.no_grad():
        w = generator.mapping(z, c)
        exact = generator.synthesis(w)
        with torch.autocast("cpu", torch.bfloat16):
            found = generator.synthesis(w).float()
    assert (found - exact).square().mean().sqrt() < 0.1 * exact.std()


FAST = ["--layer", "1", "--steps", "2", "--batch", "4", "--n-directions", "2", "--scored", "4", "-q"]


@pytest.mark.slow
def test_the_commands_go_the_whole_way(family, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("info", family[2])
    assert code == 0 and family[0] in out
    assert run("convert", family[2], "net.safetensors")[0] == 0
    generator = load_generator("net.safetensors")
    chosen = ["--class", "1"] if generator.c_dim else []
    code, out, err = run("discover", "-g", "net.safetensors", *FAST, *chosen, "--search", "direct", "--out", "d")
    assert code == 0, err
    directions = Directions.load("d/directions.safetensors")
    assert directions.space == "z" and directions.vectors.shape == (2, generator.z_dim)
    draw = ["render", "--directions", "d/directions.safetensors", "-d", 0, "--seeds", "1", "--steps", 3, "-o", "x.png"]
    code, _, err = run(*draw, "-q")
    assert code == 0 and Path("x.png").exists(), err
    path = Path("d/directions.safetensors")
    studio = Studio(generator, [open_side(path)])
    shown = studio.pictures(start_state(studio.directions, generator.c_dim))
    assert len(shown[0]) > 0
    assert all(picture.shape[:2] == 2 * (generator.resolution,) for pictures in shown for picture in pictures)
