"""The bar above: samples, truncation and class, undo and reset, A or B, export, help."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nicegui import ui

from ganwalk.errors import GanwalkError
from ganwalk.explore.opening import Wanted
from ganwalk.explore.shortcuts import SHORTCUTS, in_words
from ganwalk.explore.state import MAX_PSI, MAX_SEEDS, State, read_number
from ganwalk.explore.widgets import Field, IconButton, set_prop
from ganwalk.options.ranges import format_seeds, parse_seeds
from ganwalk.samples import DrawnSamples

if TYPE_CHECKING:
    from ganwalk.explore.page import Page


class Toolbar:
    """Controls of what all directions share; `show` sets them to a state."""

    def __init__(self, page: Page):
        self._page = page
        studio = page.studio
        with ui.element("header").classes("toolbar"):
            with ui.element("h1"):
                ui.label(f"ganwalk · {page.name}")
            self._seeds = Field("Seeds", lambda text, _: self._set_seeds(text))
            self._seeds.props("dense outlined stack-label").classes("seeds")
            IconButton("shuffle", "Shuffle: other samples (Space)", page.shuffle)
            self._psi = None
            if studio.truncates:
                self._psi = Field("Truncation ψ", lambda text, _: self._set_psi(text), number=True)
                self._psi.props(f"min={-MAX_PSI} max={MAX_PSI} step=0.05 dense outlined").classes("short")
            self._cutoff = None
            if studio.truncates and studio.styled_layers > 1:
                last = studio.styled_layers - 1
                self._cutoff = Field("First ψ layers", lambda text, _: self._set_cutoff(text), number=True)
                self._cutoff.props(f"min=1 max={last} step=1").classes("short")
                self._cutoff.props("dense outlined clearable placeholder=all stack-label")
            self._class = None
            if studio.generator.c_dim:
                self._class = Field("Class", lambda text, _: self._set_class(text), number=True)
                self._class.props(f"min=0 max={studio.generator.c_dim - 1} step=1").classes("short")
                self._class.props("dense outlined clearable placeholder=any stack-label")
            self._side = None
            if len(studio.sides) > 1:
                self._side = ui.toggle({0: "A", 1: "B"}, value=0, on_change=self._set_side).props("dense")
                self._side.props["aria-label"] = "Side of the comparison"
            self._undo = IconButton("undo", "Undo (z)", page.undo)
            self._redo = IconButton("redo", "Redo (y)", page.redo)
            IconButton("restart_alt", "Reset: all directions back to 0 (r)", page.reset)
            with ui.button("Export", icon="download").props("no-caps dense outline"), ui.menu() as self._menu:
                for words, act in (
                    ("Picture (PNG)", lambda: page.export("png")),
                    ("Path (GIF)", lambda: page.export("gif")),
                    ("Path (MP4)", lambda: page.export("mp4")),
                    ("Latents (.npy)", lambda: page.export("npy")),
                    ("Command", self._show_command),
                ):
                    ui.menu_item(words, act).props("role=menuitem")
            if page.opened.make is not None:
                IconButton("folder_open", "Open other directions, or another generator (o)", self.open_others)
            IconButton("help_outline", "Shortcuts (?)", self.open_help)
            self._status = ui.label().classes("status").props("role=status")
            self._cancel = _plain_button("Cancel", page.cancel)
        self.tell("", can_cancel=False)
        self._help: ui.dialog | None = None
        self._others = OpenDialog(page) if page.opened.make is not None else None
        with ui.dialog() as self._command, ui.card():
            self._command.props["aria-label"] = "Command"
            with ui.element("h2"):
                ui.label("This edit on the command line")
            self._command_text = ui.label().classes("command")
            _plain_button("Copy", lambda: ui.clipboard.write(self._command_text.text))

    def show(self, state: State) -> None:
        """Sets the controls to a state."""
        samples = state.samples
        drawn = isinstance(samples, DrawnSamples)
        self._seeds.show(format_seeds(samples.seeds) if isinstance(samples, DrawnSamples) else "")
        set_prop(self._seeds, "placeholder", "" if drawn else samples.summary)
        if self._psi is not None:
            self._psi.show(f"{samples.truncation_psi:.4g}")
            set_prop(self._psi, "disable", not state.has_codes)
        if self._cutoff is not None:
            cutoff = samples.truncation_cutoff
            self._cutoff.show("" if cutoff is None else str(cutoff))
            set_prop(self._cutoff, "disable", samples.truncation_psi == 1)
        if self._class is not None:
            self._class.show("" if samples.class_index is None else str(samples.class_index))
            set_prop(self._class, "disable", not state.has_codes)
            set_prop(self._class, "clearable", drawn)
        if self._side is not None:
            self._side.set_value(state.side)
        self._undo.set_enabled(self._page.history.can_undo)
        self._redo.set_enabled(self._page.history.can_redo)

    def tell(self, words: str, *, can_cancel: bool) -> None:
        """Says what the page is busy with, and offers to cancel it."""
        self._status.set_text(words)
        self._cancel.set_visibility(can_cancel)

    def open_others(self) -> None:
        """Asks what to open, where pages may open anything."""
        if self._others is not None:
            self._others.open()

    def open_exports(self) -> None:
        """Opens the menu."""
        self._menu.open()

    def open_help(self) -> None:
        """Lists the shortcuts."""
        if self._help is None:
            # Only now: it has as many elements as ten rows. At the top: a click in it is none of the button's.
            with ui.context.client.content:
                self._help = _help_dialog()
        self._help.open()

    def _set_seeds(self, text: str) -> None:
        page = self._page
        try:
            seeds = tuple(parse_seeds(text))
            if len(seeds) > MAX_SEEDS:
                raise GanwalkError(f"{len(seeds)} samples do not fit side by side: at most {MAX_SEEDS} do")
        except GanwalkError as error:
            page.complain(str(error).replace("--seeds ", ""))
            return
        page.show_seeds(seeds)

    def _set_psi(self, text: str) -> None:
        value = read_number(text)
        if value is not None and abs(value) <= MAX_PSI and self._page.state.has_codes:
            self._page.change(self._page.state.sampled(truncation_psi=value))

    def _set_cutoff(self, text: str) -> None:
        page, value = self._page, read_number(text)
        if not page.state.has_codes:
            return
        if value is None:
            page.change(page.state.sampled(truncation_cutoff=None))
        elif value.is_integer() and 1 <= value < page.studio.styled_layers:
            page.change(page.state.sampled(truncation_cutoff=int(value)))

    def _set_class(self, text: str) -> None:
        page, value = self._page, read_number(text)
        if not page.state.has_codes:
            return
        if value is None:
            if isinstance(page.state.samples, DrawnSamples):
                page.change(page.state.sampled(class_index=None))
        elif value.is_integer() and 0 <= value < page.studio.generator.c_dim:
            page.change(page.state.sampled(class_index=int(value)))

    def _set_side(self) -> None:
        assert self._side is not None
        if self._side.value != self._page.state.side:
            self._page.switch()

    def _show_command(self) -> None:
        command = self._page.command()
        if command is None:
            self._page.complain(
                "no command draws this: move a slider first, of directions and samples that are in files"
            )
            return
        self._command_text.set_text(command)
        self._command.open()


class OpenDialog:
    """Asks for directions and a generator to open."""

    def __init__(self, page: Page):
        self._page = page
        self._fields: dict[str, Field] = {}
        self._texts: dict[str, str] = {}
        with ui.dialog() as self._dialog, ui.card().classes("opening"):
            self._dialog.props["aria-label"] = "Open"
            with ui.element("h2"):
                ui.label("Open other directions, or another generator")
            ui.label("Paths on the machine that serves this page. All pages show what is opened.").classes("hint")
            for key, words, hint in (
                ("source", "Directions: a file or a method", "as now"),
                ("generator", "Generator: a file or a name", "that of the directions"),
                ("against", "Compare with: a file or a method", "nothing"),
            ):
                self._fields[key] = Field(words, functools.partial(self._type, key))
                self._fields[key].props("dense outlined stack-label").props["placeholder"] = hint
            _plain_button("Open", self._act)

    def open(self) -> None:
        """Asks, beginning with what is shown."""
        sides = [str(side.path or side.directions.method) for side in self._page.studio.sides]
        self._texts = {"source": sides[0], "generator": "", "against": sides[1] if len(sides) > 1 else ""}
        for key, text in self._texts.items():
            self._fields[key].show(text)
        self._dialog.open()

    def _type(self, key: str, text: str, _: Sequence[int]) -> None:
        self._texts[key] = text.strip()
        self._fields[key].show(self._texts[key])

    async def _act(self) -> None:
        self._dialog.close()
        await self._page.open(Wanted(**self._texts))


def _help_dialog() -> ui.dialog:
    with ui.dialog() as dialog, ui.card():
        dialog.props["aria-label"] = "Shortcuts"
        with ui.element("h2"):
            ui.label("Shortcuts")
        with ui.element("dl").classes("shortcuts"):
            for shortcut in SHORTCUTS:
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(in_words(shortcut.keys))
                    with ui.element("dd"):
                        ui.label(shortcut.words)
        _plain_button("Close", dialog.close)
    return dialog


def _plain_button(words: str, act: Callable[[], object]) -> ui.element:
    with ui.element("button").props("type=button").classes("plain") as button:
        ui.label(words)
    button.on("click", act)
    return button
