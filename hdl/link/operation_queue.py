"""Operation queue: bytes that wait to be executed, entered frame by frame or not at all."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["OperationQueue"]


class OperationQueue(wiring.Component):
    """A ring of bytes with two write positions: bytes are written behind the one that readers see, and become visible all at once.

    A write takes its cycle, and ``commit`` or ``rollback`` one. The first byte is at ``o`` two cycles after its commit, the next ones follow
    one per cycle. A byte that does not fit is left out and noted in ``overflow`` until commit or rollback: with it nothing must be committed.

    Parameters
    ----------
    depth : bytes; a power of two. One place stays empty, and one more byte waits at ``o``.

    Members
    -------
    w_valid, w_data : a byte of the frame that is coming in.
    commit, rollback : the frame is complete; it is not to be. Not together with ``w_valid``.
    overflow : it did not fit.
    room : bytes that fit now, those of the frame that is coming in not deducted.
    empty : nothing that is visible is left, also not at ``o``.
    o : visible bytes.
    """

    def __init__(self, *, depth: int):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"Depth must be a power of two, not {depth}")
        self._depth = depth
        super().__init__({"w_valid": In(1), "w_data": In(8), "commit": In(1), "rollback": In(1), "overflow": Out(1), "room": Out(range(depth)),
                          "empty": Out(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=unsigned(8), depth=self._depth, init=[])
        write, read = ring.write_port(), ring.read_port()
        visible, written, taken = Signal(range(self._depth)), Signal(range(self._depth)), Signal(range(self._depth))
        full, fetch = Signal(), Signal()
        m.d.comb += [
            full.eq((written + 1)[:len(written)] == taken), self.room.eq(taken - visible - 1), write.addr.eq(written), write.data.eq(self.w_data),
            write.en.eq(self.w_valid & ~full), fetch.eq((self.o.ready | ~self.o.valid) & (taken != visible)), read.addr.eq(taken), read.en.eq(fetch),
            self.o.payload.eq(read.data), self.empty.eq((taken == visible) & ~self.o.valid),
        ]
        with m.If(self.w_valid):
            m.d.sync += [written.eq(written + ~full), self.overflow.eq(self.overflow | full)]
        with m.If(self.commit):
            m.d.sync += [visible.eq(written), self.overflow.eq(0)]
        with m.If(self.rollback):
            m.d.sync += [written.eq(visible), self.overflow.eq(0)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(fetch):
            m.d.sync += [self.o.valid.eq(1), taken.eq(taken + 1)]
        return m
