"""Discovery by the Hessian penalty: along good directions the picture's change does not depend on the others.

Peebles et al., "The Hessian Penalty: A Weak Prior for Unsupervised Disentanglement" (ECCV 2020), applied as in their
section on pretrained generators: an orthogonal basis of directions is optimised for a small penalty.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.discovery.objectives.penalty import PROBES, Synthesis

# Length of the finite differences in standard deviations, as in the paper.
_EPSILON = 0.1


def cost(batch: int, n: int) -> tuple[int, int]:
    """Latents that a step of a batch synthesises: the latents, and both ways along each vector of signs."""
    return batch, 2 * PROBES * batch


def hessian_penalty(latents: Tensor, steps: Tensor, signs: Tensor, synthesise: Synthesis) -> Tensor:
    """Estimate of the largest squared off-diagonal part of the Hessian (equations 3 to 5 of the paper), a scalar.

    The second directional derivative along a vector of random signs is the Hessian's trace plus twice the sum of its
    signed off-diagonal entries: its variance over the signs is that of the off-diagonal part alone.

    The arguments are those of a `penalty.Penalty`.
    """
    centre = synthesise(latents, torch.zeros_like(steps[0]))
    curvatures = []
    for sign in signs:
        probe = _EPSILON * (sign @ steps)
        both = synthesise(latents, probe) + synthesise(latents, -probe)
        curvatures.append((both - 2 * centre) / _EPSILON**2)
    variance = torch.stack(curvatures).var(dim=0)
    return variance.flatten(1).amax(dim=1).mean()
