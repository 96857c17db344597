"""Coordinates in which latents are standard normal, or as wide: z itself, and w after its mean and covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.discovery.subspace import latent_subspace
from ganwalk.generators.base import Generator, broadcast_styles, device_of, sample_labels, sample_z, z_limit, z_variance

# Variance that every direction of w has at least, as a share of the mean one: no picture lies in the sampled w alone.
_FLOOR = 1e-3


@dataclass(frozen=True)
class Coordinates:
    """Coordinates (n, rows, d) of latents; in w, those of w = mean + coordinates · root.

    Steps of one length along every coordinate are steps of so many standard deviations, and the squared length of
    coordinates is the squared Mahalanobis distance of w from its mean: what keeps latents near those of samples.

    Attributes:
        generator: whose latents they are.
        space: "z", "w" or "w+".
        labels: (1, c_dim) one-hot, where codes of a conditional generator are mapped.
        mean: (w_dim,) of sampled styles; None in z.
        root: (w_dim, w_dim), a square root of their covariance; None in z.
        inverse: of the root.
        deviation: of each value of a code.
        limit: beyond which the generator has no codes, if it cuts them off.
    """

    generator: Any
    space: str
    labels: Tensor | None = None
    mean: Tensor | None = None
    root: Tensor | None = None
    inverse: Tensor | None = None
    deviation: float = 1.0
    limit: float | None = None

    def styles(self, values: Tensor) -> Tensor:
        """Styles (n, num_layers, w_dim)."""
        if self.mean is None or self.root is None:
            labels = None if self.labels is None else self.labels.expand(len(values), -1)
            return self.generator.mapping(self.codes(values), labels)
        w = self.mean + values @ self.root
        return broadcast_styles(w[:, 0] if w.shape[1] == 1 else w, self.generator.num_layers, self.generator.w_dim)

    def codes(self, values: Tensor) -> Tensor:
        """Codes (n, z_dim), of coordinates in z."""
        codes = values[:, 0] * self.deviation
        return codes if self.limit is None else codes.clamp(-self.limit, self.limit)

    def of(self, codes: Tensor, styles: Tensor) -> Tensor:
        """Coordinates (n, 1, d) of codes (n, z_dim) and their styles (n, w_dim), whichever the space is of."""
        if self.mean is None or self.inverse is None:
            return codes[:, None] / self.deviation
        return ((styles - self.mean) @ self.inverse)[:, None]


def coordinates_of(generator: Generator, space: str, *, class_index: int | None = None, seed: int = 0) -> Coordinates:
    """The coordinates of a space, "z", "w" or "w+"; moments of w are those of 10,000 samples."""
    if space == "z":
        labels = sample_labels(generator, 1, class_index, seed)
        deviation = z_variance(generator) ** 0.5
        return Coordinates(generator, space, labels, deviation=deviation, limit=z_limit(generator))
    covariance = latent_subspace(generator, "w", 1, class_index=class_index, seed=seed).covariance
    values, vectors = torch.linalg.eigh(covariance)
    deviations = (values + _FLOOR * values.clamp_min(0).mean().clamp_min(1e-12)).clamp_min(1e-12).sqrt()
    # Both in double precision on the CPU, as the covariance is: devices may have none.
    root, inverse = (deviations * vectors).T.float(), (vectors / deviations).float()
    device = device_of(generator)
    mean = generator.w_avg if class_index is None else _mean_of_class(generator, class_index, seed)
    return Coordinates(generator, space, None, mean, root.to(device), inverse.to(device))


def _mean_of_class(generator: Generator, class_index: int, seed: int) -> Tensor:
    """Mean style (w_dim,) of samples of one class."""
    with torch.no_grad():
        z = sample_z(generator, 1000, seed)
        return generator.mapping(z, sample_labels(generator, len(z), class_index, seed))[:, 0].mean(dim=0)
