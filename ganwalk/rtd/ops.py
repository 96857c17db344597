"""Distances and divergences of tensors: operators of torch, with their gradients, that torch.compile and vmap know.

Products with points run where the points are. What is done to n×n matrices is done on the CPU, where the barcode needs
them: one matrix comes from the device for each cloud, and one goes back with the gradient. It is done by numpy, since
torch divides even small operations among threads and, where cores are busy, waits for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ganwalk.rtd.distances import gram_distances, gram_matrix, laplacian
from ganwalk.rtd.given import checked_distances
from ganwalk.rtd.settings import Settings
from ganwalk.rtd.terms import divergences

# Of `divergence`; old versions of torch do not find it in annotations that are text.
_SCHEMA = (
    "(Tensor[] sources, int[] pairs, bool points, bool differentiate, float p, int? card, bool minimax, "
    "bool symmetric, float? normalize, str over, str scale_gradient, str ends, str variant, str engine, "
    "int? threads) -> (Tensor, Tensor[])"
)


def tensor_distances(points: Tensor) -> Tensor:
    """Euclidean distances (n, n) of a cloud (n, …), on its device."""
    return euclidean_distances(points)


def tensor_divergences(
    sources: Sequence[Tensor], pairs: Sequence[tuple[int, int]], settings: Settings, *, points: bool
) -> Tensor:
    """Divergences (b,) of pairs of clouds (n, …), or of distance matrices (n, n) unless `points`.

    Raises:
        ValueError: a pair lies on two devices.
    """
    for first, second in pairs:
        if sources[first].device != sources[second].device:
            raise ValueError(f"the clouds lie on {sources[first].device} and {sources[second].device}")
    differentiate = torch.is_grad_enabled() and any(source.requires_grad for source in sources)
    flat = [place for pair in pairs for place in pair]
    if _traced(sources):
        return divergence(list(sources), flat, points, differentiate, **asdict(settings))[0]
    return _Eager.apply(settings, flat, points, differentiate, *sources)


def _traced(sources: Sequence[Tensor]) -> bool:
    """Whether something else than this process's own autograd looks on: a compiler, vmap, or tensors without values."""
    functorch = torch._C._are_functorch_transforms_active()
    return torch.compiler.is_compiling() or functorch or any(source.is_meta for source in sources)


class _Eager(torch.autograd.Function):
    """The operator `divergence` as it is called most: what compilers need to know costs more than a small barcode."""

    @staticmethod
    def forward(
        ctx: Any, settings: Settings, pairs: list[int], points: bool, differentiate: bool, *sources: Tensor
    ) -> Tensor:
        values, ctx.kept = _evaluate(sources, pairs, points, differentiate, settings)
        ctx.save_for_backward(*sources)
        ctx.pairs, ctx.points = pairs, points
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        needed = ctx.needs_input_grad[4:]
        found = _pull_back(gradient, ctx.saved_tensors, ctx.kept, ctx.pairs, ctx.points, needed)
        return None, None, None, None, *found


def _evaluate(
    sources: Sequence[Tensor], pairs: Sequence[int], points: bool, differentiate: bool, settings: Settings
) -> tuple[Tensor, list[np.ndarray]]:
    """What `divergence` returns."""
    if points:
        arrays = [_distances(source) for source in sources]
    else:
        firsts = set(pairs[::2])
        arrays = [checked_distances(source, "w" if k in firsts else "v") for k, source in enumerate(sources)]
    values, gradients = divergences(arrays, _in_pairs(pairs), settings, gradients=differentiate)
    kept = [*gradients, *(arrays if points else [])] if differentiate else []
    numbers = np.array(values, np.float64 if _value_type(sources, pairs) == torch.float64 else np.float32)
    return torch.from_numpy(numbers).to(sources[pairs[0]].device), kept


def _pull_back(
    gradient: Tensor,
    sources: Sequence[Tensor],
    kept: Sequence[np.ndarray],
    pairs: Sequence[int],
    points: bool,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients by the sources that need one, from what `_evaluate` kept and a gradient by the divergences (b,)."""
    weights = gradient.cpu().tolist()
    uses: list[list[int]] = [[] for _ in sources]
    for k, place in enumerate(pairs):
        uses[place].append(k)
    found: list[Tensor | None] = []
    for place, source in enumerate(sources):
        if not needed[place]:
            found.append(None)
            continue
        first, *others = uses[place]
        by_distances, weight = kept[first], weights[first // 2]
        if others:
            by_distances, weight = sum((weights[k // 2] * kept[k] for k in others), weight * by_distances), 1.0
        if points:
            found.append(_points_gradient(by_distances, weight, source, kept[len(pairs) + place]))
        else:
            computed = np.float64 if source.dtype == torch.float64 else np.float32
            own = torch.from_numpy(np.multiply(by_distances, weight, dtype=computed, casting="same_kind"))
            same = own.dtype == source.dtype and source.device.type == "cpu"
            found.append(own if same else own.to(source.device, source.dtype))
    return found


@torch.library.custom_op("ganwalk::euclidean_distances", mutates_args=(), schema="(Tensor points) -> Tensor")
def euclidean_distances(points: Tensor) -> Tensor:
    """The distances (n, n) of a cloud (n, …)."""
    return torch.from_numpy(_distances(points)).to(points.device)


@euclidean_distances.register_fake
def _(points: Tensor) -> Tensor:
    return points.new_empty(len(points), len(points), dtype=_computed(points))


@torch.library.custom_op(
    "ganwalk::euclidean_distances_backward",
    mutates_args=(),
    schema="(Tensor gradient, Tensor points, Tensor distances) -> Tensor",
)
def euclidean_distances_backward(gradient: Tensor, points: Tensor, distances: Tensor) -> Tensor:
    """The gradient by the points."""
    return _points_gradient(gradient.cpu().numpy(), 1.0, points, distances.cpu().numpy())


@euclidean_distances_backward.register_fake
def _(gradient: Tensor, points: Tensor, distances: Tensor) -> Tensor:
    return torch.empty_like(points, memory_format=torch.contiguous_format)


def _keep_distances(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0], output)


def _distances_backward(ctx: Any, gradient: Tensor) -> Tensor:
    points, distances = ctx.saved_tensors
    # Second derivatives would lack the part that comes from the barcode: without a graph they are refused.
    with torch.no_grad():
        return euclidean_distances_backward(gradient, points, distances)


euclidean_distances.register_autograd(_distances_backward, setup_context=_keep_distances)


@torch.library.custom_op("ganwalk::divergence", mutates_args=(), schema=_SCHEMA)
def divergence(
    sources: Sequence[Tensor],
    pairs: Sequence[int],
    points: bool,
    differentiate: bool,
    p: float,
    card: int | None,
    minimax: bool,
    symmetric: bool,
    normalize: float | None,
    over: str,
    scale_gradient: str,
    ends: str,
    variant: str,
    engine: str,
    threads: int | None,
) -> tuple[Tensor, list[Tensor]]:
    """Divergences (b,) of b pairs, and what their gradient needs.

    Args:
        sources: clouds (n, …) or distance matrices (n, n).
        pairs: places of both members of each pair, one after another.
        points: whether sources are clouds.
        differentiate: whether a gradient is needed; without it nothing is returned for it.
        The others are fields of `Settings`.
    Returns:
        (b,); and, on the CPU, the gradients (n, n) by both distance matrices of each pair, in float64, followed, of
        clouds, by the distances of each (n, n).
    """
    settings = Settings(p, card, minimax, symmetric, normalize, over, scale_gradient, ends, variant, engine, threads)  # type: ignore[arg-type]
    values, kept = _evaluate(sources, pairs, points, differentiate, settings)
    return values, [torch.from_numpy(array) for array in kept]


@divergence.register_fake
def _(
    sources: Sequence[Tensor], pairs: Sequence[int], points: bool, differentiate: bool, *settings: Any
) -> tuple[Tensor, list[Tensor]]:
    values = sources[pairs[0]].new_empty(len(pairs) // 2, dtype=_value_type(sources, pairs))
    kept = []
    if differentiate:
        sizes = [(len(sources[place]), torch.float64) for place in pairs]
        sizes += [(len(source), _computed(source)) for source in sources] if points else []
        kept = [torch.empty(n, n, dtype=dtype, device="cpu") for n, dtype in sizes]
    return values, kept


@torch.library.custom_op(
    "ganwalk::divergence_backward",
    mutates_args=(),
    schema="(Tensor gradient, Tensor[] sources, Tensor[] kept, int[] pairs, bool points) -> Tensor[]",
)
def divergence_backward(
    gradient: Tensor, sources: Sequence[Tensor], kept: Sequence[Tensor], pairs: Sequence[int], points: bool
) -> list[Tensor]:
    """Gradients by the sources, of their shapes.

    Args:
        gradient: by the divergences (b,).
        kept: the second result of `divergence`, for the same sources and pairs.
    """
    arrays = [each.numpy() for each in kept]
    found = _pull_back(gradient, sources, arrays, pairs, points, [True] * len(sources))
    return [each for each in found if each is not None]


@divergence_backward.register_fake
def _(
    gradient: Tensor, sources: Sequence[Tensor], kept: Sequence[Tensor], pairs: Sequence[int], points: bool
) -> list[Tensor]:
    return [torch.empty_like(source, memory_format=torch.contiguous_format) for source in sources]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, list[Tensor]]) -> None:
    sources, ctx.pairs, ctx.points = inputs[:3]
    ctx.save_for_backward(*sources, *output[1])
    ctx.count = len(sources)


def _backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Any, ...]:
    sources, kept = list(ctx.saved_tensors[: ctx.count]), list(ctx.saved_tensors[ctx.count :])
    # As of distances: no second derivatives.
    with torch.no_grad():
        found = divergence_backward(gradient, sources, kept, ctx.pairs, ctx.points)
    return found, *[None] * 14


divergence.register_autograd(_backward, setup_context=_keep)


def _vmap_divergence(
    info: Any,
    in_dims: tuple[Any, ...],
    sources: Sequence[Tensor],
    pairs: Sequence[int],
    points: bool,
    differentiate: bool,
    *fields: Any,
) -> tuple[tuple[Tensor, list[Tensor]], tuple[int, list[int]]]:
    """All members of the batch at once, as more pairs; a source that they share is taken once."""
    spread: list[Tensor] = []
    places = []
    for source, dim in zip(sources, in_dims[0], strict=True):
        count = 1 if dim is None else info.batch_size
        places.append([len(spread) + (0 if dim is None else b) for b in range(info.batch_size)])
        spread += [_member(source, dim, b) for b in range(count)]
    flat = [places[k][b] for b in range(info.batch_size) for k in pairs]
    # Outside of vmap there may be a gradient of which the batched tensor knows nothing.
    tracked = torch.is_grad_enabled() and any(source.requires_grad for source in spread)
    values, kept = divergence(spread, flat, points, differentiate or tracked, *fields)
    groups = []
    if differentiate:
        groups = [[kept[b * len(pairs) + k] for b in range(info.batch_size)] for k in range(len(pairs))]
        groups += [[kept[len(flat) + at] for at in place] for place in places] if points else []
    stacks = [torch.stack(group) for group in groups]
    return (values.reshape(info.batch_size, -1), stacks), (0, [0] * len(stacks))


def _vmap_divergence_backward(
    info: Any,
    in_dims: tuple[Any, ...],
    gradient: Tensor,
    sources: Sequence[Tensor],
    kept: Sequence[Tensor],
    pairs: Sequence[int],
    points: bool,
) -> tuple[list[Tensor], list[int]]:
    found = [
        divergence_backward(
            _member(gradient, in_dims[0], b),
            [_member(source, dim, b) for source, dim in zip(sources, in_dims[1], strict=True)],
            [_member(each, dim, b) for each, dim in zip(kept, in_dims[2], strict=True)],
            pairs,
            points,
        )
        for b in range(info.batch_size)
    ]
    return [torch.stack(group) for group in zip(*found, strict=True)], [0] * len(sources)


def _one_by_one(operator: Any) -> Any:
    """The rule of an operator of tensors alone: members of the batch one after another."""

    def rule(info: Any, in_dims: tuple[Any, ...], *tensors: Tensor) -> tuple[Tensor, int]:
        found = [
            operator(*(_member(each, dim, b) for each, dim in zip(tensors, in_dims, strict=True)))
            for b in range(info.batch_size)
        ]
        return torch.stack(found), 0

    return rule


def _member(values: Tensor, dim: int | None, b: int) -> Tensor:
    return values if dim is None else values.select(dim, b)


# Torch 2.4 has no vmap of operators.
if hasattr(torch.library, "register_vmap"):
    divergence.register_vmap(_vmap_divergence)
    divergence_backward.register_vmap(_vmap_divergence_backward)
    for _operator in (euclidean_distances, euclidean_distances_backward):
        _operator.register_vmap(_one_by_one(_operator))


def _distances(points: Tensor) -> np.ndarray:
    """The distances of a cloud, on the CPU."""
    flat = _flat(points.detach())
    if flat.device.type == "cpu":
        gram = gram_matrix(flat.numpy())
    else:
        shifted = flat - flat.mean(dim=0)
        gram = (shifted @ shifted.T).cpu().numpy()

    def squares_of(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        first, second = (flat[torch.from_numpy(ends).to(flat.device)] for ends in (i, j))
        return (first - second).square().sum(dim=1).cpu().numpy()

    return gram_distances(gram, flat.shape[1], squares_of)


def _points_gradient(gradient: np.ndarray, weight: float, points: Tensor, distances: np.ndarray) -> Tensor:
    """The gradient by points of a weighted gradient (n, n) by their distances."""
    matrix = laplacian(gradient, weight, distances)
    flat = _flat(points.detach())
    if flat.device.type == "cpu":
        found = torch.from_numpy(matrix @ flat.numpy())
    else:
        found = torch.from_numpy(matrix).to(flat.device) @ flat
    if found.shape == points.shape and found.dtype == points.dtype:
        return found
    found = found if points.numel() else found[:, :0]
    return found.to(points.dtype).reshape(points.shape)


def _flat(points: Tensor) -> Tensor:
    """Points as rows, in the type that is computed in."""
    # Of few points, torch's answer that there is nothing to do takes as long as doing it.
    if points.ndim == 2 and points.dtype == _computed(points) and points.numel():
        return points
    flat = points.reshape(points.shape[0], -1) if points.numel() else points.new_zeros(points.shape[0], 1)
    return flat.to(_computed(points))


def _computed(points: Tensor) -> torch.dtype:
    return points.dtype if points.dtype in (torch.float32, torch.float64) else torch.float32


def _value_type(sources: Sequence[Tensor], pairs: Sequence[int]) -> torch.dtype:
    # The device may have no double precision.
    return torch.float64 if any(sources[k].dtype == torch.float64 for k in pairs[:2]) else torch.float32


def _in_pairs(flat: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
