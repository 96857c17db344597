"""What one page shows: samples, and how far each direction is walked. It goes into the URL, and can be undone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ganwalk.directions import Directions
from ganwalk.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.rendering.ranges import format_edit, parse_edit, parse_seeds

# Samples side by side: more are too small to compare, and take long.
MAX_SEEDS = 12
# Ends of a slider, in standard deviations.
REACH = 5.0
# Truncation beyond is noise.
MAX_PSI = 2.0
_MAX_UNDO = 200
# Samples of classes that are drawn.
_ANY = "any"


@dataclass(frozen=True)
class State:
    """What is shown.

    Attributes:
        seeds: samples side by side, at least one and at most `MAX_SEEDS`.
        truncation_psi: of the samples.
        class_index: of a conditional generator.
        edits: the moves in A's directions, and in B's.
        selected: the direction whose details are shown, in the directions of side `side`.
        side: 0 while A's sliders are shown, 1 for B's.
    """

    seeds: tuple[int, ...] = (1, 2, 3, 4)
    truncation_psi: float = 1.0
    class_index: int | None = None
    edits: tuple[tuple[Move, ...], ...] = ((), ())
    selected: int = 0
    side: int = 0

    def move(self, side: int, index: int) -> Move:
        """The move along a direction; of amplitude 0 if it is not walked."""
        return next((move for move in self.edits[side] if move.index == index), Move(index, 0.0))

    def moved(self, side: int, move: Move) -> State:
        """The state with another move along one direction; what goes nowhere in all layers is left out."""
        others = [other for other in self.edits[side] if other.index != move.index]
        if move.amplitude or move.layers is not None:
            others.append(move)
        edits = list(self.edits)
        edits[side] = tuple(sorted(others, key=lambda other: other.index))
        return replace(self, edits=tuple(edits))

    def reset(self) -> State:
        """The samples as they are: nothing is walked, on either side."""
        return replace(self, edits=((), ()))


def start_state(sides: tuple[Directions, ...], classes: int) -> State:
    """What a page shows first: samples of the class that A's directions were discovered in, if it was one.

    Args:
        sides: the directions of A, and of B if there are any.
        classes: how many the generator has.
    """
    found = sides[0].class_index
    return State(class_index=found if found is not None and found < classes else None)


def to_query(state: State, sides: tuple[Directions, ...], *, classes: int) -> str:
    """The state as the query of a URL, without what is as it was at the start; arguments as of `start_state`."""
    start = start_state(sides, classes)
    values: dict[str, str] = {}
    if state.seeds != start.seeds:
        values["seeds"] = ",".join(map(str, state.seeds))
    if state.truncation_psi != start.truncation_psi:
        values["psi"] = f"{state.truncation_psi:g}"
    if state.class_index != start.class_index:
        values["class"] = _ANY if state.class_index is None else str(state.class_index)
    for key, edit, directions in zip("ab", state.edits, sides, strict=False):
        if edit:
            # Numbers, not names: a link should outlive a renaming.
            nameless = replace(directions, labels=())
            values[key] = format_edit(list(edit), nameless)
    if state.selected != start.selected:
        values["direction"] = str(state.selected)
    if state.side != start.side:
        values["side"] = "b"
    return urlencode(values, safe=",=@")


def from_query(values: Mapping[str, str], sides: tuple[Directions, ...], *, classes: int, layers: int) -> State:
    """The state of a URL; what cannot be is left as at the start, since anybody may write a link.

    Args:
        sides: the directions of A, and of B if there are any.
        classes, layers: how many the generator has.
    """
    state = start_state(sides, classes)
    try:
        seeds = parse_seeds(values["seeds"])
        state = replace(state, seeds=tuple(seeds[:MAX_SEEDS]))
    except (KeyError, GanwalkError):
        pass
    psi = read_number(values.get("psi", ""))
    if psi is not None and abs(psi) <= MAX_PSI:
        state = replace(state, truncation_psi=psi)
    if values.get("class") == _ANY:
        state = replace(state, class_index=None)
    chosen = read_number(values.get("class", ""))
    if chosen is not None and chosen.is_integer() and 0 <= chosen < classes:
        state = replace(state, class_index=int(chosen))
    for side, (key, directions) in enumerate(zip("ab", sides, strict=False)):
        for part in values.get(key, "").split(","):
            try:
                (move,) = parse_edit(part, directions)
            except GanwalkError:
                continue
            limits = move.layers
            if limits is not None and (directions.space == "z" or limits[1] >= layers):
                limits = None
            amplitude = min(REACH, max(-REACH, move.amplitude))
            state = state.moved(side, replace(move, amplitude=amplitude, layers=limits))
    if values.get("side") == "b" and len(sides) > 1:
        state = replace(state, side=1)
    selected = read_number(values.get("direction", ""))
    if selected is not None and selected.is_integer() and 0 <= selected < len(sides[state.side]):
        state = replace(state, selected=int(selected))
    return state


def read_number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class History:
    """States that were left, to come back to, and those that were come back from."""

    def __init__(self) -> None:
        self._past: list[State] = []
        self._future: list[State] = []

    def leave(self, state: State) -> None:
        """Remembers a state that is about to change."""
        if not self._past or self._past[-1] != state:
            self._past.append(state)
        del self._past[:-_MAX_UNDO]
        self._future.clear()

    def undo(self, current: State) -> State:
        """The state before, or the current one if there is none."""
        if not self._past:
            return current
        self._future.append(current)
        return self._past.pop()

    def redo(self, current: State) -> State:
        """The state that was undone last, or the current one."""
        if not self._future:
            return current
        self._past.append(current)
        return self._future.pop()

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)
