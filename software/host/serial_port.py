"""A device at a serial port, by pyserial."""

from __future__ import annotations

import secrets
import time
from typing import Any

from ...spec.errors import DeviceError

__all__ = ["SerialTransport"]


class SerialTransport:
    """See :class:`~.transport.Transport`. ``serial_for_url`` opens it, so ``socket://host:port`` and the like work as well."""

    timeout = 0.25  # a device answers at once, and a USB adapter keeps bytes for 16 ms at most

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial
        except ImportError:
            raise DeviceError(f"A serial port ({port}) needs pyserial; install it with pip install 'spikeloom[host]' (or pyserial)") from None
        self.name, self.session = port, secrets.randbits(32)
        self._open = lambda: serial.serial_for_url(port, baudrate=baud, timeout=self.timeout)
        self._port: Any = None
        try:
            self._port = self._open()
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise DeviceError(f"The serial port {port} cannot be opened at {baud} baud: {error}; plug the board in, and see that you may use the "
                              "port (Linux: group dialout)") from None

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self) -> bytes:
        first: bytes = self._port.read(1)
        return first + self._port.read(self._port.in_waiting) if first else b""

    def now(self) -> float:
        return time.monotonic()

    def reopen(self) -> None:
        self._port.close()
        self._port = self._open()

    def close(self) -> None:
        self._port.close()
