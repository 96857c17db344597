"""The list of directions: a star, a name, what it does, how far and in which layers it is walked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nicegui import ui

from ganwalk.evaluation.meanings import NO_EFFECT, has_no_effect
from ganwalk.explore.shots import SMALL_AMPLITUDES
from ganwalk.explore.state import REACH, State
from ganwalk.explore.widgets import AmplitudeSlider, IconButton, LayerSlider, Walk, set_class, set_prop
from ganwalk.layers import hull_of
from ganwalk.rendering.report.markup import in_sigma

if TYPE_CHECKING:
    from ganwalk.explore.page import Page

# Rows at first: each is a dozen elements, and a thousand directions are too many for a browser.
_ROWS = 40


class Rows:
    """Rows of the directions of one side; `show` sets them to a state."""

    def __init__(self, page: Page):
        self._page = page
        self._rows: list[Row] = []
        self._built: tuple[int, list[int]] | None = None
        self._most, self._with_hidden, self._starred_only = _ROWS, False, False
        with ui.element("section").classes("rows").props('aria-labelledby="rows-title"'):
            with ui.element("header"):
                with ui.element("h2").props("id=rows-title"):
                    self._title = ui.label()
                self._starred = ui.checkbox("starred", on_change=self._filter).props("dense size=sm")
                self._hidden = ui.checkbox("hidden", on_change=self._filter).props("dense size=sm")
                self._even = ui.checkbox("even pace", on_change=lambda: self.show(self._page.state))
                self._even.props("dense size=sm").tooltip("Sliders end at the reach; equal steps change pictures alike")
            self._list = ui.element("ol")
            self._more = ui.button("Show all", on_click=self._show_all).props("flat dense no-caps")

    def show(self, state: State) -> None:
        """Shows the directions of the state's side, as far as each is walked."""
        listed = self.listed(state)
        if (state.side, listed) != self._built:
            # Only then: what has the focus of the keyboard should keep it.
            self._built = (state.side, listed)
            self._list.clear()
            with self._list:
                self._rows = [Row(self._page, state.side, index) for index in listed]
        self._show_head(state)
        for row in self._rows:
            row.show(state, even=self._even.value)

    @property
    def in_view(self) -> list[int]:
        """The directions whose rows somebody sees."""
        return [row.index for row in self._rows if row.in_view]

    def listed(self, state: State) -> list[int]:
        """The directions that have a row: the selected one always has."""
        labels = self._page.studio.sides[state.side].directions.labels
        indices = [
            index
            for index, label in enumerate(labels)
            if (self._with_hidden or not label.hidden) and (label.starred or not self._starred_only)
        ][: self._most]
        return sorted({*indices, state.selected})

    def _show_head(self, state: State) -> None:
        labels = self._page.studio.sides[state.side].directions.labels
        hidden = sum(label.hidden for label in labels)
        letter = f" of {'AB'[state.side]}" if len(self._page.studio.sides) > 1 else ""
        self._title.set_text(f"{len(labels)} directions{letter}")
        self._starred.set_visibility(self._starred_only or any(label.starred for label in labels))
        self._hidden.set_text(f"hidden ({hidden})")
        self._hidden.set_visibility(hidden > 0)
        self._even.set_visibility(self._page.studio.sides[state.side].directions.reach is not None)
        self._more.set_visibility(len(labels) > self._most)

    def _filter(self) -> None:
        self._with_hidden, self._starred_only = self._hidden.value, self._starred.value
        self.show(self._page.state)

    def _show_all(self) -> None:
        self._most = len(self._page.studio.sides[self._page.state.side].directions)
        self.show(self._page.state)


class Row:
    """One direction of one side.

    Attributes:
        index: of the direction.
        in_view: whether somebody sees it.
    """

    def __init__(self, page: Page, side: int, index: int):
        self._page, self._side, self.index = page, side, index
        self.in_view = False
        layered = page.studio.sides[side].directions.space != "z" and page.studio.generator.num_layers > 1
        with ui.element("li").classes("row-of-direction") as self._box:
            self._box.on("click", self._select)
            self._star = IconButton("star_border", "", self._toggle_star)
            with ui.element("div").classes("about"):
                with ui.element("button").classes("title").props("type=button") as self._button:
                    self._title = ui.label()
                self._subject = ui.label().classes("subject")
            self._pictures = Walk(self._see)
            self._slider = AmplitudeSlider(
                REACH,
                lambda amplitude: self._walk(amplitude, dragging=True),
                lambda amplitude: self._walk(amplitude, dragging=False),
            )
            self._hide = IconButton("visibility", "", self._toggle_hidden)
            self._layers = LayerSlider(page.studio.generator.num_layers, self._limit) if layered else None

    def show(self, state: State, *, even: bool) -> None:
        """Sets the controls to a state, and to what the direction is called now.

        Args:
            even: the slider keeps the direction's own pace, if it was measured.
        """
        directions = self._page.studio.sides[self._side].directions
        label, name = directions.labels[self.index], f"direction {directions.title(self.index)}"
        move = state.move(self._side, self.index)
        self._title.set_text(directions.title(self.index))
        # It was measured in the direction's own layers.
        reach = directions.reach if move.layers is None else None
        marks = () if reach is None else reach.ends_of(self.index)
        pace = [] if reach is None or not even else _within(reach.knots(self.index))
        self._slider.show(name, move.amplitude, marks, pace)
        sample, uri = self._page.walks.get((self._side, self.index), (state.samples, ""))
        ends = f"from {in_sigma(SMALL_AMPLITUDES[0])} to {in_sigma(SMALL_AMPLITUDES[-1])}"
        self._pictures.show(f"{sample.titles[0]} along {name}, {ends}", uri)
        subject, idle = self._about()
        self._subject.set_text(subject)
        if self._layers is not None:
            self._layers.show(name, move.layers or self._page.own_layers(self._side, self.index))
        if label.starred:
            self._star.show("star", f"No star for {name}")
        else:
            self._star.show("star_border", f"Star {name}")
        # As the star, the eye shows how it is, and its words what a click does.
        if label.hidden:
            self._hide.show("visibility_off", f"Show {name}")
        else:
            self._hide.show("visibility", f"Hide {name}")
        current = state.selected == self.index
        set_class(self._box, "is-hidden", label.hidden)
        set_class(self._box, "current", current)
        set_class(self._box, "idle", idle)
        set_class(self._box, "limited", move.layers is not None)
        set_prop(self._button, "aria-current", "true" if current else "false")

    def _about(self) -> tuple[str, bool]:
        """What the scores say that this direction does above all, and whether that is nothing."""
        scores = self._page.studio.sides[self._side].scores
        row = scores["directions"][self.index] if scores else {}
        if scores and has_no_effect(row):
            return NO_EFFECT, True
        if not all(row.get(name) for name in ("factor", "effect", "purity")):
            return "", False
        return f"{row['factor']} {row['effect']:.2f}, {100 * row['purity']:.0f} %", False

    def _see(self, seen: bool) -> None:
        self.in_view = seen
        self._page.look_at_rows()

    def _select(self) -> None:
        self._page.select(self._side, self.index)

    def _walk(self, amplitude: float, *, dragging: bool) -> None:
        move = self._page.state.move(self._side, self.index)
        moved = self._page.state.moved(self._side, replace(move, amplitude=amplitude))
        self._page.change(replace(moved, selected=self.index), dragging=dragging)

    def _limit(self, layers: tuple[int, int]) -> None:
        move = self._page.state.move(self._side, self.index)
        # The ends of layers that are no range stand for these.
        own = layers == hull_of(self._page.own_layers(self._side, self.index))
        self._page.change(self._page.state.moved(self._side, replace(move, layers=None if own else layers)))

    def _toggle_star(self) -> None:
        self._page.relabel(self._side, self.index, lambda label: replace(label, starred=not label.starred))

    def _toggle_hidden(self) -> None:
        self._page.relabel(self._side, self.index, lambda label: replace(label, hidden=not label.hidden))


def _within(amplitudes: Sequence[float]) -> list[float]:
    """Amplitudes as far as sliders go."""
    return [min(REACH, max(-REACH, amplitude)) for amplitude in amplitudes]
