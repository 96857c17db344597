"""Controls that NiceGUI lacks: native sliders, which everybody's keyboard and screen reader know, and shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments


class AmplitudeSlider(Element, component="slider.js"):
    """A slider in σ with its value beside it.

    Args:
        reach: both ends.
        on_drag: called with the amplitude now and then while the slider is held.
        on_release: called with the amplitude at the end.
    """

    def __init__(self, reach: float, on_drag: Callable[[float], None], on_release: Callable[[float], None]):
        super().__init__()
        self.props["reach"], self.props["value"] = reach, 0.0
        self.on("drag", lambda event: on_drag(_amplitude(event, reach)))
        self.on("release", lambda event: on_release(_amplitude(event, reach)))

    def show(self, label: str, amplitude: float) -> None:
        """Moves the slider, unless somebody holds it."""
        set_prop(self, "label", label)
        set_prop(self, "value", amplitude)


class LayerSlider(Element, component="layers.js"):
    """A first and a last layer on one track.

    Args:
        num_layers: of the generator.
        on_release: called with both layers.
    """

    def __init__(self, num_layers: int, on_release: Callable[[tuple[int, int]], None]):
        super().__init__()
        last = num_layers - 1
        self.props["last"], self.props["first"], self.props["final"] = last, 0, last

        def release(event: GenericEventArguments) -> None:
            first, final = (min(last, max(0, int(value))) for value in event.args)
            on_release((min(first, final), final))

        self.on("release", release)

    def show(self, name: str, layers: tuple[int, int]) -> None:
        """Moves both ends; `name` is whose layers they are."""
        set_prop(self, "name", name)
        set_prop(self, "first", layers[0])
        set_prop(self, "final", layers[1])


class Keys(Element, component="keys.js"):
    """Listens for keys with names such as "j", " " or "Ctrl+z", pressed outside of text.

    Args:
        keys: their names.
        fields: keys that only put the cursor into a field, with its HTML id.
        on_press: called with the names of the others.
    """

    def __init__(self, keys: Sequence[str], fields: dict[str, str], on_press: Callable[[str], None]):
        super().__init__()
        self.props["keys"], self.props["fields"] = list(keys), fields
        self.on("press", lambda event: on_press(str(event.args)))


def set_prop(element: Element, name: str, value: object) -> None:
    """Sets a property of an element, if it is another one: each change is a message to the browser."""
    if element.props.get(name) != value:
        element.props[name] = value


def set_class(element: Element, name: str, on: bool) -> None:
    """Gives an element a class, or takes it away, if it is not so already."""
    if on and name not in element.classes:
        element.classes(add=name)
    if not on and name in element.classes:
        element.classes(remove=name)


class IconButton:
    """A small button with an icon, and words for those who do not see it, or hover."""

    def __init__(self, icon: str, words: str, act: Callable[[], object]):
        self._button = ui.button(icon=icon, on_click=act).props("flat round dense size=sm").classes("icon")
        with self._button:
            self._tooltip = ui.tooltip()
        self.show(icon, words)

    def show(self, icon: str, words: str) -> None:
        """Changes what it is for."""
        set_prop(self._button, "icon", icon)
        set_prop(self._button, "aria-label", words)
        self._tooltip.set_text(words)

    def set_enabled(self, on: bool) -> None:
        """Whether it can be pressed."""
        self._button.set_enabled(on)


def _amplitude(event: GenericEventArguments, reach: float) -> float:
    """What a slider sent, within its ends: browsers send what they like."""
    return round(min(reach, max(-reach, float(event.args))), 4)
