"""Discovery by orthogonal Jacobian columns: what directions change of the picture should have nothing in common.

Wei et al., "Orthogonal Jacobian Regularization for Unsupervised Disentanglement in Image Generation" (ICCV 2021),
applied as in their section on pretrained generators: an orthogonal basis of directions is optimised for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.discovery.objectives.penalty import PROBES, Synthesis

# Length of the finite differences in standard deviations, as in the paper.
_EPSILON = 0.1


def cost(batch: int, n: int) -> tuple[int, int]:
    """Latents that a step of a batch synthesises: the latents, and one way along each vector of signs."""
    return batch, PROBES * batch


def orthogonality_penalty(latents: Tensor, steps: Tensor, signs: Tensor, synthesise: Synthesis) -> Tensor:
    """Estimate of the squared off-diagonal part of JᵀJ, the products of the Jacobian's columns, a scalar.

    The squared length of J times a vector of random signs is the trace of JᵀJ plus twice the sum of its signed
    off-diagonal entries: its variance over the signs is that of the off-diagonal part alone. Lengths are means over the
    values of the features. The arguments are those of a `penalty.Penalty`.
    """
    centre = synthesise(latents, torch.zeros_like(steps[0]))
    changes = [(synthesise(latents, _EPSILON * (sign @ steps)) - centre) / _EPSILON for sign in signs]
    lengths = torch.stack([change.flatten(1).square().mean(dim=1) for change in changes])
    return lengths.var(dim=0).mean()
