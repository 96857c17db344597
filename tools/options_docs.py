"""Writes docs/options.md: the options that are settings, by command, from the fields that state them.

python -m tools.options_docs
"""

from __future__ import annotations

from pathlib import Path

from ganwalk.animation.settings import AnimationSettings
from ganwalk.calibration.settings import ReachSettings
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.files import write_text
from ganwalk.naming.settings import NamingSettings
from ganwalk.options.words import options_table
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.rendering.report.settings import ReportSettings
from vae.codes.settings import CodesSettings
from vae.objectives import OBJECTIVES
from vae.settings import ScoringSettings, TopDisSettings, TrainingSettings

DOCS = Path(__file__).resolve().parents[1] / "docs" / "options.md"


def options_page() -> str:
    """The page, in Markdown."""
    parts = [
        "# Options",
        "Written by `make docs` from the fields of the settings, which is where an option is stated.",
        "## ganwalk discover",
        options_table(DiscoverySettings),
        "`ganwalk compare` takes all of them but `--method` and `--seed`; its default of `--n-directions` is 10.",
        "## ganwalk evaluate",
        options_table(EvaluationSettings),
        "## ganwalk name --auto",
        options_table(NamingSettings),
        "## ganwalk reach",
        options_table(ReachSettings),
        "## ganwalk report",
        options_table(ReportSettings),
        "## ganwalk animate",
        options_table(AnimationSettings),
        "## ganwalk project",
        options_table(ProjectionSettings),
        "## python -m vae.train",
        options_table(TrainingSettings),
        "The TopDis term:",
        options_table(TopDisSettings, "topdis-"),
    ]
    for name, entry in OBJECTIVES.items():
        parts += [f"With `--objective {name}`:", options_table(entry.settings)]
    parts += ["## python -m vae.evaluate", options_table(ScoringSettings)]
    parts += ["## python -m vae.score", options_table(CodesSettings)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    write_text(DOCS, options_page())
    print(f"wrote {DOCS}")
