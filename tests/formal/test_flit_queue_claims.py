# amaranth: UnusedElaboratable=no
"""FlitQueue: what goes in comes out, in order, never more than two inside, offers stable."""

from amaranth import *
from amaranth.hdl import Assert

from spikeloom.hdl.flit_queue import FlitQueue

from .prove import Claim, prove

DEPTH = 12  # cycles; three would do to reach all nine states of fill and sides, the rest is to shift every bit through


class IsAQueueOfTwo(Claim):
    """Both handshakes and the payload are those of a list with at most two entries."""

    def __init__(self, queue):
        super().__init__()
        self.queue = queue

    def state(self, m):
        m.submodules.queue = queue = self.queue
        valid, payload, ready = self.free(1, "valid"), self.free(2, "payload"), self.free(1, "ready")
        m.d.comb += [queue.i.valid.eq(valid), queue.i.payload.eq(payload), queue.o.ready.eq(ready)]
        self.offers(m, valid, queue.i.ready, payload, assume=True)
        self.offers(m, queue.o.valid, ready, queue.o.payload, assume=False)

        level, first, second = Signal(range(3)), Signal(2), Signal(2)
        put, get = valid & queue.i.ready, queue.o.valid & ready
        m.d.sync += level.eq(level + put - get)
        with m.If(get):
            m.d.sync += first.eq(second)
        with m.If(put):
            with m.If(level - get == 0):
                m.d.sync += first.eq(payload)
            with m.Else():
                m.d.sync += second.eq(payload)
        m.d.comb += [
            Assert(level <= 2),
            Assert(queue.i.ready == (level < 2)),
            Assert(queue.o.valid == (level > 0)),
            Assert((level == 0) | (queue.o.payload == first)),
        ]


class Overflows(FlitQueue):
    """Broken: takes a third entry, over the second."""

    def elaborate(self, platform):
        outer = Module()
        outer.submodules.inner = inner = FlitQueue(self.shape)
        outer.d.comb += [
            inner.i.valid.eq(self.i.valid), inner.i.payload.eq(self.i.payload), self.i.ready.eq(1),
            self.o.valid.eq(inner.o.valid), self.o.payload.eq(inner.o.payload), inner.o.ready.eq(self.o.ready),
        ]
        return outer


class Withdraws(FlitQueue):
    """Broken: does not offer while it is offered something."""

    def elaborate(self, platform):
        outer = Module()
        outer.submodules.inner = inner = FlitQueue(self.shape)
        outer.d.comb += [
            inner.i.valid.eq(self.i.valid), inner.i.payload.eq(self.i.payload), self.i.ready.eq(inner.i.ready),
            self.o.valid.eq(inner.o.valid & ~self.i.valid), self.o.payload.eq(inner.o.payload), inner.o.ready.eq(self.o.ready & ~self.i.valid),
        ]
        return outer


def test_the_flit_queue_is_a_queue_of_two():
    assert prove(IsAQueueOfTwo(FlitQueue(2)), depth=DEPTH)


def test_the_claim_is_refuted_where_a_third_entry_is_taken():
    assert not prove(IsAQueueOfTwo(Overflows(2)), depth=DEPTH)


def test_the_claim_is_refuted_where_an_offer_is_withdrawn():
    assert not prove(IsAQueueOfTwo(Withdraws(2)), depth=DEPTH)
