"""Responder: what becomes of a request, once and only once."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...spec.link import STATUS_WORDS, VERSION, Command, Flag, Status
from .reply import MOST_RECORDS, reply_layout

__all__ = ["Responder"]

_SESSION_BYTES = 4


class Responder(wiring.Component):
    """Decides about each good frame, and keeps what its reply is made of until the next one is executed.

    A request is executed if its sequence number is the one behind the last that was executed; the same number again has the stored reply sent again,
    and any other is refused. So a request is executed once at most, however often it, or its reply, is lost, repeated or comes late. OPEN is the
    exception: of another session than the present it begins one, with its own number as the last; of the present session it changes nothing and
    tells the last number, from which a host that was cut off learns what was done.

    Nothing of a request is done before the decision, which takes a cycle; operations enter their queue all at once. A damaged frame is answered as
    soon as no reply is being sent; of several in that time only the last is answered, but each is counted.

    Parameters
    ----------
    depth, places : of the queues.
    counter_bits : of its counters, which stay at their largest value.

    Members
    -------
    waiting, version, sequence, command, argument, length, start, whole, done : the request, see :class:`~.request.RequestReader`.
    damaged, cut, lost, line : strobes: what is wrong with what came. refused_event : strobe of the executor.
    commit, rollback, overflow, room : of the operation queue.
    records, release : of the record queue: how many wait, how many are forgotten.
    restart : strobe of one cycle: queues, executor, recorder and chip begin anew.
    idle : no operation waits or is under way, and the chip is not busy.
    errors, rejected : of the chip.
    reply : to the writer. session, last : the present session, and the number of the request executed last.
    words : :data:`~spikeloom.spec.link.STATUS_WORDS`.
    """

    def __init__(self, *, depth: int, places: int, counter_bits: int = 16):
        self._counter_bits = counter_bits
        super().__init__({
            "waiting": In(1), "version": In(8), "sequence": In(8), "command": In(8), "argument": In(8), "length": In(16), "start": In(32),
            "whole": In(1), "done": Out(1), "damaged": In(1), "cut": In(1), "lost": In(1), "line": In(1), "refused_event": In(1),
            "commit": Out(1), "rollback": Out(1), "overflow": In(1), "room": In(range(depth)), "records": In(range(places)),
            "release": Out(range(places)), "restart": Out(1), "idle": In(1), "errors": In(5), "rejected": In(data.ArrayLayout(16, 3)),
            "reply": Out(stream.Signature(reply_layout())), "session": Out(32), "last": Out(8),
            "words": Out(data.ArrayLayout(16, len(STATUS_WORDS)))})

    def elaborate(self, platform):
        m = Module()
        reply, stored = self.reply.payload, Signal(reply_layout())  # of the request executed last
        opened, session, last = Signal(), self.session, self.last
        unread = Signal(8)  # Status of a frame that could not be read and is to be answered; 0: none
        repeated, out_of_sequence, refused, full = Signal(), Signal(), Signal(), Signal()
        count = Signal(8)
        limit = Mux(self.argument < MOST_RECORDS, self.argument, MOST_RECORDS)
        m.d.comb += count.eq(Mux(self.records - self.release < limit, self.records - self.release, limit))

        def answer(status, **fields):
            """Send a reply that is not kept: nothing was executed."""
            fields = {"sequence": self.sequence, "command": self.command, "status": status, **fields}
            m.d.sync += [reply.as_value().eq(0), *(reply[name].eq(value) for name, value in fields.items())]

        def execute(status, **fields):
            """Send a reply, and keep it."""
            answer(status, **fields)
            fields = {"sequence": self.sequence, "command": self.command, "status": status, **fields}
            m.d.sync += [stored.as_value().eq(0), *(stored[name].eq(value) for name, value in fields.items()), last.eq(self.sequence)]

        with m.If(self.reply.ready):
            m.d.sync += self.reply.valid.eq(0)
        with m.If(self.waiting & ~self.reply.valid):
            m.d.comb += [self.done.eq(1), self.rollback.eq(~self.commit)]
            m.d.sync += self.reply.valid.eq(1)
            with m.If(self.version != VERSION):
                m.d.comb += refused.eq(1)
                answer(Status.VERSION)
            with m.Elif((self.command == Command.OPEN) & (self.length == _SESSION_BYTES)):
                resumes = opened & (session == self.start)
                with m.If(resumes):
                    answer(Status.OK, resumed=1)
                with m.Else():
                    m.d.sync += [opened.eq(1), session.eq(self.start)]
                    m.d.comb += self.release.eq(stored.records)
                    execute(Status.OK)
            with m.Elif(~opened):
                m.d.comb += refused.eq(1)
                answer(Status.NO_SESSION)
            with m.Elif(self.sequence == last):
                m.d.comb += repeated.eq(1)
                m.d.sync += reply.eq(stored)
            with m.Elif(self.sequence != (last + 1)[:8]):
                m.d.comb += out_of_sequence.eq(1)
                answer(Status.OUT_OF_SEQUENCE)
            with m.Else():
                # The host has the reply before: its records need not be kept any longer.
                m.d.comb += self.release.eq(stored.records)
                with m.Switch(self.command):
                    with m.Case(Command.IDENTIFY, Command.STATUS, Command.RESTART):
                        with m.If(self.length == 0):
                            m.d.comb += self.restart.eq(self.command == Command.RESTART)
                            execute(Status.OK)
                        with m.Else():
                            m.d.comb += refused.eq(1)
                            execute(Status.BAD_BODY)
                    with m.Case(Command.EXCHANGE):
                        with m.If(~self.whole):
                            m.d.comb += refused.eq(1)
                            execute(Status.BAD_BODY)
                        with m.Elif(self.overflow):
                            m.d.comb += full.eq(1)
                            execute(Status.FULL)
                        with m.Else():
                            m.d.comb += self.commit.eq(1)
                            flags = Cat(self.idle & (self.length == 0), self.records - self.release > count, self.errors.any())
                            execute(Status.OK, room=self.room - self.length, flags=flags, records=count)
                    with m.Case(Command.OPEN):  # of the wrong length
                        m.d.comb += refused.eq(1)
                        execute(Status.BAD_BODY)
                    with m.Default():
                        m.d.comb += refused.eq(1)
                        execute(Status.UNKNOWN_COMMAND)
        with m.Elif((unread != 0) & ~self.reply.valid):
            answer(unread, sequence=0, command=Command.NONE)
            m.d.sync += [self.reply.valid.eq(1), unread.eq(0)]
        for strobe, status in ((self.damaged, Status.DAMAGED), (self.cut, Status.CUT), (self.lost, Status.LOST)):
            with m.If(strobe):
                m.d.sync += unread.eq(status)

        counted = {"refused_events": self.refused_event, "damaged": self.damaged, "cut": self.cut, "lost": self.lost, "line": self.line,
                   "repeated": repeated, "out_of_sequence": out_of_sequence, "refused": refused, "full": full}
        shown = {"chip_errors": self.errors, "rejected_range": self.rejected[0], "rejected_payload": self.rejected[1],
                 "rejected_duplicate": self.rejected[2]}
        for number, name in enumerate(STATUS_WORDS):
            if name in shown:
                m.d.comb += self.words[number].eq(shown[name])
            else:
                counter = Signal(self._counter_bits, name=f"n_{name}")
                m.d.comb += self.words[number].eq(counter)
                with m.If(counted[name] & (counter != (1 << self._counter_bits) - 1)):
                    m.d.sync += counter.eq(counter + 1)
        return m


assert set(Flag) == {Flag.IDLE, Flag.MORE, Flag.ERRORS}  # Cat(...) above puts them in this order
