"""What the training loop and the objectives know of one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganwalk.compute import parallel
from vae.data.base import ImageData
from vae.models import VAE, kl_divergence, sample


@dataclass(frozen=True)
class Latent:
    """What stands between the encoder and the decoder in one batch.

    Attributes:
        mean, log_variance: (n, z_dim) of q(z|x), as the objective takes it to be.
        z: (n, z_dim) what is decoded.
        levels: (n, z_dim) of quantised codes the levels that z has, with a gradient to them.
    """

    mean: Tensor
    log_variance: Tensor
    z: Tensor
    levels: Tensor | None = None


@dataclass(frozen=True)
class Encoded:
    """A batch and what the encoder makes of it.

    Attributes:
        images: (n, channels, resolution, resolution) in [0, 1].
        mean, log_variance, z, levels: see `Latent`.
        logits: (n, channels, resolution, resolution) decoded z; None for a second batch, which is not decoded.
    """

    images: Tensor
    mean: Tensor
    log_variance: Tensor
    z: Tensor
    logits: Tensor | None = None
    levels: Tensor | None = None

    @property
    def kl(self) -> Tensor:
        """KL divergence in nats from the prior (n, z_dim), per image and dimension."""
        return kl_divergence(self.mean, self.log_variance)


@dataclass(frozen=True)
class Context:
    """All that an objective may look at in one step.

    Attributes:
        batch: the batch that is reconstructed.
        second: another, independent batch, if the objective `needs_second`; its codes carry a gradient or not,
            so that who wants none detaches them.
        decode: codes (n, z_dim) → logits.
        step: steps done before this one; steps: of the whole training.
        data_size: images in the data set.
        rng: random numbers of this step, on the CPU.
    """

    batch: Encoded
    second: Encoded | None
    decode: Callable[[Tensor], Tensor]
    step: int
    steps: int
    data_size: int
    rng: torch.Generator


@dataclass(frozen=True)
class Terms:
    """Loss terms of a step.

    Attributes:
        loss: scalar in nats per image that joins the reconstruction loss.
        logs: scalars for metrics.csv, by name.
    """

    loss: Tensor
    logs: dict[str, Tensor]


class Objective(nn.Module):
    """What a VAE minimises besides its reconstruction loss (binary cross-entropy, summed over pixels).

    Networks of its own are submodules, and what it must remember from step to step are buffers: both are saved in
    checkpoints, and so is the state of `optimizer`, which trains the networks.

    Attributes:
        needs_second: whether a step takes a second batch.
        of_pairs: whether `latent` takes rows of a batch together, so that none may be left out.
    """

    needs_second: ClassVar[bool] = False
    of_pairs: ClassVar[bool] = False
    optimizer: torch.optim.Optimizer | None = None

    def forward(self, context: Context) -> Terms:
        """The terms of a step, whose gradient goes to the VAE."""
        raise NotImplementedError

    def source(self, data: ImageData) -> ImageData:
        """What batches are drawn from; GanwalkError if the data set does not do."""
        return data

    def latent(self, model: VAE, mean: Tensor, log_variance: Tensor, noise: Tensor) -> Latent:
        """What is decoded of a batch, from what the encoder says and standard normal noise, (n, z_dim) each."""
        return Latent(mean, log_variance, sample(mean, log_variance, noise))

    def decay(self, model: VAE, lr: float) -> None:
        """Changes the VAE's weights before each step of its optimiser, as a decay of weights does."""

    def update(self, context: Context) -> dict[str, Tensor]:
        """Trains the objective's own networks after the VAE's step; returns scalars for metrics.csv."""
        return {}

    def optimise(self, loss: Tensor) -> None:
        """One step of the objective's own networks, by the mean of the gradients of all processes."""
        assert self.optimizer is not None
        parameters = list(self.parameters())
        gradients = parallel.average(torch.autograd.grad(loss, parameters))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
