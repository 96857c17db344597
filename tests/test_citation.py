"""CITATION.cff is what readers of the format expect, and speaks of this version."""

import re
from pathlib import Path

import yaml

import ganwalk

CITATION = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8"))


def test_it_cites_this_version():
    assert {"cff-version", "message", "title", "authors"} <= CITATION.keys()
    assert CITATION["type"] == "software" and CITATION["license"] == "MIT"
    assert CITATION["version"] == ganwalk.__version__


def test_it_refers_to_the_paper_that_the_readme_names():
    (paper,) = CITATION["references"]
    assert paper["type"] == "conference-paper" and paper["authors"][0]["family-names"] == "Balabin"
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    entry = dict(re.findall(r"^ {2}(\w+) += \{(.+)\},?$", readme, re.MULTILINE))
    assert (paper["title"], paper["volume"], str(paper["year"])) == (entry["title"], entry["volume"], entry["year"])
    assert entry["series"] in paper["publisher"]["name"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert " and ".join(names) == entry["author"]
