"""What ProGAN and StyleGAN1 share: networks that were grown block by block, and convolutions that double the size."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ganwalk.errors import GanwalkError

# Gain of an equalised layer before a leaky rectifier (He et al. 2015; Karras et al. 2018, section 4.1).
HE_GAIN = math.sqrt(2)
# Output pixels of a batch from which sums of weights are cheaper than products that they save.
_FUSED_PIXELS = 8192


def block_count(resolution: int) -> int:
    """Blocks of a progressive network, from 4 px up to its resolution."""
    return int(math.log2(resolution)) - 1


def layer_resolutions(resolution: int) -> tuple[int, ...]:
    """Height of the features after each convolution: two per block."""
    return tuple(4 * 2**block for block in range(block_count(resolution)) for _ in range(2))


def check_lod(lod: float, resolution: int, name: str) -> None:
    """Raises GanwalkError unless a level of detail lies between the full resolution (0) and 4 px."""
    most = block_count(resolution) - 1
    if not 0 <= lod <= most:
        raise GanwalkError(f"{name}'s level of detail must lie between 0 and {most}, not {lod:g}")


def upsample_convolution(x: Tensor, weight: Tensor) -> Tensor:
    """Nearest-neighbour 2× up-sampling, then convolution with weight (out, in, 3, 3) and zero padding 1.

    Done as one transposed convolution: four of nine products fall on equal pixels, so that a 4×4 kernel of sums with
    stride 2 needs 4 multiplications per output pixel and channel instead of 9. For few pixels the sums cost more.
    """
    if 4 * x.shape[0] * x.shape[2] * x.shape[3] < _FUSED_PIXELS:
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
    padded = F.pad(weight.flip((2, 3)), (1, 1, 1, 1))
    kernel = padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
    return F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2, padding=1)


def faded_image(
    lod: float, blocks: int, features: Callable[[int], Tensor], to_rgb: Callable[[int, Tensor], Tensor]
) -> Tensor:
    """The image at a level of detail (Karras et al. 2018, figure 2): 0 is full size, 1.3 blends two coarser levels.

    Args:
        lod: level of detail; its fraction is the share of the coarser one of the two images that are blended.
        blocks: number of blocks.
        features: features of a block, called in rising order.
        to_rgb: image of a block's features.
    """
    whole, share = int(lod), lod - int(lod)
    last = blocks - 1 - whole
    coarser = to_rgb(last - 1, features(last - 1)) if share > 0 else None
    image = to_rgb(last, features(last))
    if coarser is not None:
        image = image * (1 - share) + F.interpolate(coarser, scale_factor=2, mode="nearest") * share
    return F.interpolate(image, scale_factor=2**whole, mode="nearest") if whole else image
