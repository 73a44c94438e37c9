"""Traffic with a device, written down so that it can be played again without one."""

from __future__ import annotations

import json
from pathlib import Path

from .transport import Transport

__all__ = ["RECORDING_FORMAT", "RecordingTransport"]

RECORDING_FORMAT = "spikeloom-recording-1"


class RecordingTransport:
    """See :class:`~.transport.Transport`. Writes a line of JSON for each ``write`` ({"w": hex}) and each ``read`` ({"r": hex}), behind one that says
    the format and the session; complete when it is closed."""

    def __init__(self, transport: Transport, path: Path) -> None:
        self._transport = transport
        self.name, self.session, self.timeout = transport.name, transport.session, transport.timeout
        self._file = path.open("w", encoding="utf-8")
        self._put({"format": RECORDING_FORMAT, "session": self.session})

    def _put(self, line: dict) -> None:
        self._file.write(json.dumps(line) + "\n")

    def write(self, data: bytes) -> None:
        self._put({"w": data.hex()})
        self._transport.write(data)

    def read(self) -> bytes:
        data = self._transport.read()
        self._put({"r": data.hex()})
        return data

    def now(self) -> float:
        return self._transport.now()

    def reopen(self) -> None:
        self._transport.reopen()

    def close(self) -> None:
        self._file.close()
        self._transport.close()
