"""A chip behind its host link, compiled: bytes in, bytes out, through every bit of its UART.

The host's side of the line is written here, apart from the hardware's: bits of exactly ``clocks_per_bit`` clocks, each looked at in its middle.
Time passes only while the host sends, or waits for bytes; so every run is the same.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from ...spec.errors import ToolError
from .compiled_driver import CLOCK, PREAMBLE, port_names, top_of
from .library import compiled_library

__all__ = ["CompiledDevice"]

_OUT = 1 << 16  # bytes kept of one call

_LINE = """
struct Device : Player {
    double now = 0, bit = BIT;
    bool sending = false, receiving = false, inside = false;  // inside a frame that the device sends
    double sent_at = 0, received_at = 0;  // clocks of the edges that began the bytes
    int looked = 0;
    unsigned byte = 0, incoming = 0;
};

extern "C" void *device_new() {
    Device *device = new Device();
    put(device->top.p_rx, 1);
    put(device->top.p_rst, 1);
    for (int i = 0; i < 2; i++) { device->evaluate(); device->clock(); }
    put(device->top.p_rst, 0);
    return device;
}
extern "C" void device_delete(void *device) { delete static_cast<Device *>(device); }

// Sends n_in bytes, then lets time pass: until `clocks` more are over, or a zero byte came that ends a frame and nothing more is to be sent.
// A byte without its stop bit is 256 in `out`. Returns the number of bytes that came; `passed` becomes the number of clocks.
extern "C" int64_t device_run(void *handle, const uint8_t *in, int64_t n_in, int64_t clocks, int stop_at_zero, uint16_t *out, int64_t most,
                              int64_t *passed) {
    Device &d = *static_cast<Device *>(handle);
    int64_t place = 0, n_out = 0, left = clocks;
    bool ended = false;
    *passed = 0;
    while (n_out < most) {
        if (d.sending && d.now >= d.sent_at + 10 * d.bit) d.sending = false;
        if (!d.sending && place < n_in) {
            d.byte = 0x200u | unsigned(in[place++]) << 1;  // stop, data, start
            d.sent_at = d.now;
            d.sending = true;
        }
        if (!d.sending && (ended || left-- <= 0)) break;
        put(d.top.p_rx, d.sending ? d.byte >> int((d.now - d.sent_at) / d.bit) & 1 : 1);
        d.evaluate();
        const bool line = any(now(d.top.p_tx));
        if (!d.receiving && !line) {
            d.receiving = true;
            d.received_at = d.now;
            d.looked = 0;
            d.incoming = 0;
        } else if (d.receiving && d.now >= d.received_at + (d.looked + 1.5) * d.bit) {
            if (d.looked < 8) d.incoming |= unsigned(line) << d.looked;
            if (d.looked++ == 8) {
                d.receiving = false;
                out[n_out++] = line ? d.incoming : 256;
                if (stop_at_zero && d.inside && d.incoming == 0) ended = true;
                d.inside = d.incoming != 0;
            }
        }
        d.clock();
        d.now += 1;
        ++*passed;
    }
    return n_out;
}
"""


class CompiledDevice:
    """A device that was just switched on.

    Parameters
    ----------
    verilog : file with the module.
    top : name of the module, with the ports clk, rst, rx and tx.
    clocks_per_bit : of the line.

    Raises ToolError if yosys or g++ is missing or fails, or the module has other ports.
    """

    def __init__(self, verilog: Path, top: str, clocks_per_bit: float) -> None:
        def source(cxxrtl: str) -> str:
            missing = {"clk", "rst", "rx", "tx"} - port_names(cxxrtl, top).keys()
            if missing:
                raise ValueError(f"module {top} has no port {', '.join(sorted(missing))}")
            return "\n".join([cxxrtl, *top_of(cxxrtl, top), f"static constexpr double BIT = {clocks_per_bit!r};", PREAMBLE, CLOCK, _LINE])

        key = b"\0".join([Path(__file__).read_bytes(), (Path(__file__).parent / "compiled_driver.py").read_bytes(), repr(clocks_per_bit).encode()])
        library = ctypes.CDLL(str(compiled_library(Path(verilog), top, source, key, name="device")))
        library.device_new.restype = ctypes.c_void_p
        library.device_delete.argtypes = [ctypes.c_void_p]
        library.device_run.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int, ctypes.c_void_p,
                                       ctypes.c_int64, ctypes.c_void_p]
        library.device_run.restype = ctypes.c_int64
        self._library, self._device = library, library.device_new()
        self.clocks = 0

    def run(self, data: bytes = b"", *, clocks: int = 0, stop_at_zero: bool = False) -> bytes:
        """Send bytes, then wait ``clocks`` clocks, or until a frame has ended; returns what came in all that time.

        Raises ToolError if the device sent something that is no byte, or was closed.
        """
        if self._device is None:
            raise ToolError("The simulated device is closed")
        out, passed = np.empty(_OUT, dtype=np.uint16), np.zeros(1, dtype=np.int64)
        count = self._library.device_run(self._device, data, len(data), clocks, int(stop_at_zero), out.ctypes.data, _OUT, passed.ctypes.data)
        self.clocks += int(passed[0])
        if (out[:count] > 255).any():
            raise ToolError("The simulated device sent a byte without a stop bit")
        return out[:count].astype(np.uint8).tobytes()

    def close(self) -> None:
        """Switch it off."""
        if self._device is not None:
            self._library.device_delete(self._device)
            self._device = None
