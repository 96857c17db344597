"""A generator whose changes can be worked out by hand."""

import torch
from torch import nn

from ganwalk.generators.base import GeneratorIdentity, broadcast_styles


class Planes(nn.Module):
    """Four latent dimensions: two light a half of the picture each, the third does nothing, the fourth lights by its
    square, which also multiplies the first half.
    """

    style_based = False
    z_dim = w_dim = 4
    c_dim = 0
    num_layers = 1
    resolution = 8
    img_channels = 1
    layer_resolutions = (8,)
    identity = GeneratorIdentity("planes", "0" * 64, "planes", 8)

    def __init__(self):
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(4))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return z.unsqueeze(1) * truncation_psi

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        left, right, _, square = broadcast_styles(w, 1, 4)[:, 0, :, None, None, None].unbind(1)
        upper = torch.zeros(1, 1, 8, 8)
        upper[:, :, 2:6, 4:] = 1
        halves = torch.zeros(2, 1, 8, 8)
        halves[0, :, :, :4] = 1
        halves[1, :, :, 4:] = 1
        return 0.2 * (left * (1 + square) * halves[0] + right * halves[1] + square.square() * upper)
