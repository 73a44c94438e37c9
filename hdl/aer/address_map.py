"""Address map: what each address of one side means on the other, as data."""

from collections.abc import Sequence

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["AddressMap"]


class AddressMap(wiring.Component):
    """Turns numbers into what a table says of them; a number of which it says nothing is dropped and counted.

    A number taken in cycle c is offered as its entry from c + 1 on, or dropped in c + 1; one per cycle, and it waits while the offer does.

    Parameters
    ----------
    shape : shape-like, of the entries.
    entries : entry of each number from 0 on, as ``shape`` takes it, or None. Numbers behind the last one have none.
    number_bits : width of the numbers.

    Members
    -------
    i : stream of numbers. o : stream of entries.
    unmapped : numbers dropped since reset, at most 2**16 - 1.

    Raises
    ------
    ValueError : there is no entry, or there are more than numbers.
    """

    def __init__(self, *, shape: ShapeLike, entries: Sequence, number_bits: int):
        if not 1 <= len(entries) <= 1 << number_bits:
            raise ValueError(f"Entries of a map of {number_bits} bits must be 1 to {1 << number_bits}, not {len(entries)}")
        self._shape, self._entries, self._number_bits = Shape.cast(shape), tuple(entries), number_bits
        super().__init__({"i": In(stream.Signature(number_bits)), "o": Out(stream.Signature(shape)), "unmapped": Out(16)})

    def elaborate(self, platform):
        m = Module()
        # The lowest bit of a word says that there is an entry: the width may be 0, and an entry 0.
        words = [0 if entry is None else Value.cast(Const(entry, self.o.payload.shape())).value % (1 << self._shape.width) << 1 | 1
                 for entry in self._entries]
        m.submodules.table = table = memory.Memory(shape=self._shape.width + 1, depth=max(len(words), 2), init=words)
        read = table.read_port()
        held, inside = Signal(), Signal()
        mapped = inside & read.data[0]
        m.d.comb += [
            read.addr.eq(self.i.payload[:ceil_log2(max(len(words), 2))]), read.en.eq(self.i.ready),
            self.i.ready.eq(~held | self.o.ready | ~mapped), self.o.valid.eq(held & mapped), self.o.payload.eq(read.data[1:]),
        ]
        with m.If(self.i.ready):
            m.d.sync += [held.eq(self.i.valid), inside.eq(self.i.payload < len(words))]
        with m.If(held & ~mapped & (self.unmapped != 0xFFFF)):
            m.d.sync += self.unmapped.eq(self.unmapped + 1)
        return m
