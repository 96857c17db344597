"""What generators share that have no mapping: codes enter their layers as they are, beside what becomes of labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganwalk.generators.base import Noise, broadcast_styles, check_codes


class Unstyled(nn.Module):
    """Implements `ganwalk.generators.base.Generator` but for `synthesis`: `w` is the code, the same for every layer.

    Args:
        layer_resolutions: sides of the features after each layer, the last of which is the image.
        z_dim, w_dim, c_dim, img_channels: as of the protocol; what labels add to codes (`coded`) is part of w_dim.
    """

    w_avg: Tensor
    style_based = False

    def __init__(
        self, layer_resolutions: tuple[int, ...], *, z_dim: int, w_dim: int, img_channels: int, c_dim: int = 0
    ):
        super().__init__()
        self.z_dim, self.w_dim, self.c_dim = z_dim, w_dim, c_dim
        self.layer_resolutions, self.num_layers = layer_resolutions, len(layer_resolutions)
        self.resolution = layer_resolutions[-1]
        self.image_size = (self.resolution, self.resolution)
        self.img_channels = img_channels
        # On the CPU even while the module is built without memory ("meta"): no file stores it.
        self.register_buffer("w_avg", torch.zeros(self.w_dim, device="cpu"), persistent=False)

    def coded(self, z: Tensor, c: Tensor | None, psi: float) -> Tensor:
        """What enters the layers, (n, w_dim), of codes (n, z_dim) and labels: here, codes scaled towards the origin."""
        return z * psi

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """The codes (n, z_dim), with what becomes of labels (n, c_dim), for every layer: (n, num_layers, w_dim)."""
        check_codes(z, self.z_dim, c, self.c_dim)
        return broadcast_styles(self.coded(z, c, truncation_psi), self.num_layers, self.w_dim)

    def entering(self, w: Tensor) -> Tensor:
        """The codes (n, w_dim) of what `mapping` gives: only those of the first layer enter."""
        return broadcast_styles(w, self.num_layers, self.w_dim)[:, 0]

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`."""
        raise NotImplementedError

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes, with the constant noise where there is any."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
