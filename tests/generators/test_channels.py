"""Channel styles, the space S: their synthesis is that of the styles they come from, and channels are directions."""

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, walk
from ganwalk.discovery.subspace import latent_scales
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.channels import space_dim, style_matrix
from ganwalk.generators.stylegan1 import StyleGAN1, StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, published_config
from ganwalk.interchange.channels import channel_directions, parse_channels
from ganwalk.samples import DrawnSamples

SMALL = {"z_dim": 6, "w_dim": 6, "mapping_layers": 2}
# Layer and channels of each affine layer: StyleGAN has scales and shifts, StyleGAN3 begins with a rotation and a shift.
GENERATORS = {
    "stylegan": (
        lambda: StyleGAN1(StyleGAN1Config(16, (8, 8, 4), **SMALL)),
        ((0, 16), (1, 16), (2, 16), (3, 16), (4, 8), (5, 8)),
    ),
    "stylegan2": (
        lambda: StyleGAN2(StyleGAN2Config(16, channel_base=64, channel_max=8, **SMALL)),
        ((0, 8), (1, 8), (1, 8), (2, 8), (3, 8), (3, 8), (4, 4), (5, 4)),
    ),
    "stylegan2, resnet": (
        lambda: StyleGAN2(StyleGAN2Config(16, channel_base=64, channel_max=8, architecture="resnet", **SMALL)),
        ((0, 8), (1, 8), (2, 8), (3, 8), (4, 4), (5, 4)),
    ),
    "stylegan3": (
        lambda: StyleGAN3(published_config(16, channel_max=4, layers=3, filter_size=2, margin=2, **SMALL)),
        ((0, 4), (1, 4), (2, 4), (3, 4), (4, 4)),
    ),
}


def made(name):
    torch.manual_seed(0)
    generator = GENERATORS[name][0]().eval().requires_grad_(False)
    for key, tensor in generator.named_parameters():
        if key.endswith("affine.weight"):
            tensor.normal_()
    generator.identity = GeneratorIdentity("small", "0" * 64, name.split(",")[0], 16)
    return generator


@pytest.mark.parametrize("name", GENERATORS)
def test_channel_styles_make_what_styles_make(name):
    generator = made(name)
    assert generator.style_channels == GENERATORS[name][1]
    w = generator.mapping(sample_z(generator, 3, 0)) + 0.1 * torch.randn(3, generator.num_layers, 6)
    s = generator.channel_styles(w)
    assert s.shape == (3, 1, space_dim(generator, "s"))
    for options in ({}, {"until": 0}, {"until": 2}, {"noise": "random", "seed": 3}):
        assert torch.equal(generator.synthesis(s, **options), generator.synthesis(w, **options))
    leaf = s.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(generator.synthesis(leaf).square().sum(), leaf)
    assert torch.isfinite(gradient).all() and gradient.any()
    with pytest.raises(GanwalkError, match="expected \\(n, 1"):
        generator.synthesis(s[:, :, :-1])
    step = torch.randn(6)
    moved = generator.channel_styles(w + step) - s
    assert torch.allclose(moved, (style_matrix(generator).float() @ step).expand_as(moved), atol=1e-4)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_channel_is_a_direction_as_wide_as_samples_spread(name, tmp_path):
    generator = made(name)
    total, (layer, count) = len(generator.style_channels), generator.style_channels[2]
    chosen = [(2, count - 1), (total - 1, 0)]
    directions = channel_directions(generator, chosen)
    directions.check(generator)
    at = sum(channels for _, channels in generator.style_channels[:2]) + count - 1
    assert directions.vectors[0].nonzero().tolist() == [[at]]
    assert directions.layers_of(0) == (layer, layer) and directions.labels[0].name == f"channel 2-{count - 1}"
    spread = generator.channel_styles(generator.mapping(sample_z(generator, 4000, 1)))[:, 0].std(dim=0)
    assert torch.allclose(directions.scales[0], spread[at], rtol=0.1)
    # What one style makes of all channels together, or each of them by itself.
    rows = torch.nn.functional.normalize(torch.randn(2, len(spread)), dim=1)
    apart = (rows.square() @ spread.square()).sqrt()
    assert (latent_scales(generator, "s", rows) > 0.9 * apart).all()
    directions.save(tmp_path / "s.safetensors")
    loaded = Directions.load(tmp_path / "s.safetensors")
    assert loaded.channels == directions.channels and loaded.fingerprint() == directions.fingerprint()
    samples = DrawnSamples((1, 2), truncation_psi=0.8)
    path = walk(generator, directions, [Move(0, 2.0)], samples, torch.tensor([0.0, 1.0]))
    unmoved = generator.channel_styles(samples.styles(generator))
    assert torch.equal(path[:, 0], unmoved)
    assert torch.allclose(path[:, 1] - unmoved, 2 * directions.scales[0] * directions.vectors[0], atol=1e-5)
    elsewhere = [Move(0, 2.0, (layer + 1, layer + 1))]
    assert torch.equal(walk(generator, directions, elsewhere, samples, torch.tensor([1.0]))[:, 0], unmoved)
    other = made("stylegan2" if name != "stylegan2" else "stylegan3")
    with pytest.raises(GanwalkError, match="for other channels"):
        directions.check(other)


def test_channels_are_named_as_stylespace_does(toy, blobs):
    assert parse_channels("9:409, 12:479") == [(9, 409), (12, 479)]
    for text in ("9", "9:", "9:1:2", "9:409,9:409", "-1:3"):
        with pytest.raises(GanwalkError):
            parse_channels(text)
    for chosen, message in (((8, 0), "layers 0 to 7"), ((0, 8), "channels 0 to 7")):
        with pytest.raises(GanwalkError, match=message):
            channel_directions(toy, [chosen])
    with pytest.raises(GanwalkError, match="StyleGAN3 have channel styles"):
        channel_directions(blobs, [(0, 0)])
