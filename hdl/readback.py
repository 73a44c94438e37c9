"""Readback: words of the tiles' memories to the host, 32 bits at a time."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..spec.chip import ChipSpec
from .config_port import readable_words

__all__ = ["Readback", "most_parts", "readback_layout"]


def readback_layout() -> data.StructLayout:
    """{data, last}: parts of a word, lowest first; ``last`` on the last part."""
    return data.StructLayout({"data": 32, "last": 1})


def most_parts(chip: ChipSpec) -> int:
    """Parts of 32 bits of the widest word that can be read."""
    return max(-(-width // 32) for k in range(len(chip.tiles)) for _, width in readable_words(chip, k).values())


class Readback(wiring.Component):
    """Fetches the word that was asked for, part by part, and offers the parts to the host.

        asked, read --> part, tile  --> r_data --> register --> readback
                         (counter)       (tile)

    A request in cycle c addresses the tile; its first part is fetched in c + 1 (on a chip with readable tiles: c + 2) and offered in the cycle after,
    and from then on one part per cycle as long as the host takes them; an offer stays until it is taken. ``busy`` from c + 1 until the last part is
    fetched: that one may wait in the register while the chip goes on. No request may come while it is busy. One without a
    tile (what was asked for does not exist) is answered by one part of 0.

    Members
    -------
    asked, read, memory : from the configuration port: a request, the bit of its tile, and the memory.
    r_tile, r_part, r_data : the tile and the part that are read, and what it is, from the next cycle on.
    readback : to the host.
    busy : tiles are still read.
    """

    def __init__(self, chip: ChipSpec):
        self._chip = chip
        n = len(chip.tiles)
        super().__init__({
            "asked": In(1), "read": In(n), "memory": In(3), "r_tile": Out(n), "r_part": Out(range(most_parts(chip))), "r_data": In(32),
            "readback": Out(stream.Signature(readback_layout())), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        chip, out = self._chip, self.readback
        tile, last = Signal(len(chip.tiles)), Signal(init=1)
        known = Signal(init=1)  # the first part is there
        m.d.comb += self.r_tile.eq(self.read | tile)
        for k in range(len(chip.tiles)):
            for kind, (_, width) in readable_words(chip, k).items():
                with m.If(tile[k] & (self.memory == kind)):
                    m.d.comb += last.eq(self.r_part == -(-width // 32) - 1)
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)
        if any(t.readable for t in chip.tiles):
            m.d.sync += known.eq(self.busy & ~(last & known & (out.ready | ~out.valid)))
        with m.If(self.busy & known & (out.ready | ~out.valid)):
            m.d.sync += [out.valid.eq(1), out.payload.data.eq(self.r_data), out.payload.last.eq(last), self.r_part.eq(self.r_part + 1)]
            with m.If(last):
                m.d.sync += [self.busy.eq(0), tile.eq(0), self.r_part.eq(0)]
        with m.If(self.asked):
            m.d.sync += [self.busy.eq(1), tile.eq(self.read)]
        return m
