"""Sheets of pictures: what is written on them."""

import numpy as np
import pytest

from ganwalk.pictures.fonts import load_font
from ganwalk.pictures.sheets import Sheet, wrapped

CAPTION = "direction 3 a smile · network-snapshot-025000.safetensors · rtd · w, layers 4-7 · ±3 σ · truncation 0.7"


def _letters(text):
    return [character for character in text if character not in " ·"]


@pytest.mark.parametrize("room", [2000, 300, 100])
def test_captions_are_wrapped_and_whole(room):
    lines = wrapped(CAPTION, 14, room)
    assert all(load_font(14).getlength(line) <= room for line in lines)
    # But for what parts are between, where a line ends there.
    assert _letters("".join(lines)) == _letters(CAPTION)
    assert (len(lines) == 1) == (room == 2000)


def test_a_line_ends_between_parts_where_it_may():
    assert wrapped("one two · three · four", 14, 120) == ["one two · three", "four"]
    assert wrapped("one two three", 14, 60) == ["one two", "three"]
    assert wrapped("", 14, 60) == [""]


def test_a_long_caption_makes_a_sheet_higher_and_stays_as_large():
    short, long = (Sheet((16, 16), ["0"], ["0"]).finish(text) for text in ("direction 3", CAPTION))
    assert long.width == short.width and long.height > short.height + 60
    rows = [(np.asarray(picture) < 100).all(axis=2).any(axis=1) for picture in (short, long)]
    # The first line of both: letters as high.
    heights = [int(np.diff(np.flatnonzero(np.diff(row.astype(int))))[0]) for row in rows]
    assert heights[0] == heights[1]


@pytest.mark.parametrize("shares", [None, [0.5]])
def test_a_long_label_of_a_row_goes_on_in_further_lines(shares):
    long = "a name that says in many words what this direction changes in pictures of people " * 3
    plain, wide, endless = (
        Sheet((64, 64), ["0"], [label], shares).finish("caption") for label in ("3 · smile", long, long * 20)
    )
    assert plain.width < wide.width <= endless.width < plain.width + 300
    assert plain.height == wide.height == endless.height
    ink = (np.asarray(endless) < 200).all(axis=2)
    # Letters stay beside their picture, above the caption and below the labels of columns.
    rows = np.flatnonzero(ink[:, :100].any(axis=1))
    assert rows.min() > 20 and rows.max() < endless.height - 10
