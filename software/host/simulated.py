"""A device that is simulated: the compiled Verilog of a build, UART and all, in this process."""

from __future__ import annotations

import json
from pathlib import Path

from ...sim.engines.device import CompiledDevice
from ...spec.errors import FileFormatError

__all__ = ["SimulatedTransport"]


class SimulatedTransport:
    """See :class:`~.transport.Transport`. Its time is the device's, and passes while the host writes or reads; every run is the same.

    Parameters
    ----------
    folder : that ``spikeloom build --link`` wrote.

    Raises FileFormatError for another folder, ToolError if the Verilog cannot be compiled.
    """

    session = 1

    def __init__(self, folder: Path) -> None:
        path = folder / "manifest.json"
        if not path.is_file():
            raise FileFormatError(f"{folder} is not a generated project: it has no manifest.json; make one with spikeloom build --link")
        try:
            link = json.loads(path.read_text(encoding="utf-8"))["link"]
            clock, bit, top, file = int(link["clock_hz"]), float(link["clocks_per_bit"]), str(link["name"]), Path(str(link["top"])).name
            if not 4 <= bit <= 1 << 20 or not 1 <= clock <= 1 << 40:
                raise ValueError(f"{bit} clocks per bit at {clock} Hz")
        except KeyError:
            raise FileFormatError(f"{folder} was built without a host link; build it again with --link BAUD") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise FileFormatError(f"{path} is damaged ({type(error).__name__}: {error}); build the project again") from None
        if not (folder / file).is_file():
            raise FileFormatError(f"{folder} has no {file}, which its manifest.json names; build the project again")
        self.name = f"sim:{folder}"
        self.timeout = 4000 * bit / clock  # 400 bytes: a device answers at once
        self._clock = clock
        self._device = CompiledDevice(folder / file, top, bit)
        self._held = b""

    def write(self, data: bytes) -> None:
        self._held += self._device.run(data)

    def read(self) -> bytes:
        held, self._held = self._held, b""
        return held or self._device.run(clocks=int(self.timeout * self._clock), stop_at_zero=True)

    def now(self) -> float:
        return self._device.clocks / self._clock

    def reopen(self) -> None:
        """There is nothing that could have gone."""

    def close(self) -> None:
        self._device.close()
