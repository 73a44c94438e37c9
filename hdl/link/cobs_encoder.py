"""COBS encoder: the bytes of frames to bytes of a line."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CobsEncoder", "frame_byte_layout"]


def frame_byte_layout() -> data.StructLayout:
    """{data, last}: ``last`` on the last byte of a frame."""
    return data.StructLayout({"data": 8, "last": 1})


class CobsEncoder(wiring.Component):
    """Consistent overhead byte stuffing (see :class:`~.cobs_decoder.CobsDecoder`), with a zero before and behind each frame.

        i --> block (256 bytes) --> code, bytes --> o

    Takes a block, one byte per cycle, up to a zero, 254 bytes or the end of the frame; then sends it, one byte per two cycles: ten times faster than
    a line of five clocks per bit. Nothing is taken while a block is sent.

    Members
    -------
    i : frames. o : bytes of the line.
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(frame_byte_layout())), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = memory.Memory(shape=unsigned(8), depth=256, init=[])
        write, read = block.write_port(), block.read_port()
        count, place = Signal(8), Signal(8)  # bytes in the block; of them sent
        ends, more = Signal(), Signal()  # the frame ends with this block; with an empty one behind it
        byte = self.i.payload
        m.d.comb += [write.addr.eq(count), write.data.eq(byte.data), read.addr.eq(place)]
        with m.FSM():
            with m.State("Idle"):  # the zero before a frame
                m.d.comb += self.o.valid.eq(self.i.valid)
                with m.If(self.i.valid & self.o.ready):
                    m.next = "Fill"
            with m.State("Fill"):
                m.d.comb += [self.i.ready.eq(1), write.en.eq(self.i.valid & (byte.data != 0))]
                with m.If(self.i.valid):
                    m.d.sync += [count.eq(count + (byte.data != 0)), ends.eq(byte.last), more.eq(byte.last & (byte.data == 0))]
                    with m.If(byte.last | (byte.data == 0) | (count == 253)):
                        m.next = "Code"
            with m.State("Code"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(count + 1)]
                m.d.sync += place.eq(0)
                with m.If(self.o.ready):
                    m.next = "Look"
            with m.State("Look"):
                m.next = "Send"
                with m.If(place == count):
                    m.d.sync += count.eq(0)
                    m.next = "Fill"
                    with m.If(ends):
                        m.next = "End"
                    with m.If(more):
                        m.d.sync += more.eq(0)
                        m.next = "Code"
            with m.State("Send"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(read.data)]
                with m.If(self.o.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "Look"
            with m.State("End"):  # the zero behind it
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "Idle"
        return m
