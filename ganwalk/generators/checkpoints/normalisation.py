"""Normalisations that are constant once a network is trained, folded into the weights beside them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganwalk.errors import GanwalkError

BATCH_NORM_EPS = 1e-5
# What state dicts of torch's batch norm hold; the count of batches means nothing any more.
BATCH_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def is_count(name: str) -> bool:
    """Whether a tensor is batch norm's count of batches."""
    return name.endswith("num_batches_tracked")


def batch_norm(tensors: Mapping[str, Tensor], name: str, eps: float = BATCH_NORM_EPS) -> tuple[Tensor, Tensor]:
    """Factor and offset (channels,), float64, that batch norm multiplies by and adds when it is not trained.

    Raises:
        GanwalkError: its running statistics are missing, or its tensors do not fit one another.
    """
    mean, variance = (tensors.get(f"{name}.running_{kind}") for kind in ("mean", "var"))
    if mean is None or variance is None:
        raise GanwalkError(f"is not supported: the batch norm {name} has no running statistics")
    weight, bias = tensors.get(f"{name}.weight"), tensors.get(f"{name}.bias")
    parts = [part for part in (mean, variance, weight, bias) if part is not None]
    if any(part.ndim != 1 or part.shape != mean.shape for part in parts):
        raise GanwalkError(f"is damaged: the tensors of the batch norm {name} do not fit one another")
    factor = (variance.double() + eps).rsqrt()
    if weight is not None:
        factor = factor * weight.double()
    offset = -mean.double() * factor
    return factor, offset if bias is None else offset + bias.double()


def along(vector: Tensor, tensor: Tensor, dim: int) -> Tensor:
    """A vector in the shape that multiplies a tensor along one dimension; GanwalkError if the lengths differ."""
    if tensor.ndim <= dim or tensor.shape[dim] != len(vector):
        raise GanwalkError(f"is damaged: {len(vector)} values normalise a tensor of shape {tuple(tensor.shape)}")
    return vector.view([-1 if d == dim else 1 for d in range(tensor.ndim)])
