"""A strip of pictures along the selected direction: what it does, at a glance, on top of the rest of the edit."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from ganwalk.explore.shots import AMPLITUDES, StripShot
from ganwalk.explore.widgets import set_class, set_prop
from ganwalk.rendering.report.markup import in_sigma


class Strip:
    """A picture for each of `AMPLITUDES`, where a click walks, and a map of where they change.

    Args:
        on_choice: called with the amplitude of a picture that was clicked.
    """

    def __init__(self, on_choice: Callable[[float], None]):
        self._pictures: list[ui.element] = []
        self._buttons: list[ui.element] = []
        with ui.element("section").classes("strip").props('aria-labelledby="strip-title"') as self._box:
            with ui.element("h2").props("id=strip-title"):
                self._title = ui.label()
            with ui.element("div").classes("frames"):
                for amplitude in AMPLITUDES:
                    with ui.element("button").props("type=button") as button:
                        self._pictures.append(ui.element("img").props('alt=""'))
                        ui.label(in_sigma(amplitude))
                    button.on("click", lambda amplitude=amplitude: on_choice(amplitude))
                    self._buttons.append(button)
                with ui.element("figure").classes("where"):
                    self._heat = ui.element("img").props('alt=""')
                    with ui.element("figcaption"):
                        ui.label("where")

    def note(self, sample: str, title: str, amplitude: float, *, late: bool) -> None:
        """Says which sample is walked along which direction, and marks the picture that is the edit, if one is.

        Args:
            late: fade the pictures, which are of what was shown before.
        """
        set_class(self._box, "late", late)
        self._title.set_text(f"{sample} along direction {title}")
        for button, at in zip(self._buttons, AMPLITUDES, strict=True):
            set_class(button, "current", at == amplitude)

    def show(self, shot: StripShot) -> None:
        """Puts pictures into their places."""
        for picture, uri in zip(self._pictures, shot.uris, strict=True):
            set_prop(picture, "src", uri)
        set_prop(self._heat, "src", shot.heat)
        words = f"Heat map: the direction {shot.words}"
        set_prop(self._heat, "alt", words)
        set_prop(self._heat, "title", words)
