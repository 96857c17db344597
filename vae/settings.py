"""The settings of a training: all that its result depends on, readable from JSON and written back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError
from vae.topdis import TopDisSettings

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class TrainingSettings:
    """Defaults are sized for a CPU: 32 px and minutes; `PAPER` has the sizes of the paper.

    Attributes:
        dataset, resolution: see vae.data.
        correlated: pairs of factor names that are drawn together, as in vae.data.correlated.
        correlation_width: standard deviation of their ridge, in units of a factor's whole range.
        objective, options: see vae.objectives.
        topdis: the TopDis term, or None to train without.
        z_dim, hidden: shape of the model.
        steps, batch, lr, seed: of the optimisation (Adam, betas 0.9 and 0.999).
    """

    dataset: str = "sprites"
    resolution: int = 32
    correlated: tuple[tuple[str, str], ...] = ()
    correlation_width: float = 0.2
    objective: str = "beta"
    options: Mapping[str, Any] = field(default_factory=dict)
    topdis: TopDisSettings | None = field(default_factory=TopDisSettings)
    z_dim: int = 10
    hidden: int | None = None
    steps: int = 10_000
    batch: int = 64
    lr: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("z_dim", "steps", "batch"):
            if getattr(self, name) < 1:
                raise GanwalkError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.lr < float("inf"):
            raise GanwalkError(f"lr must be positive, not {self.lr}")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "cpu": {},
    "paper": {"resolution": 64, "steps": 1_000_000, "lr": 1e-4},
}
"""What `--preset` changes of the defaults."""


def to_json(settings: TrainingSettings) -> dict[str, Any]:
    """JSON-able settings, with the options that stand for defaults left as they were given."""
    return json.loads(json.dumps(asdict(settings)))


def from_json(values: Mapping[str, Any], source: Path | str) -> TrainingSettings:
    """Settings from what `to_json` wrote, or from a part of it: what is missing keeps its default.

    Raises:
        GanwalkError: a name is unknown or a value does not fit; `source` is named.
    """
    try:
        values = dict(values)
        unknown = set(values) - {f.name for f in fields(TrainingSettings)}
        if unknown:
            raise GanwalkError(f"unknown settings {', '.join(sorted(unknown))}")
        if isinstance(values.get("topdis"), Mapping):
            values["topdis"] = TopDisSettings(**values["topdis"])
        if "correlated" in values:
            values["correlated"] = tuple((str(a), str(b)) for a, b in values["correlated"])
        return TrainingSettings(**values)
    except (TypeError, ValueError) as error:
        raise GanwalkError(f"{source} is no configuration of vae.train: {error}") from error


def load_settings(path: Path) -> TrainingSettings:
    """Settings from a JSON file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GanwalkError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise GanwalkError(f"{path} is no configuration of vae.train: it must hold an object")
    return from_json(values, path)
