"""Configuration of the documentation site (Sphinx), which `make docs` builds into build/site."""

import re

from sphinx.application import Sphinx

import ganwalk

project = "ganwalk"
author = "The ganwalk developers"
version = release = ganwalk.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
highlight_language = "bash"
# Options have two hyphens in sentences, too.
smartquotes = False

html_theme = "furo"
html_title = f"ganwalk {version}"
html_copy_source = False

# Docstrings mark code, not references, by single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_ivar = True
# A reference to nothing is a warning, and `make docs` fails on warnings.
nitpicky = True
# Of other packages, whose own sites would have to be asked: the site is built without a network.
nitpick_ignore_regex = [("py:.*", r"(?!(ganwalk|vae)\.).*")]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    # Before napoleon (500), whose own markup must stay.
    app.connect("autodoc-process-docstring", escape_prose, priority=400)
    app.connect("sphinx-click-process-options", plain_values)


def escape_prose(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Docstrings are prose in which only backticks are markup: |cosine|, 2 * n and **options mean themselves."""
    for number, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [re.sub(r"[*|]", r"\\\g<0>", part) for part in parts[::2]]
        lines[number] = "`".join(parts)


def plain_values(app: object, context: object, lines: list[str]) -> None:
    """Of options, values as they are typed, and no names of Python's."""
    lines[:] = [re.sub(r"\w+Path\((.*)\)", r"\g<1>", line).replace("<settings_", "<") for line in lines]
