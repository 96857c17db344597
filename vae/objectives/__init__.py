"""Objectives of a VAE, one file each, behind one interface (`base.Objective`).

make_objective("beta", {"beta": 4.0}, z_dim=10, image_shape=(1, 64, 64)) -> Objective
OBJECTIVES: name → its class and the dataclass of its options
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.records import build_record
from vae.objectives.base import Context, Encoded, Objective, Terms
from vae.objectives.beta import Beta, BetaSettings
from vae.objectives.beta_tc import BetaTC, BetaTCSettings
from vae.objectives.control import Control, ControlSettings
from vae.objectives.dava import Dava, DavaSettings
from vae.objectives.factor import Factor, FactorSettings

__all__ = [
    "OBJECTIVES",
    "Context",
    "Encoded",
    "Objective",
    "ObjectiveEntry",
    "Terms",
    "check_options",
    "make_objective",
]


@dataclass(frozen=True)
class ObjectiveEntry:
    """An objective's class, made from settings, z_dim and image_shape (C, H, W), and the dataclass of its settings."""

    make: type[Any]
    settings: type[Any]


OBJECTIVES: Mapping[str, ObjectiveEntry] = {
    Beta.name: ObjectiveEntry(Beta, BetaSettings),
    BetaTC.name: ObjectiveEntry(BetaTC, BetaTCSettings),
    Control.name: ObjectiveEntry(Control, ControlSettings),
    Factor.name: ObjectiveEntry(Factor, FactorSettings),
    Dava.name: ObjectiveEntry(Dava, DavaSettings),
}


def check_options(name: str, options: Mapping[str, Any]) -> Any:
    """The settings of the objective `name`: these options over its defaults.

    Raises:
        GanwalkError: the objective does not exist, or does not take the options.
    """
    if name not in OBJECTIVES:
        raise GanwalkError(f"unknown objective {name}: choose one of {', '.join(OBJECTIVES)}")
    try:
        return build_record(OBJECTIVES[name].settings, options)
    except GanwalkError as error:
        raise GanwalkError(f"{name}: {error}") from error


def make_objective(
    name: str, options: Mapping[str, Any], *, z_dim: int, image_shape: tuple[int, int, int]
) -> Objective:
    """The objective `name` with these options over its defaults; GanwalkError if it does not take them."""
    settings = check_options(name, options)
    return OBJECTIVES[name].make(settings, z_dim, image_shape)
