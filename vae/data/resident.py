"""Images that lie on an accelerator: a step sends indices there, and no pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vae.data.base import ImageData

# Of what is free there, at most this share.
_SHARE = 0.5
_BLOCK = 4096


def resident_images(data: ImageData, device: torch.device | str) -> Callable[[np.ndarray], Tensor] | None:
    """Indices (…) → images (…, channels, resolution, resolution) in [0, 1], of a copy on the device.

    None where there is no room for the images, as bytes, or where it is not known: on the CPU, which has them already,
    and on devices other than CUDA's.
    """
    device = torch.device(device)
    size = len(data) * data.channels * data.resolution**2
    if device.type != "cuda" or size > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    return Resident(data, device)


class Resident:
    """The images of a data set as bytes (N, resolution, resolution, channels) on a device."""

    def __init__(self, data: ImageData, device: torch.device):
        shape = (len(data), data.resolution, data.resolution, data.channels)
        self.images = torch.empty(shape, dtype=torch.uint8, device=device)
        for start in range(0, len(data), _BLOCK):
            stop = min(start + _BLOCK, len(data))
            self.images[start:stop] = torch.from_numpy(data.images(np.arange(start, stop))).to(device)

    def __call__(self, indices: np.ndarray) -> Tensor:
        places = torch.from_numpy(indices.ravel()).to(self.images.device)
        found = self.images.index_select(0, places).permute(0, 3, 1, 2).float() / 255
        return found.unflatten(0, indices.shape)
