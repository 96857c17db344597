"""Controls that NiceGUI lacks: native sliders, which everybody's keyboard and screen reader know, and shortcuts.

Fields as well, since NiceGUI's own lose what is typed while a message of the server is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from ganwalk.explore.log import tell_dropped
from ganwalk.layers import Layers, hull_of, in_words, ranges_of

# Types of a value.
Kind = tuple[type, ...]
_TEXT: Kind = (str,)
_NUMBER: Kind = (int, float)
_LIST: Kind = (list,)


class Acknowledged(Element, esm={"ganwalk-delivery": "delivery"}):
    """An element that the browser sends numbered events to, in order, and again until they are acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.props["acknowledged"] = 0

    def receive(self, name: str, act: Callable[..., None], *kinds: Kind) -> None:
        """Has `act` called with the values of each event of that name, once.

        Args:
            kinds: of its values; what a page would not send is dropped.
        """

        def handle(event: GenericEventArguments) -> None:
            match event.args:
                case [int(number), *values] if _are(values, kinds):
                    pass
                case _:
                    tell_dropped(f"values of {name}")
                    return
            if number <= self.props["acknowledged"]:
                return
            try:
                act(*values)
            finally:
                # Together with what `act` has set: the browser shows that from now on. What failed need not come again.
                if not self.is_deleted:
                    set_prop(self, "acknowledged", number)

        self.on(name, handle)


class Field(Acknowledged, component="field.js"):
    """A line of text that somebody types, or a number.

    Args:
        label: what it is called.
        on_commit: called once with what was typed and the subject that it was typed about, when the field is left or
            Enter is pressed.
        number: only numbers can be typed.
    """

    def __init__(self, label: str, on_commit: Callable[[str, Sequence[int]], None], *, number: bool = False):
        super().__init__()
        self.props["label"], self.props["for"], self.props["number"] = label, self.html_id, number
        self.props["value"], self.props["subject"] = "", []
        self.receive("commit", on_commit, _TEXT, _LIST)

    def show(self, value: str, subject: Sequence[int] = ()) -> None:
        """Shows a value, unless somebody is typing; of another subject than before in any case."""
        set_prop(self, "subject", list(subject))
        set_prop(self, "value", value)


class AmplitudeSlider(Acknowledged, component="slider.js"):
    """A slider in σ with its value beside it, which can be typed.

    Args:
        reach: both ends.
        on_drag: called with the amplitude now and then while the slider is held.
        on_release: called with the amplitude at the end.
    """

    def __init__(self, reach: float, on_drag: Callable[[float], None], on_release: Callable[[float], None]):
        super().__init__()
        self.props["reach"], self.props["value"] = reach, 0.0
        self.props["ends"], self.props["pace"] = [], []
        self.receive("drag", lambda amplitude: on_drag(_within(amplitude, reach)), _NUMBER)
        self.receive("release", lambda amplitude: on_release(_within(amplitude, reach)), _NUMBER)

    def show(self, name: str, amplitude: float, ends: Sequence[float] = (), pace: Sequence[float] = ()) -> None:
        """Moves the slider, unless somebody holds it.

        Args:
            name: what is walked along.
            ends: amplitudes that are marked.
            pace: amplitudes at equal steps from end to end; none has them at equal steps of amplitude.
        """
        set_prop(self, "name", name)
        set_prop(self, "ends", list(ends))
        set_prop(self, "pace", list(pace))
        set_prop(self, "value", amplitude)


class Walk(Acknowledged, component="walk.js"):
    """Small pictures of a walk.

    Args:
        on_view: called with True when they come into view, with False when they are out of it.
    """

    def __init__(self, on_view: Callable[[bool], None]):
        super().__init__()
        self.props["src"] = ""
        self.receive("view", lambda seen: on_view(seen), (bool,))

    def show(self, label: str, uri: str) -> None:
        """Shows pictures, or an empty place."""
        set_prop(self, "label", label)
        set_prop(self, "src", uri)


class LayerSlider(Acknowledged, component="layers.js"):
    """A first and a last layer on one track.

    Args:
        num_layers: of the generator.
        on_release: called with both layers.
    """

    def __init__(self, num_layers: int, on_release: Callable[[tuple[int, int]], None]):
        super().__init__()
        last = num_layers - 1
        self.props["last"], self.props["first"], self.props["final"] = last, 0, last
        self.props["parts"] = ""

        def release(*layers: float) -> None:
            first, final = (min(last, max(0, int(layer))) for layer in layers)
            on_release((min(first, final), final))

        self.receive("release", release, _NUMBER, _NUMBER)

    def show(self, name: str, layers: Layers) -> None:
        """Moves both ends, and names layers that are no range; `name` is whose layers they are."""
        first, final = hull_of(layers)
        set_prop(self, "name", name)
        set_prop(self, "first", first)
        set_prop(self, "final", final)
        set_prop(self, "parts", in_words(layers) if len(ranges_of(layers)) > 1 else "")


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


def _are(values: Sequence[object], kinds: Sequence[Kind]) -> bool:
    return len(values) == len(kinds) and all(map(isinstance, values, kinds))


def _within(amplitude: float, reach: float) -> float:
    """What a slider sent, within its ends: browsers send what they like."""
    return round(min(reach, max(-reach, float(amplitude))), 4)
