"""The settings of a training: all that its result depends on, readable from JSON and written back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.records import build_record
from vae.topdis import TopDisSettings

CONFIG_FILE = "config.json"
PRECISIONS = ("float32", "bfloat16")


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
        precision: of the model's convolutions, float32 or bfloat16.
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
    steps: int = 5_000
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("z_dim", "steps", "batch"):
            if getattr(self, name) < 1:
                raise GanwalkError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.precision not in PRECISIONS:
            raise GanwalkError(f"unknown precision {self.precision}: choose {' or '.join(PRECISIONS)}")
        if not 0 < self.lr < float("inf"):
            raise GanwalkError(f"lr must be positive, not {self.lr}")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # At 32 px the reconstruction sums a quarter of the values that it has where γ is 5: docs/study-vae.md.
    "cpu": {"topdis": {"gamma": 1.0}},
    "paper": {"resolution": 64, "steps": 1_000_000, "lr": 1e-4},
}
"""What `--preset` changes of the defaults."""

TOPDIS = "topdis_"
"""What the names of TopDis' options begin with, among those of the rest."""


def changed(base: TrainingSettings, given: Mapping[str, Any]) -> TrainingSettings:
    """Settings with what the command line gave put over them.

    Args:
        base: defaults, a preset, or a configuration.
        given: settings by name; TopDis' by their names after `topdis_`, `topdis` alone turns the term on or off; any
            other name is an option of the objective. Another objective than the base's starts from its own defaults.
    Raises:
        GanwalkError: an option of the term without the term, or of correlations without one, or a value that does not
            fit.
    """
    own = {f.name for f in fields(TrainingSettings)} - {"topdis", "options"}
    values = {name: value for name, value in given.items() if name in own}
    term = {name[len(TOPDIS) :]: value for name, value in given.items() if name.startswith(TOPDIS)}
    options = {
        name: value
        for name, value in given.items()
        if name not in own and name != "topdis" and not name.startswith(TOPDIS)
    }
    wanted = given.get("topdis", base.topdis is not None or bool(term))
    if term and not wanted:
        raise GanwalkError(f"--topdis-{next(iter(term))} has no effect with --no-topdis: leave one of them out")
    if "correlation_width" in values and not values.get("correlated", base.correlated):
        raise GanwalkError("--correlation-width has no effect without --correlated A,B: leave it out, or name factors")
    kept = base.options if values.get("objective", base.objective) == base.objective else {}
    return replace(
        base,
        **values,
        options={**kept, **options},
        topdis=replace(base.topdis or TopDisSettings(), **term) if wanted else None,
    )


def run_name(settings: TrainingSettings) -> str:
    """A folder name for a run, such as sprites-beta-topdis-seed0."""
    parts = [settings.dataset, settings.objective, "topdis" * (settings.topdis is not None), f"seed{settings.seed}"]
    return "-".join(part for part in parts if part)


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
        if isinstance(values.get("topdis"), Mapping):
            values["topdis"] = build_record(TopDisSettings, values["topdis"])
        if "correlated" in values:
            values["correlated"] = _pairs(values["correlated"])
        return build_record(TrainingSettings, values)
    except GanwalkError as error:
        raise GanwalkError(f"{source} is no configuration of vae.train: {error}") from error


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of factor names from JSON's lists."""
    if not isinstance(value, list | tuple):
        raise GanwalkError("correlated must be a list of pairs of factor names")
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise GanwalkError("correlated must be a list of pairs of factor names")
    return tuple((first, second) for first, second in value)


def load_settings(path: Path) -> TrainingSettings:
    """Settings from a JSON file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GanwalkError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise GanwalkError(f"{path} is no configuration of vae.train: it must hold an object")
    return from_json(values, path)
