"""A generator whose factors act in different places, with known axes that are oblique, and correlated latents."""

import torch
from torch import nn

from ganwalk.generators.base import GeneratorIdentity, broadcast_styles

FACTORS = 6


class Patches(nn.Module):
    """Six lights, each on a spot of its own; light i is tanh of coordinate i of u = P w, with rows of P that lean.

    A direction is right if it moves one u_i alone; those that do are not orthogonal. Neighbouring spots touch, and two
    of the eight dimensions do nothing. The mapping correlates the latents, and the lights differ in strength.

    Attributes:
        p: (6, d) rows.
    """

    style_based = True
    z_dim = w_dim = 8
    c_dim = 0
    num_layers = 1
    resolution = 32
    img_channels = 3
    layer_resolutions = (32,)
    identity = GeneratorIdentity("patches", "0" * 64, "patches", 32)

    def __init__(self, seed: int = 0):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        q = torch.linalg.qr(torch.randn(8, 8, generator=rng, dtype=torch.float64)).Q
        lean = torch.eye(8, dtype=torch.float64) + 0.25 * torch.randn(8, 8, generator=rng, dtype=torch.float64)
        p = lean @ q
        mixing = torch.eye(8, dtype=torch.float64) + 0.3 * torch.randn(8, 8, generator=rng, dtype=torch.float64)
        self.register_buffer("p", p[:FACTORS].float())
        self.register_buffer("mixing", mixing.float())
        self.register_buffer("w_avg", torch.zeros(8))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return (z @ self.mixing.T).unsqueeze(1) * truncation_psi

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        lights = torch.tanh(0.5 * broadcast_styles(w, 1, 8)[:, 0] @ self.p.T)
        ticks = (torch.arange(32, device=w.device, dtype=w.dtype) + 0.5) / 32 * 2 - 1
        image = torch.zeros(len(w), 3, 32, 32, device=w.device, dtype=w.dtype)
        for i in range(FACTORS):
            x, y = (-0.6, 0.0, 0.6)[i % 3], (-0.4, 0.4)[i // 3]
            spot = torch.exp(-((ticks[None, :] - x).square() + (ticks[:, None] - y).square()) / 0.06)
            tint = image.new_tensor([1.0, 0.3 + 0.1 * i, 0.9 - 0.1 * i]) * (0.9 - 0.08 * i)
            image = image + lights[:, i, None, None, None] * tint[:, None, None] * spot
        return image
