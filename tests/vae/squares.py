"""A tiny data set for tests, a bright square at one of 8 × 8 places in one of 3 shades, and a model that knows it."""

import numpy as np
import torch

from vae.data.base import grid_positions
from vae.models import VAE, ModelConfig


class Squares:
    """Images of 32 px, one channel, rendered when they are asked for."""

    name = "squares"
    resolution = 32
    factor_names = ("x", "y", "shade")
    factor_sizes = (8, 8, 3)

    def __init__(self, channels=1):
        self.channels = channels

    def __len__(self):
        return 8 * 8 * 3

    def images(self, indices):
        images = np.zeros((len(indices), 32, 32, self.channels), np.uint8)
        for image, (x, y, shade) in zip(images, self.factors(indices), strict=True):
            image[2 + 3 * y : 8 + 3 * y, 2 + 3 * x : 8 + 3 * x] = 85 * (shade + 1)
        return images

    def factors(self, indices):
        return grid_positions(indices, self.factor_sizes)

    def draw(self, n, rng):
        return rng.integers(len(self), size=n)


class Reader(VAE):
    """Reads the factors off images of `Squares` as its codes, mixed by a matrix, and paints them again."""

    def __init__(self, mixing=None):
        super().__init__(ModelConfig(32, 1, z_dim=3, hidden=8))
        self.mixing = torch.eye(3) if mixing is None else torch.as_tensor(mixing, dtype=torch.float32)

    def encode(self, images):
        lit = images[:, 0] > 0
        x = lit.any(dim=1).float().argmax(dim=1)
        y = lit.any(dim=2).float().argmax(dim=1)
        shade = images.amax(dim=(1, 2, 3)) * 3 - 1
        factors = torch.stack([(x - 2) / 3, (y - 2) / 3, shade], dim=1)
        means = (factors - torch.tensor([3.5, 3.5, 1.0])) @ self.mixing.T
        return means, torch.zeros_like(means)

    def decode(self, z):
        factors = (z @ torch.linalg.inv(self.mixing).T + torch.tensor([3.5, 3.5, 1.0])).round().long().numpy()
        indices = np.ravel_multi_index(tuple(factors.T), Squares.factor_sizes)
        images = torch.from_numpy(Squares().images(indices)).permute(0, 3, 1, 2).float() / 255
        return torch.logit(images, eps=1e-6)
