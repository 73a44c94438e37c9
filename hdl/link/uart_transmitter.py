"""UART transmitter: bytes to bits of a line."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .timing import LinkTiming

__all__ = ["UartTransmitter"]


class UartTransmitter(wiring.Component):
    """Sends 8 data bits, lowest first, no parity, one stop bit: ten bit times per byte, without a gap while bytes wait.

    The line falls in the cycle after a byte was taken; the next byte is taken in the last cycle of the stop bit.

    Members
    -------
    i : bytes.
    tx : the line; high while there is nothing to send.
    """

    def __init__(self, timing: LinkTiming):
        self._timing = timing
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timing = self._timing
        phase, over = Signal(timing.bits), Signal()
        left, bits = Signal(range(11)), Signal(9)  # of the byte being sent, behind the bit that is on the line
        total = Signal(timing.bits + 1)
        m.d.comb += [total.eq(phase + timing.increment), over.eq(total[-1]), self.i.ready.eq((left == 0) | ((left == 1) & over))]
        m.d.sync += phase.eq(total)
        with m.If(self.i.ready):
            m.d.sync += left.eq(0)
            with m.If(self.i.valid):
                m.d.sync += [self.tx.eq(0), bits.eq(Cat(self.i.payload, 1)), left.eq(10)]
                with m.If(left == 0):
                    m.d.sync += phase.eq(0)
        with m.Elif(over):
            m.d.sync += [self.tx.eq(bits[0]), bits.eq(Cat(bits[1:], 1)), left.eq(left - 1)]
        return m
