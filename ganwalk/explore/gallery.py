"""The pictures of a page: every sample, edited with A's directions and, if there are any, with B's."""

from __future__ import annotations

import math

from nicegui import ui

from ganwalk.explore.shots import Shot
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.explore.widgets import set_class, set_prop
from ganwalk.samples import Samples

# Samples in a row.
_COLUMNS = 6


class Gallery:
    """A row of pictures for each side, which `show` fills."""

    def __init__(self, studio: Studio):
        self._studio = studio
        self._pictures: list[list[ui.element]] = []
        self._headings: list[ui.element] = []
        self._titles: tuple[str, ...] = ()
        with ui.element("section").classes("gallery").props('aria-label="Pictures"') as self._box:
            pass

    def show(self, shot: Shot) -> None:
        """Puts pictures into their places."""
        samples = shot.state.samples
        if samples.titles != self._titles:
            self._build(samples)
        for row, uris, edit in zip(self._pictures, shot.uris, shot.state.edits, strict=False):
            for picture, uri, title in zip(row, uris, samples.titles, strict=True):
                set_prop(picture, "src", uri)
                set_prop(picture, "alt", f"{title}, {'edited' if edit else 'as it is'}")
        set_prop(self._box, "data-state", "preview" if shot.small else "full")

    def note(self, state: State) -> None:
        """Marks the row whose sliders are shown."""
        for side, heading in enumerate(self._headings):
            set_class(heading, "current", side == state.side)

    def _build(self, samples: Samples) -> None:
        self._titles = samples.titles
        self._pictures, self._headings = [], []
        self._box.clear()
        compared = len(self._studio.sides) > 1
        # Sides are compared row by row; one side alone is best seen in a square.
        columns = min(len(samples), _COLUMNS) if compared else math.ceil(math.sqrt(len(samples)))
        with self._box:
            for letter, side in zip("AB", self._studio.sides, strict=False):
                if compared:
                    with ui.element("h2") as heading:
                        ui.label(f"{letter} · {side.title}")
                    self._headings.append(heading)
                with ui.element("div").classes("pictures").style(f"--columns: {columns}"):
                    self._pictures.append([_frame(sample) for sample in samples])


def _frame(sample: Samples) -> ui.element:
    with ui.element("figure"):
        picture = ui.element("img")
        picture.props["alt"] = sample.titles[0]
        with ui.element("figcaption"):
            ui.label(sample.labels[0])
    return picture
