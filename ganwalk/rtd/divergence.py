"""Divergences of two clouds or matrices of distances, as functions; torch is loaded only where a tensor is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganwalk.rtd.choices import Engine, Over, Variant
from ganwalk.rtd.distances import EUCLIDEAN, Metric, distance_matrix, euclidean
from ganwalk.rtd.given import checked_distances, is_given_tensor, paired_clouds, paired_distances
from ganwalk.rtd.settings import Settings
from ganwalk.rtd.terms import divergences


def rtd(
    P: Any,
    Q: Any,
    *,
    metric: Metric = EUCLIDEAN,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool | None = None,
    symmetric: bool = True,
    normalize: float | None = 0.9,
    over: Over = "all",
    scale_gradient: str = "exact",
    ends: str = "exact",
    variant: Variant = "rtd",
    engine: Engine = "relative",
    threads: int | None = None,
) -> Any:
    """RTD of two clouds of points in one-to-one correspondence: a tensor, or a number of arrays; see `RTDLoss`.

    Args:
        metric: of the distances, see `distance_matrix`; "precomputed" if P and Q are distances.
    """
    settings = Settings(p, card, minimax, symmetric, normalize, over, scale_gradient, ends, variant, engine, threads)
    if metric == EUCLIDEAN:
        return of_clouds(P, Q, settings)
    return of_distances([tuple(distance_matrix(cloud, metric) for cloud in (P, Q))], settings)[0]


def rtd_from_distances(
    w: Any,
    v: Any,
    *,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool | None = None,
    symmetric: bool = True,
    normalize: float | None = None,
    over: Over = "all",
    scale_gradient: str = "exact",
    ends: str = "exact",
    variant: Variant = "rtd",
    engine: Engine = "relative",
    threads: int | None = None,
) -> Any:
    """RTD of two (n, n) distance matrices, which by default are taken as they are; see `RTDLoss.from_distances`."""
    settings = Settings(p, card, minimax, symmetric, normalize, over, scale_gradient, ends, variant, engine, threads)
    return of_distances([(w, v)], settings)[0]


def of_clouds(P: Any, Q: Any, settings: Settings) -> Any:
    """Divergence of two clouds, or of several pairs, as `RTDLoss.forward` takes them."""
    clouds, pairs, single = paired_clouds(P, Q)
    if is_given_tensor(P, Q):
        from ganwalk.rtd.ops import tensor_divergences

        values = tensor_divergences(_tensors(clouds), pairs, settings, points=True)
        return values[0] if single else values
    found = _values([euclidean(cloud) for cloud in clouds], pairs, settings)
    return np.float64(found[0]) if single else found


def of_distances(pairs: Any, settings: Settings) -> Any:
    """Divergences (b,) of b pairs of distance matrices, as `RTDLoss.from_distances` takes them."""
    squares, names, places = paired_distances(pairs)
    if is_given_tensor(*(matrix for pair in pairs for matrix in pair)):
        from ganwalk.rtd.ops import tensor_divergences

        return tensor_divergences(_tensors(squares), places, settings, points=False)
    arrays = [checked_distances(square, name) for square, name in zip(squares, names, strict=True)]
    return _values(arrays, places, settings)


def _values(arrays: list[np.ndarray], pairs: list[tuple[int, int]], settings: Settings) -> np.ndarray:
    """Of arrays: as of tensors, in double precision only if the first pair is."""
    values, _ = divergences(arrays, pairs, settings, gradients=False)
    return np.array(values, np.result_type(*(arrays[k].dtype for k in pairs[0])))


def _tensors(values: list[Any]) -> list[Any]:
    """Arrays beside tensors as tensors."""
    import torch

    # Torch takes neither arrays that cannot be written nor negative strides.
    return [torch.from_numpy(np.require(v, None, ["C", "W"])) if isinstance(v, np.ndarray) else v for v in values]
