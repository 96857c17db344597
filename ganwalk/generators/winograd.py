"""3×3 convolution by Winograd's minimal filtering F(4×4, 3×3), in a quarter of the multiplications.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). Each 6×6 tile of the input becomes 36
numbers, a matrix product over the channels acts on each of the 36, and they become 4×4 outputs. The interpolation
points are 0, ±√½, ±√2 and infinity, which lose less than the usual whole numbers: 2·10⁻⁶ of the largest output.

An up-sampling convolution (transposed, then a FIR filter of four taps) is four 3×3 convolutions of the small image,
one for each parity of row and column: they share the transform of the input, and the filter costs nothing.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 4
_VALUES = (TILE + 2) ** 2
# Values of a transformed slab (one of 36): about what the caches of a CPU hold of all.
_SLAB = 2**17


@functools.cache
def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of the one-dimensional filtering, float64: output (4, 6), filter (6, 3), input (6, 6)."""
    root = math.sqrt(0.5)
    points = (0.0, root, -root, 2 * root, -2 * root)
    output, filters, inputs = (torch.zeros(shape, dtype=torch.float64) for shape in ((4, 6), (6, 3), (6, 6)))
    for i, point in enumerate(points):
        others = [p for p in points if p != point]
        scale = math.prod(point - p for p in others)
        output[:, i] = torch.tensor([point**k for k in range(4)], dtype=torch.float64)
        filters[i] = torch.tensor([point**k / scale for k in range(3)], dtype=torch.float64)
        inputs[i, :5] = _polynomial(others)
    output[3, 5] = filters[5, 2] = 1.0
    inputs[5] = _polynomial(list(points))
    return output, filters, inputs


def _polynomial(roots: list[float]) -> Tensor:
    """Coefficients of Π(x − root), constant first."""
    coefficients = torch.ones(1, dtype=torch.float64)
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - root * F.pad(coefficients, (0, 1))
    return coefficients


def _phases(taps: Tensor | None) -> Tensor:
    """From three weights to the 3 taps of each output phase, along one dimension: (phases, 3, 3).

    Without taps, the convolution itself. With four, output 2i + p of a transposed convolution and its FIR filter (gain
    2) is Σ x[i+d]·w[a]·2·taps[3−k] over k = a + 2d + 1 − p.
    """
    if taps is None:
        return torch.eye(3, dtype=torch.float64)[None]
    phases = torch.zeros(2, 3, 3, dtype=torch.float64)
    for p in range(2):
        for d in (-1, 0, 1):
            for a in range(3):
                k = a + 2 * d + 1 - p
                if 0 <= k <= 3:
                    phases[p, d + 1, a] = 2 * taps[3 - k].double()
    return phases


def transform_weight(weight: Tensor, taps: Tensor | None = None) -> Tensor:
    """What `convolve_tiles` needs of a weight (o, i, 3, 3): (36, i, phases·o).

    Args:
        taps: for an up-sampling convolution, the four taps of its FIR filter; otherwise None.
    """
    _, filters, _ = _transforms()
    lines = filters @ _phases(taps).to(filters.device)
    squares = torch.stack([torch.kron(rows, columns) for rows in lines for columns in lines])
    out_channels, in_channels = weight.shape[:2]
    # Rows of the result are 36 apart per channel, which a matrix product takes as well as a copy in another order.
    flat = weight.permute(0, 2, 3, 1).reshape(out_channels, 9, in_channels)
    transformed = torch.matmul(squares.to(weight)[:, None], flat)
    return transformed.view(len(squares) * out_channels, _VALUES, in_channels).permute(1, 2, 0)


def convolve_tiles(x: Tensor, transformed: Tensor, phases: int = 1) -> Tensor:
    """Convolves (n, i, h + 2, w + 2), padded already, with a transformed weight: (n, o, h·s, w·s), channels last.

    s = √phases: 1, or 2 for up-sampling. Slab by slab, so that what lies between the transforms stays in the caches.
    """
    output, _, inputs = _transforms()
    output, inputs = (torch.kron(matrix, matrix).to(x) for matrix in (output, inputs))
    height, width = x.shape[2] - 2, x.shape[3] - 2
    # Sizes that are no multiples of four are computed up to the next one and cut.
    x = F.pad(x, (0, -width % TILE, 0, -height % TILE)).permute(0, 2, 3, 1)
    rows, columns = -(-height // TILE), -(-width // TILE)
    tiles = max(1, _SLAB // max(transformed.shape[1:]))
    images_at_once = max(1, tiles // (rows * columns))
    rows_at_once = max(1, min(rows, tiles // columns))
    images = []
    for part in x.split(images_at_once):
        slabs = []
        for row in range(0, rows, rows_at_once):
            slab = part[:, TILE * row : TILE * (row + rows_at_once) + 2]
            slabs.append(_convolve_slab(slab, transformed, phases, inputs, output))
        images.append(slabs[0] if len(slabs) == 1 else torch.cat(slabs, dim=1))
    y = images[0] if len(images) == 1 else torch.cat(images)
    scale = math.isqrt(phases)
    return y[:, : height * scale, : width * scale].permute(0, 3, 1, 2)


def _convolve_slab(x: Tensor, transformed: Tensor, phases: int, inputs: Tensor, output: Tensor) -> Tensor:
    """Tiles of (n, h + 2, w + 2, i), h and w multiples of four, to (n, h·s, w·s, o)."""
    tiles = x.unfold(1, TILE + 2, TILE).unfold(2, TILE + 2, TILE)
    n, rows, columns, in_channels = tiles.shape[:4]
    values = inputs @ tiles.permute(4, 5, 0, 1, 2, 3).reshape(_VALUES, -1)
    products = torch.bmm(values.view(_VALUES, -1, in_channels), transformed)
    y = output @ products.view(_VALUES, -1)
    s = math.isqrt(phases)
    y = y.view(TILE, TILE, n, rows, columns, s, s, -1).permute(2, 3, 0, 5, 4, 1, 6, 7)
    return y.reshape(n, rows * TILE * s, columns * TILE * s, -1)
