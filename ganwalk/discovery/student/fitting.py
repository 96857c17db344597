"""Fits a small network to styles and coordinates: a linear map, and a residual network for what it misses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of

_WIDTH = 384
_HIDDEN = 2
_BATCH = 256
_STEPS = (300, 1500)
_LR = 2e-3
_WEIGHT_DECAY = 1e-2
# Share of the images that nothing is fitted to: one such part chooses, another one judges.
_HELD = 0.1
_MAX_HELD = 512
_RIDGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


class Network(nn.Module):
    """Coordinates (n, k) of inputs (n, d): linear, plus a residual network whose share was chosen on held images."""

    mean: Tensor
    scale: Tensor
    linear: Tensor
    share: Tensor

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))
        # The last row is the constant.
        self.register_buffer("linear", torch.zeros(inputs + 1, outputs))
        self.register_buffer("share", torch.ones(()))
        self.first = nn.Linear(inputs, _WIDTH)
        self.hidden = nn.ModuleList(nn.Linear(_WIDTH, _WIDTH) for _ in range(_HIDDEN))
        self.last = nn.Linear(_WIDTH, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        x = (inputs - self.mean) / self.scale
        return x @ self.linear[:-1] + self.linear[-1] + self.share * self.residual(x)

    def residual(self, x: Tensor) -> Tensor:
        """What the linear map misses, of standardised inputs."""
        x = F.silu(self.first(x))
        for layer in self.hidden:
            x = x + F.silu(layer(x))
        return self.last(x)


@dataclass(frozen=True)
class Fit:
    """A fitted network and what it is worth.

    Attributes:
        network: in evaluation mode, without gradients of its own, on the CPU.
        r2: share of the coordinates' variance that it explains on images that were held back.
    """

    network: Network
    r2: float


def fit_network(
    inputs: Tensor,
    coordinates: Tensor,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_share: Callable[[float], None] | None = None,
) -> Fit:
    """Fits inputs (n, d) to coordinates (n, k), both float32 on the CPU.

    A ridge regression comes first: features of networks are nearly linear in many of their latents' components, which
    a network would have to learn from few images. The residual network is trained on what is left, and enters with the
    share that suits held images best, so that it does no harm where it only memorises.

    Args:
        seed: of the network's first weights and of its batches.
        device: where the network is trained.
    """
    n = len(inputs)
    # Few images are memorised before long.
    steps = min(max(n // 2, _STEPS[0]), _STEPS[1])
    held = max(1, min(_MAX_HELD, int(_HELD * n)))
    training, choosing, judging = slice(0, n - 2 * held), slice(n - 2 * held, n - held), slice(n - held, n)
    rng = rng_of(seed)
    network = Network(inputs.shape[1], coordinates.shape[1])
    network.mean.copy_(inputs[training].mean(dim=0))
    network.scale.copy_((inputs[training] - network.mean).square().mean().sqrt().clamp_min(1e-12))
    x = (inputs - network.mean) / network.scale
    network.linear.copy_(_ridge(x, coordinates, training, choosing))
    left = coordinates - x @ network.linear[:-1] - network.linear[-1]
    unit = left[training].square().mean().sqrt().clamp_min(1e-12)
    _initialise(network, rng)
    network.to(device)
    _train(network, x[training].to(device), (left[training] / unit).to(device), steps, rng, on_share)
    network.cpu().eval().requires_grad_(False)
    network.last.weight.mul_(unit)
    network.last.bias.mul_(unit)
    with torch.no_grad():
        made = network.residual(x)
        share = (made[choosing] * left[choosing]).sum() / made[choosing].square().sum().clamp_min(1e-12)
        network.share.copy_(share.clamp(0, 1))
        error = (left[judging] - network.share * made[judging]).square().sum()
        spread = (coordinates[judging] - coordinates[training].mean(dim=0)).square().sum().clamp_min(1e-12)
    return Fit(network, float(1 - error / spread))


def _ridge(x: Tensor, y: Tensor, training: slice, choosing: slice) -> Tensor:
    """Weights (d + 1, k) of the linear map whose penalty suits the choosing part best; the last row is the constant."""
    design = F.pad(x, (0, 1), value=1.0).double()
    target = y.double()
    gram, products = design[training].T @ design[training], design[training].T @ target[training]
    penalised = torch.ones(len(gram), dtype=torch.float64)
    penalised[-1] = 1e-9
    best, lowest = None, math.inf
    for ridge in _RIDGES:
        weights = torch.linalg.solve(gram + torch.diag(ridge * len(x) * penalised), products)
        error = float((design[choosing] @ weights - target[choosing]).square().sum())
        if error < lowest:
            best, lowest = weights, error
    assert best is not None
    return best.float()


def _initialise(network: Network, rng: torch.Generator) -> None:
    """Weights from a generator of random numbers of their own; the last layer starts at zero."""
    with torch.no_grad():
        for layer in (network.first, *network.hidden):
            assert isinstance(layer, nn.Linear)
            bound = 1 / math.sqrt(layer.in_features)
            for parameter in (layer.weight, layer.bias):
                parameter.copy_((2 * torch.rand(parameter.shape, generator=rng) - 1) * bound)
        network.last.weight.zero_()
        network.last.bias.zero_()


def _train(
    network: Network,
    x: Tensor,
    y: Tensor,
    steps: int,
    rng: torch.Generator,
    on_share: Callable[[float], None] | None,
) -> None:
    """AdamW on the mean squared error, under a learning rate that rises for a tenth of the steps and then falls."""
    optimizer = torch.optim.AdamW(network.parameters(), _LR, weight_decay=_WEIGHT_DECAY)
    picks = torch.randint(len(x), (steps, min(_BATCH, len(x))), generator=rng).to(x.device)
    with torch.enable_grad():
        for step in range(steps):
            done = step / steps
            optimizer.param_groups[0]["lr"] = _LR * min(10 * done + 0.01, (1 + math.cos(math.pi * done)) / 2 + 1e-3)
            loss = F.mse_loss(network.residual(x[picks[step]]), y[picks[step]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if on_share is not None and step % 50 == 0:
                on_share(done)
