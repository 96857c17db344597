"""Plain formulations that discovery.py compares discoveries with, on our generator modules: only the search differs.

- GANSpace: principal components of w (Härkönen et al., NeurIPS 2020, section 2.2) by incremental PCA, the default
  estimator of its authors, in their batches of 2,000. It makes no picture.
- The loop: RTD of shifted batches (Balabin et al., ICML 2024) as one writes it in PyTorch, with the defaults of ganwalk
  0.1: 64 images, four directions a step, each step with a reference of its own, autograd through the network to the
  last layer of at most 32 px, Adam on a matrix exponential. It recomputes parts of the batch in the backward pass, so
  that memory suffices, and has neither a start by the Jacobian nor evaluations. RTD itself is ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.decomposition import IncrementalPCA
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ganwalk.generators.base import device_of, sample_z
from ganwalk.rtd import RTDLoss

# Latents that the components are found from: as many as ours.
SAMPLES = 10_000
_PCA_BATCH = 2000
_BATCH, _PER_STEP, _CHUNK = 64, 4, 16
_FEATURE_PX = 32
_AMPLITUDE, _RATE = 2.0, 0.05


def ganspace_pca(generator: Any, n: int) -> IncrementalPCA:
    """The fitted principal components of w, n of them."""
    pca = IncrementalPCA(n)
    with torch.no_grad():
        for start in range(0, SAMPLES, _PCA_BATCH):
            z = sample_z(generator, _PCA_BATCH, start)
            pca.partial_fit(generator.mapping(z)[:, 0].cpu().numpy())
    return pca


def features(generator: Any, w: Tensor, layer: int) -> Tensor:
    """Features (n, …) of styles (n, num_layers, w_dim), differentiable in bounded memory."""

    def synthesise(part: Tensor) -> Tensor:
        return generator.synthesis(part, until=layer)

    return torch.cat([checkpoint(synthesise, part, use_reentrant=False) for part in w.split(_CHUNK)])


@dataclass(frozen=True)
class Search:
    """What a search leaves: seconds of each step, and the basis (n, w_dim), orthonormal, after the last one."""

    seconds: list[float]
    basis: Tensor


def plain_search(generator: Any, n: int, steps: int, *, threads: int | None = None) -> Search:
    """The first steps of a search for n directions."""
    device = device_of(generator)
    layer = max(k for k, size in enumerate(generator.layer_resolutions) if size <= _FEATURE_PX)
    pca = ganspace_pca(generator, n)
    components = torch.from_numpy(pca.components_).float().to(device)
    variances = torch.from_numpy(pca.explained_variance_).float().to(device)
    free = torch.zeros(n, n, device=device, requires_grad=True)
    adam = torch.optim.Adam([free], _RATE)
    loss = RTDLoss(threads=threads)
    seconds = []
    for step in range(steps):
        began = time.perf_counter()
        with torch.no_grad():
            w = generator.mapping(sample_z(generator, _BATCH, step))
            reference = features(generator, w, layer)
        rotation = torch.linalg.matrix_exp(free - free.T)
        scales = (rotation.square() @ variances).sqrt()
        shifts = _AMPLITUDE * scales[:, None] * (rotation @ components)
        shifted = []
        for k in torch.randperm(n)[:_PER_STEP].tolist():
            sign = 2 * torch.randint(2, (), device=device) - 1
            shifted.append(features(generator, w + sign * shifts[k], layer))
        adam.zero_grad()
        loss(reference, shifted).mean().backward()
        adam.step()
        # A device works on while Python does: this waits for it.
        free.detach().cpu()
        seconds.append(time.perf_counter() - began)
    with torch.no_grad():
        return Search(seconds, torch.linalg.matrix_exp(free - free.T) @ components)
