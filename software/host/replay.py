"""A device that is a recording: it answers what it answered then, as long as it is asked the same."""

from __future__ import annotations

import json
from pathlib import Path

from ...spec.errors import DeviceError, FileFormatError
from .recording import RECORDING_FORMAT

__all__ = ["ReplayTransport"]

_MAX_BYTES = 1 << 30


class ReplayTransport:
    """See :class:`~.transport.Transport`. Raises DeviceError as soon as the host writes anything else than it did, and FileFormatError for a
    file that is no recording."""

    timeout = 0.0

    def __init__(self, path: Path) -> None:
        self.name, self._place = f"replay:{path}", 0
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise FileFormatError(f"{path} is larger than {_MAX_BYTES} bytes: no recording is")
            head, *lines = path.read_text(encoding="utf-8").splitlines()
            found = json.loads(head)
            if found["format"] != RECORDING_FORMAT:
                raise ValueError(f"its format is {found['format']!r}, not {RECORDING_FORMAT!r}")
            self.session = int(found["session"])
            if not 0 <= self.session < 1 << 32:
                raise ValueError(f"its session is {self.session}")
            self._lines: list[tuple[str, bytes]] = []
            for line in lines:
                ((kind, data),) = json.loads(line).items()
                if kind not in ("w", "r"):
                    raise ValueError(f"a line begins with {kind!r}")
                self._lines.append((kind, bytes.fromhex(data)))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            raise FileFormatError(f"{path} is no recording of a device ({type(error).__name__}: {error}); record one with --record FILE") from None

    def write(self, data: bytes) -> None:
        kind, recorded = self._lines[self._place] if self._place < len(self._lines) else ("end", b"")
        if kind != "w" or data != recorded:
            then = {"w": "something else was sent then", "r": "the host read then", "end": "the recording is over"}[kind]
            raise DeviceError(f"{self.name}: line {self._place + 2} does not go with what is sent now ({then}): another network, other clips or "
                              "options, or another version of SpikeLoom; record it again")
        self._place += 1

    def read(self) -> bytes:
        if self._place == len(self._lines) or self._lines[self._place][0] != "r":
            raise DeviceError(f"{self.name}: nothing was received where the host waits now (line {self._place + 2}); record it again")
        self._place += 1
        return self._lines[self._place - 1][1]

    def now(self) -> float:
        return 0.0

    def reopen(self) -> None:
        """There is nothing that could have gone."""

    def close(self) -> None:
        """There is nothing to let go of."""
