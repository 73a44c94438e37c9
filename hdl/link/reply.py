"""Reply: frames to the line, their bodies from where they are kept."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from ...spec.link import CRC_BYTES, EXCHANGE_BYTES, HEADER_BYTES, OPEN_BYTES, RECORD_BYTES, REPLY, STATUS_WORDS, VERSION, Command, Status, Tag
from .cobs_encoder import frame_byte_layout

__all__ = ["MOST_RECORDS", "ReplyWriter", "reply_layout"]

MOST_RECORDS = 255  # in a reply


def reply_layout() -> data.StructLayout:
    """What a reply is made of: header, and what its body needs (of OPEN ``resumed``; of EXCHANGE ``room``, ``flags``, and the number of
    ``records``)."""
    return data.StructLayout({"sequence": 8, "command": 8, "status": 8, "resumed": 1, "room": 16, "flags": 3, "records": 8})


class ReplyWriter(wiring.Component):
    """Sends header, body and CRC of the reply that it is offered, one byte per two cycles; takes it with the last byte.

    A body comes from where its contents are kept, and can be sent again as long as they are: a constant memory (IDENTIFY), counters (STATUS: as they
    are when they are sent), the record queue (EXCHANGE). A reply whose status is not OK has none.

    Parameters
    ----------
    identity : what IDENTIFY gives.
    record : layout of a record.
    most_waiting : places of the record queue.

    Members
    -------
    reply : what to send. session, last : of the responder, which do not change while a reply is sent.
    words : :data:`~spikeloom.spec.link.STATUS_WORDS`.
    number, record : to and from the record queue.
    o : bytes of the frame.
    """

    def __init__(self, identity: bytes, record: data.StructLayout, most_waiting: int):
        self._identity, self._record = identity, record
        super().__init__({"reply": In(stream.Signature(reply_layout())), "session": In(32), "last": In(8),
                          "words": In(data.ArrayLayout(16, len(STATUS_WORDS))),
                          "number": Out(range(most_waiting)), "record": In(record), "o": Out(stream.Signature(frame_byte_layout()))})

    def elaborate(self, platform):
        m = Module()
        reply, out = self.reply.payload, self.o.payload
        m.submodules.check = check = CRC32_ISO_HDLC(data_width=8).create()
        m.submodules.identity = identity = memory.Memory(shape=unsigned(8), depth=len(self._identity), init=self._identity,
                                                         attrs={"ram_style": "block"})
        rom = identity.read_port()
        place, part, length = Signal(16), Signal(range(RECORD_BYTES)), Signal(16)
        body = Signal(8)
        succeeded = reply.status == Status.OK
        header = Cat(C(VERSION | REPLY, 8), reply.sequence, reply.command, reply.status, length)

        value = self.record.value
        extended = Signal(48)
        m.d.comb += extended.eq(Mux(self.record.tag == Tag.READOUT, value.as_signed(), value))
        record = Signal(8 * RECORD_BYTES)
        m.d.comb += record.eq(Cat(C(0, 8) | self.record.tag, C(0, 8) | self.record.population, C(0, 16) | self.record.index, extended))
        opened = Cat(self.session, self.last, C(0, 8) | reply.resumed)
        exchanged = Cat(reply.room, C(0, 8) | reply.flags)
        in_records = Signal()
        m.d.comb += rom.addr.eq(place)
        with m.If(succeeded):
            with m.Switch(reply.command):
                with m.Case(Command.OPEN):
                    m.d.comb += [length.eq(OPEN_BYTES), body.eq(opened.word_select(place[:3], 8))]
                with m.Case(Command.IDENTIFY):
                    m.d.comb += [length.eq(len(self._identity)), body.eq(rom.data)]
                with m.Case(Command.STATUS):
                    m.d.comb += [length.eq(2 * len(STATUS_WORDS)), body.eq(self.words.as_value().word_select(place[:5], 8))]
                with m.Case(Command.EXCHANGE):
                    m.d.comb += [length.eq(EXCHANGE_BYTES + _tenfold(reply.records)), in_records.eq(place >= EXCHANGE_BYTES),
                                 body.eq(Mux(in_records, record.word_select(part, 8), exchanged.word_select(place[:2], 8)))]

        crc_bytes = Signal(32)
        m.d.comb += [check.data.eq(out.data), self.o.valid.eq(0)]
        with m.FSM():
            with m.State("Header"):
                m.d.comb += [self.o.valid.eq(self.reply.valid), out.data.eq(header.word_select(place[:3], 8))]
                with m.If(self.o.valid & self.o.ready):
                    m.d.comb += check.valid.eq(1)
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == HEADER_BYTES - 1):
                        m.d.sync += [place.eq(0), part.eq(0), self.number.eq(0)]
                        m.next = "Fetch"
            with m.State("Fetch"):  # what the body's memory shows is of this place in the next cycle
                m.next = "Body"
                with m.If(place == length):
                    m.d.sync += [crc_bytes.eq(check.crc), place.eq(0)]
                    m.next = "Check"
            with m.State("Body"):
                m.d.comb += [self.o.valid.eq(1), out.data.eq(body)]
                with m.If(self.o.ready):
                    m.d.comb += check.valid.eq(1)
                    m.d.sync += place.eq(place + 1)
                    with m.If(in_records):
                        m.d.sync += part.eq(part + 1)
                        with m.If(part == RECORD_BYTES - 1):
                            m.d.sync += [part.eq(0), self.number.eq(self.number + 1)]
                    m.next = "Fetch"
            with m.State("Check"):
                m.d.comb += [self.o.valid.eq(1), out.data.eq(crc_bytes.word_select(place[:2], 8)), out.last.eq(place == CRC_BYTES - 1)]
                with m.If(self.o.ready):
                    m.d.sync += place.eq(place + 1)
                    with m.If(out.last):
                        m.d.comb += [self.reply.ready.eq(1), check.start.eq(1)]
                        m.d.sync += place.eq(0)
                        m.next = "Header"
        return m


def _tenfold(value):
    return (value << 3) + (value << 1)
