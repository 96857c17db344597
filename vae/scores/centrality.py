"""ModelCentrality: which of several models the others agree with, without factors (Lin et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ganwalk.errors import GanwalkError
from vae.models import VAE

# Pictures that are encoded at a time.
_CHUNK = 256


@dataclass(frozen=True)
class Centrality:
    """Attributes:
    scores: (R,) of each model, the mean of its similarities to the others; the highest is the most central.
    pairwise: (R, R) similarities, symmetric, 0 on the diagonal.
    """

    scores: np.ndarray
    pairwise: np.ndarray


def model_centrality(
    models: Sequence[VAE],
    *,
    groups: int = 200,
    size: int = 50,
    seed: int = 0,
    on_model: Callable[[int], None] | None = None,
) -> Centrality:
    """Similarity of models by the FactorVAE score, with the codes of one as the factors of what the other encodes.

    Each model paints groups of pictures whose codes share one dimension, the dimensions in turn. The code of another
    model that varies least within a group, in units of its deviation over all groups, votes for that dimension; the
    accuracy of the majority vote, both ways averaged, is the similarity of the two. As in the authors' code, which
    takes 1000 groups of 100.

    Args:
        models: at least 2, of images of one shape, in evaluation mode.
        groups: of pictures by each model; size: pictures in a group.
        seed: of the codes, the same for all models.
        on_model: told how many models have painted.
    Raises:
        GanwalkError: fewer than 2 models, or images of different shapes.
    """
    shapes = {(model.config.resolution, model.config.channels) for model in models}
    if len(models) < 2 or len(shapes) > 1:
        raise GanwalkError(f"centrality compares models of images of one shape: give at least 2, not {len(models)}")
    accuracy = np.zeros((len(models), len(models)))
    with torch.no_grad():
        for j, painter in enumerate(models):
            held, pictures = _groups(painter, groups, size, seed)
            for i, reader in enumerate(models):
                if i != j:
                    codes = torch.cat([reader.represent(part)[0] for part in pictures.split(_CHUNK)])
                    accuracy[i, j] = _accuracy(codes.cpu().numpy().reshape(groups, size, -1), held)
            if on_model is not None:
                on_model(j + 1)
    pairwise = (accuracy + accuracy.T) / 2
    return Centrality(pairwise.sum(axis=1) / (len(models) - 1), pairwise)


def _groups(model: VAE, groups: int, size: int, seed: int) -> tuple[np.ndarray, torch.Tensor]:
    """The dimension (groups,) that each group shares, and its pictures, group after group."""
    rng = torch.Generator().manual_seed(seed % 2**63)
    held = torch.arange(groups) % model.config.z_dim
    z = torch.randn(groups, size, model.config.z_dim, generator=rng)
    rows = torch.arange(groups)
    z[rows, :, held] = z[rows, 0, held][:, None]
    codes = z.flatten(0, 1).to(next(model.parameters()).device)
    if model.codebook is not None:
        codes = _levels(model.codebook, codes)
    return held.numpy(), torch.cat([model.decode(part).sigmoid() for part in codes.split(_CHUNK)])


def _levels(codebook: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Levels (n, d) that are equally likely, by the ranks of normal codes."""
    count = codebook.shape[1]
    places = (torch.special.ndtr(z) * count).long().clamp(max=count - 1)
    return codebook[torch.arange(z.shape[1], device=z.device), places]


def _accuracy(codes: np.ndarray, held: np.ndarray) -> float:
    """Accuracy of the majority votes of codes (groups, size, d) for the dimension that each group shares."""
    deviations = codes.reshape(-1, codes.shape[2]).std(axis=0)
    moving = deviations > 0
    if not moving.any():
        return 0.0
    votes = (codes[:, :, moving].std(axis=1) / deviations[moving]).argmin(axis=1)
    table = np.zeros((int(moving.sum()), held.max() + 1))
    np.add.at(table, (votes, held), 1)
    return float(table.max(axis=1).sum() / len(held))
