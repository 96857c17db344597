"""Controls that NiceGUI lacks: native sliders, which everybody's keyboard and screen reader know, and shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments


class AmplitudeSlider(Element, component="slider.js"):
    """A slider in σ with its value beside it.

    Args:
        label: what screen readers call it.
        reach: both ends.
        on_drag: called with the amplitude now and then while the slider is held.
        on_release: called with the amplitude at the end.
    """

    def __init__(self, label: str, reach: float, on_drag: Callable[[float], None], on_release: Callable[[float], None]):
        super().__init__()
        self.props["label"], self.props["reach"], self.props["value"] = label, reach, 0.0
        self.on("drag", lambda event: on_drag(_amplitude(event, reach)))
        self.on("release", lambda event: on_release(_amplitude(event, reach)))

    def show(self, amplitude: float) -> None:
        """Moves the slider, unless somebody holds it."""
        set_prop(self, "value", amplitude)


class LayerSlider(Element, component="layers.js"):
    """A first and a last layer on one track.

    Args:
        name: of the direction.
        num_layers: of the generator.
        on_release: called with both layers.
    """

    def __init__(self, name: str, num_layers: int, on_release: Callable[[tuple[int, int]], None]):
        super().__init__()
        last = num_layers - 1
        self.props["name"], self.props["last"], self.props["first"], self.props["final"] = name, last, 0, last

        def release(event: GenericEventArguments) -> None:
            first, final = (min(last, max(0, int(value))) for value in event.args)
            on_release((min(first, final), final))

        self.on("release", release)

    def show(self, layers: tuple[int, int]) -> None:
        """Moves both ends."""
        set_prop(self, "first", layers[0])
        set_prop(self, "final", layers[1])


class Keys(Element, component="keys.js"):
    """Calls `on_press` with the name of a key such as "j", " ", or "Ctrl+z", when it is pressed outside of text."""

    def __init__(self, keys: Sequence[str], on_press: Callable[[str], None]):
        super().__init__()
        self.props["keys"] = list(keys)
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


def icon_button(icon: str, words: str, act: Callable[[], object]) -> ui.button:
    """A small button with an icon, and words for those who do not see it, or hover."""
    button = ui.button(icon=icon, on_click=act).props("flat round dense size=sm").classes("icon")
    button.props["aria-label"] = words
    with button:
        ui.tooltip(words)
    return button


def _amplitude(event: GenericEventArguments, reach: float) -> float:
    """What a slider sent, within its ends: browsers send what they like."""
    return round(min(reach, max(-reach, float(event.args))), 4)
