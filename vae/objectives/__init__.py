"""Objectives of a VAE, one file each, behind one interface (`base.Objective`).

Importing this loads no torch: the command line needs the names and options alone.

make_objective("beta", {"beta": 4.0}, z_dim=10, image_shape=(1, 64, 64)) -> Objective
OBJECTIVES: name → its class and the dataclass of its options
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ganwalk.errors import GanwalkError
from ganwalk.options.records import build_record
from vae.objectives.settings import (
    AdaGvaeSettings,
    BetaSettings,
    BetaTCSettings,
    ControlSettings,
    DavaSettings,
    DipSettings,
    FactorSettings,
    QlaeSettings,
)

if TYPE_CHECKING:
    from vae.objectives.base import Objective

__all__ = ["OBJECTIVES", "ObjectiveEntry", "check_options", "make_objective", "model_options"]


@dataclass(frozen=True)
class ObjectiveEntry:
    """The dataclass of an objective's settings, and where its class is.

    Attributes:
        settings: the dataclass.
        home: module:class; the class is made from settings, z_dim and image_shape (C, H, W).
        of_model: names of its settings that are fields of `vae.models.ModelConfig`, too.
    """

    settings: type[Any]
    home: str
    of_model: tuple[str, ...] = ()


OBJECTIVES: Mapping[str, ObjectiveEntry] = {
    "beta": ObjectiveEntry(BetaSettings, "vae.objectives.beta:Beta"),
    "beta-tc": ObjectiveEntry(BetaTCSettings, "vae.objectives.beta_tc:BetaTC"),
    "control": ObjectiveEntry(ControlSettings, "vae.objectives.control:Control"),
    "factor": ObjectiveEntry(FactorSettings, "vae.objectives.factor:Factor"),
    "dava": ObjectiveEntry(DavaSettings, "vae.objectives.dava:Dava"),
    "dip": ObjectiveEntry(DipSettings, "vae.objectives.dip:Dip"),
    "ada-gvae": ObjectiveEntry(AdaGvaeSettings, "vae.objectives.ada_gvae:AdaGvae"),
    "qlae": ObjectiveEntry(QlaeSettings, "vae.objectives.qlae:Qlae", of_model=("levels",)),
}


def check_options(name: str, options: Mapping[str, Any]) -> Any:
    """The settings of the objective `name`: these options over its defaults.

    Raises:
        GanwalkError: the objective does not exist, or does not take the options.
    """
    if name not in OBJECTIVES:
        raise GanwalkError(f"unknown objective {name}: choose one of {', '.join(OBJECTIVES)}")
    own = {field.name for field in fields(OBJECTIVES[name].settings)}
    for option in (option for option in options if option not in own):
        others = [n for n, entry in OBJECTIVES.items() if option in {field.name for field in fields(entry.settings)}]
        if others:
            raise GanwalkError(
                f"{option} is an option of {', '.join(others)}, not of {name}, which takes {', '.join(sorted(own))}"
            )
    try:
        return build_record(OBJECTIVES[name].settings, options)
    except GanwalkError as error:
        raise GanwalkError(f"{name}: {error}") from error


def model_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the objective `name` asks of the model, as fields of `vae.models.ModelConfig`."""
    settings = check_options(name, options)
    return {field: getattr(settings, field) for field in OBJECTIVES[name].of_model}


def make_objective(
    name: str, options: Mapping[str, Any], *, z_dim: int, image_shape: tuple[int, int, int]
) -> Objective:
    """The objective `name` with these options over its defaults; GanwalkError if it does not take them."""
    settings = check_options(name, options)
    module, _, kind = OBJECTIVES[name].home.partition(":")
    return getattr(importlib.import_module(module), kind)(settings, z_dim, image_shape)
