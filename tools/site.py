"""Builds the documentation site: docs/ and the docstrings, as pages that need no network.

python -m tools.site
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.suite import ROOT


def build_site(source: Path, target: Path) -> int:
    """Builds a site with Sphinx, for which a broken link or reference is a failure; returns its exit code.

    Args:
        source: folder with conf.py and the pages.
        target: folder for index.html and the rest.
    """
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky"]
    # Beside the pages, what Sphinx remembers of them would be published, too.
    memory = ["--doctree-dir", str(target.with_name(f"{target.name}-doctrees"))]
    command = [sys.executable, "-m", "sphinx", "--quiet", *strict, *memory, str(source), str(target)]
    return subprocess.run(command, cwd=ROOT).returncode


def main() -> int:
    """Builds the project's site; returns the exit code."""
    target = ROOT / "build" / "site"
    code = build_site(ROOT / "docs", target)
    if code == 0:
        print(f"wrote {target / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
