"""Fields of the network's parts: integers that are integers, and members of enumerations, also given by their names."""

from __future__ import annotations

import enum
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import NetworkError

__all__ = ["check_fields"]


def check_fields(part: Any, where: str, integers: Iterable[str], enums: Mapping[str, type[enum.Enum]]) -> None:
    """Replace NumPy's integers by Python's, and values of enumerations (``"lif"``) by members, in a frozen dataclass.

    Raises NetworkError that begins with ``where``, for an integer that is none (2.0 is none), and for an unknown value.
    """
    for name in integers:
        value = getattr(part, name)
        try:
            object.__setattr__(part, name, operator.index(value))
        except TypeError:
            raise NetworkError(f"{where}: {name} must be an integer, not {value!r}") from None
    for name, kind in enums.items():
        value = getattr(part, name)
        if not isinstance(value, kind):
            known = ", ".join(repr(member.value) for member in kind)
            try:
                object.__setattr__(part, name, kind(value))
            except ValueError:
                raise NetworkError(f"{where}: {name} must be one of {known}, not {value!r}") from None
