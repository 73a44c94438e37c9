"""Transports: how bytes reach a device. Each has a file; this one says what they have in common, and opens them by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from ...spec.errors import DeviceError

__all__ = ["Transport", "open_transport"]

# What names a serial port: a path, a port of Windows, a URL of pyserial.
_PORT = re.compile(r"\.{0,2}/.+|(\\\\\.\\)?COM[0-9]+|[a-z0-9]+://.+", re.IGNORECASE)


class Transport(Protocol):
    """Bytes to and from a device."""

    name: str  # as the user named it
    session: int  # number of the session that is opened over it, 32 bits
    timeout: float  # seconds of silence after which an answer will not come any more

    def write(self, data: bytes) -> None:
        """Send bytes. Raises OSError if the device has gone."""

    def read(self) -> bytes:
        """Bytes that came, at least one; none after ``timeout`` seconds of silence. Raises OSError if the device has gone."""

    def now(self) -> float:
        """Seconds, on whatever clock the device lives by."""

    def reopen(self) -> None:
        """Find a device that had gone. Raises OSError if it is not back."""

    def close(self) -> None:
        """Let go of the device."""


def open_transport(target: str, *, baud: int | None = None, record: Path | None = None) -> Transport:
    """The transport of a target: ``sim:DIR``, ``replay:FILE``, or a serial port.

    Parameters
    ----------
    baud : of a serial port; default 1,000,000. The others know theirs.
    record : a file that all traffic is written to, for ``replay:``.

    Raises DeviceError if there is no such device, FileFormatError for a folder or file that is none.
    """
    kind, _, where = target.partition(":")
    transport: Transport
    if kind in ("sim", "replay") and not where:
        raise DeviceError(f"Device {target!r}: the {'folder' if kind == 'sim' else 'file'} is missing behind the colon")
    if kind == "sim":
        from .simulated import SimulatedTransport

        transport = SimulatedTransport(Path(where))
    elif kind == "replay":
        from .replay import ReplayTransport

        transport = ReplayTransport(Path(where))
    elif not _PORT.fullmatch(target) and (not Path(target).exists() or Path(target).is_dir()):
        streams = "; golden, the model, is for streams alone: spikeloom run --wav, --events, --mic" if target == "golden" else ""
        raise DeviceError(f"No device {target!r}: there are serial ports (/dev/ttyUSB0, COM3, or a URL such as socket://HOST:PORT), sim:DIR (the "
                          f"compiled Verilog of a build with --link) and replay:FILE (a recording){streams}")
    else:
        from .serial_port import SerialTransport

        transport = SerialTransport(target, baud or 1_000_000)
    if record is not None:
        from .recording import RecordingTransport

        return RecordingTransport(transport, record)
    return transport
