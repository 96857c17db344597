"""Names in pictures: with characters of any script, as far as fonts here have them."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from ganwalk.pictures import fonts
from ganwalk.pictures.sheets import Sheet
from ganwalk.rtd.plot import plot_matrix

# STIX, which matplotlib ships, has the first, and DejaVu Sans has not; nobody has the second, which is for private use.
SCRIPT_G, PRIVATE = "ℊ", "\ue123"


@pytest.fixture
def shipped_fonts(monkeypatch):
    """Of this machine's fonts those alone that matplotlib ships."""
    shipped = [(name, path) for name, path in fonts._others() if "mpl-data" in path.parts and "NonUni" not in path.name]
    monkeypatch.setattr(fonts, "_others", lambda: shipped)


def test_another_font_draws_what_the_usual_one_lacks(shipped_fonts):
    assert [(part, font.getname()[0]) for part, font in fonts.runs(f"a{SCRIPT_G}b", 12)] == [
        ("a", "DejaVu Sans"),
        (SCRIPT_G, "STIXGeneral"),
        ("b", "DejaVu Sans"),
    ]
    assert fonts.of_people([f"a{SCRIPT_G}"])["fontfamily"] == ["DejaVu Sans", "STIXGeneral"]
    assert fonts.of_people(["a σ"])["fontfamily"] == ["DejaVu Sans"]


def test_what_no_font_has_is_a_question_mark(shipped_fonts):
    text = f"a{PRIVATE}{SCRIPT_G} 0 σ{PRIVATE}"
    assert fonts.readable(text) == f"a?{SCRIPT_G} 0 σ?" and fonts.unreadable([text, "b"]) == PRIVATE
    assert fonts.readable("") == "" and fonts.runs("", 12) == []


def test_sheets_have_no_boxes(shipped_fonts):
    def picture(label):
        return np.asarray(Sheet((16, 16), ["0"], [label]).finish(label))

    assert (picture(f"a{PRIVATE}") == picture("a?")).all()
    drawn, unknown = picture(f"a{SCRIPT_G}"), picture("a?")
    assert drawn.shape != unknown.shape or (drawn != unknown).any()


def test_figures_have_no_boxes_and_a_dollar_is_no_formula(shipped_fonts, tmp_path, recwarn, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **rest: [figures.append(self), save(self, *args, **rest)]
    )
    names = [f"{SCRIPT_G}{PRIVATE}", r"$\no$"]
    plot_matrix(np.eye(2), names, tmp_path / "a.png")
    assert [label.get_text() for label in figures[0].axes[0].get_yticklabels()] == [f"{SCRIPT_G}?", r"$\no$"]
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_render_says_which_characters_are_missing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fonts, "unreadable", lambda texts: "笑" if "笑" in texts else "")
    assert run("discover", "-g", "blobs", "-m", "random", "-n", 2, "-q")[0] == 0
    rendering = ("render", "-d", 0, "--seeds", 1, "--steps", 2, "--force")
    assert "note" not in run(*rendering)[1]
    assert run("name", 1, "笑")[0] == 0
    assert "note: no font here has 笑, which is ? in pictures: install one" in run(*rendering)[1]
    assert "note" not in run(*rendering, "-q")[1]
