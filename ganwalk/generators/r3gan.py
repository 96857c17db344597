"""R3GAN (Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024): blocks of grouped convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.configs import MAX_DIM, check_sizes, check_types
from ganwalk.generators.filters import is_linear, upsample
from ganwalk.generators.unstyled import Unstyled

_MAX_STAGES, _MAX_BLOCKS = 11, 64


@dataclass(frozen=True)
class R3GANConfig:
    """Everything that fixes the shape and the arithmetic of an R3GAN generator.

    Attributes:
        widths: channels of each stage, from 4 px up; every stage doubles the size.
        expanded: channels between the 1×1 convolutions of each stage's blocks.
        groups: of each stage's 3×3 convolutions.
        blocks: number of each stage's residual blocks.
        z_dim: of the latent code.
        c_dim: number of classes (0: unconditional).
        embed_dim: what a label becomes beside the code; 0 without classes.
        img_channels: of the image.
        resample_filter: taps of the filter that up-samples.
    """

    widths: tuple[int, ...]
    expanded: tuple[int, ...]
    groups: tuple[int, ...]
    blocks: tuple[int, ...]
    z_dim: int = 64
    c_dim: int = 0
    embed_dim: int = 0
    img_channels: int = 3
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)

    def __post_init__(self) -> None:
        check_types(self, "R3GAN")
        stages = len(self.widths)
        if not 1 <= stages <= _MAX_STAGES or {len(self.expanded), len(self.groups), len(self.blocks)} != {stages}:
            raise GanwalkError(f"R3GAN has 1 to {_MAX_STAGES} stages, each with widths, groups and blocks")
        check_sizes("R3GAN", (*self.widths, *self.expanded, *self.groups, *self.blocks, self.z_dim, self.img_channels))
        if max(self.blocks) > _MAX_BLOCKS or not 2 <= len(self.resample_filter) <= 32:
            raise GanwalkError("R3GAN dimensions are beyond anything that exists")
        if any(width % groups for width, groups in zip(self.expanded, self.groups, strict=True)):
            raise GanwalkError(f"R3GAN cannot part {self.expanded!r:.60} channels into {self.groups!r:.60} groups")
        if not 0 <= self.c_dim <= MAX_DIM or not 0 <= self.embed_dim <= MAX_DIM or (self.embed_dim and not self.c_dim):
            raise GanwalkError(f"R3GAN cannot have {self.c_dim} classes of {self.embed_dim} dimensions")
        if sum(self.resample_filter) == 0:
            raise GanwalkError("R3GAN's filter cannot sum to zero")

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        """Of the first features of each stage, and of those after each of its blocks."""
        return tuple(4 * 2**stage for stage, blocks in enumerate(self.blocks) for _ in range(blocks + 1))

    @property
    def resolution(self) -> int:
        return 4 * 2 ** (len(self.widths) - 1)


class Block(nn.Module):
    """Residual block: 1×1, grouped 3×3, 1×1 convolution, the first two with a bias and a leaky rectifier."""

    def __init__(self, width: int, expanded: int, groups: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, expanded, 1)
        self.conv2 = nn.Conv2d(expanded, expanded, 3, padding=1, groups=groups)
        self.conv3 = nn.Conv2d(expanded, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.conv1(x), 0.2)
        return x + self.conv3(F.leaky_relu(self.conv2(y), 0.2))


class Stage(nn.Module):
    """The blocks of one size, and what leads to it: a 1×1 convolution where the stage before has another width."""

    def __init__(self, config: R3GANConfig, stage: int):
        super().__init__()
        width, below = config.widths[stage], config.widths[max(stage - 1, 0)]
        self.transition = nn.Conv2d(below, width, 1, bias=False) if width != below else nn.Identity()
        sizes = (width, config.expanded[stage], config.groups[stage])
        self.blocks = nn.ModuleList(Block(*sizes) for _ in range(config.blocks[stage]))


class R3GAN(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the code beside its embedded label.

    Layers are the beginning of each stage and its residual blocks; the last one, with the projection to RGB, is the
    image.
    """

    taps: Tensor

    def __init__(self, config: R3GANConfig):
        super().__init__(
            config.layer_resolutions,
            z_dim=config.z_dim,
            w_dim=config.z_dim + config.embed_dim,
            img_channels=config.img_channels,
            c_dim=config.c_dim,
        )
        self.config = config
        if config.c_dim > 0:
            self.embedding = nn.Linear(config.c_dim, config.embed_dim, bias=False)
        self.linear = nn.Linear(self.w_dim, config.widths[0], bias=False)
        self.basis = nn.Parameter(torch.randn(config.widths[0], 4, 4))
        self.stages = nn.ModuleList(Stage(config, stage) for stage in range(len(config.widths)))
        self.output = nn.Conv2d(config.widths[-1], config.img_channels, 1, bias=False)
        # On the CPU even while the module is built without memory ("meta"): no file stores them.
        taps = torch.tensor(config.resample_filter, device="cpu")
        self.register_buffer("taps", taps / taps.sum(), persistent=False)
        self.taps_are_linear = is_linear(self.taps)

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first: only the first layer has one."""
        if layer > 0:
            return ()
        return ((self.basis.flatten(1)[:, :, None] * self.linear.weight[:, None, : self.z_dim]).flatten(0, 1),)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "r3gan"

    def coded(self, z: Tensor, c: Tensor | None, psi: float) -> Tensor:
        """Codes, scaled towards the origin, beside their embedded labels."""
        w = z * psi
        if self.c_dim > 0 and c is not None:
            w = torch.cat([w, self.embedding(c.to(w.dtype))], dim=1)
        return w

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Only the first layer's code enters; there is no noise.
        """
        last = check_layer(until, self.num_layers)
        code = self.entering(w)
        x = self.basis * self.linear(code)[:, :, None, None]
        places = [(stage, step) for stage, blocks in enumerate(self.config.blocks) for step in range(blocks + 1)]
        for number, step in places[: last + 1]:
            stage: Any = self.stages[number]
            if step > 0:
                x = stage.blocks[step - 1](x)
            elif number > 0:
                x = upsample(stage.transition(x), self.taps, linear=self.taps_are_linear)
        return self.output(x) if last == self.num_layers - 1 else x
