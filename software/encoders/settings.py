"""Settings of a front end from a JSON object: every entry known, of its kind and within its range, or refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from ...spec.errors import NetworkError

__all__ = ["FRACTION", "build", "fixed", "whole", "within"]

FRACTION = 16  # fraction bits of features and of all that is compared with them: octaves, or standard deviations, in 2**-16
Part = TypeVar("Part")


def build(part: type[Part], config: Any, where: str) -> Part:
    """A dataclass of settings from a JSON object, ``kind`` apart; NetworkError names what is missing, unknown or wrong."""
    if not isinstance(config, Mapping):
        raise NetworkError(f"{where} must be a JSON object, not {str(config)[:60]!r}")
    known = {f.name: f for f in fields(part)}  # type: ignore[arg-type]
    needed = [n for n, f in known.items() if f.default is MISSING]
    given = {str(k): v for k, v in config.items() if k != "kind"}
    strange, missing = [k for k in given if k not in known], [k for k in needed if k not in given]
    if strange or missing:
        raise NetworkError(f"{where}: {', '.join(strange[:5]) or 'nothing'} is unknown, {', '.join(missing) or 'nothing'} is missing; "
                           f"it takes {', '.join(known)}")
    try:
        return part(**given)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


def whole(name: str, value: object, low: int, high: int) -> None:
    """Refuses what is no integer of low..high."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise NetworkError(f"{name} must be an integer of {low} to {high}, not {str(value)[:60]!r}")


def within(name: str, value: object, low: float, high: float) -> None:
    """Refuses what is no finite number of low..high."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or not low <= value <= high:
        raise NetworkError(f"{name} must be a number of {low:g} to {high:g}, not {str(value)[:60]!r}")


def fixed(value: float, fraction_bits: int = FRACTION) -> int:
    """A number as an integer of that many fraction bits, to the nearest."""
    return math.floor(value * (1 << fraction_bits) + 0.5)
