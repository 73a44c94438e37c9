"""A FIFO in block RAM that is as quick as one in distributed RAM."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BlockFifo"]


class BlockFifo(wiring.Component):
    """Ports and timing of :class:`amaranth.lib.fifo.SyncFIFO`: an entry written in a cycle can be read from the next one on, one per cycle.

    The memory is read ahead, at the place that will be the head in the next cycle; what is written there meanwhile passes beside the memory.

    Members
    -------
    w_rdy, w_en, w_data : write side; without ``w_rdy`` nothing is written.
    r_rdy, r_en, r_data : read side.
    """

    def __init__(self, *, width: int, depth: int):
        if depth < 1:
            raise ValueError(f"Depth must be at least 1, not {depth}")
        self._width, self._depth = width, depth
        super().__init__({"w_rdy": Out(1), "w_en": In(1), "w_data": In(width), "r_rdy": Out(1), "r_en": In(1), "r_data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        depth = self._depth
        m.submodules.entries = entries = memory.Memory(shape=unsigned(self._width), depth=depth, init=[])
        write = entries.write_port()
        read = entries.read_port(transparent_for=(write,))
        level, produce, consume = Signal(range(depth + 1)), Signal(range(depth)), Signal(range(depth))
        writes, reads, next_consume = Signal(), Signal(), Signal(range(depth))
        m.d.comb += [
            self.w_rdy.eq(level != depth), self.r_rdy.eq(level != 0), writes.eq(self.w_en & self.w_rdy), reads.eq(self.r_en & self.r_rdy),
            next_consume.eq(Mux(reads, Mux(consume == depth - 1, 0, consume + 1), consume)),
            write.addr.eq(produce), write.data.eq(self.w_data), write.en.eq(writes), read.addr.eq(next_consume), self.r_data.eq(read.data),
        ]
        m.d.sync += [level.eq(level + writes - reads), consume.eq(next_consume)]
        with m.If(writes):
            m.d.sync += produce.eq(Mux(produce == depth - 1, 0, produce + 1))
        return m
