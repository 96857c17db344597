"""Leading eigenvectors of symmetric matrices that may be too large to be written down."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.generators.channels import space_dim

_OVERSAMPLING = 10


def check_count(generator: Generator, view: View, n: int) -> int:
    """The dimension of the searched space; GanwalkError unless n directions can be orthonormal in it."""
    total = space_dim(generator, view.space)
    if not 1 <= n <= total:
        raise GanwalkError(f"{n} directions do not fit into the {total} dimensions of {view.space}: use 1 to {total}")
    return total


def with_fixed_signs(rows: Tensor) -> Tensor:
    """Rows (n, d) whose largest entry is positive: an eigenvector's sign is arbitrary, and libraries should agree."""
    largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
    return torch.where(largest < 0, -rows, rows)


def leading_eigenvectors(matrix: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n largest eigenvalues (n,) of a symmetric matrix (d, d), falling, and their eigenvectors (n, d) as rows."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return values.flip(0)[:n], with_fixed_signs(vectors.T.flip(0)[:n])


def leading_eigenvectors_of(
    product: Callable[[Tensor], Tensor], d: int, n: int, *, iterations: int, seed: int
) -> tuple[Tensor, Tensor]:
    """As `leading_eigenvectors`, for a positive semi-definite matrix that is only known by its products.

    Exact where all d columns cost no more than the iterations; otherwise randomised subspace iteration (Halko,
    Martinsson & Tropp, SIAM Review 2011, algorithm 4.4) and the Rayleigh-Ritz values of its result.

    Args:
        product: columns (d, k) float64 to the matrix times them, (d, k) float64; on the CPU.
        iterations: how often the matrix is applied; an eigenvector's error falls with the power iterations - 1 of the
            ratio between the first eigenvalue outside the block (of n + 10 columns) and its own.
        seed: of the first block.
    """
    width = n + _OVERSAMPLING
    if d <= width * iterations:
        return leading_eigenvectors(product(torch.eye(d, dtype=torch.float64)), n)
    rng = rng_of(seed)
    block = torch.linalg.qr(torch.randn(d, width, generator=rng, dtype=torch.float64)).Q
    for _ in range(iterations - 1):
        block = torch.linalg.qr(product(block)).Q
    values, rotation = leading_eigenvectors(block.T @ product(block), n)
    return values, with_fixed_signs(rotation @ block.T)
