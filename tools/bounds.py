"""Whether the lower bounds of pyproject.toml are true: for each Python, wheels of these very versions exist.

    python -m tools.bounds

uv finds the lowest release of each dependency that has wheels for a Python. One above the bound makes the bound untrue.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from tools.suite import ROOT, SUPPORTED, UNTESTED, Minor, dotted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def stated_bounds(project: Mapping[str, Any], python: Minor) -> dict[str, Version]:
    """The lower bound of each package that a project depends on, extras included.

    Args:
        project: its table in pyproject.toml.
        python: for which the bounds are asked; of several bounds of a package the highest counts.
    """
    bounds: dict[str, Version] = {}
    for text in itertools.chain(project["dependencies"], *project["optional-dependencies"].values()):
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"python_version": dotted(python)}):
            (lowest,) = (Version(part.version) for part in wanted.specifier if part.operator == ">=")
            bounds[wanted.name] = max(lowest, bounds.get(wanted.name, lowest))
    return bounds


def lowest_pins(python: Minor) -> str:
    """The lowest versions with wheels for a Python, of direct dependencies with all extras, as lines for pip's -c.

    Raises:
        subprocess.CalledProcessError: uv finds none, or has no connection.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--all-extras"]
    command += ["--resolution", "lowest-direct", "--only-binary", ":all:", "--python-version", dotted(python)]
    ran = subprocess.run([*command, "pyproject.toml"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return ran.stdout


def untrue_bounds(stated: Mapping[str, Version], pins: str) -> list[str]:
    """A sentence for each bound below the lowest version in `pins`, lines such as numpy==1.26.0."""
    lines = (Requirement(line.partition(";")[0]) for line in pins.splitlines())
    lowest = {pin.name: Version(part.version) for pin in lines for part in pin.specifier}
    return [
        f"{name}>={bound} has no wheel: the lowest that has is {lowest[name]}"
        for name, bound in stated.items()
        if lowest[name] != bound
    ]


def main(pythons: Sequence[Minor] = SUPPORTED) -> int:
    """Prints the untrue bounds; returns 1 if there are any."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    untrue = 0
    for python in pythons:
        try:
            pins = lowest_pins(python)
        except subprocess.CalledProcessError:
            return UNTESTED
        found = untrue_bounds(stated_bounds(project, python), pins)
        untrue += len(found)
        print("\n".join(f"Python {dotted(python)}: {line}" for line in found or ["every bound has wheels"]))
    return int(untrue > 0)


if __name__ == "__main__":
    sys.exit(main())
