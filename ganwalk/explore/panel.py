"""The details of the selected direction: its name and note, what it scores, its barcode and its effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nicegui import ui

from ganwalk.directions.labels import MAX_NAME, MAX_NOTE
from ganwalk.errors import GanwalkError
from ganwalk.explore.state import State
from ganwalk.explore.widgets import Field
from ganwalk.rendering.report.barcodes import draw_barcode
from ganwalk.rendering.report.cards import Scores
from ganwalk.rendering.report.markup import text
from ganwalk.rendering.report.tables import effect_table, legend, score_list, score_names, subject_names

if TYPE_CHECKING:
    from ganwalk.explore.page import Page


class Panel:
    """A panel about one direction; `show` sets it to a state."""

    def __init__(self, page: Page):
        self._page = page
        self._facts_of: tuple[object, ...] | None = None
        with ui.element("section").classes("panel").props('aria-label="Selected direction"'):
            with ui.element("h2"):
                self._heading = ui.label()
            self._name = Field("Name", self._rename).props(f"maxlength={MAX_NAME} dense outlined")
            self._note = Field("Note", self._annotate).props(f"maxlength={MAX_NOTE} dense outlined")
            self._place = ui.label().classes("place")
            self._facts = ui.element("div").classes("facts")

    def show(self, state: State) -> None:
        """Shows the selected direction."""
        side = self._page.studio.sides[state.side]
        label, title = side.directions.labels[state.selected], side.directions.title(state.selected)
        self._heading.set_text(f"Direction {title}")
        self._place.set_text(f"kept in {side.path}" if side.path else "in no file: names last as long as this server")
        of = (state.side, state.selected)
        self._name.show(label.name, of)
        self._note.show(label.note, of)
        facts_of = (*of, title, id(side.scores))
        if facts_of != self._facts_of:
            self._facts_of = facts_of
            self._facts.clear()
            with self._facts:
                self._comparison(*of)
                self._scores(*of)

    @property
    def name_id(self) -> str:
        """HTML id of the field for the name."""
        return self._name.html_id

    def _rename(self, text: str, of: Sequence[int]) -> None:
        side, index = of
        self._page.relabel(side, index, lambda label: replace(label, name=text.strip()))

    def _annotate(self, text: str, of: Sequence[int]) -> None:
        side, index = of
        self._page.relabel(side, index, lambda label: replace(label, note=text.strip()))

    def _comparison(self, side: int, index: int) -> None:
        closest = self._page.studio.closest(side, index)
        if closest is not None:
            other, cosine = closest
            title = self._page.studio.sides[1 - side].directions.title(other)
            ui.label(f"Closest in {'BA'[side]}: {title}, |cosine| {cosine:.2f}").classes("closest")

    def _scores(self, side: int, index: int) -> None:
        page = self._page
        facts = page.studio.sides[side].scores
        if facts is None:
            ui.label("No scores yet.")
            ui.button("Measure", on_click=lambda: page.measure(side)).props("no-caps outline dense").classes("measure")
            return
        if around := facts["settings"].get("latents"):
            ui.label(f"Scores around {around}, not around drawn samples.")
        scores = Scores.of(facts)
        row = facts["directions"][index]
        title = page.studio.sides[side].directions.title(index)
        ui.html(score_list(row))
        ui.html(legend([*subject_names(facts["directions"]), *score_names(facts["directions"])]))
        ui.html(draw_barcode(facts["barcodes"][index], scores.axes, "barcode", f"Barcode of direction {text(title)}"))
        effects = facts.get("effects")
        if effects and effects["names"]:
            ui.html(
                effect_table("effects", "Effects on factors", effects["names"], effects["matrix"][index], scores.top)
            )


def describe(error: Exception) -> str:
    """An error in one line, for people."""
    return str(error) if isinstance(error, GanwalkError) else f"something went wrong: {type(error).__name__}: {error}"
