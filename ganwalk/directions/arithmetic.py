"""New directions from old ones: sums, what is left without others, signs, selections, several files in one.

Nothing is measured: lengths follow from those of the steps, so that a step of one σ along a new direction is the sum,
or the rest, of the steps that it is made of. Effects on images, and reach, are forgotten where they would be others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import CHANNELS, WPLUS, Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import EFFECT_UNIT, Label, numbered_name
from ganwalk.directions.reach import merged
from ganwalk.errors import GanwalkError, one_line
from ganwalk.layers import Layers, hull_of, layer_mask

# Of a unit vector, below which rounding is all that is left.
_NOTHING = 1e-3
_DERIVED = " (derived)"


def layer_by_layer(directions: Directions, num_layers: int) -> Directions:
    """The same walks as directions in w+; those in w+ as they are.

    Raises:
        GanwalkError: they are in z, where no layer has a code of its own.
    """
    if directions.space == WPLUS:
        return directions
    if directions.space not in ("w", WPLUS):
        raise GanwalkError(
            f"directions in {directions.space} stay among themselves: only those in w and w+ go together"
        )
    masks = [_mask(directions.layers_of(index), num_layers, directions.vectors) for index in range(len(directions))]
    counts = torch.stack([mask.sum() for mask in masks]).sqrt()
    vectors = torch.stack([mask * vector for mask, vector in zip(masks, directions.vectors, strict=True)])
    return replace(
        directions,
        vectors=vectors / counts[:, None, None],
        # A step of all layers is as long as the steps of each together.
        scales=directions.scales * counts,
        space=WPLUS,
        layers=None,
        own_layers=(),
    )


def combine(
    directions: Directions, edit: Sequence[Move], *, num_layers: int | None = None, label: Label | None = None
) -> Directions:
    """One direction whose step of 1 is the whole edit, in the layers of its moves.

    Args:
        num_layers: of the generator; needed where the layers of the moves differ.
        label: of the new direction.
    Raises:
        GanwalkError: a direction does not exist, the moves cancel one another, or `num_layers` is needed.
    """
    if not edit:
        raise GanwalkError("the edit has no moves: name at least one direction")
    if directions.space == "z" and any(move.layers is not None for move in edit):
        raise GanwalkError("directions in z have no layers: leave those of the edit out")
    limits = {move.layers or directions.layers_of(move.index) for move in edit}
    shared = directions.space not in (WPLUS, CHANNELS) and len(limits) == 1
    if shared or directions.space == "z":
        total = _sum([directions.step(move.index, move.amplitude) for move in edit])
        facts: dict[str, Any] = {"layers": limits.pop() if shared else None}
    else:
        count = _count(directions, num_layers)
        highest = max((hull_of(layers)[1] for layers in limits if layers is not None), default=0)
        if highest >= count:
            raise GanwalkError(f"layer {highest} does not exist: there are layers 0 to {count - 1}")
        shifts = [directions.shift(move.index, move.amplitude, num_layers=count, layers=move.layers) for move in edit]
        total = _sum(shifts).squeeze(0) if directions.space == CHANNELS else _sum(shifts)
        facts = {"layers": None} if directions.space == CHANNELS else {"space": WPLUS, "layers": None}
    length = total.norm()
    if length <= _NOTHING * max(float(directions.step(move.index, move.amplitude).norm()) for move in edit):
        raise GanwalkError("the edit goes nowhere: its steps cancel one another")
    return _derived(
        directions,
        f"combine {[[move.index, move.amplitude] for move in edit]}",
        vectors=(total / length)[None],
        scales=length[None],
        labels=(label or Label(),),
        effects=None,
        reach=None,
        own_layers=(),
        **facts,
    )


def orthogonalise(
    directions: Directions, index: int, others: Sequence[int], *, num_layers: int | None = None
) -> Directions:
    """The directions, one of them without its part in the span of others.

    That is the conditional manipulation of InterFaceGAN (Shen et al., CVPR 2020), by which an edit leaves what the
    others change alone. A step along the new direction is the old step without that part.

    Args:
        num_layers: of the generator; needed where the layers of these directions differ.
    Raises:
        GanwalkError: a direction does not exist, nothing is left of it, or `num_layers` is needed.
    """
    _check_once(directions, others)
    if not others or index in others:
        raise GanwalkError("a direction is made orthogonal to others: name at least one, and not itself")
    limits = {directions.layers_of(k) for k in (index, *others)}
    if directions.space == "w" and len(limits) > 1:
        directions = layer_by_layer(directions, _count(directions, num_layers))
    rows = directions.rows.cpu().double()
    _, lengths, axes = torch.linalg.svd(rows[list(others)], full_matrices=False)
    axes = axes[lengths > 1e-5 * lengths.max()]
    rest = rows[index] - axes.T @ (axes @ rows[index])
    length = float(rest.norm())
    if length < _NOTHING:
        raise GanwalkError(
            f"nothing is left of direction {directions.title(index)} without the others: it is one of them"
        )
    vectors, scales = directions.vectors.clone(), directions.scales.clone()
    vectors[index] = (rest / length).to(vectors).view_as(vectors[index])
    scales[index] *= length
    labels = list(directions.labels)
    labels[index] = _without_measures(labels[index])
    return _derived(
        directions,
        f"orthogonalise {index} against {list(others)}",
        vectors=vectors,
        scales=scales,
        effects=None,
        reach=None,
        labels=tuple(labels),
    )


def flip(directions: Directions, indices: Sequence[int]) -> Directions:
    """The directions, those at `indices` the other way round; GanwalkError if one does not exist, or is there twice."""
    _check_once(directions, indices)
    vectors, labels = directions.vectors.clone(), list(directions.labels)
    for index in indices:
        directions.step(index)
        vectors[index] = -vectors[index]
        labels[index] = _turned_round(labels[index])
    for index in indices:
        # Of two that are alike now, one gets a number.
        others = {label.name.casefold() for k, label in enumerate(labels) if k != index and label.name}
        labels[index] = replace(labels[index], name=numbered_name(labels[index].name, others))
    reach = None if directions.reach is None else directions.reach.flipped(indices)
    return _derived(directions, f"flip {list(indices)}", vectors=vectors, labels=tuple(labels), reach=reach)


def select(directions: Directions, indices: Sequence[int]) -> Directions:
    """The directions at `indices`, in that order; GanwalkError if one does not exist, or is there twice."""
    _check_once(directions, indices)
    return _derived(directions.select(indices), f"select {list(indices)}")


def merge(parts: Sequence[Directions]) -> Directions:
    """All directions of several, of one generator, one after another; names that are there already get a number.

    Directions in w and in w+ go together as w+.

    Raises:
        GanwalkError: they are of different generators, or some are in z or s and others are not.
    """
    first = parts[0]
    other = next((part for part in parts if not part.generator.same_network(first.generator)), None)
    if other is not None:
        names = " and ".join(one_line(Path(part.generator.reference).name, 60) for part in (first, other))
        raise GanwalkError(
            f"directions of different generators ({names}) cannot be in one file: merge those of each by themselves"
        )
    spaces = {part.space for part in parts}
    if len(spaces) > 1 and not spaces <= {"w", WPLUS}:
        alone = "z" if "z" in spaces else CHANNELS
        raise GanwalkError(
            f"directions in {alone} cannot be in one file with others: merge those in {alone}, and the others, by "
            "themselves"
        )
    if len(spaces) > 1:
        count = next(part.vectors.shape[1] for part in parts if part.space == WPLUS)
        parts = [layer_by_layer(part, count) for part in parts]
    if len({part.vectors.shape[1:] for part in parts}) > 1:
        raise GanwalkError("directions of different sizes cannot be in one file")
    effects = [part.effects for part in parts if part.effects is not None]
    classes = {part.class_index for part in parts}
    own = tuple(part.layers_of(index) for part in parts for index in range(len(part))) if spaces == {"w"} else ()
    return _derived(
        replace(first, settings=first.settings if len(classes) == 1 else {}),
        f"merge of {len(parts)}",
        vectors=torch.cat([part.vectors for part in parts]),
        scales=torch.cat([part.scales for part in parts]),
        effects=torch.cat(effects) if len(effects) == len(parts) else None,
        reach=merged([part.reach for part in parts]),
        labels=_distinct([label for part in parts for label in part.labels]),
        space=parts[0].space,
        layers=None,
        own_layers=own,
    )


def _check_once(directions: Directions, indices: Sequence[int]) -> None:
    """Raises GanwalkError if a direction is named twice: most likely one of them was meant for another."""
    twice = next((index for place, index in enumerate(indices) if index in indices[:place]), None)
    if twice is not None:
        raise GanwalkError(f"direction {directions.title(twice)} is named twice: name each once")


def _turned_round(label: Label) -> Label:
    """The label of a direction that goes the other way now: of "more scale" there is less."""
    for one, other in (("more ", "less "), ("less ", "more ")):
        if label.name.startswith(one):
            return _without_measures(replace(label, name=other + label.name.removeprefix(one)))
    return _without_measures(label)


def _without_measures(label: Label) -> Label:
    """The label without a note of what was measured, which `ganwalk name --auto` writes."""
    return replace(label, note="") if EFFECT_UNIT in label.note else label


def _derived(directions: Directions, operation: str, **changes: Any) -> Directions:
    """Changed directions, which no command of discover finds again and need not be orthogonal any more."""
    before = directions.settings
    operations = before.get("operations")
    settings = {
        **({} if directions.class_index is None else {"class_index": directions.class_index}),
        "operations": [*(operations if isinstance(operations, list) else []), operation],
        "of": before.get("of", before),
    }
    return replace(
        directions,
        method=directions.method.removesuffix(_DERIVED) + _DERIVED,
        settings=settings,
        version=__version__,
        created="",
        oblique=True,
        **changes,
    )


def _distinct(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Labels with a number behind names that are there already."""
    taken: set[str] = set()
    found = []
    for label in labels:
        name = numbered_name(label.name, taken) if label.name else ""
        taken.add(name.casefold())
        found.append(replace(label, name=name))
    return tuple(found)


def _count(directions: Directions, num_layers: int | None) -> int:
    """How many layers the generator has."""
    if directions.space == WPLUS:
        return directions.vectors.shape[1]
    if directions.space == CHANNELS:
        return 1 + max(layer for layer, _ in directions.channels)
    if num_layers is None:
        raise GanwalkError("directions of different layers go together in w+ only: say how many layers there are")
    return num_layers


def _mask(layers: Layers | None, num_layers: int, like: Tensor) -> Tensor:
    return torch.ones(num_layers, 1).to(like) if layers is None else layer_mask(layers, num_layers, like)


def _sum(steps: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(steps)).sum(dim=0)
