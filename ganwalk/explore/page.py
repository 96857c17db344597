"""One browser tab: its state, and what happens when somebody touches something."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from nicegui import ui

from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.explore.exports import edited_latents, edited_picture, path_animation, render_command
from ganwalk.explore.gallery import Gallery
from ganwalk.explore.opening import Opened, Wanted
from ganwalk.explore.own import Inbox, OwnPictures
from ganwalk.explore.panel import Panel, describe
from ganwalk.explore.queue import Errand, Line, Lines, Newest, Superseded
from ganwalk.explore.rows import Rows
from ganwalk.explore.shortcuts import NAMING, all_keys, press
from ganwalk.explore.shots import Shot, StripShot, strip_base, take_shot, take_strip, take_walk
from ganwalk.explore.state import REACH, History, State, drawn_at_first, from_query, key_of, to_query
from ganwalk.explore.strip import Strip
from ganwalk.explore.toolbar import Toolbar
from ganwalk.explore.widgets import Keys
from ganwalk.layers import Layers
from ganwalk.samples import DrawnSamples, StoredSamples

# Seeds that shuffling draws from.
_SEEDS = 100_000
# Seconds between looks at what other tabs did, and at the queue.
_LOOK = 0.25

Wish = tuple[State, bool]
# A sample, a side, and a direction.
WalkWish = tuple[DrawnSamples | StoredSamples, int, int]


class Page:
    """What one tab shows. Every control calls `change` or a method beside it; `_show` sets every control to the state.

    Args:
        opened: with the studio, which all tabs share.
        lines: as well.
        inbox: where files come in.
        query: of the URL.
    """

    def __init__(self, opened: Opened, lines: Lines, inbox: Inbox, query: Mapping[str, str]):
        self.opened, self.lines = opened, lines
        line = lines.pictures
        self.studio = studio = opened.studio
        generator = studio.generator
        self.name = Path(studio.directions[0].generator.reference).name
        self.state = from_query(
            query,
            studio.directions,
            classes=generator.c_dim,
            layers=studio.styled_layers,
            latents=studio.given,
            find=studio.shelf.find,
        )
        if not studio.truncates:
            self.state = self.state.sampled(truncation_psi=1.0)
        self.history = History()
        self._settled = self.state
        self._wished: Wish | None = None
        self._version = studio.version
        self._errands: list[Errand] = []
        self._leaving = False
        self._client = ui.context.client
        self._newest: Newest[Wish] = Newest(line, self._make, self._show_shot, self.fail)
        self._newest_strip: Newest[State] = Newest(line, self._make_strip, self._show_strip, self.fail)
        self._newest_walk: Newest[WalkWish] = Newest(line, self._make_walk, self._show_walk, self.fail)
        # By side and direction: the small pictures of its row, and the sample that they show.
        self.walks: dict[tuple[int, int], tuple[DrawnSamples | StoredSamples, str]] = {}
        self._strip_shown: State | None = None
        self._dragging = False
        ui.add_css(resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8"))
        height, width = studio.generator.image_size
        self.toolbar: Toolbar = Toolbar(self)
        desk = ui.element("div").classes("desk compared" if len(studio.sides) > 1 else "desk")
        with desk.style(f"--ratio: {width / height:.4f}"):
            with ui.element("div").classes("pictures-column"):
                self.gallery = Gallery(studio)
                self.strip = Strip(self.walk_to)
                self.own = OwnPictures(self, inbox)
            self.rows = Rows(self)
            self.panel: Panel = Panel(self)
        Keys(all_keys(), dict.fromkeys(NAMING, self.panel.name_id), lambda key: press(self, key))
        ui.timer(_LOOK, self._look)
        self._client.on_delete(self._newest.forget)
        self._client.on_delete(self._newest_strip.forget)
        self._client.on_delete(self._newest_walk.forget)
        self._client.on_delete(self.own.forget)
        self._client.on_delete(lambda: self._cancel_in(lines.exports))
        self._show()
        self._wish()

    def change(self, state: State, *, dragging: bool = False) -> None:
        """Goes to another state; while `dragging`, there is more to come, and previews will do."""
        self.state, self._dragging = state, dragging
        if not dragging:
            if _pictured(state) != _pictured(self._settled):
                self.history.leave(self._settled)
            self._settle()
        self._show()
        self._wish()

    def own_layers(self, side: int, index: int) -> Layers:
        """The layers that a direction is meant for."""
        return self.studio.sides[side].directions.layers_of(index) or (0, self.studio.generator.num_layers - 1)

    def select(self, side: int, index: int) -> None:
        """Shows the details of a direction."""
        if (side, index) != (self.state.side, self.state.selected):
            self.change(replace(self.state, side=side, selected=index))

    def select_next(self, step: int) -> None:
        """Selects the direction `step` rows below."""
        listed = self.rows.listed(self.state)
        place = min(len(listed) - 1, max(0, listed.index(self.state.selected) + step))
        self.select(self.state.side, listed[place])

    def nudge(self, amount: float) -> None:
        """Walks the selected direction further by an amplitude."""
        move = self.state.move(self.state.side, self.state.selected)
        self.walk_to(min(REACH, max(-REACH, round(move.amplitude + amount, 4))))

    def walk_to(self, amplitude: float) -> None:
        """Walks the selected direction as far as an amplitude."""
        move = self.state.move(self.state.side, self.state.selected)
        self.change(self.state.moved(self.state.side, replace(move, amplitude=amplitude)))

    def reset(self) -> None:
        """Takes every direction back to 0."""
        self.change(self.state.reset())

    def shuffle(self) -> None:
        """As many other samples."""
        first = random.randrange(_SEEDS)
        self.show_seeds(tuple(range(first, first + len(self.state.samples))))

    def show_seeds(self, seeds: tuple[int, ...]) -> None:
        """Shows the samples of seeds."""
        drawn = drawn_at_first(self.studio.directions, self.studio.generator.c_dim)
        self.change(self.state.seeded(seeds, drawn))

    def show_latents(self, samples: StoredSamples) -> None:
        """Shows samples that are no seeds."""
        self.studio.shelf.keep(samples)
        self.change(replace(self.state, samples=samples))

    def exchange(self, old: StoredSamples, new: StoredSamples) -> None:
        """Shows better latents wherever the old ones were shown; there is nothing to undo in it."""
        self.studio.shelf.keep(new, instead_of=old)
        self.history.exchange(old, new)
        self.state, self._settled = self.state.exchanged(old, new), self._settled.exchanged(old, new)
        self._keep_address()
        self.look_again()

    def look_again(self) -> None:
        """Shows the state, and asks for what is missing of its pictures."""
        self._show()
        self._wish()

    def switch(self) -> None:
        """Shows the sliders of the other side."""
        if len(self.studio.sides) < 2:
            return
        side = 1 - self.state.side
        selected = min(self.state.selected, len(self.studio.sides[side].directions) - 1)
        self.change(replace(self.state, side=side, selected=selected))

    def undo(self) -> None:
        """Goes back to the samples and edits before."""
        self._travel(self.history.undo(self._settled))

    def redo(self) -> None:
        """Takes an undo back."""
        self._travel(self.history.redo(self._settled))

    def relabel(self, side: int, index: int, change: Callable[[Label], Label]) -> None:
        """Changes the label of a direction, in its file, or complains that it cannot be."""
        old = self.studio.sides[side].directions.labels[index]
        try:
            label = change(old)
            if label != old:
                self.studio.label(side, index, label)
        except GanwalkError as error:
            self.complain(str(error))
            return
        if label != old:
            kept = self.studio.sides[side].path
            if kept is not None and (label.name, label.note) != (old.name, old.note):
                ui.notify(f"saved in {kept}", position="bottom-left", timeout=2000)
            self._show()

    def toggle_star(self) -> None:
        """Stars the selected direction, or takes the star away."""
        self.relabel(self.state.side, self.state.selected, lambda label: replace(label, starred=not label.starred))

    def toggle_hidden(self) -> None:
        """Hides the selected direction, or shows it again."""
        self.relabel(self.state.side, self.state.selected, lambda label: replace(label, hidden=not label.hidden))

    async def export(self, kind: str) -> None:
        """Makes a file of the current edit, and has the browser save it."""
        state, studio = self.state, self.studio
        # Pictures that are kept are touched by one thread only.
        errand = Errand(self.lines.pictures if kind in ("png", "npy") else self.lines.exports)

        def progress(done: int, total: int) -> None:
            errand.tell(f"{kind}: {100 * done // total} %")

        makers: dict[str, Callable[[], bytes]] = {
            "png": lambda: edited_picture(studio, state),
            "npy": lambda: edited_latents(studio, state),
            "gif": lambda: path_animation(studio, state, ".gif", progress),
            "mp4": lambda: path_animation(studio, state, ".mp4", progress),
        }
        data = await self._run(errand, makers[kind])
        if data is not None:
            name = "latents.npy" if kind == "npy" else f"edit.{kind}"
            ui.download.content(data, name)

    def command(self) -> str | None:
        """The command that draws this edit, if there is one."""
        return render_command(self.studio, self.state)

    async def measure(self, side: int) -> None:
        """Scores the directions of a side; other pages see the scores, too, when they look."""
        errand, studio = Errand(self.lines.measurements), self.studio

        def progress(stage: str, share: float) -> None:
            errand.tell(f"{stage}: {100 * share:.0f} %")

        def work() -> str | None:
            # Somebody else may have had them measured in the meantime.
            return studio.measure(side, progress) if studio.sides[side].scores is None else None

        words = await self._run(errand, work)
        if not self._client.is_deleted:
            self._show()
            if words is not None:
                self.note(words)

    async def open(self, wanted: Wanted) -> None:
        """Opens other directions or another generator, on all pages, or complains that it cannot be."""
        make = self.opened.make
        assert make is not None
        errand = Errand(self.lines.openings)
        studio = await self._run(errand, lambda: make(self.studio, wanted, errand.tell))
        if studio is not None:
            # Pages see it when they look, this one as well.
            self.opened.studio = studio

    def cancel(self) -> None:
        """Gives up what this page has asked for and takes long."""
        for errand in self._errands:
            errand.cancel()
        self._look()

    def note(self, words: str) -> None:
        """Says something that is no error."""
        with self._client:
            ui.notify(words, position="bottom-left", timeout=5000)

    def complain(self, words: str) -> None:
        """Shows what went wrong."""
        with self._client:
            ui.notify(words, type="negative", position="bottom-left", timeout=8000, close_button="OK")

    def _travel(self, state: State) -> None:
        if state is not self._settled:
            self.state, self._dragging = state, False
            self._settle()
            self._show()
            self._wish()

    def _settle(self) -> None:
        """Makes the state one to come back to, by undo or by the address."""
        self._settled = self.state
        self._keep_address()

    def _keep_address(self) -> None:
        studio = self.studio
        query = to_query(self._settled, studio.directions, classes=studio.generator.c_dim, latents=studio.given)
        with self._client:
            ui.navigate.history.replace(f"?{query}" if query else "./")

    def _show(self) -> None:
        """Sets every control to the state."""
        state = self.state
        with self._client:
            self.toolbar.show(state)
            self.rows.show(state)
            self.panel.show(state)
            self.gallery.note(state)
            title = self.studio.sides[state.side].directions.title(state.selected)
            amplitude = state.move(state.side, state.selected).amplitude
            late = self.own.are_unfinished(state.samples)
            self.strip.note(state.samples.titles[0], title, amplitude, late=late)

    def _wish(self) -> None:
        """Asks for the pictures of the state: previews first, if there are any, and whole ones when it has settled."""
        last = self._wished
        unchanged = last is not None and _pictured(last[0]) == _pictured(self.state)
        if not unchanged:
            self._ask(small=self.studio.preview is not None)
        elif last is not None and last[1] and not self._dragging:
            self._ask(small=False)
        elif not self._newest.busy:
            self._wish_strip()

    def _ask(self, *, small: bool) -> None:
        self._wished = (self.state, small)
        self._newest.ask(self._wished)

    def _wish_strip(self) -> None:
        if self.own.are_unfinished(self.state.samples):
            # Better ones come soon.
            return
        base = strip_base(self.state)
        if base != self._strip_shown:
            self._newest_strip.ask(base)
        else:
            self.look_at_rows()

    def look_at_rows(self) -> None:
        """Asks for the small pictures of a row that is in view and has none of the first sample, if there is one."""
        if self._dragging or self._newest.pending or self._newest_strip.pending:
            # They come first, and look at the rows when they are there.
            return
        if self.own.are_unfinished(self.state.samples):
            return
        sample, side = self.state.samples.select([0]), self.state.side
        for index in self.rows.in_view:
            if (side, index) not in self.walks or self.walks[side, index][0] != sample:
                self._newest_walk.ask((sample, side, index))
                return

    def _make(self, wish: Wish, check: Callable[[], None]) -> Shot:
        state, small = wish
        # Whole pictures give way to previews. Without previews, half-done ones would give way to one another for ever.
        give_way = check if self.studio.preview is not None and not small else None
        return take_shot(self.studio, state, small=small, check=give_way)

    def _make_strip(self, base: State, check: Callable[[], None]) -> StripShot:
        def give_way() -> None:
            check()
            if self._newest.pending:
                raise Superseded

        return take_strip(self.studio, base, give_way)

    def _make_walk(self, wish: WalkWish, check: Callable[[], None]) -> str:
        # Begun pictures of a row are ended whatever the next row is, but give way to what is larger.
        def give_way() -> None:
            if self._newest.pending or self._newest_strip.pending:
                raise Superseded

        return take_walk(self.studio, *wish, give_way)

    def _show_shot(self, wish: Wish, shot: Shot) -> None:
        if self._client.is_deleted:
            return
        with self._client:
            self.gallery.show(shot)
            self.gallery.note(self.state)
        if not self._dragging and not self._newest.pending:
            if shot.small:
                self._ask(small=False)
            else:
                # Only now: it gave way to the pictures.
                self._wish_strip()

    def _show_strip(self, base: State, shot: StripShot) -> None:
        self._strip_shown = base
        if not self._client.is_deleted:
            with self._client:
                self.strip.show(shot)
            self.look_at_rows()

    def _show_walk(self, wish: WalkWish, uri: str) -> None:
        sample, side, index = wish
        self.walks[side, index] = (sample, uri)
        if not self._client.is_deleted:
            with self._client:
                self.rows.show(self.state)
            self.look_at_rows()

    def fail(self, error: Exception) -> None:
        """Shows an error, and keeps a record of one that nobody foresaw."""
        if not isinstance(error, GanwalkError):
            logging.getLogger(__name__).error("something could not be made", exc_info=error)
        if not self._client.is_deleted:
            self.complain(describe(error))

    async def _run(self, errand: Errand, work: Callable[[], Any]) -> Any:
        """The result of work in its turn, or None: if it was cancelled, or, with a complaint, if it fails."""
        self._errands.append(errand)
        try:
            return await errand.run(work)
        except Superseded:
            return None
        except Exception as error:
            self.fail(error)
            return None
        finally:
            self._errands.remove(errand)

    def _cancel_in(self, line: Line) -> None:
        for errand in self._errands:
            if errand.line is line:
                errand.cancel()

    def _look(self) -> None:
        """Looks at what other tabs did, and at the queue."""
        errand = next((errand for errand in reversed(self._errands) if not errand.cancelled), None)
        before = (self.lines.pictures if errand is None else errand.line).waiting - 1
        busy = "" if errand is None else errand.words
        busy = busy or ("drawing" if self._newest.busy else "")
        if busy and before > 0:
            busy += f" ({before} waiting in line)"
        self.toolbar.tell(busy, can_cancel=errand is not None)
        if self.opened.studio is not self.studio and not self._leaving:
            self._leaving = True
            self.own.forget()
            ui.navigate.to("./")
        samples = self.state.samples
        if isinstance(samples, StoredSamples):
            better = self.studio.shelf.find(key_of(samples))
            if better is not None and better.fingerprint != samples.fingerprint:
                # Of a photo that another tab projects, or this one before it was loaded again.
                self.exchange(samples, better)
        if self._version != self.studio.version:
            self._version = self.studio.version
            self._show()


def _pictured(state: State) -> tuple[Any, ...]:
    """What of a state is in the pictures."""
    return (state.samples, state.edits)
