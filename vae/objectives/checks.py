"""Checks of numbers in settings; each raises a GanwalkError that names the field and what it may be."""

from __future__ import annotations

import math
from typing import Any

from ganwalk.errors import GanwalkError


def check_positive(settings: Any, *names: str) -> None:
    """Fields that must be above zero."""
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise GanwalkError(f"{name} must be positive, not {getattr(settings, name)}")


def check_not_negative(settings: Any, *names: str) -> None:
    """Fields that must be zero or above."""
    for name in names:
        if not 0 <= getattr(settings, name) < math.inf:
            raise GanwalkError(f"{name} must not be negative, not {getattr(settings, name)}")


def check_share(settings: Any, *names: str) -> None:
    """Fields that must be from 0 to 1."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise GanwalkError(f"{name} must be a share from 0 to 1, not {getattr(settings, name)}")


def check_at_least(settings: Any, least: int, *names: str) -> None:
    """Counts with a lower bound."""
    for name in names:
        if getattr(settings, name) < least:
            raise GanwalkError(f"{name} must be at least {least}, not {getattr(settings, name)}")
