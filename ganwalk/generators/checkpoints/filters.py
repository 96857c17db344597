"""Up-sampling filters as checkpoints store them: kernels (k, k), always the same outer product."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError

DEFAULT_TAPS = (1.0, 3.0, 3.0, 1.0)
_MAX_TAPS = 32


def common_taps(kernels: Mapping[str, Tensor]) -> tuple[float, ...]:
    """The one-dimensional filter whose outer product every kernel (k, k) is proportional to.

    Written as the smallest whole numbers where there are such, as people write filters.

    Raises:
        GanwalkError: naming a kernel that is not separable, or differs from the others.
    """
    taps: tuple[float, ...] | None = None
    for name, kernel in kernels.items():
        if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not 1 <= len(kernel) <= _MAX_TAPS:
            raise GanwalkError(f"is not supported: the filter {name} has the shape {tuple(kernel.shape)}")
        if taps is None:
            taps = _taps(kernel)
        line = torch.tensor(taps, dtype=torch.float64)
        expected = torch.outer(line, line) / line.sum() ** 2
        ours = kernel.double() / kernel.double().sum()
        if ours.shape != expected.shape or not torch.allclose(ours, expected, atol=1e-5):
            raise GanwalkError(f"is not supported: the filter {name} is not separable or differs from the others")
    return DEFAULT_TAPS if taps is None else taps


def _taps(kernel: Tensor) -> tuple[float, ...]:
    taps = kernel.double().sum(dim=0)
    smallest = taps.abs()[taps != 0].min() if taps.any() else taps.new_ones(())
    scaled = taps / smallest
    taps = scaled.round() if torch.allclose(scaled, scaled.round(), atol=1e-4) else taps
    return tuple(taps.tolist())
