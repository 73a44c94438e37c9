"""COBS decoder: bytes of a line to the bytes of frames."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CobsDecoder"]


class CobsDecoder(wiring.Component):
    """Undoes consistent overhead byte stuffing (Cheshire and Baker, 1999).

    A frame is blocks, each a code and code - 1 bytes that are not zero; a block stands for its bytes and a zero, the last one and those with
    the code 255 for their bytes alone. A zero byte ends the frame; one behind another means nothing. At most one byte comes out for each that
    goes in, in the same cycle: no latency, no backpressure.

    Members
    -------
    i_valid, i_data : a byte of the line.
    drop : forget the frame that is under way: it ends in this cycle without ``end``.
    valid, data : a byte of the frame.
    end, good : the frame ends here; its last block is complete.
    inside : bytes of a frame came, and its end did not yet.
    """

    def __init__(self):
        super().__init__({"i_valid": In(1), "i_data": In(8), "drop": In(1), "valid": Out(1), "data": Out(8),
                          "end": Out(1), "good": Out(1), "inside": Out(1)})

    def elaborate(self, platform):
        m = Module()
        left = Signal(8)  # bytes of the block that are to come
        zero = Signal()  # the block stands for a zero as well, if another one follows
        with m.If(self.i_valid):
            with m.If(self.i_data == 0):
                m.d.comb += [self.end.eq(self.inside), self.good.eq(left == 0)]
                m.d.sync += [self.inside.eq(0), left.eq(0), zero.eq(0)]
            with m.Elif(left == 0):
                m.d.comb += [self.valid.eq(zero), self.data.eq(0)]
                m.d.sync += [self.inside.eq(1), left.eq(self.i_data - 1), zero.eq(self.i_data != 255)]
            with m.Else():
                m.d.comb += [self.valid.eq(1), self.data.eq(self.i_data)]
                m.d.sync += left.eq(left - 1)
        with m.If(self.drop):
            m.d.comb += self.end.eq(0)
            m.d.sync += [self.inside.eq(0), left.eq(0), zero.eq(0)]
        return m
