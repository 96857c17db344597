"""Directions in words: for terminals, notebooks and messages."""

import torch

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.directions.words import describe
from ganwalk.generators.base import GeneratorIdentity


def directions(n=3, **changes):
    identity = GeneratorIdentity("/there/ffhq.pkl", "a" * 64, "stylegan2", 1024)
    return Directions(torch.eye(40)[:n], torch.ones(n), "w", identity, **changes)


def test_a_table_is_short_and_says_what_there_is():
    found = directions(effects=torch.tensor([3.0, 2.0, 1.0]), layers=(0, 3), created="2026-01-31T12:00:00Z")
    found = found.labelled(1, Label("smile", "a note", starred=True))
    lines = str(found).splitlines()
    assert lines[0] == (
        "3 directions of ffhq.pkl (imported, 2026-01-31 12:00 UTC, 1 with a name, 1 with a note or mark), "
        "in w of 40 dimensions, layers 0-3"
    )
    assert lines[1].split() == ["direction", "image", "change", "scale", "name"]
    assert lines[3].split() == ["1", "2", "1", "smile", "*"] and len(lines) == 5
    assert len(str(directions(40)).splitlines()) == 33 and str(directions(40)).endswith("and 10 more")
    assert repr(found) == f"<{describe(found)}>"


def test_notebooks_get_a_table_in_which_names_are_text():
    found = directions().labelled(0, Label("<script>"))
    page = found._repr_html_()
    assert "&lt;script&gt;" in page and "<script>" not in page and page.count("<tr>") == 4
    hostile = directions(method="imported \x1b[31m<b>")
    assert "\x1b" not in str(hostile) and "<b>" not in hostile._repr_html_()
