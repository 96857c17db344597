"""Up-sampling filters as checkpoints store them: always the same one, as taps (k,) or as a kernel (k, l)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.stylegan2 import MAX_TAPS

DEFAULT_TAPS = (1.0, 3.0, 3.0, 1.0)


def filter_fields(filters: Mapping[str, Tensor], total: float = 1.0) -> dict[str, Any]:
    """The fields of a StyleGAN2's configuration that give the filter which all of these are.

    Written as the smallest whole numbers where there are such, as people write filters.

    Args:
        filters: taps (k,) of separable filters, or kernels (k, l), by name.
        total: what the values of a kernel must sum to.
    Raises:
        GanwalkError: naming a filter that is none, or differs from the others.
    """
    if not filters:
        return {"resample_filter": DEFAULT_TAPS}
    first = next(iter(filters.values()))
    for name, values in filters.items():
        if values.ndim not in (1, 2) or not 1 <= min(values.shape) <= max(values.shape) <= MAX_TAPS:
            raise GanwalkError(f"is not supported: the filter {name} has the shape {tuple(values.shape)}")
        if values.shape != first.shape or not torch.allclose(values, first, atol=1e-5 * total):
            raise GanwalkError(f"is not supported: the filter {name} differs from the others")
        found = float(values.double().sum())
        if abs(found - total) > 1e-4 * total:
            raise GanwalkError(f"is not supported: the filter {name} sums to {found:.4g}, not {total:g}")
    kernel = first.double()
    line = kernel if kernel.ndim == 1 else kernel.sum(dim=0)
    is_outer = kernel.ndim == 1 or (
        kernel.shape[0] == kernel.shape[1]
        and torch.allclose(torch.outer(line, line) / total, kernel, atol=1e-5 * total)
    )
    if is_outer:
        return {"resample_filter": _whole(line)}
    return {"resample_filter": _whole(kernel.flatten()), "resample_columns": kernel.shape[1]}


def _whole(values: Tensor) -> tuple[float, ...]:
    """Values in the smallest whole numbers that are proportional to them, if there are such."""
    smallest = values.abs()[values != 0].min()
    scaled = values / smallest
    values = scaled.round() if torch.allclose(scaled, scaled.round(), atol=1e-4) else scaled
    return tuple(values.tolist())
