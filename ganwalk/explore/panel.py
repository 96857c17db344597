"""The details of the selected direction: its name and note, what it scores, its barcode and its effects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nicegui import ui

from ganwalk.errors import GanwalkError
from ganwalk.evaluation.meanings import MEANINGS
from ganwalk.explore.state import State
from ganwalk.labels import MAX_NAME, MAX_NOTE, Label
from ganwalk.rendering.report.barcodes import draw_barcode
from ganwalk.rendering.report.cards import Scores
from ganwalk.rendering.report.markup import number, text
from ganwalk.rendering.report.tables import SCORES, SUBJECTS, effect_table, score_names

if TYPE_CHECKING:
    from ganwalk.explore.page import Page


class Panel:
    """A panel about one direction; `show` sets it to a state."""

    def __init__(self, page: Page):
        self._page = page
        self._built: tuple[object, ...] | None = None
        self._name: ui.input | None = None
        with ui.element("section").classes("panel").props('aria-label="Selected direction"') as self._box:
            pass

    def show(self, state: State) -> None:
        """Shows the selected direction; what is being typed stays while nothing of it has changed elsewhere."""
        side = self._page.studio.sides[state.side]
        built = (state.side, state.selected, side.directions.labels, id(side.scores))
        if built == self._built:
            return
        self._built = built
        self._box.clear()
        with self._box:
            self._names(state.side, state.selected)
            self._comparison(state.side, state.selected)
            self._scores(state.side, state.selected)

    def focus(self) -> None:
        """Puts the cursor into the name."""
        if self._name is not None:
            self._name.run_method("focus")
            self._name.run_method("select")

    def _names(self, side: int, index: int) -> None:
        page = self._page
        label = page.studio.sides[side].directions.labels[index]
        with ui.element("h2"):
            ui.label(f"Direction {page.studio.sides[side].directions.title(index)}")
        name = ui.input("Name", value=label.name).props(f"maxlength={MAX_NAME} dense outlined")
        note = ui.input("Note", value=label.note).props(f"maxlength={MAX_NOTE} dense outlined")
        self._name = name

        def save() -> None:
            def changed(current: Label) -> Label:
                return replace(current, name=(name.value or "").strip(), note=(note.value or "").strip())

            if not page.relabel(side, index, changed):
                now = page.studio.sides[side].directions.labels[index]
                name.set_value(now.name)
                note.set_value(now.note)

        for field in (name, note):
            field.on("blur", save)
            field.on("keydown.enter", lambda field=field: field.run_method("blur"))
        path = page.studio.sides[side].path
        ui.label(
            f"kept in {path}" if path else "these directions are in no file: names last as long as this server"
        ).classes("place")

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
        scores = Scores.of(facts)
        row = facts["directions"][index]
        title = page.studio.sides[side].directions.title(index)
        entries = [(SUBJECTS[name], text(row[name], 40), "") for name in SUBJECTS if row.get(name)]
        entries += [(SCORES[name], number(row[name]), MEANINGS.get(name, "")) for name in score_names([row])]
        values = "".join(
            f'<div title="{text(meaning)}"><dt>{word}</dt><dd>{value}</dd></div>' for word, value, meaning in entries
        )
        ui.html(f"<dl>{values}</dl>")
        ui.html(draw_barcode(facts["barcodes"][index], scores.axes, "barcode", f"Barcode of direction {text(title)}"))
        effects = facts.get("effects")
        if effects and effects["names"]:
            ui.html(
                effect_table("effects", "Effects on factors", effects["names"], effects["matrix"][index], scores.top)
            )


def describe(error: Exception) -> str:
    """An error in one line, for people."""
    return str(error) if isinstance(error, GanwalkError) else f"something went wrong: {type(error).__name__}: {error}"
