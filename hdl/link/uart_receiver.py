"""UART receiver: bits of a line to bytes."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .timing import LinkTiming

__all__ = ["UartReceiver"]


class UartReceiver(wiring.Component):
    """Takes 8 data bits, lowest first, no parity, one stop bit; each bit is looked at once, in its middle.

    A byte is shown for one cycle, half a bit before the end of its stop bit, so bytes may follow each other without a gap, and a sender may be 3 %
    off at 16 clocks per bit. There is no backpressure: who listens must take each byte in its cycle. A byte without its stop bit raises ``error``
    for a cycle instead of ``valid``, and so does a start bit that is gone in its middle; then the line must first be high again.

    Members
    -------
    rx : the line, of any clock domain: it passes two flip-flops.
    valid, data : a byte.
    error : what came is none.
    """

    def __init__(self, timing: LinkTiming):
        self._timing = timing
        super().__init__({"rx": In(1, init=1), "valid": Out(1), "data": Out(8), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        timing, line = self._timing, Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        phase, middle = Signal(timing.bits), Signal()
        number, bits = Signal(range(10)), Signal(8)
        m.d.sync += [Cat(phase, middle).eq(phase + timing.increment), self.valid.eq(0), self.error.eq(0)]
        with m.FSM():
            with m.State("Idle"):
                with m.If(~line):
                    # Half a bit from here the accumulator overflows for the first time, in the middle of the start bit.
                    m.d.sync += [phase.eq((1 << timing.bits - 1) + timing.increment), middle.eq(0), number.eq(0)]
                    m.next = "Bits"
            with m.State("Bits"):
                with m.If(middle):
                    m.d.sync += [number.eq(number + 1), bits.eq(Cat(bits[1:], line))]
                    with m.If((number == 0) & line):
                        m.d.sync += self.error.eq(1)
                        m.next = "Idle"
                    with m.If(number == 9):
                        m.d.sync += [self.valid.eq(line), self.error.eq(~line), self.data.eq(bits)]
                        m.next = "High"
            with m.State("High"):
                with m.If(line):
                    m.next = "Idle"
        return m
