"""The informative subspace: principal components of a latent space, inside which directions are rotated.

GANSpace (Härkönen et al., NeurIPS 2020) found that the top components of w carry what changes the image; TopDis
(Balabin et al., ICML 2024) filters non-informative directions in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.discovery.spectra import leading_eigenvectors
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, sample_labels, sample_z, z_variance
from ganwalk.generators.channels import channelled, space_dim, style_matrix


@dataclass(frozen=True)
class Subspace:
    """A latent space's covariance and the directions that matter, all float64.

    Attributes:
        space: "z" or "w".
        components: (k, d) orthonormal rows, by falling variance.
        covariance: (d, d) of the latents.
        explained: share of the total variance that lies in the subspace.
    """

    space: str
    components: Tensor
    covariance: Tensor
    explained: float

    def first(self, dim: int) -> Subspace:
        """The subspace of the first `dim` components."""
        components = self.components[:dim]
        explained = (components @ self.covariance * components).sum() / self.covariance.trace()
        return Subspace(self.space, components, self.covariance, float(explained))

    def scales(self, vectors: Tensor) -> Tensor:
        """Standard deviations (n,) of the latents along unit vectors (n, d)."""
        return (vectors @ self.covariance * vectors).sum(dim=1).clamp_min(1e-24).sqrt()

    def steps(self, vectors: Tensor, amplitude: Tensor | float) -> Tensor:
        """Shifts (n, d) float32: amplitude standard deviations along each unit vector (n, d)."""
        return ((self.scales(vectors) * amplitude)[:, None] * vectors).float()


def resolve_space(generator: Generator, space: str | None) -> str:
    """The space to search: the given one, by default w for style-based generators and z otherwise."""
    if space is None:
        return "w" if generator.style_based else "z"
    space_dim(generator, space)
    return space


def latent_subspace(
    generator: Generator,
    space: str,
    dim: int,
    *,
    class_index: int | None = None,
    samples: int = 10_000,
    seed: int = 0,
) -> Subspace:
    """Top `dim` principal components of `space`, from `samples` random latents.

    In z the latents vary alike in every direction: the components are then the coordinate axes.
    """
    total = space_dim(generator, space)
    if not 1 <= dim <= total:
        raise GanwalkError(f"a subspace of {dim} dimensions does not fit: {space} has {total}")
    if space == "z":
        eye = torch.eye(total, dtype=torch.float64)
        return Subspace(space, eye[:dim], z_variance(generator) * eye, dim / total)
    styles = []
    with torch.no_grad():
        for start in range(0, samples, 1000):
            n = min(1000, samples - start)
            z = sample_z(generator, n, seed + start)
            c = sample_labels(generator, n, class_index, seed + start)
            styles.append(generator.mapping(z, c)[:, 0].cpu().double())
    w = torch.cat(styles)
    covariance = torch.cov(w.T).reshape(total, total)
    values, components = leading_eigenvectors(covariance, dim)
    explained = float(values.sum() / covariance.trace())
    return Subspace(space, components, covariance, explained)


def latent_scales(generator: Generator, space: str, vectors: Tensor, *, seed: int = 0) -> Tensor:
    """Standard deviations (n,) float32 of the latents along unit vectors (n, d); of w+, (n, num_layers, d).

    For w+ they are of styles that all layers share or of styles that each layer draws for itself, whichever is larger:
    rows that cancel one another have no spread along them in shared styles. For s, likewise of channels that come from
    one style or are drawn each for itself.
    """
    subspace = latent_subspace(generator, "z" if space == "z" else "w", 1, seed=seed)
    vectors = vectors.double().cpu()
    if space == "s":
        matrix = style_matrix(channelled(generator))
        apart = (vectors.square() @ subspace.scales(matrix).square()).sqrt()
        return torch.maximum(subspace.scales(vectors @ matrix), apart).float()
    if vectors.ndim == 2:
        return subspace.scales(vectors).float()
    apart = torch.stack([subspace.scales(rows).norm() for rows in vectors])
    return torch.maximum(subspace.scales(vectors.sum(dim=1)), apart).float()
