"""All boards, by name."""

from __future__ import annotations

from ..spec.errors import SpikeLoomError
from . import (
    arty_a7_35,
    arty_a7_100,
    arty_z7_20,
    colorlight_5a75b,
    generic,
    icebreaker,
    icesugar,
    orangecrab_25f,
    orangecrab_85f,
    tang_nano_9k,
    tang_primer_20k,
    ulx3s_12f,
    ulx3s_25f,
    ulx3s_45f,
    ulx3s_85f,
)
from .board import Board

__all__ = ["find", "names"]

_MODULES = (ulx3s_85f, ulx3s_12f, ulx3s_25f, ulx3s_45f, orangecrab_25f, orangecrab_85f, colorlight_5a75b, icebreaker, icesugar, tang_nano_9k,
            tang_primer_20k, arty_a7_35, arty_a7_100, arty_z7_20, generic)
_BOARDS = {module.BOARD.name: module.BOARD for module in _MODULES}


def names() -> tuple[str, ...]:
    """Names of the boards, the default first."""
    return tuple(_BOARDS)


def find(name: str) -> Board:
    """The board of that name; raises SpikeLoomError with the names there are."""
    if name not in _BOARDS:
        raise SpikeLoomError(f"No board {name!r}; there are {', '.join(_BOARDS)}")
    return _BOARDS[name]
