"""Scores that were written before: an evaluation.json, if it is about these directions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeGuard

from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.effects import strongest_factor
from ganwalk.evaluation.outputs import EVALUATION_FILE
from ganwalk.evaluation.settings import OF_REPRESENTATION, EvaluationSettings
from ganwalk.files import read_text
from ganwalk.generators.base import Generator
from ganwalk.options.records import is_number

# Of a file: twenty directions of a thousand bars each take less than one.
_MAX_BYTES = 2**26


def evaluation_beside(directions_path: Path) -> Path:
    """Where `ganwalk evaluate` writes the scores of a directions file by default."""
    return directions_path.parent / EVALUATION_FILE


def load_evaluation(path: Path, directions: Directions) -> dict[str, Any] | None:
    """What `Evaluation.to_json` gave, or None if there is no such file, or it is about other directions.

    Raises:
        GanwalkError: the file cannot be read, or is damaged.
    """
    try:
        facts = json.loads(read_text(path, _MAX_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise GanwalkError(f"{path} is damaged: write it again with ganwalk evaluate") from error
    if not isinstance(facts, dict) or facts.get("fingerprint") != directions.fingerprint():
        return None
    if not _sound(facts, len(directions)):
        raise GanwalkError(f"{path} is damaged: write it again with ganwalk evaluate")
    effects = facts.get("effects")
    if effects and effects["names"]:
        # Older files name only factors that are most of what a direction moves.
        for row, values in zip(facts["directions"], effects["matrix"], strict=True):
            row |= strongest_factor(effects["names"], values)
    return facts


def check_other_scores(path: Path, directions: Directions, settings: EvaluationSettings, generator: Generator) -> None:
    """Refuses to replace scores of these directions that were measured otherwise, or of others beside them.

    Args:
        path: where the new scores would be written.
        settings: resolved for the generator.
    """
    try:
        held = load_evaluation(path, directions)
    except GanwalkError:
        # Of no use to anybody.
        held = None
    if held is None and _belongs_to_others(path, directions):
        raise GanwalkError(
            f"{path} holds scores of the {DIRECTIONS_FILE} beside it, which are other directions: choose another "
            "folder with --out, or replace them with --force"
        )
    # Scores of before there were any latents are of drawn samples.
    stored = {"latents": None, **held["settings"]} if held else {}
    given = settings.given(generator)
    wanted = {**asdict(settings), "latents": None if given is None else settings.latents_in_words(given)}
    # Scores that were not there are no loss.
    added = ("representation", *OF_REPRESENTATION) if not stored.get("representation") else ()
    changed = [name for name, value in wanted.items() if name in stored and stored[name] != value and name not in added]
    if changed:
        raise GanwalkError(
            f"{path} holds scores with other settings ({', '.join(changed)}): replace them with --force, "
            "or choose another folder with --out"
        )


def _belongs_to_others(path: Path, directions: Directions) -> bool:
    """Whether scores belong to the discovery in their folder, and that is not these directions."""
    try:
        owner = Directions.load(path.parent / DIRECTIONS_FILE)
        return owner.fingerprint() != directions.fingerprint() and load_evaluation(path, owner) is not None
    except GanwalkError:
        return False


def _sound(facts: dict[str, Any], n: int) -> bool:
    """Whether everything that is shown of the scores has the shape that it should."""
    rows, barcodes = facts.get("directions"), facts.get("barcodes")
    return (
        _is_list(rows, n)
        and all(map(_is_plain, rows))
        and _is_plain(facts.get("summary"))
        and _is_plain(facts.get("settings"))
        and (facts.get("compared") is None or _is_plain(facts["compared"]))
        and _is_list(barcodes, n)
        and all(map(_is_barcode, barcodes))
        and _is_table(facts.get("effects"), "matrix", n)
        and _is_table(facts.get("axes"), "cosines", n)
        and _is_table(facts.get("representation"), "information", n)
    )


def _is_table(part: Any, key: str, n: int) -> bool:
    """Whether a part is missing, or a matrix with a row per direction and a name per column."""
    if part is None:
        return True
    names, rows = (part.get("names"), part.get(key)) if isinstance(part, dict) else (None, None)
    if not _is_list(names) or not _is_list(rows, n):
        return False
    return all(isinstance(name, str) for name in names) and all(_are_numbers(row, len(names)) for row in rows)


def _is_list(value: Any, length: int | None = None) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and (length is None or len(value) == length)


def _is_plain(values: Any) -> bool:
    """Whether these are named values that are numbers, texts or nothing."""
    return isinstance(values, dict) and all(
        value is None or isinstance(value, str) or (isinstance(value, (int, float)) and is_number(value))
        for value in values.values()
    )


def _is_barcode(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_list(value.get("births")):
        return False
    births, deaths = value["births"], value.get("deaths")
    return _are_numbers(births, len(births)) and _are_numbers(deaths, len(births))


def _are_numbers(values: Any, length: int) -> bool:
    return _is_list(values, length) and all(type(value) in (int, float) and is_number(value) for value in values)
