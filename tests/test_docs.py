"""The documentation site is built, strictly, and covers what is public."""

import importlib
import re
import shutil
from pathlib import Path

import pytest

from tools.site import build_site

ROOT = Path(__file__).parents[1]
PACKAGES = ("ganwalk", "ganwalk.rtd", "vae.metrics", "vae.objectives")
# Of packages, or documented where they are defined.
ELSEWHERE = {"ganwalk.__version__", "ganwalk.RTDLoss", "ganwalk.cross_barcode"}

pytestmark = pytest.mark.slow
for module in ("furo", "myst_parser", "sphinx", "sphinx_click"):
    pytest.importorskip(module, reason="the site needs the extra [docs]: pip install '.[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    target = tmp_path_factory.mktemp("site") / "site"
    assert build_site(ROOT / "docs", target) == 0
    return target


def test_every_public_name_is_in_the_reference(site):
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, path: path)
    documented = {name for kind, entries in inventory.items() if kind.startswith("py:") for name in entries}
    public = {f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__}
    assert public - documented == ELSEWHERE


def test_every_page_is_reached_from_the_first(site):
    first = (site / "index.html").read_text()
    sources = [page.relative_to(ROOT / "docs") for kind in ("*.md", "*.rst") for page in (ROOT / "docs").rglob(kind)]
    pages = {page.with_suffix(".html").as_posix() for page in sources}
    assert len(pages) > 10
    assert [page for page in pages - {"index.html"} if f'href="{page}"' not in first] == []


def test_pages_and_search_need_no_network(site):
    assert (site / "searchindex.js").is_file()
    loaded = re.compile(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not loaded.search(page.read_text()), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text()), sheet


# Texts, and what is said to be missing.
WRONG = {
    "page": ("[a page](missing.md)", "missing.md"),
    "heading": ("[a heading](index.md#missing)", "'missing'"),
    "picture": ("![a picture](missing.png)", "missing.png"),
    "reference": ("```{eval-rst}\n:class:`ganwalk.Missing`\n```", "ganwalk.Missing"),
}


def test_what_leads_nowhere_fails(tmp_path, capfd):
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", source)
    pages = {"right": "[a page](index.md)"} | {name: text for name, (text, _) in WRONG.items()}
    listed = "\n".join(pages)
    (source / "index.md").write_text(f"# First\n\n```{{toctree}}\n{listed}\n```\n")
    for name, text in pages.items():
        (source / f"{name}.md").write_text(f"# {name}\n\n{text}\n")
    assert build_site(source, tmp_path / "site") == 1
    said = capfd.readouterr().err.splitlines()
    for name, (_, missing) in WRONG.items():
        assert [line for line in said if f"/{name}.md:" in line and missing in line], name
    assert [line for line in said if "/right.md:" in line] == []
