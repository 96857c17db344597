"""Representation Topology Divergence as a loss of your own model: codes in the plane that keep the shape of the data.

python examples/rtd_as_a_loss.py
"""

import math

import torch
from torch import nn

from ganwalk.rtd import RTDLoss


def points_on_a_circle(n: int, rng: torch.Generator) -> torch.Tensor:
    """A circle in 20 dimensions, with a little noise: (n, 20)."""
    angles = 2 * math.pi * torch.rand(n, generator=rng)
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    return circle @ torch.randn(2, 20, generator=rng) + 0.01 * torch.randn(n, 20, generator=rng)


def main() -> None:
    torch.manual_seed(0)
    points = points_on_a_circle(512, torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    rtd = RTDLoss()
    for step in range(101):
        batch = points[torch.randperm(len(points))[:64]]
        loss = rtd(batch, model(batch))  # differentiable in both: here the codes learn
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step:3d}: RTD {loss.item():.3f}")


if __name__ == "__main__":
    main()
