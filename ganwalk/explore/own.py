"""People's own pictures on a page: files come in, photos are projected while the page is used, progress is shown."""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from ganwalk.errors import GanwalkError, one_line
from ganwalk.explore.arrivals import MAX_BYTES, projected_samples, read_arrival
from ganwalk.explore.queue import Superseded
from ganwalk.explore.widgets import set_prop
from ganwalk.pictures.photos import Photo
from ganwalk.projection.run import Ongoing, Projection
from ganwalk.samples import DrawnSamples, StoredSamples

if TYPE_CHECKING:
    from ganwalk.explore.page import Page

# Seconds of a piece of a projection, for which other pages wait; a step of a large network takes longer.
_PIECE = 0.3
# Seconds from one shown result to the next, and the share of the time so far, if that is more: early ones differ most.
_BETWEEN, _SHARE = 3.0, 0.25
_MAX_WORDS = 300

Deliver = Callable[[str, bytes], None]


class Inbox:
    """The pages that take files, by the secret names of their places."""

    def __init__(self) -> None:
        self._pages: dict[str, Deliver] = {}

    def open(self, deliver: Deliver) -> str:
        """A new place, whose files go to `deliver` by name and content."""
        place = secrets.token_urlsafe(16)
        self._pages[place] = deliver
        return place

    def deliver(self, place: str, name: str, data: bytes) -> bool:
        """Hands a file on; False if there is no such place."""
        deliver = self._pages.get(place)
        if deliver is not None:
            deliver(name, data)
        return deliver is not None

    def close(self, place: str) -> None:
        """Takes no more files for a place."""
        self._pages.pop(place, None)


class Drop(Element, component="drop.js"):
    """A button that sends a file, which may also be dropped anywhere on the page.

    Args:
        label: of the button.
        place: URL that it is sent to.
        on_refusal: called with the reason why a file was not sent.
    """

    def __init__(self, label: str, place: str, on_refusal: Callable[[str], None]):
        super().__init__()
        self.props["label"], self.props["place"], self.props["largest"] = label, place, MAX_BYTES

        def refuse(event: GenericEventArguments) -> None:
            on_refusal(one_line(str(event.args), _MAX_WORDS))

        self.on("refused", refuse)


class OwnPictures:
    """Where somebody gives a photo or latents to a page, and how far the search for a photo's latents is."""

    def __init__(self, page: Page, inbox: Inbox):
        self._page, self._inbox = page, inbox
        self._place = inbox.open(self.take)
        # Grows with every file, and when one is stopped: work for an older number ends.
        self._number = 0
        self._shown: StoredSamples | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        with ui.element("section").classes("own").props('aria-label="Your own picture"'):
            Drop("Open a photo or latents", f"drop/{self._place}", page.complain)
            with ui.element("div").classes("projecting") as self._box:
                self._text = ui.label().props("role=status")
                self._bar = ui.element("progress").props('max=1 aria-label="Projection of the photo"')
                with ui.element("button").props("type=button").classes("plain") as self._stop:
                    ui.label("Stop")
                self._stop.on("click", self.stop)
        self._tell("", None)

    def are_unfinished(self, samples: DrawnSamples | StoredSamples) -> bool:
        """Whether these are of a photo that is still being projected."""
        if self._shown is None or isinstance(samples, DrawnSamples):
            return False
        return self._shown.fingerprint == samples.fingerprint

    def take(self, name: str, data: bytes) -> None:
        """Shows a file; what was being done for another one is given up."""
        self.stop()
        task = asyncio.get_running_loop().create_task(self._take(self._number, name, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Leaves it at what was found until now."""
        self._number += 1
        found, self._shown = self._shown, None
        self._tell("stopped: these are the latents so far" if found else "", None)
        if found is not None:
            self._page.look_again()

    def forget(self) -> None:
        """Nobody sees this page any more."""
        self._number += 1
        self._inbox.close(self._place)

    async def _take(self, number: int, name: str, data: bytes) -> None:
        page = self._page
        studio, samples = page.studio, page.state.samples
        class_index = samples.class_index if page.state.has_codes else studio.directions[0].class_index
        self._tell(f"reading {one_line(name, 40)}", None)
        try:
            arrival = await self._piece(
                number, read_arrival, name, data, studio.generator, studio.directions, class_index
            )
            for note in arrival.notes:
                page.note(f"{arrival.label}: {note}")
            if isinstance(arrival.found, Photo):
                await self._project(number, arrival.found, arrival.label, class_index)
            else:
                self._tell("", None)
                page.show_latents(arrival.found)
        except Superseded:
            return
        except Exception as error:
            if number == self._number:
                self._shown = None
                self._tell("", None)
                page.fail(_worded(error))

    async def _project(self, number: int, photo: Photo, label: str, class_index: int | None) -> None:
        """Looks for the latents of a photo, in pieces, and shows the best so far now and then."""
        page, projector = self._page, self._page.studio.projector
        settings = projector.settings(page.studio.directions, class_index)
        share = 0.0
        while share < 1:
            share = await self._piece(number, projector.candidates, settings)
            self._tell(f"{label}: looking for a start", share)
        ongoing: Ongoing = await self._piece(number, projector.begin, settings, photo)
        began = due = time.monotonic()
        while True:
            finished, now = ongoing.share == 1, time.monotonic()
            if finished or now >= due:
                found: Projection = await self._piece(number, ongoing.result)
                self._show(projected_samples(found, label), finished=finished)
                error = f"RMS error {100 * float(found.error[0]):.1f} %"
                due = now + max(_BETWEEN, _SHARE * (now - began))
                # What is to be seen has the next turn.
                await asyncio.sleep(0)
            if finished:
                self._tell(f"{label}: {error}", None)
                return
            self._tell(f"{label}: {100 * ongoing.share:.0f} %, {error}", ongoing.share)
            ongoing = await self._piece(number, _further, ongoing)

    async def _piece(self, number: int, work: Callable[..., Any], *arguments: Any) -> Any:
        """The result of work in its turn; `Superseded` if nobody waits for it any more."""
        self._check(number)
        result = await self._page.lines.pictures.run(functools.partial(work, *arguments))
        self._check(number)
        return result

    def _show(self, samples: StoredSamples, *, finished: bool) -> None:
        page, before = self._page, self._shown
        self._shown = None if finished else samples
        if before is None:
            page.show_latents(samples)
        else:
            page.exchange(before, samples)

    def _check(self, number: int) -> None:
        """Raises `Superseded` unless somebody still waits for this."""
        self._page.lines.pictures.check()
        if number != self._number:
            raise Superseded

    def _tell(self, words: str, share: float | None) -> None:
        """Shows how it stands; a share of what is done while there is something to stop."""
        self._text.set_text(words)
        set_prop(self._bar, "value", share or 0.0)
        self._box.set_visibility(bool(words))
        for element in (self._bar, self._stop):
            element.set_visibility(share is not None)


def _further(ongoing: Ongoing) -> Ongoing:
    """A piece of a projection."""
    began = time.monotonic()
    return ongoing.further(enough=lambda: time.monotonic() - began >= _PIECE)


def _worded(error: Exception) -> Exception:
    """An error without options of commands, which a page has not."""
    if not isinstance(error, GanwalkError):
        return error
    return GanwalkError(str(error).replace("give --class", "choose a class above"))
