"""Amounts as people type them, there and back."""

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.options.quantities import format_bytes, format_duration, parse_bytes, parse_duration


@pytest.mark.parametrize(("text", "value"), [("4GB", 4e9), ("800 mb", 8e8), ("1.5tb", 1.5e12), ("12", 12)])
def test_bytes(text, value):
    assert parse_bytes(text) == value and parse_bytes(format_bytes(value)) == value


@pytest.mark.parametrize(("text", "value"), [("10m", 600), ("90s", 90), ("1.5h", 5400), ("2 min", 120), ("7", 7)])
def test_durations(text, value):
    assert parse_duration(text) == value and parse_duration(format_duration(value)) == value


@pytest.mark.parametrize("value", [3e9, 123456789.0, 1 / 3, 1e-3])
def test_whatever_is_printed_is_read_as_it_was(value):
    assert parse_bytes(format_bytes(value)) == value and parse_duration(format_duration(value)) == value


@pytest.mark.parametrize("text", ["", "0", "-1m", "m", "1x", "inf", "1e3", "4 GB GB"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(GanwalkError, match="is not a"):
        parse_duration(text)
    with pytest.raises(GanwalkError, match="is not an amount"):
        parse_bytes(text)
