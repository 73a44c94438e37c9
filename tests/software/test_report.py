"""Tables line up, and JSON holds what was asked for."""

from types import SimpleNamespace

import pytest

from spikeloom.software.report import json_line, table


def test_numbers_go_right_and_text_left() -> None:
    assert table([("a", 5), ("long", 12345)], ("name", "n")) == "name       n\n----  ------\na          5\nlong  12,345"


def test_unknown_is_shown_and_never_zero() -> None:
    assert table([("LUTs", None), ("FFs", 0)]) == "LUTs  -\nFFs   0"


def test_floats_have_four_digits() -> None:
    assert table([(0.123456,), (1234.5678,)]) == "0.1235\n 1,235"


def test_no_rows_give_no_lines() -> None:
    assert table([]) == ""


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="A table of 2 columns must have rows of 2 values, not 1"):
        table([(1, 2), (3,)])


def test_json_has_the_keys_in_order_and_no_others() -> None:
    assert json_line(SimpleNamespace(b=None, a=1, c=2), ("a", "b")) == '{"a": 1, "b": null}'
