"""Tables of text."""

from ganwalk.tables import table_lines

ROWS = [["name", "a", "longer"], ["x", "1.5", "2"], ["longest", "-", ""]]


def test_columns_are_as_wide_as_their_longest_cell():
    assert table_lines(ROWS) == ["name       a  longer", "x        1.5       2", "longest    -"]


def test_first_cells_may_end_at_the_right_too():
    assert table_lines(ROWS, left=0) == ["   name    a  longer", "      x  1.5       2", "longest    -"]
