"""Activations and FIR filters that the convolutional generators share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def activate(x: Tensor, activation: str, inplace: bool = False) -> Tensor:
    """The activation without its gain: the gain is folded into what comes before, all three being homogeneous."""
    if activation == "lrelu":
        return F.leaky_relu(x, 0.2, inplace)
    return F.relu(x, inplace) if activation == "relu" else x


def gated(x: Tensor) -> Tensor:
    """Gated linear unit (Dauphin et al. 2017): half of the channels of (n, 2c, …) by the others' sigmoid.

    Spelt out, since torch's own has no forward derivatives for batches of directions.
    """
    values, gates = x.chunk(2, dim=1)
    return values * gates.sigmoid()


def depthwise_fir(
    x: Tensor, taps: Tensor, gain: float, rows: tuple[int, int], columns: tuple[int, int] | None = None
) -> Tensor:
    """Convolves every channel of (n, c, h, w) with a filter and a gain, by one two-dimensional depthwise convolution.

    On CPUs, channels last, that beats two one-dimensional passes.

    Args:
        taps: (k,) for the kernel outer(taps, taps), or the kernel (k, l) itself.
        rows, columns: zeros before and after along each axis (negative: values cut off); columns as rows by default.
    """
    # Convolution in torch is correlation: the flip makes it a true one, which matters for asymmetric filters.
    kernel = ((taps if taps.ndim == 2 else torch.outer(taps, taps)) * gain).flip((0, 1)).to(x.dtype)
    padding = (rows, rows if columns is None else columns)
    if any(before != after for before, after in padding):
        x = F.pad(x, (*padding[1], *padding[0]))
        padding = ((0, 0), (0, 0))
    channels = x.shape[1]
    zeros = (padding[0][0], padding[1][0])
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), padding=zeros, groups=channels)


def filter_size(taps: Tensor) -> tuple[int, int]:
    """Rows and columns of the kernel that taps (k,) or (k, l) stand for."""
    return (taps.shape[0], taps.shape[-1])


def is_linear(taps: Tensor) -> bool:
    """Whether a filter is StyleGAN2's default, by which up-sampling is linear interpolation.

    It looks at the values: for when a network is built, since on an accelerator the question waits for all work.
    """
    return taps.tolist() == [0.125, 0.375, 0.375, 0.125]


def upsample(x: Tensor, taps: Tensor, *, linear: bool) -> Tensor:
    """Doubles height and width: zero insertion, then the FIR filter with gain 4.

    Args:
        taps: (k,) or (k, l).
        linear: what `is_linear` says of them.
    """
    if linear:
        # With zeros outside of the image.
        padded = F.pad(x, (1, 1, 1, 1))
        return F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]
    n, c, h, w = x.shape
    stuffed = x.new_zeros(n, c, h, 2, w, 2)
    stuffed[:, :, :, 0, :, 0] = x
    rows, columns = (((size + 1) // 2, size // 2 - 1) for size in filter_size(taps))
    return depthwise_fir(stuffed.view(n, c, 2 * h, 2 * w), taps, 4.0, rows, columns)
