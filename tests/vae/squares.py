"""A tiny data set for tests: a bright square at one of 8 × 8 places in one of 3 shades."""

import numpy as np

from vae.data.base import grid_positions


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
