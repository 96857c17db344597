"""Options of the loss that are words. Importing this module loads neither torch nor numba."""

from __future__ import annotations

from typing import Literal, get_args

Engine = Literal["relative", "ripser"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
SCALE_GRADIENTS = ("exact", "constant")
ENDS = ("exact", "immovable")
