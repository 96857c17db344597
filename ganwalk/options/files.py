"""Settings in files: JSON with a value for each field that is not to be as by default."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ganwalk.errors import GanwalkError
from ganwalk.files import read_json
from ganwalk.options.fields import options_of
from ganwalk.options.records import as_tuples, build_record

T = TypeVar("T")
_WANTED = "settings, such as the metrics.json of a run"


def load_settings(kind: type[T], path: Path) -> T:
    """Settings from a JSON file: an object by field name, or one that holds it as "settings", as metrics.json does.

    Raises:
        GanwalkError: the file cannot be read, a name is unknown, or a value does not fit.
    """
    if not path.exists():
        raise GanwalkError(f"{path} does not exist: give {_WANTED}")
    values = read_json(path, _WANTED)
    if isinstance(values, dict) and isinstance(values.get("settings"), dict):
        # What else is there are results, some of which have the name of a setting, and more to say than that.
        beside = [name for name in options_of(kind) if name in values and not isinstance(values[name], dict)]
        if beside:
            raise GanwalkError(f'{path} has {beside[0]} beside "settings": put it inside of these, or all outside')
        values = values["settings"]
    if not isinstance(values, dict):
        raise GanwalkError(f"{path} holds no settings: it must be an object, such as " + '{"n_directions": 12}')
    try:
        return build_record(kind, {name: as_tuples(value) for name, value in values.items()})
    except GanwalkError as error:
        raise GanwalkError(f"{path}: {error}") from error
