"""The settings of a training: all that its result depends on, readable from JSON and written back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.files import read_json
from ganwalk.options import TextForm, check_settings, completed, option
from ganwalk.options.records import build_record
from ganwalk.rtd.choices import ENDS, SCALE_GRADIENTS
from vae.data import DATASETS
from vae.objectives import OBJECTIVES

CONFIG_FILE = "config.json"
CHECKPOINT_FILE = "checkpoint.pt"
MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class TopDisSettings:
    """The TopDis term and its place in the training."""

    gamma: float = option(5.0, "Weight of the term; the cpu preset has 1.", at_least=0)
    delay: float = option(0.1, "Share of the training's steps before the term starts.", at_least=0, at_most=1)
    shift: float = option(1 / 8, "By how much the cumulative probability of a coordinate moves (C).", above=0, below=1)
    sampler: str = option(
        "weights",
        "Draw dimensions uniformly, or by the norm of their weights in the decoder's first layer.",
        choices=("uniform", "weights"),
    )
    codes: str = option("sample", "Shift samples of the encoder, or its means.", choices=("sample", "mean"))
    batch: str = option(
        "second",
        "Codes of a second, independent batch, those of the batch that is reconstructed, or other samples of that.",
        choices=("second", "same", "redrawn"),
    )
    points: int | None = option(None, "How many codes of its batch the term uses.", at_least=3, shown="all")
    shift_gradient: str = option(
        "constant",
        "Differentiate the move as a function of the code, or take it as a constant displacement.",
        choices=("exact", "constant"),
    )
    scale_gradient: str = option(
        "exact",
        "Whether the gradient goes through the quantile that distances are divided by, or takes it as a constant.",
        choices=SCALE_GRADIENTS,
    )
    ends: str = option(
        "exact",
        "Ends of bars as RTD defines them, or as the authors' code reads some of them, which is not RTD: to compare.",
        choices=ENDS,
    )
    orthogonal: bool = option(True, "Remove from its gradient what works against that of --topdis-against.")
    against: str = option(
        "reconstruction",
        "Orthogonalise against the reconstruction, or all of the VAE's own loss (of β-VAE reconstruction + β KL).",
        choices=("reconstruction", "loss"),
    )
    every: int = option(1, "Compute it every so many steps, with a weight that many times larger.", at_least=1)
    p: float = option(1.0, "Power of the bar lengths.", above=0)
    card: int | None = option(None, "Longest bars that count.", at_least=1, shown="all")

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.orthogonal and self.against != type(self).against:
            raise GanwalkError("topdis-against has no effect with --no-topdis-orthogonal: leave one of them out")

    def applies(self, step: int, steps: int) -> bool:
        """Whether the term is computed in a step, counted from 0, of a training of `steps`."""
        return step >= self.delay * steps and step % self.every == 0


def parse_pair(text: str) -> tuple[str, str]:
    """Two factor names from A,B; GanwalkError if there are more or fewer."""
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise GanwalkError(
            f"--correlated takes two factor names with a comma between, such as scale,pos_x, not {text!r}"
        )
    return names[0], names[1]


@dataclass(frozen=True)
class TrainingSettings:
    """Defaults are sized for a CPU: 32 px and minutes; vae.presets has what TopDis' authors released.

    Attributes:
        options: of the objective; see vae.objectives.
        topdis: the TopDis term, or None to train without.
        unknown: names of the settings that a preset's source does not tell, such as topdis.gamma.
    """

    dataset: str = option("sprites", "What to learn from.", "-d", "--dataset", choices=tuple(DATASETS))
    resolution: int = option(32, "Pixels on a side: 32 or 64.", at_least=1)
    correlated: tuple[tuple[str, str], ...] = option(
        (),
        "Draw two factors together, such as scale,pos_x; repeatable.",
        text=TextForm("A,B", parse_pair, ",".join, many=True),
    )
    correlation_width: float = option(
        0.2, "Width of the ridge, in standard deviations that are shares of a factor's range.", above=0
    )
    objective: str = option("beta", "Loss.", choices=tuple(OBJECTIVES))
    options: Mapping[str, Any] = field(default_factory=dict)
    topdis: TopDisSettings | None = field(default_factory=TopDisSettings)
    z_dim: int = option(10, "Size of the latent code.", at_least=1)
    hidden: int | None = option(
        None, "Width of the hidden layer.", at_least=1, shown="128; 256 in colour and of faces3d; 512 if wide"
    )
    layers: str = option(
        "narrow", "Convolutions of 32, 32, 64, 64 channels, or of 32, 64, 128, 256.", choices=("narrow", "wide")
    )
    initialisation: str = option(
        "kaiming",
        "Weights by Kaiming's rule; or by it, or as N(0, 0.02), with torch's own for transposed convolutions.",
        choices=("kaiming", "kaiming-convolutions", "normal"),
    )
    likelihood: str = option(
        "bernoulli",
        "Reconstruction by cross-entropy, or by squared error (a normal distribution of variance 1/2).",
        choices=("bernoulli", "gaussian"),
    )
    own_weight: float = option(
        1.0, "Weight of the VAE's own loss, reconstruction and the rest, beside the TopDis term.", above=0
    )
    steps: int = option(5_000, "Optimisation steps.", at_least=1)
    batch: int = option(64, "Images per step.", at_least=1)
    lr: float = option(1e-3, "Learning rate of Adam (betas 0.9 and 0.999).", above=0)
    clip: float | None = option(
        None, "Longest gradient over all parameters of the VAE; a longer one is scaled.", above=0, shown="none"
    )
    seed: int = option(0, "Fixes everything random.", at_least=0, at_most=2**62)
    precision: str = option("float32", "Of the model's convolutions.", choices=("float32", "bfloat16"))
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_settings(self)
        if self.likelihood == "gaussian" and self.objective == "dava":
            raise GanwalkError("dava measures its adversary by the cross-entropy: take --likelihood bernoulli")


@dataclass(frozen=True)
class ScoringSettings:
    """Options of `python -m vae.evaluate` that scores depend on."""

    metrics: str = option("full", "Standard settings, or smaller ones that take seconds.", choices=("full", "quick"))
    seed: int = option(0, "Of the images and metrics.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)


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
    own = {f.name for f in fields(TrainingSettings)} - {"topdis", "options", "unknown"}
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
    told = {*values, *(f"topdis.{name}" for name in term), *(f"options.{name}" for name in options)}
    # What another objective, or a training without the term, does not have.
    gone = tuple(f"{part}." for part, lost in (("options", kept is not base.options), ("topdis", not wanted)) if lost)
    return replace(
        base,
        **values,
        unknown=tuple(name for name in base.unknown if name not in told and not name.startswith(gone)),
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


def from_json(values: Mapping[str, Any], source: Path | str, *, written: bool = False) -> TrainingSettings:
    """Settings from what `to_json` wrote, or from a part of it: what is missing keeps its default.

    Args:
        written: vae.train wrote the whole of it: what is missing came with a later version, and is as it was before.
    Raises:
        GanwalkError: a name is unknown or a value does not fit; `source` is named.
    """
    try:
        values = completed(TrainingSettings, values) if written else dict(values)
        term = values.get("topdis")
        if isinstance(term, Mapping):
            values["topdis"] = build_record(TopDisSettings, completed(TopDisSettings, term) if written else term)
        if "correlated" in values:
            values["correlated"] = _pairs(values["correlated"])
        if isinstance(values.get("unknown"), list):
            values["unknown"] = tuple(values["unknown"])
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


def load_settings(path: Path, *, written: bool = False) -> TrainingSettings:
    """Settings from a JSON file; `written` as of `from_json`."""
    if not path.exists():
        raise GanwalkError(f"{path} does not exist: give the folder of a run of python -m vae.train")
    values = read_json(path, "the config.json of a run of python -m vae.train")
    if not isinstance(values, dict):
        raise GanwalkError(f"{path} is no configuration of vae.train: it must hold an object")
    return from_json(values, path, written=written)
