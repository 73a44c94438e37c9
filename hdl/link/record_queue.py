"""Record queue: what came out of the chip, kept until the host has surely got it."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RecordQueue"]


class RecordQueue(wiring.Component):
    """A ring of records. Looking at one leaves it there; ``release`` gives places back: so a reply can be sent again from here.

    Takes a record per cycle while there is a place. The record ``number`` places behind the oldest is at ``record`` from the next cycle on, if it was
    counted in ``waiting``.

    Parameters
    ----------
    shape : of a record.
    depth : places; a power of two. One stays empty.

    Members
    -------
    i : records.
    waiting : how many there are.
    number, record : which one is looked at; what it is, a cycle later.
    release : that many of the oldest are forgotten; not more than there are.
    """

    def __init__(self, shape, *, depth: int):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"Depth must be a power of two, not {depth}")
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "waiting": Out(range(depth)), "number": In(range(depth)), "record": Out(shape),
                          "release": In(range(depth))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=self._shape, depth=self._depth, init=[])
        write, read = ring.write_port(), ring.read_port()
        oldest, free, address = Signal(range(self._depth)), Signal(range(self._depth)), Signal(range(self._depth))
        m.d.comb += [
            self.waiting.eq(free - oldest), self.i.ready.eq((free + 1)[:len(free)] != oldest), address.eq(oldest + self.number),
            write.addr.eq(free), write.data.eq(self.i.payload), write.en.eq(self.i.valid & self.i.ready),
            read.addr.eq(address), self.record.eq(read.data),
        ]
        m.d.sync += [oldest.eq(oldest + self.release), free.eq(free + write.en)]
        return m
