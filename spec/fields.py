"""Fields of the network's parts: integers that are integers, members of enumerations, also given by their names, and text that is text."""

from __future__ import annotations

import enum
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .errors import NetworkError

__all__ = ["array_of", "check_fields", "check_texts"]


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
            except (ValueError, TypeError):
                raise NetworkError(f"{where}: {name} must be one of {known}, not {value!r}") from None


def check_texts(part: Any, where: str, names: Iterable[str]) -> None:
    """Raises NetworkError that begins with ``where`` for a field that is no text."""
    for name in names:
        if not isinstance(getattr(part, name), str):
            raise NetworkError(f"{where}: {name} must be text, not {getattr(part, name)!r}")


def array_of(value: Any, what: str) -> np.ndarray:
    """``value`` as an array. Raises NetworkError that begins with ``what`` for rows of unequal lengths, and for what NumPy cannot take."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise NetworkError(f"{what} must be an array of numbers, with rows of one length ({error})") from None
