"""The walk through the words of a scattered axon: one after the other, or through the window of a convolution."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..spec.chip import TileSpec

__all__ = ["WindowWalk", "pointer_layout"]


def pointer_layout(tile: TileSpec) -> data.StructLayout:
    """The tile's pointer fields, the first word lowest."""
    return data.StructLayout({name: unsigned(bits) for name, bits in tile.pointer_fields.items()})


class WindowWalk(wiring.Component):
    """Address and row of each word of the axon whose pointer is at hand: words of a line, lines of a block, blocks.

    From one word to the next address and row change by constants (:class:`~spikeloom.spec.window.Steps`): one adder each, no multiplier, whatever
    stride, padding and groups are. Latency 0: combinational from ``pointer`` to its outputs. Throughput one word per cycle in which ``valid`` is
    high, no gaps between axons; a pointer of no words takes one cycle. No backpressure: each word is taken in its cycle; ``valid`` low is a pause.

    Members
    -------
    valid, pointer : a pointer is there; it stays until ``last``.
    address, row : of the word of this cycle.
    last : it is the axon's last; exists : there is a word.
    """

    def __init__(self, tile: TileSpec):
        self._tile = tile
        fields = tile.pointer_fields
        super().__init__({"valid": In(1), "pointer": In(pointer_layout(tile)), "address": Out(fields["first"]), "row": Out(fields.get("row", 0)),
                          "last": Out(1), "exists": Out(1)})

    def elaborate(self, platform):
        m = Module()
        pointer, walks = self.pointer, self._tile.walks
        word, last_word = Signal.like(pointer.count), Signal()
        m.d.comb += [last_word.eq((pointer.count <= 1) | (word == pointer.count - 1)), self.exists.eq(pointer.count != 0)]
        with m.If(self.valid):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
        if not self._tile.has_windows:
            m.d.comb += [self.address.eq(pointer.first + word), self.last.eq(last_word)]
            return m

        line, block = Signal.like(pointer.lines), Signal.like(pointer.blocks)
        last_line, last_block, fresh = Signal(), Signal(), Signal(init=1)
        m.d.comb += [last_line.eq(line == pointer.lines), last_block.eq(block == pointer.blocks), self.last.eq(last_word & last_line & last_block)]
        with m.If(self.valid):
            m.d.sync += fresh.eq(self.last)
            with m.If(last_word):
                m.d.sync += line.eq(Mux(last_line, 0, line + 1))
                with m.If(last_line):
                    m.d.sync += block.eq(Mux(last_block, 0, block + 1))
        for k, (now, start) in enumerate(((self.address, pointer.first), (self.row, pointer.row))):
            # Where the next word, the next line and the next block are counted from.
            place, of_line, of_block = (Signal(len(now), name=f"{name}_{('address', 'row')[k]}") for name in ("word", "line", "block"))
            line_now, block_now, step = Signal.like(now), Signal.like(now), Signal.like(now)
            m.d.comb += [now.eq(Mux(fresh, start, place)), line_now.eq(Mux(fresh, start, of_line)), block_now.eq(Mux(fresh, start, of_block))]

            word_step, line_step, block_step = (
                self._constant([(getattr(steps, name)[k] if steps else (1, 0)[k]) & ((1 << len(now)) - 1) for steps in walks])
                for name in ("word", "line", "block"))
            m.d.comb += step.eq(Mux(last_word, Mux(last_line, block_step, line_step), word_step))
            following = Signal.like(now)
            m.d.comb += following.eq(Mux(last_word, Mux(last_line, block_now, line_now), now) + step)
            with m.If(self.valid):
                m.d.sync += [place.eq(following), of_line.eq(Mux(last_word, following, line_now)),
                             of_block.eq(Mux(last_word & last_line, following, block_now))]
        return m

    def _constant(self, values):
        """That of the walk at hand."""
        return values[0] if len(set(values)) == 1 else Array(values)[self.pointer.walk]
