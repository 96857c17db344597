"""A small network, and searches of few steps, for tests of what is around them."""

import torch

from ganwalk.generators.base import GeneratorIdentity
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config


def make_toy():
    """A random StyleGAN2 of 16 px with z of 8 and w of 12 dimensions."""
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, mapping_layers=2, channel_base=128, channel_max=8)
    generator = StyleGAN2(config).eval().requires_grad_(False)
    generator.identity = GeneratorIdentity("toy", "0" * 64, "stylegan2", 16)
    return generator


def shorten_local(monkeypatch):
    """`--method local` from few derivatives and in few steps."""
    from ganwalk.discovery.local import overlap, search

    for module, name, value in ((search, "SAMPLES", 2), (search, "BASIS", 12), (overlap, "_STEPS", 5)):
        monkeypatch.setattr(module, name, value)


def shorten_student(monkeypatch):
    """Students that are small, fitted once, in few steps, and followed however little they explain."""
    from ganwalk.discovery.searches import on_student
    from ganwalk.discovery.student import fitting, search

    for module, name, value in ((fitting, "_STEPS", (60, 60)), (fitting, "_WIDTH", 48), (search, "_DOUBLINGS", 0)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(on_student, "USABLE", float("-inf"))
