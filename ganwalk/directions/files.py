"""Directions files among others: labels saved into them, new results in their place, the newest one here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ganwalk.directions.artifact import DIRECTIONS_FILE, Directions
from ganwalk.directions.labels import Label
from ganwalk.directions.words import describe
from ganwalk.errors import GanwalkError
from ganwalk.files import DIRECTIONS_KEY, as_timestamp, locked
from ganwalk.files.tensors import TensorFileError, open_tensors

# Cosine from which a direction is the one that was named: what another machine or a few more steps change.
_SAME = 0.99


def save_label(path: Path | str, index: int, label: Label, fingerprint: str) -> Directions:
    """Writes the label of one direction into a directions file; otherwise as `amend`."""
    return amend(path, lambda directions: directions.labelled(index, label), fingerprint)


def amend(path: Path | str, change: Callable[[Directions], Directions], fingerprint: str) -> Directions:
    """Changes what a directions file says of its directions, such as labels, and returns what it holds then.

    Others may write into the same file: it is read again under a lock.

    Args:
        change: gives the directions that the file holds by then other labels, or another reach.
        fingerprint: of the directions that these are meant for.
    Raises:
        GanwalkError: the file holds other directions by now, two would have one name, or it cannot be written.
    """
    path = Path(path)
    try:
        with locked(path):
            directions = Directions.load(path)
            if directions.fingerprint() != fingerprint:
                raise GanwalkError(f"{path} holds other directions by now: load it again, or run the command again")
            directions = change(directions)
            directions.save(path)
    except OSError as error:
        raise GanwalkError(f"cannot write beside {path}: {error.strerror or error}") from error
    return directions


@dataclass(frozen=True)
class Opened:
    """A directions file that was found, not named.

    Attributes:
        path: of the file.
        directions: what it holds.
        others: how many older ones there are here.
    """

    path: Path
    directions: Directions
    others: int

    @property
    def description(self) -> str:
        """The file and what is in it, for people to see that it is the one they mean."""
        return f"{self.path}: {describe(self.directions)}" + f"; the newest of {self.others + 1} here" * (
            self.others > 0
        )


def newest_directions(folder: Path = Path()) -> Opened:
    """The directions that were found last, by the times that files hold, of those in a folder or one below it.

    Files of versions that kept no time count by when they were written.

    Raises:
        GanwalkError: there is none, or none can be read.
    """
    paths = sorted([*folder.glob(DIRECTIONS_FILE), *folder.glob(f"*/{DIRECTIONS_FILE}")])
    if not paths:
        raise GanwalkError(
            "no directions here: run ganwalk discover --generator scenes first, or give --directions FILE"
        )
    found, refusals = [], []
    for path in paths:
        try:
            directions = Directions.load(path)
            written = path.stat().st_mtime
        except (GanwalkError, OSError) as error:
            refusals.append(error)
        else:
            # Of one second, the one that was written last.
            found.append(((directions.created or as_timestamp(written), written), path, directions))
    if not found:
        raise refusals[0]
    _, path, directions = max(found, key=lambda entry: entry[0])
    return Opened(path, directions, len(found) - 1)


def is_directions_file(path: Path) -> bool:
    """Whether a file says of itself that it holds directions; nothing but its head is read."""
    try:
        with open_tensors(path) as file:
            return DIRECTIONS_KEY in file.metadata
    except (TensorFileError, GanwalkError, OSError):
        return False


def holds_directions(path: Path) -> bool:
    """Whether there is a file of directions, which something of another kind should not replace."""
    try:
        Directions.load(path)
    except GanwalkError:
        return False
    return True


def replace_directions(path: Path, directions: Directions) -> Path | None:
    """Writes directions in the place of others, whose names, notes and marks pass to those that are the same ones.

    Returns:
        The file beside it that keeps the old ones, if some of these labels found no such direction.
    Raises:
        GanwalkError: the file cannot be written.
    """
    with locked(path):
        try:
            old = Directions.load(path)
        except GanwalkError:
            # Nothing is there, or nothing that anybody could have named.
            directions.save(path)
            return None
        if old.fingerprint() == directions.fingerprint():
            # Found again, not anew.
            directions = replace(
                directions, created=old.created or directions.created, reach=directions.reach or old.reach
            )
        labels = _passed_on(old, directions)
        kept = None
        if labels is None:
            kept = _free_name(path)
            old.save(kept)
        if labels is None or all(label == Label() for label in labels):
            labels = _kept_before(path, directions)
        replace(directions, labels=labels).save(path)
        return kept


def _passed_on(old: Directions, new: Directions) -> tuple[Label, ...] | None:
    """The new directions' labels if every labelled old one is among them; otherwise None."""
    labels = list(new.labels)
    labelled = [index for index, label in enumerate(old.labels) if label != Label()]
    if not labelled:
        return new.labels
    if _walked_in(old) != _walked_in(new):
        return None
    cosines = old.rows.cpu() @ new.rows.cpu().T
    for index in labelled:
        closest = int(cosines[index].argmax())
        same = cosines[index, closest] >= _SAME and old.layers_of(index) == new.layers_of(closest)
        if not same or labels[closest] != Label():
            return None
        labels[closest] = old.labels[index]
    return tuple(labels)


def _kept_before(path: Path, directions: Directions) -> tuple[Label, ...]:
    """Labels of the same directions in a file beside, where an earlier discovery left them; otherwise their own."""
    for beside in sorted(path.parent.glob(f"{path.stem}-named-*{path.suffix}"), key=_number_of, reverse=True):
        try:
            labels = _passed_on(Directions.load(beside), directions)
        except GanwalkError:
            continue
        if labels is not None:
            return labels
    return directions.labels


def _walked_in(directions: Directions) -> tuple[object, ...]:
    """What must agree if directions are to be the same."""
    return directions.generator.sha256, directions.space, directions.layers, directions.vectors.shape[1:]


def _number_of(beside: Path) -> int:
    """The number that `_free_name` gave a file; 0 of one that somebody else has named."""
    number = beside.stem.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _free_name(path: Path) -> Path:
    """A name beside a directions file under which nothing is yet."""
    number = 1
    while (free := path.with_name(f"{path.stem}-named-{number}{path.suffix}")).exists():
        number += 1
    return free
