"""Request: frames from the line, checked; what they ask for is known when they are complete and undamaged, and not before."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from ...spec.link import CRC_BYTES, HEADER_BYTES, Op, op_form
from .cobs_decoder import CobsDecoder
from .timing import LinkTiming

__all__ = ["RequestReader"]


class RequestReader(wiring.Component):
    """Decodes, counts and checks: COBS, CRC-32, length, and that a body of operations holds known ones, each whole.

    ``waiting`` rises three cycles after the byte that ended a good frame, and the fields hold until ``done``. Body bytes are written to the operation
    queue as they come; what becomes of them is up to who sees ``waiting``. A frame that is not good raises one of the strobes ``damaged`` and ``cut``
    (silence inside it), and ``rollback``: its bytes must be forgotten. Bytes that come while a frame waits are lost, and raise ``lost`` where they
    end. A byte that the line damaged (``i_error``) damages its frame.

    Parameters
    ----------
    timing : how long silence is.
    operations : those that the chip knows.

    Members
    -------
    i_valid, i_data, i_error : from the receiver.
    waiting, done : a good frame; it has been dealt with.
    version, sequence, command, argument, length, start : of it; ``start`` is the first 32 bits of its body.
    whole : its body is whole operations.
    w_valid, w_data, rollback : to the operation queue.
    damaged, cut, lost : see above.
    """

    def __init__(self, timing: LinkTiming, operations: frozenset[Op]):
        self._timing, self._operations = timing, operations
        super().__init__({
            "i_valid": In(1), "i_data": In(8), "i_error": In(1), "waiting": Out(1), "done": In(1), "version": Out(8), "sequence": Out(8),
            "command": Out(8), "argument": Out(8), "length": Out(16), "start": Out(32), "whole": Out(1), "w_valid": Out(1), "w_data": Out(8),
            "rollback": Out(1), "damaged": Out(1), "cut": Out(1), "lost": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.cobs = cobs = CobsDecoder()
        m.submodules.check = check = CRC32_ISO_HDLC(data_width=8).create()
        silence = Signal(range(self._timing.silence_clocks + 1))
        silent = Signal()
        m.d.comb += [cobs.i_valid.eq(self.i_valid), cobs.i_data.eq(self.i_data), cobs.drop.eq(silent),
                     silent.eq((silence == self._timing.silence_clocks) & ~self.i_valid)]
        with m.If(self.i_valid | ~cobs.inside):
            m.d.sync += silence.eq(0)
        with m.Elif(~silent):
            m.d.sync += silence.eq(silence + 1)

        # A register behind the decoder: everything below looks at a byte of the frame, or its end, one cycle later.
        valid, byte, end, good, cut = Signal(), Signal(8), Signal(), Signal(), Signal()
        m.d.sync += [valid.eq(cobs.valid), byte.eq(cobs.data), end.eq(cobs.end), good.eq(cobs.good), cut.eq(silent & cobs.inside)]

        place = Signal(range(HEADER_BYTES + 1))  # in the header; then it stays
        left, tail = Signal(17), Signal(3)  # of the body; bytes behind it
        spoilt, late = Signal(), Signal()  # a byte of this frame was no byte; it came while another was waiting
        in_body = Signal()
        m.d.comb += [in_body.eq((place == HEADER_BYTES) & (left != 0)),
                     self.w_valid.eq(valid & in_body & ~self.waiting & ~late), self.w_data.eq(byte),
                     check.valid.eq(valid), check.data.eq(byte), check.start.eq(0)]
        fields = Cat(self.version, self.sequence, self.command, self.argument, self.length)
        with m.If(self.i_error):
            m.d.sync += spoilt.eq(1)
        with m.Elif(self.i_valid & (self.i_data == 0) & ~cobs.inside):
            m.d.sync += spoilt.eq(0)  # noise before a frame is none of its bytes
        with m.If((valid | end) & self.waiting):
            m.d.sync += late.eq(1)
        with m.If(valid & ~self.waiting & ~late):
            with m.If(place != HEADER_BYTES):
                m.d.sync += [place.eq(place + 1), fields.eq(Cat(fields[8:], byte))]
                with m.If(place == HEADER_BYTES - 1):
                    m.d.sync += left.eq(Cat(fields[-8:], byte))
            with m.Elif(left != 0):
                m.d.sync += left.eq(left - 1)
                with m.If(self.length - left < 4):
                    m.d.sync += self.start.eq(Cat(self.start[8:], byte))
            with m.Elif(tail != CRC_BYTES + 1):
                m.d.sync += tail.eq(tail + 1)
        self._follow(m, valid & ~self.waiting & ~late, place != HEADER_BYTES, in_body, byte)

        # One cycle behind the last byte of the frame its CRC is known.
        over, ended_good, over_cut = Signal(), Signal(), Signal()
        m.d.sync += [over.eq(end | cut), ended_good.eq(end & good & ~spoilt & (place == HEADER_BYTES) & (left == 0) & (tail == CRC_BYTES)),
                     over_cut.eq(cut)]
        with m.If(over):
            m.d.comb += check.start.eq(1)
            m.d.sync += [place.eq(0), left.eq(0), tail.eq(0), spoilt.eq(0), late.eq(0)]
            with m.If(late | self.waiting):
                m.d.comb += self.lost.eq(1)
            with m.Elif(ended_good & check.match_detected):
                m.d.sync += self.waiting.eq(1)
            with m.Else():
                m.d.comb += [self.damaged.eq(~over_cut), self.cut.eq(over_cut), self.rollback.eq(1)]
        with m.If(self.done):
            m.d.sync += self.waiting.eq(0)
        return m

    def _follow(self, m, valid, in_header, in_body, byte):
        """Follows the operations of a body: how many bytes of the present one are to come, and whether all were known."""
        size, known = Signal(range(6)), Signal()
        to_come, wrong = Signal(range(6)), Signal()
        with m.Switch(byte):
            for op in sorted(self._operations):
                with m.Case(op):
                    m.d.comb += [known.eq(1), size.eq(op_form(op).size)]
        m.d.comb += self.whole.eq((to_come == 0) & ~wrong)
        with m.If(valid & in_body):
            with m.If(to_come == 0):
                m.d.sync += [to_come.eq(size), wrong.eq(wrong | ~known)]
            with m.Else():
                m.d.sync += to_come.eq(to_come - 1)
        with m.Elif(valid & in_header):
            m.d.sync += [to_come.eq(0), wrong.eq(0)]
