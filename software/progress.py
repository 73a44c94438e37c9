"""One line on a terminal that tells how far a long command is."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

__all__ = ["Progress"]


class Progress:
    """Draws ``title  done/total  percent  time left`` on one line, and removes it at the end.

    Silent if the stream is no terminal, or if ``quiet``. Library functions take ``progress: Callable[[int, int], None] | None``
    and call it with (done, total): :meth:`update` is made to be given to them.

    Parameters
    ----------
    title : what is being done, one or two words.
    total : steps in all, or None until :meth:`update` tells.
    quiet : draw nothing.
    stream : where to draw; sys.stderr if None.
    """

    #: Seconds between two drawings.
    interval_s = 0.1

    def __init__(self, title: str, total: int | None = None, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._title, self._total = title, total
        self._stream = sys.stderr if stream is None else stream
        self._visible = not quiet and self._stream.isatty()
        self._start = time.monotonic()
        self._drawn = -self.interval_s
        self._width = 0

    def __enter__(self) -> Progress:
        self._start = time.monotonic()
        self._draw(self._title)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._draw("")

    def update(self, done: int, total: int | None = None) -> None:
        """Tells that ``done`` steps of ``total`` (or of the total told before) are complete."""
        if total is not None:
            self._total = total
        now = time.monotonic()
        if not self._visible or (now - self._drawn < self.interval_s and done != self._total):
            return
        self._drawn = now
        if not self._total:
            self._draw(f"{self._title}  {done}")
            return
        left = (now - self._start) * (self._total - done) / done if done else None
        self._draw(f"{self._title}  {done}/{self._total}  {100 * done // self._total} %" + _clock(left))

    def clear(self) -> None:
        """Removes the line, until the next update: something is about to be printed."""
        self._draw("")
        self._drawn = -self.interval_s

    def _draw(self, text: str) -> None:
        if not self._visible:
            return
        self._stream.write("\r" + text + " " * (self._width - len(text)) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def _clock(seconds: float | None) -> str:
    """``  1:05 left``, or nothing while unknown or nearly done."""
    if seconds is None or seconds < 1:
        return ""
    return f"  {int(seconds) // 60}:{int(seconds) % 60:02d} left"
