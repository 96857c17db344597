"""Amounts as people type them: bytes such as 4GB, and durations such as 10m. Importing this loads no torch."""

from __future__ import annotations

import re
from decimal import Decimal

from ganwalk.errors import GanwalkError
from ganwalk.options.fields import TextForm

_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SECONDS = {"": 1, "S": 1, "M": 60, "MIN": 60, "H": 3600}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(text: str) -> float:
    """Bytes of such as "4GB" or "800 MB"."""
    return _amount(text, _BYTES, "an amount of memory such as 4GB")


def format_bytes(value: float) -> str:
    """Such as "4GB"; `parse_bytes` reads it."""
    return _words(value, _BYTES)


def parse_duration(text: str) -> float:
    """Seconds of such as "10m", "90s" or "1.5h"."""
    return _amount(text, _SECONDS, "a duration such as 10m")


def format_duration(value: float) -> str:
    """Such as "10m"; `parse_duration` reads it."""
    return _words(value, {"s": 1, "m": 60, "h": 3600})


def _amount(text: str, units: dict[str, int], expected: str) -> float:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2].upper() not in units or float(match[1]) == 0:
        raise GanwalkError(f"{text!r:.40} is not {expected}")
    return float(match[1]) * units[match[2].upper()]


def _words(value: float, units: dict[str, int]) -> str:
    """In the largest unit that leaves a short number."""
    for unit, size in sorted(units.items(), key=lambda item: -item[1]):
        shown = _digits(value / size)
        if value >= size and float(shown) * size == value and len(shown) <= 6:
            return f"{shown}{unit}"
    return _digits(value)


def _digits(value: float) -> str:
    """A number without an exponent, which `_amount` does not know."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


BYTES = TextForm("SIZE", parse_bytes, format_bytes)
DURATION = TextForm("TIME", parse_duration, format_duration)
