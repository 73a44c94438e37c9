"""Designs on a board's pins: the self-test on its LEDs, the host link on its serial port."""

from __future__ import annotations

from amaranth import *
from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.lib import io, wiring

from .board import Board, UartPins

__all__ = ["LinkTop", "SelfTestTop"]


class _Top(Elaboratable):
    """A design and, where the board's clock is not the oscillator itself, its PLL."""

    def __init__(self, board: Board, design: wiring.Component, pll: Elaboratable | None = None):
        self._board, self._design, self._pll = board, design, pll

    def elaborate(self, platform):
        m = Module()
        if self._pll is not None:
            m.submodules.clock = self._pll
        m.submodules.design = self._design
        self._connect(m, platform)
        return m

    def _show(self, m, platform, shown) -> None:
        """The first bits on as many LEDs as there are."""
        if self._board.rgb_led:
            rgb = platform.request("rgb_led", 0, dir="-")
            ports = [rgb.r, rgb.g, rgb.b]
        else:
            ports = [platform.request("led", k, dir="-") for k in range(min(self._board.leds, len(shown)))]
        for k, (port, value) in enumerate(zip(ports, shown)):
            m.submodules[f"led_{k}"] = led = io.Buffer("o", port)
            m.d.comb += led.o.eq(value)


class SelfTestTop(_Top):
    """LED 0 passed, 1 failed, 2 toggles with every run, 4..7 the winner; ``design`` is a :class:`~spikeloom.hdl.self_test.SelfTest`."""

    def _connect(self, m, platform):
        test = self._design
        self._show(m, platform, [test.passed, test.failed, test.toggle, Const(0, 1), *(test.winner[k] for k in range(4))])


class LinkTop(_Top):
    """The serial port of the board is that of ``design``, a :class:`~spikeloom.hdl.link.linked_chip.LinkedChip`; LED 0 is lit by what comes, LED 1 by
    what goes."""

    def _connect(self, m, platform):
        device, uart = self._design, self._board.uart
        if isinstance(uart, UartPins):
            pins = {"conn": uart.connector}
            platform.add_resources([Resource("link", 0, Subsignal("rx", Pins(uart.rx, dir="i", **pins)),
                                             Subsignal("tx", Pins(uart.tx, dir="o", **pins)), Attrs(**uart.attributes))])
            port = platform.request("link", 0, dir="-")
        else:
            # Of the other lines that a port may have (rts, dtr) nothing is asked: they stay as they are.
            port = platform.request("uart", uart, dir="-")
        m.submodules.rx, m.submodules.tx = rx, tx = io.Buffer("i", port.rx), io.Buffer("o", port.tx)
        m.d.comb += [device.rx.eq(rx.i), tx.o.eq(device.tx)]
        if not self._board.uart_takes_leds:
            self._show(m, platform, [~device.rx, ~device.tx])
