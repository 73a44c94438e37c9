"""A simulated device behind a pseudo-terminal: a port for programs that know nothing of simulations."""

from __future__ import annotations

import os
import select
import threading
import tty

from ...sim.engines.device import CompiledDevice

__all__ = ["PseudoTerminal"]

_BURST = 20_000  # clocks between two looks at the terminal
_QUIET = 20  # bursts without a byte after which the device sleeps until it is spoken to
_LONGEST_SLEEP_S = 0.2


class PseudoTerminal:
    """Runs a device in a thread and joins its line to ``port``, which any serial program can open (at any rate: there are no bits on it).

    The device's time passes while bytes come, and stands still a while after the last one. Only where the system has pseudo-terminals (not Windows).
    """

    def __init__(self, device: CompiledDevice) -> None:
        self._device, self._over = device, threading.Event()
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._slave, self.port = slave, os.ttyname(slave)  # held open, so that a host may come and go
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        quiet = _QUIET
        while not self._over.is_set():
            there, _, _ = select.select([self._master], [], [], _LONGEST_SLEEP_S if quiet >= _QUIET else 0)
            if not there and quiet >= _QUIET:
                continue
            data = os.read(self._master, 4096) if there else b""
            answer = self._device.run(data, clocks=_BURST)
            quiet = 0 if data or answer else quiet + 1
            while answer:
                answer = answer[os.write(self._master, answer):]

    def close(self) -> None:
        """End the thread, close the terminal, switch the device off."""
        self._over.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)
        self._device.close()

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
