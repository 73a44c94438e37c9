"""The queue at the input of a buffered switch."""

from __future__ import annotations

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FlitQueue"]


class FlitQueue(wiring.Component):
    """Queue of two: full throughput with no combinational path between its two sides.

    Takes an entry in every cycle at whose start it held fewer than two, and offers an entry from the cycle after it was taken.
    One 2:1 multiplexer per bit: entries pass through ``head``, and wait in ``spare`` only while the head is stalled.

    Parameters
    ----------
    shape : shape-like
        Payload of both streams.

    Members
    -------
    i : ``In(stream)``    Entries in; ``ready`` is a register.
    o : ``Out(stream)``   Entries out, in order; ``valid`` and ``payload`` are registers.
    """

    def __init__(self, shape: ShapeLike) -> None:
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def shape(self) -> ShapeLike:
        """Payload of both streams."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        m = Module()
        head = Signal(self.shape, reset_less=True)
        spare = Signal(self.shape, reset_less=True)
        head_valid = Signal()
        spare_valid = Signal()  # only while head_valid
        m.d.comb += [
            self.i.ready.eq(~spare_valid),
            self.o.valid.eq(head_valid),
            self.o.payload.eq(head),
        ]
        with m.If(~spare_valid):
            m.d.sync += spare.eq(self.i.payload)
        with m.If(self.o.ready | ~head_valid):
            m.d.sync += [
                head.eq(Mux(spare_valid, spare, self.i.payload)),
                head_valid.eq(spare_valid | self.i.valid),
                spare_valid.eq(0),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += spare_valid.eq(1)
        return m
