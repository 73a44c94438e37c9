"""Tables for people and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

__all__ = ["json_line", "table"]


def table(rows: Sequence[Sequence[object]], header: Sequence[str] | None = None) -> str:
    """Rows as aligned columns, two spaces apart, without a newline at the end.

    A column is set to the right if all its values are numbers (or None), to the left otherwise. None is shown as ``-``,
    integers with a comma between thousands, other numbers with four significant digits or, above a thousand, without fraction.

    Parameters
    ----------
    rows : all of the same length.
    header : one title per column, underlined; or None.

    Raises
    ------
    ValueError : if the rows are not all as long as the header or as the first row.
    """
    n_columns = len(header) if header is not None else len(rows[0]) if rows else 0
    for row in rows:
        if len(row) != n_columns:
            raise ValueError(f"A table of {n_columns} columns must have rows of {n_columns} values, not {len(row)}")
    right = [all(_is_number(row[i]) for row in rows) for i in range(n_columns)]
    lines = [[_text(value) for value in row] for row in rows]
    if header is not None:
        lines.insert(0, list(header))
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(n_columns)]
    if header is not None:
        lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(text.rjust(width) if to_right else text.ljust(width)
                               for text, width, to_right in zip(line, widths, right)).rstrip() for line in lines)


def json_line(result: object, keys: Sequence[str], **more: object) -> str:
    """The attributes ``keys`` of a result, and ``more``, as one line of JSON."""
    return json.dumps({**{key: getattr(result, key) for key in keys}, **more}, allow_nan=False)


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
