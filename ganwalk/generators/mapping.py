"""Latent code → style: the mapping of StyleGAN2 and StyleGAN3 (Karras et al. 2020, 2021), and its linear layers."""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.generators.base import broadcast_styles, check_codes, truncate
from ganwalk.generators.filters import activate

# Gain that keeps the variance through each activation (He et al. 2015, as StyleGAN2 rounds it).
GAINS = {"linear": 1.0, "relu": math.sqrt(2), "lrelu": math.sqrt(2)}


def normalize_second_moment(x: Tensor) -> Tensor:
    """Pixel norm of (n, d): unit mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Linear(nn.Module):
    """Equalised-rate linear layer: weight·lr/√in, bias·lr, activation with its gain."""

    def __init__(self, in_features: int, out_features: int, lr: float, activation: str, bias_init: float = 0.0):
        super().__init__()
        weight = torch.randn(out_features, in_features)
        # Arithmetic without memory would import torch's compiler, which takes a second or two.
        self.weight = nn.Parameter(weight if weight.is_meta else weight / lr)
        self.bias = nn.Parameter(torch.full([out_features], bias_init))
        self.activation = activation
        self.weight_gain = lr / math.sqrt(in_features)
        self.bias_gain = lr

    def forward(self, x: Tensor) -> Tensor:
        gain = GAINS[self.activation]
        x = F.linear(x, self.weight * (self.weight_gain * gain), self.bias * (self.bias_gain * gain))
        return activate(x, self.activation)


class MappingConfig(Protocol):
    """What a configuration says about its mapping."""

    @property
    def z_dim(self) -> int: ...
    @property
    def w_dim(self) -> int: ...
    @property
    def c_dim(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def mapping_layers(self) -> int: ...
    @property
    def mapping_features(self) -> int | None: ...
    @property
    def mapping_lr(self) -> float: ...
    @property
    def mapping_activation(self) -> str: ...
    @property
    def embed_features(self) -> int | None: ...


class Mapping(nn.Module):
    """z (and label) → style w.

    With a `class_table` (rows, columns), the class of the largest entry of a label is looked up in a table, and
    each class has a centre of truncation of its own (Sauer et al. 2022).
    """

    w_avg: Tensor

    def __init__(self, config: MappingConfig, label_concat: bool = False, class_table: tuple[int, int] | None = None):
        super().__init__()
        self.config = config
        self.label_concat = label_concat
        self.has_table = class_table is not None
        embed = 0
        if config.c_dim > 0:
            embed = config.w_dim if config.embed_features is None else config.embed_features
            if class_table is not None:
                self.embed: nn.Module = nn.Embedding(*class_table)
                self.embed_proj = Linear(class_table[1], embed, lr=1.0, activation="lrelu")
            elif label_concat:
                self.label_weight = nn.Parameter(torch.randn(config.c_dim, embed))
            else:
                self.embed = Linear(config.c_dim, embed, lr=1.0, activation="linear")
        hidden = config.w_dim if config.mapping_features is None else config.mapping_features
        widths = [config.z_dim + embed] + [hidden] * (config.mapping_layers - 1) + [config.w_dim]
        for i in range(config.mapping_layers):
            layer = Linear(widths[i], widths[i + 1], config.mapping_lr, config.mapping_activation)
            self.add_module(f"fc{i}", layer)
        centres = (config.c_dim, config.w_dim) if self.has_table else (config.w_dim,)
        self.register_buffer("w_avg", torch.zeros(centres))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and labels (n, c_dim)."""
        config = self.config
        check_codes(z, config.z_dim, c, config.c_dim)
        x = self._input(z, c)
        for i in range(config.mapping_layers):
            x = self.get_submodule(f"fc{i}")(x)
        w = broadcast_styles(x, config.num_layers, config.w_dim)
        centre = self.w_avg[c.argmax(dim=1)].unsqueeze(1) if self.has_table and c is not None else self.w_avg
        return truncate(w, centre, truncation_psi, truncation_cutoff)

    def _input(self, z: Tensor, c: Tensor | None) -> Tensor:
        """What enters the first layer: the normalised code and label."""
        if c is None or self.config.c_dim == 0:
            return normalize_second_moment(z)
        if self.label_concat:
            return normalize_second_moment(torch.cat([z, c.to(z.dtype) @ self.label_weight], dim=1))
        parts = [normalize_second_moment(z)] if self.config.z_dim > 0 else []
        label = self.embed_proj(self.embed(c.argmax(dim=1))) if self.has_table else self.embed(c)
        return torch.cat([*parts, normalize_second_moment(label)], dim=1)
