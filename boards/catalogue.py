"""All boards, by name."""

from __future__ import annotations

from ..spec.errors import SpikeLoomError
from . import generic, icebreaker, ulx3s_85f
from .board import Board

__all__ = ["find", "names"]

_BOARDS = {module.BOARD.name: module.BOARD for module in (ulx3s_85f, icebreaker, generic)}


def names() -> tuple[str, ...]:
    """Names of the boards, the default first."""
    return tuple(_BOARDS)


def find(name: str) -> Board:
    """The board of that name; raises SpikeLoomError with the names there are."""
    if name not in _BOARDS:
        raise SpikeLoomError(f"No board {name!r}; there are {', '.join(_BOARDS)}")
    return _BOARDS[name]
