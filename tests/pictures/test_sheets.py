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
