"""What `--preset` stands for: sizes for a CPU, and the settings that TopDis' authors released.

Their repository (nikitabalabin/TopDis at 2ca9d2e) has a command for three of the rows of their tables: FactorVAE on
MPI3D-complex, β-TCVAE and ControlVAE on dSprites. Of the others it has code with defaults. What neither tells has our
default in a preset, and is named as unknown. Not in any preset, for lack of an option: their β-TCVAE takes the log of a
deviation for that of a variance when it samples; ControlVAE's capacity has stairs of 0.15 nats instead of 0.1496, and
the integral of its controller stays below the bound; the discriminators start from N(0, 0.02); DAVA's is clipped to
length 1, sees codes that are drawn with replacement, and its networks take their steps one after the other. With a
delay their β-TCVAE stops at its first step: its row of the paper was made by something else. Of 3D Faces FactorVAE's
code reads no image, so that there is no preset, and β-TCVAE's has networks that its term cannot read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What all of their objectives share: RTD with its scale as a constant, their ends of bars, the 50 longest bars.
_TERM = {"shift_gradient": "exact", "scale_gradient": "constant", "ends": "immovable", "card": 50}
_TRAINING = {"resolution": 64, "batch": 64, "z_dim": 10, "lr": 1e-4, "steps": 1_000_000, "initialisation": "normal"}
# Flags of their commands, where there is one.
_FLAGS = ("topdis.delay", "topdis.codes", "topdis.sampler")
_DATASETS = {"dsprites": "dsprites", "shapes3d": "shapes3d", "faces3d": "faces3d", "mpi3d": "mpi3d-complex"}


@dataclass(frozen=True)
class Preset:
    """What a preset changes of the defaults.

    Attributes:
        values: settings as in config.json.
        unknown: names of those that its source does not tell, such as topdis.gamma; they have our defaults.
    """

    values: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    """An objective of theirs.

    Attributes:
        objective: ours.
        training, options, term: what its code sets on every data set.
        weights: names of what its commands set for a data set; unknown on all but those in `commands`.
        commands: by data set, what a released command says there.
        wide: whether its networks are wide on dSprites.
        unknown: on every data set.
        unknown_on: by data set, what is unknown there only.
        without: data sets that its code cannot read.
    """

    objective: str
    training: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    term: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wide: bool = True
    unknown: tuple[str, ...] = ()
    unknown_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()


_APART = {"batch": "redrawn", "orthogonal": False}
_ROWS: Mapping[str, _Row] = {
    "beta": _Row("beta", unknown=("options.beta", "topdis.gamma", "topdis.orthogonal", "topdis.against", *_FLAGS)),
    "factor": _Row(
        "factor",
        weights=("options.gamma", "topdis.gamma", "topdis.orthogonal", *_FLAGS),
        commands={"mpi3d": {"options": {"gamma": 5.0}, "topdis": {"gamma": 6.0}}},
        wide=False,
        without=("faces3d",),
    ),
    "betatc": _Row(
        "beta-tc",
        training={"lr": 1e-3},
        term=_APART,
        weights=("steps", "options.beta", "topdis.gamma", *_FLAGS),
        unknown_on={"faces3d": ("layers", "hidden", "initialisation")},
        # A hundred epochs of 11,520 steps, and 100,000 steps before the term.
        commands={
            "dsprites": {"steps": 1_152_000, "options": {"beta": 6.0}, "topdis": {"gamma": 5.0, "delay": 1 / 11.52}}
        },
    ),
    "control": _Row(
        "control",
        training={"initialisation": "kaiming-convolutions"},
        options={"capacity_until": 0.585},
        term=_APART,
        weights=("layers", "options.capacity", "topdis.gamma", *_FLAGS),
        commands={"dsprites": {"options": {"capacity": 18.0}, "topdis": {"gamma": 5.0}}},
    ),
    "dava": _Row(
        "dava",
        training={"batch": 128, "steps": 150_000, "clip": 1.0},
        term=_APART,
        # The defaults of their script and the command of the code that it goes back to say different ones.
        unknown=(
            *(f"options.{name}" for name in ("width", "capacity_weight", "encoder_weight", "decoder_weight")),
            *("topdis.gamma", *_FLAGS),
        ),
    ),
}


def _preset(data: str, row: _Row) -> Preset:
    said = row.commands.get(data, {})
    values = {
        "dataset": _DATASETS[data],
        "objective": row.objective,
        "layers": "wide" if row.wide and data == "dsprites" else "narrow",
        **_TRAINING,
        **row.training,
        **{name: value for name, value in said.items() if name not in ("options", "topdis")},
        "options": {**row.options, **said.get("options", {})},
        "topdis": {**_TERM, **row.term, **said.get("topdis", {})},
    }
    unknown = (*row.unknown, *row.unknown_on.get(data, ()), *(() if said else row.weights))
    return Preset({name: value for name, value in values.items() if name not in unknown}, unknown)


PRESETS: Mapping[str, Preset] = {
    # At 32 px the reconstruction sums a quarter of the values that it has where γ is 5: docs/study-vae.md.
    "cpu": Preset({"topdis": {"gamma": 1.0}}),
    **{
        f"topdis-{data}-{name}": _preset(data, row)
        for name, row in _ROWS.items()
        for data in _DATASETS
        if data not in row.without
    },
}
"""What `--preset` changes of the defaults, by its name."""


def presets_help() -> str:
    """What help says of the option."""
    return (
        f"cpu: 32 px, 5000 steps, TopDis' γ 1; topdis-DATA-OBJECTIVE: as TopDis' authors released it, "
        f"DATA {', '.join(_DATASETS)}, OBJECTIVE {', '.join(_ROWS)}, "
        "but for faces3d-factor [default: cpu]."
    )


def unknowns_help() -> str:
    """Paragraphs for help: what is unknown in the presets, those with the same gaps together."""
    gaps: dict[tuple[str, ...], list[str]] = {}
    for name, preset in PRESETS.items():
        if preset.unknown:
            gaps.setdefault(preset.unknown, []).append(name.removeprefix("topdis-"))
    rows = [f"{', '.join(names)}: {', '.join(unknown)}" for unknown, names in gaps.items()]
    return "\n\n".join(["Unknown in the presets topdis-…, and ours there:", *rows])
