"""Previews: small pictures that resemble the whole ones, from generators that can stop early."""

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.generators.preview import _margin, fit_preview
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, published_config


def explained(preview, generator, z):
    """Share of the variance of small whole pictures that previews explain."""
    with torch.no_grad():
        w = generator.mapping(z)
        truth = adaptive_avg_pool2d(generator.synthesis(w), preview.resolution)
        rest = preview.synthesis(preview.mapping(z)) - truth
    return float(1 - rest.square().mean() / (truth - truth.mean(dim=(0, 2, 3), keepdim=True)).square().mean())


def test_previews_resemble_unseen_pictures_also_far_from_the_middle():
    scenes = load_generator("scenes")
    heard = []
    preview = fit_preview(scenes, on_progress=lambda done, total: heard.append((done, total)))
    assert preview.resolution == 32 and heard == [(k, 6) for k in range(1, 7)]
    z = torch.cat([sample_z(scenes, 1, seed) for seed in range(1000, 1020)])
    assert explained(preview, scenes, z) > 0.8
    assert explained(preview, scenes, 1.5 * z) > 0.7
    assert preview.fit == pytest.approx(explained(preview, scenes, z), abs=0.15)
    # What is fitted counts: other weights are no previews.
    shuffled = type(preview)(scenes, preview.layer, preview.weights.flip(1), preview.image_size, 0.0)
    assert explained(shuffled, scenes, z) < 0.5


def test_maps_with_margins_are_cut_to_the_image():
    assert _margin((36, 36, 52, 84, 148, 148, 128, 128)) == 10
    assert _margin((4, 4, 8, 8, 16)) == 0 and _margin((16,)) == 0 and _margin((4, 8, 16)) == 0
    torch.manual_seed(0)
    config = published_config(64, z_dim=6, w_dim=8, channel_base=512, channel_max=16, layers=6, margin=5, kernel=1)
    generator = StyleGAN3(config).eval().requires_grad_(False)
    preview = fit_preview(generator, samples=8)
    assert generator.layer_resolutions[preview.layer] == preview.resolution + 10
    z = torch.cat([sample_z(generator, 1, seed) for seed in range(50, 58)])
    # With kernels of one pixel, nothing moves on the way: cut anywhere else, the map tells less of the picture.
    errors = [_linear_error(generator, preview, z, offset) for offset in (-2, 0, 2)]
    assert errors[1] < 0.95 * min(errors[0], errors[2])


def _linear_error(generator, preview, z, offset):
    """Error of the best linear reading of small pictures from a layer's map, cut `offset` pixels off its middle."""
    with torch.no_grad():
        w = generator.mapping(z)
        maps = generator.synthesis(w, until=preview.layer)
        truth = adaptive_avg_pool2d(generator.synthesis(w), preview.resolution)
    start = (maps.shape[-1] - preview.resolution) // 2 + offset
    cut = maps[..., start : start + preview.resolution, start : start + preview.resolution]
    x = torch.nn.functional.pad(cut.permute(0, 2, 3, 1).flatten(0, 2), (0, 1), value=1.0).double()
    y = truth.permute(0, 2, 3, 1).flatten(0, 2).double()
    return float((x @ torch.linalg.lstsq(x, y).solution - y).square().mean())


def test_generators_without_early_layers_have_none(toy):
    assert fit_preview(load_generator("blobs")) is None
    preview = fit_preview(toy)
    assert preview.resolution == 8
    with pytest.raises(GanwalkError, match="no layers"):
        preview.synthesis(toy.mapping(sample_z(toy, 1, 0)), until=0)


def test_classes_are_no_obstacle():
    torch.manual_seed(0)
    config = StyleGAN2Config(
        img_resolution=32, z_dim=8, w_dim=12, c_dim=3, mapping_layers=2, channel_base=256, channel_max=8
    )
    preview = fit_preview(StyleGAN2(config).eval().requires_grad_(False))
    assert preview.c_dim == 3 and preview.num_layers == preview.generator.num_layers
    label = torch.eye(3)[:1]
    assert preview.synthesis(preview.mapping(torch.randn(1, 8), label)).shape == (1, 3, 16, 16)
