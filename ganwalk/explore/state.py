"""What one page shows: samples, and how far each direction is walked. It goes into the URL, and can be undone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, format_edit, parse_edit
from ganwalk.errors import GanwalkError
from ganwalk.layers import hull_of
from ganwalk.options.ranges import parse_seeds
from ganwalk.samples import DrawnSamples, StoredSamples

# Samples side by side: more are too small to compare, and take long.
MAX_SEEDS = 12
# Ends of a slider, in standard deviations.
REACH = 5.0
# Truncation beyond is noise.
MAX_PSI = 2.0
_MAX_UNDO = 200
# What a page shows at first, if nothing else was given.
_FIRST = DrawnSamples((1, 2, 3, 4))
# Of a fingerprint: what an address calls stored samples.
_KEY = 16
# Samples of classes that are drawn.
_ANY = "any"


@dataclass(frozen=True)
class State:
    """What is shown.

    Attributes:
        samples: side by side, at most `MAX_SEEDS`.
        edits: the moves in A's directions, and in B's.
        selected: the direction whose details are shown, in the directions of side `side`.
        side: 0 while A's sliders are shown, 1 for B's.
    """

    samples: DrawnSamples | StoredSamples = _FIRST
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

    @property
    def has_codes(self) -> bool:
        """Whether samples have latent codes, which can be truncated and have a class; styles are shown as they are."""
        return isinstance(self.samples, DrawnSamples) or self.samples.space == "z"

    def seeded(self, seeds: tuple[int, ...], otherwise: DrawnSamples) -> State:
        """The state with samples of seeds, drawn as those of `otherwise` if its own are not drawn."""
        drawn = self.samples if isinstance(self.samples, DrawnSamples) else otherwise
        return replace(self, samples=replace(drawn, seeds=seeds))

    def exchanged(self, old: StoredSamples, new: StoredSamples) -> State:
        """The state with other latents, if it shows the old ones."""
        samples = self.samples
        if isinstance(samples, DrawnSamples) or samples.fingerprint != old.fingerprint:
            return self
        return replace(self, samples=replace(samples, latents=new.latents, labels=new.labels))

    def sampled(self, **changes: Any) -> State:
        """The state with other fields of its samples; a cutoff goes with the truncation that it is of."""
        samples = replace(self.samples, **changes)
        if samples.truncation_psi == 1:
            samples = replace(samples, truncation_cutoff=None)
        return replace(self, samples=samples)

    def reset(self) -> State:
        """The samples as they are: nothing is walked, on either side."""
        return replace(self, edits=((), ()))


def key_of(samples: StoredSamples) -> str:
    """What an address calls stored samples; it says nothing of where they came from."""
    return samples.fingerprint[:_KEY]


def start_state(sides: tuple[Directions, ...], classes: int, latents: StoredSamples | None = None) -> State:
    """What a page shows first: samples of the class that A's directions were discovered in, if it was one.

    Args:
        sides: the directions of A, and of B if there are any.
        classes: how many the generator has.
        latents: that were given, to be shown instead.
    """
    return State(latents or drawn_at_first(sides, classes))


def drawn_at_first(sides: tuple[Directions, ...], classes: int) -> DrawnSamples:
    """The samples of `start_state` where no latents were given."""
    found = sides[0].class_index
    return replace(_FIRST, class_index=found if found is not None and found < classes else None)


def to_query(state: State, sides: tuple[Directions, ...], *, classes: int, latents: StoredSamples | None = None) -> str:
    """The state as the query of a URL, without what is as it was at the start; arguments as of `start_state`."""
    start = start_state(sides, classes, latents)
    samples, at_first = state.samples, start.samples
    values: dict[str, str] = {}
    if isinstance(samples, StoredSamples):
        if isinstance(at_first, DrawnSamples) or samples.fingerprint != at_first.fingerprint:
            values["latents"] = key_of(samples)
            at_first = replace(samples, truncation_psi=1.0, truncation_cutoff=None)
    elif isinstance(at_first, StoredSamples):
        at_first = drawn_at_first(sides, classes)
        values["seeds"] = ",".join(map(str, samples.seeds))
    elif samples.seeds != at_first.seeds:
        values["seeds"] = ",".join(map(str, samples.seeds))
    if samples.truncation_psi != at_first.truncation_psi:
        values["psi"] = f"{samples.truncation_psi:g}"
    if samples.truncation_cutoff is not None:
        values["cutoff"] = str(samples.truncation_cutoff)
    if samples.class_index != at_first.class_index:
        values["class"] = _ANY if samples.class_index is None else str(samples.class_index)
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


def from_query(
    values: Mapping[str, str],
    sides: tuple[Directions, ...],
    *,
    classes: int,
    layers: int,
    latents: StoredSamples | None = None,
    find: Callable[[str], StoredSamples | None] = lambda key: None,
) -> State:
    """The state of a URL; what cannot be is left as at the start, since anybody may write a link.

    Args:
        sides: the directions of A, and of B if there are any.
        classes: how many the generator has.
        layers: how many of the generator have a style of their own.
        latents: as `start_state` has them.
        find: the stored samples that an address calls so, or None: they are forgotten some day.
    """
    state = start_state(sides, classes, latents)
    found = find(values.get("latents", ""))
    if found is not None:
        state = replace(state, samples=found)
    else:
        try:
            seeds = tuple(parse_seeds(values["seeds"])[:MAX_SEEDS])
            state = state.seeded(seeds, drawn_at_first(sides, classes))
        except (KeyError, GanwalkError):
            pass
    if state.has_codes:
        state = _with_codes_drawn(state, values, classes=classes, layers=layers)
    for side, (key, directions) in enumerate(zip("ab", sides, strict=False)):
        for part in values.get(key, "").split(","):
            try:
                # However far a link goes, what is shown of it ends at the slider's ends.
                (move,) = parse_edit(part, directions, most=math.inf)
            except GanwalkError:
                continue
            limits = move.layers
            if limits is not None and (directions.space == "z" or hull_of(limits)[1] >= layers):
                limits = None
            amplitude = min(REACH, max(-REACH, move.amplitude))
            state = state.moved(side, replace(move, amplitude=amplitude, layers=limits))
    if values.get("side") == "b" and len(sides) > 1:
        state = replace(state, side=1)
    selected = read_number(values.get("direction", ""))
    if selected is not None and selected.is_integer() and 0 <= selected < len(sides[state.side]):
        state = replace(state, selected=int(selected))
    return state


def _with_codes_drawn(state: State, values: Mapping[str, str], *, classes: int, layers: int) -> State:
    """The state with the truncation and the class of a URL."""
    psi = read_number(values.get("psi", ""))
    if psi is not None and abs(psi) <= MAX_PSI:
        state = state.sampled(truncation_psi=psi)
    cutoff = read_number(values.get("cutoff", ""))
    if cutoff is not None and cutoff.is_integer() and 1 <= cutoff < layers:
        state = state.sampled(truncation_cutoff=int(cutoff))
    if values.get("class") == _ANY and isinstance(state.samples, DrawnSamples):
        # Codes that are stored have a class, or their generator has none.
        state = state.sampled(class_index=None)
    chosen = read_number(values.get("class", ""))
    if chosen is not None and chosen.is_integer() and 0 <= chosen < classes:
        state = state.sampled(class_index=int(chosen))
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

    def exchange(self, old: StoredSamples, new: StoredSamples) -> None:
        """Better latents of the same pictures take the place of the old ones."""
        for states in (self._past, self._future):
            states[:] = [state.exchanged(old, new) for state in states]

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
