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
    factor, offset = standardisation(mean, variance, eps)
    if weight is not None:
        factor, offset = factor * weight.double(), offset * weight.double()
    return factor, offset if bias is None else offset + bias.double()


def standardisation(mean: Tensor, variance: Tensor, eps: float = BATCH_NORM_EPS) -> tuple[Tensor, Tensor]:
    """Factor and offset (channels,), float64, of batch norm without a weight and a bias of its own."""
    factor = (variance.double() + eps).rsqrt()
    return factor, -mean.double() * factor


def along(vector: Tensor, tensor: Tensor, dim: int) -> Tensor:
    """A vector in the shape that multiplies a tensor along one dimension; GanwalkError if the lengths differ."""
    if tensor.ndim <= dim or tensor.shape[dim] != len(vector):
        raise GanwalkError(f"is damaged: {len(vector)} values normalise a tensor of shape {tuple(tensor.shape)}")
    return vector.view([-1 if d == dim else 1 for d in range(tensor.ndim)])


def spectral_norm(tensors: Mapping[str, Tensor], name: str, dim: int = 0) -> Tensor:
    """A weight of torch's spectral norm, float64, divided by its largest singular value as the stored vectors give it.

    Miyato et al. (ICLR 2018). No step of the power iteration is done: a network that is not trained does none.

    Args:
        name: of the layer, whose weight_orig, weight_u and weight_v there are.
        dim: the weight's dimension that counts outputs.
    Raises:
        GanwalkError: one of the three is missing, or they do not fit one another.
    """
    found = [tensors.get(f"{name}.weight_{kind}") for kind in ("orig", "u", "v")]
    weight, u, v = (None if tensor is None else tensor.double() for tensor in found)
    if weight is None or u is None or v is None:
        raise GanwalkError(f"is damaged: the spectral norm of {name} is not complete")
    if weight.ndim <= dim or u.shape != weight.shape[dim : dim + 1] or u.numel() * v.numel() != weight.numel():
        raise GanwalkError(f"is damaged: the tensors of the spectral norm of {name} do not fit one another")
    return weight / (u @ (weight.movedim(dim, 0).flatten(1) @ v.flatten()))
