"""BigGAN and BigGAN-deep (Brock et al., "Large Scale GAN Training …", ICLR 2019): residual blocks of classes.

Spectral normalisation, which is constant once trained, lies in the weights. Batch normalisation is scaled and shifted
by the class, and in most networks by parts of the latent code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.configs import MAX_DIM, MAX_RESOLUTION, check_sizes, check_types
from ganwalk.generators.progressive import upsample_convolution
from ganwalk.generators.unstyled import Unstyled

_MAX_BLOCKS = 64
# Between the 1×1 convolutions of BigGAN-deep's blocks there are so many times fewer channels.
_BOTTLENECK = 4
# Attention compares pixels by so many times fewer channels.
_ATTENTION_SHARE = 8


@dataclass(frozen=True)
class BigGANConfig:
    """Everything that fixes the shape and the arithmetic of the generator.

    Attributes:
        widths: channels at 4 px, then after each block.
        up: for each block, whether it doubles the size.
        z_dim: of the latent code.
        c_dim: number of classes.
        embed_dim: of an embedded class; 0 where labels are taken as they are.
        conditioning: what each block is given besides features: "class", the class alone; "chunks", also its share of
            the code, which is cut for the beginning and every block; "all", code and class, as the beginning is.
        deep: blocks have a bottleneck, and shortcuts drop channels.
        attention: blocks that self-attention precedes; their number stands for the end.
        n_stats: rows of the tables of statistics, one for each truncation from 0 to 1; 1 where there is no table.
        eps: added to variances.
        output_eps: added to those of the last batch normalisation.
        z_limit: codes are drawn from a normal distribution that is cut off there; 0 for the whole one.
        img_channels: of the image.
    """

    widths: tuple[int, ...]
    up: tuple[bool, ...]
    z_dim: int
    c_dim: int
    embed_dim: int
    conditioning: str
    deep: bool = False
    attention: tuple[int, ...] = ()
    n_stats: int = 1
    eps: float = 1e-5
    output_eps: float = 1e-5
    z_limit: float = 0.0
    img_channels: int = 3

    def __post_init__(self) -> None:
        check_types(self, "BigGAN")
        blocks = len(self.up)
        if not 1 <= blocks <= _MAX_BLOCKS or len(self.widths) != blocks + 1:
            raise GanwalkError(f"BigGAN has 1 to {_MAX_BLOCKS} blocks, and one more width, not {len(self.widths)}")
        check_sizes("BigGAN", (*self.widths, self.z_dim, self.c_dim, self.n_stats, self.img_channels))
        if not 0 <= self.embed_dim <= MAX_DIM or self.resolution > MAX_RESOLUTION:
            raise GanwalkError("BigGAN dimensions are beyond anything that exists")
        if self.conditioning not in ("class", "chunks", "all"):
            raise GanwalkError(f"BigGAN's conditioning must be class, chunks or all, not {self.conditioning!r:.20}")
        if self.conditioning == "chunks" and self.z_dim % (blocks + 1):
            raise GanwalkError(f"BigGAN cannot cut codes of {self.z_dim} dimensions into {blocks + 1} equal chunks")
        if not set(self.attention) <= set(range(blocks + 1)):
            raise GanwalkError(f"BigGAN's attention must precede blocks 0 to {blocks}, not {self.attention!r:.60}")
        if any(self.widths[block] < _ATTENTION_SHARE for block in self.attention):
            raise GanwalkError(f"BigGAN's attention needs at least {_ATTENTION_SHARE} channels")
        if self.deep and any(above > below for below, above in zip(self.widths, self.widths[1:], strict=False)):
            raise GanwalkError("BigGAN-deep's blocks can drop channels, but not add any")
        if min(self.eps, self.output_eps) <= 0 or self.z_limit < 0:
            raise GanwalkError("BigGAN's eps must be positive, and its z_limit not negative")

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Names and numbers of the layers after the first: blocks, and the attention before them."""
        found = []
        for block in range(len(self.up) + 1):
            found += [("attention", block)] * (block in self.attention) + [("block", block)] * (block < len(self.up))
        return tuple(found)

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        sizes = [4]
        for kind, number in self.places:
            sizes.append(sizes[-1] * 2 if kind == "block" and self.up[number] else sizes[-1])
        return tuple(sizes)

    @property
    def resolution(self) -> int:
        return 4 * 2 ** sum(self.up)

    @property
    def class_dim(self) -> int:
        """Numbers that a class becomes."""
        return self.embed_dim or self.c_dim

    def code_of(self, block: int | None) -> slice:
        """The part of a code that a block is given, or the beginning (None)."""
        if self.conditioning == "chunks":
            chunk = self.z_dim // (len(self.up) + 1)
            start = 0 if block is None else (block + 1) * chunk
            return slice(start, start + chunk)
        return slice(0, 0 if self.conditioning == "class" and block is not None else self.z_dim)


@dataclass(frozen=True)
class Conditions:
    """What the layers are given besides features.

    Attributes:
        code: (n, z_dim).
        label: (n, class_dim).
        row, share: (n,) and (n, 1), the row of each sample in the tables of statistics, and its share of what is
            interpolated between that row and the next; None without tables.
    """

    code: Tensor
    label: Tensor
    row: Tensor | None
    share: Tensor | None


class Statistics(nn.Module):
    """Means and variances of the features of a batch normalisation, in a table by truncation or as a single row."""

    means: Tensor
    variances: Tensor

    def __init__(self, config: BigGANConfig, channels: int, eps: float):
        super().__init__()
        self.eps = eps
        self.register_buffer("means", torch.zeros(config.n_stats, channels))
        self.register_buffer("variances", torch.ones(config.n_stats, channels))

    def affine(self, x: Tensor, scale: Tensor, shift: Tensor, conditions: Conditions) -> Tensor:
        """(x − mean)/√(variance + eps)·scale + shift, rectified; scale and shift are (c,) or (n, c)."""
        mean, variance = (self._row(table, conditions) for table in (self.means, self.variances))
        factor = (variance + self.eps).rsqrt() * scale
        return F.relu(torch.addcmul((shift - mean * factor)[..., None, None], x, factor[..., None, None]))

    @staticmethod
    def _row(table: Tensor, conditions: Conditions) -> Tensor:
        if conditions.row is None or conditions.share is None:
            return table[0]
        above = (conditions.row + 1).clamp(max=len(table) - 1)
        return table[conditions.row] * conditions.share + table[above] * (1 - conditions.share)


class Norm(Statistics):
    """Batch normalisation scaled and shifted by a linear map of the block's part of the code and of the class."""

    def __init__(self, config: BigGANConfig, channels: int, block: int):
        super().__init__(config, channels, config.eps)
        self.part = config.code_of(block)
        inputs = self.part.stop - self.part.start + config.class_dim
        self.gain = nn.Linear(inputs, channels, bias=False)
        self.shift = nn.Linear(inputs, channels, bias=False)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        y = torch.cat([conditions.code[:, self.part], conditions.label], dim=1)
        return self.affine(x, 1 + self.gain(y), self.shift(y), conditions)


class OutputNorm(Statistics):
    """Batch normalisation with a scale and a shift of its own."""

    def __init__(self, config: BigGANConfig, channels: int):
        super().__init__(config, channels, config.output_eps)
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        return self.affine(x, self.gain, self.shift, conditions)


class Block(nn.Module):
    """Residual block; each convolution follows a normalisation and a rectifier, the shortcut has none."""

    def __init__(self, config: BigGANConfig, number: int):
        super().__init__()
        below, width = config.widths[number : number + 2]
        self.up, self.deep, self.width = config.up[number], config.deep, width
        inner = max(1, below // _BOTTLENECK)
        shapes = [(below, width, 3), (width, width, 3)]
        if config.deep:
            shapes = [(below, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, width, 1)]
        self.norms = nn.ModuleList(Norm(config, inputs, number) for inputs, _, _ in shapes)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, size, padding=size // 2) for i, o, size in shapes)
        if not config.deep:
            self.shortcut = nn.Conv2d(below, width, 1)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        # A 1×1 convolution commutes with up-sampling, and is cheaper before it.
        beside = x[:, : self.width] if self.deep else self.shortcut(x)
        first: Any = None
        for norm, part in zip(self.norms, self.convs, strict=True):
            conv: Any = part
            x = norm(x, conditions)
            if self.up and first is None and conv.weight.shape[2] == 3:
                first = conv
                x = upsample_convolution(x, conv.weight) + conv.bias[:, None, None]
            else:
                x = conv(x)
        return x + (F.interpolate(beside, scale_factor=2, mode="nearest") if self.up else beside)


class Attention(nn.Module):
    """Self-attention (Zhang et al., ICML 2019) to the map at half its size; its strength lies in the last weight."""

    def __init__(self, channels: int):
        super().__init__()
        self.theta = nn.Conv2d(channels, channels // _ATTENTION_SHARE, 1, bias=False)
        self.phi = nn.Conv2d(channels, channels // _ATTENTION_SHARE, 1, bias=False)
        self.g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.o = nn.Conv2d(channels // 2, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        query = self.theta(x).flatten(2)
        key, value = (F.max_pool2d(part(x), 2).flatten(2) for part in (self.phi, self.g))
        weights = (query.transpose(1, 2) @ key).softmax(dim=2)
        return x + self.o((value @ weights.transpose(1, 2)).reshape(n, -1, height, width))


class BigGAN(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the code beside its embedded class.

    Where statistics depend on the truncation, their row and its share are the last two numbers of `w`. Layer 0 is the
    linear beginning at 4 px, the others are blocks and attention; the last one, with the projection to RGB, is the
    image.
    """

    def __init__(self, config: BigGANConfig):
        super().__init__(
            config.layer_resolutions,
            z_dim=config.z_dim,
            w_dim=config.z_dim + config.class_dim + 2 * (config.n_stats > 1),
            img_channels=config.img_channels,
            c_dim=config.c_dim,
        )
        self.config = config
        self.z_limit = config.z_limit or None
        if config.embed_dim > 0:
            self.embedding = nn.Linear(config.c_dim, config.embed_dim, bias=False)
        self.first_part = config.code_of(None)
        inputs = self.first_part.stop - self.first_part.start
        self.linear = nn.Linear(
            inputs + (config.class_dim if config.conditioning == "all" else 0), 16 * config.widths[0]
        )
        for kind, number in config.places:
            part = Block(config, number) if kind == "block" else Attention(config.widths[number])
            self.add_module(f"{kind}{number}", part)
        self.output_norm = OutputNorm(config, config.widths[-1])
        self.output = nn.Conv2d(config.widths[-1], config.img_channels, 3, padding=1)

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first in a layer: the linear maps of what it is given."""
        kind, number = ("linear", None) if layer == 0 else self.config.places[layer - 1]
        part = self.config.code_of(number)
        if kind == "attention" or part.stop == part.start:
            return ()
        maps: list[Any] = [self.linear]
        if number is not None:
            block: Any = self.get_submodule(f"block{number}")
            maps = [linear for norm in block.norms for linear in (norm.gain, norm.shift)]
        weights = (linear.weight[:, : part.stop - part.start] for linear in maps)
        return tuple(F.pad(weight, (part.start, self.z_dim - part.stop)) for weight in weights)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "biggan-deep" if self.config.deep else "biggan"

    def coded(self, z: Tensor, c: Tensor | None, psi: float) -> Tensor:
        """Codes beside their embedded classes, and where statistics depend on the truncation, which ones.

        Truncation scales the codes, and chooses the statistics that were recorded for it, if there are such: the row
        and its share as the code that published these networks computes them, which interpolates the wrong way round.

        Raises:
            GanwalkError: there are no statistics for this truncation.
        """
        config = self.config
        assert c is not None
        label = c.to(z.dtype)
        parts = [z * psi, self.embedding(label) if config.embed_dim > 0 else label]
        if config.n_stats > 1:
            if not 0 < psi <= 1:
                raise GanwalkError(f"this BigGAN knows truncations from 0 to 1, not {psi:g}")
            share, row = math.modf(psi / (1.0 / (config.n_stats - 1)))
            parts += [torch.full_like(z[:, :1], number) for number in (row, share or 1.0)]
        return torch.cat(parts, dim=1)

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Only the first layer's code enters; there is no noise.
        """
        config = self.config
        last = check_layer(until, self.num_layers)
        styles = self.entering(w)
        code, label, statistics = styles.tensor_split([self.z_dim, self.z_dim + config.class_dim], dim=1)
        row, share = (statistics[:, 0].long(), statistics[:, 1:]) if config.n_stats > 1 else (None, None)
        conditions = Conditions(code, label, row, share)
        begin = code[:, self.first_part]
        x = self.linear(torch.cat([begin, label], dim=1) if config.conditioning == "all" else begin)
        x = x.unflatten(1, (-1, 4, 4))
        for kind, number in config.places[:last]:
            part = self.get_submodule(f"{kind}{number}")
            x = part(x, conditions) if kind == "block" else part(x)
        if last < self.num_layers - 1:
            return x
        return torch.tanh(self.output(self.output_norm(x, conditions)))
