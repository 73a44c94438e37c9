"""Sparse synapses: the events of a list, one after the other, to the neurons that they reach."""

from amaranth import *
from amaranth.lib import data, fifo, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec
from ..spec.tile import SPARSE
from .event_queue import event_layout

__all__ = ["Scatter", "pointer_layout", "sparse_word_layout"]

_AHEAD = 8  # events whose pointers may be under way: more than the cycles from asking for one to its first word


def sparse_word_layout(tile: TileSpec) -> data.ArrayLayout:
    """{row, weight} per lane, lane 0 in the lowest bits; a weight of 0 where the lane has no synapse in this word."""
    return data.ArrayLayout(data.StructLayout({"row": unsigned(tile.row_bits), "weight": signed(max(tile.sparse_weight_bits, 1))}), tile.lanes)


def pointer_layout(tile: TileSpec) -> data.StructLayout:
    """{first, count}: the words of an axon."""
    first, count = tile.pointer_bits
    return data.StructLayout({"first": unsigned(first), "count": unsigned(count)})


class Scatter(wiring.Component):
    """Event-major work: for each event the words of its axon, one per cycle, each with a synapse of up to P neurons, one in every lane.

    Each lane adds to the accumulator of the row that its synapse names: distributed memory, read, added to and written in one cycle, so
    there is no hazard. When the rows of the group are walked afterwards, each begins with what is here (``sums`` of ``row``), and
    ``take`` empties that row. So every row is empty between two groups.

    Timing: with ``fetch`` of the first event in cycle 0, its first word is addressed in cycle 3; then every event takes as many cycles as its
    axon has words, at least one, without gaps. ``scattered`` is the cycle of the last word. A word is in the accumulators 3 cycles after its
    own cycle (graded payloads: 4): before any row of the same group asks for its sums. No backpressure but ``room``, which only bounds the
    events under way.

    Members
    -------
    begin, count : a list of ``count`` events begins in the next cycle.
    fetch, list : of this cycle: the queue is asked for an event of this list. ``event`` is that of the cycle before.
    room, scattered : see :class:`~spikeloom.hdl.walker.Walker`.
    row, sums, take : accumulators of a row, combinational; it is emptied at the end of the cycle.
    synapses : synapses of the word of this cycle, if ``worked``; ``multiplied``: its payload is another than -1 and 1. For counters.
    w_sparse, w_pointers, w_address, w_data : write ports of the two memories; nothing must be at work.
    r_valid, r_address, r_sparse, r_pointer : of a readable tile: the words of the address, two cycles and one cycle later; nothing must be at work.
    """

    def __init__(self, tile: TileSpec, sparse=(), pointers=()):
        self._tile, self._sparse, self._pointers = tile, list(sparse), list(pointers)
        rows = max(tile.rows(g) for g in range(len(tile.groups)))
        widest = max(sparse_word_layout(tile).size, pointer_layout(tile).size)
        super().__init__({
            "begin": In(1), "count": In(range(max(tile.list_axons(k) for k in range(len(tile.lists))) + 1)),
            "fetch": In(1), "list": In(ceil_log2(len(tile.lists))), "event": In(event_layout(tile)), "room": Out(1), "scattered": Out(1),
            "row": In(range(rows)), "take": In(1), "sums": Out(data.ArrayLayout(signed(tile.accumulator_bits), tile.lanes)),
            "worked": Out(1), "multiplied": Out(1), "synapses": Out(range(tile.lanes + 1)),
            "w_sparse": In(1), "w_pointers": In(1), "w_address": In(20), "w_data": In(widest),
            **({"r_valid": In(1), "r_address": In(20), "r_sparse": Out(sparse_word_layout(tile)), "r_pointer": Out(pointer_layout(tile))}
               if tile.readable else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        layout, payload_bits = pointer_layout(tile), len(self.event.payload)

        # Cycle 1 of an event: its pointer is asked for. Cycle 2: the pointer and the payload wait in a queue, from cycle 3 on at its head.
        m.submodules.pointers = pointers = memory.Memory(shape=unsigned(layout.size), depth=tile.pointer_depth, init=self._pointers)
        write, read = pointers.write_port(), pointers.read_port()
        bases = [tile.pointer_base(g) if port == SPARSE else 0 for g, port in tile.lists]
        asked, known, late_list, payload = Signal(), Signal(), Signal.like(self.list), Signal(payload_bits)
        m.d.sync += [asked.eq(self.fetch), known.eq(asked), late_list.eq(self.list), payload.eq(self.event.payload)]
        base = Array(bases)[late_list] if any(bases) else 0
        address = self.event.axon + base
        m.d.comb += [read.addr.eq(Mux(self.r_valid, self.r_address, address) if tile.readable else address),
                     read.en.eq(~self.w_pointers), write.addr.eq(self.w_address),
                     write.data.eq(self.w_data), write.en.eq(self.w_pointers)]
        m.submodules.waiting = waiting = fifo.SyncFIFO(width=layout.size + payload_bits, depth=_AHEAD)
        m.d.comb += [waiting.w_en.eq(known), waiting.w_data.eq(Cat(read.data, payload))]
        pointed = read.data
        head = data.View(layout, waiting.r_data[:layout.size])

        # Words of the event at the head, one per cycle.
        word, left, under_way = Signal.like(head.count), Signal.like(self.count), Signal(range(_AHEAD + 1))
        last = Signal()
        m.d.comb += [last.eq((head.count <= 1) | (word == head.count - 1)), waiting.r_en.eq(waiting.r_rdy & last),
                     self.room.eq(under_way < _AHEAD), self.scattered.eq(waiting.r_en & (left == 1))]
        m.d.sync += under_way.eq(under_way + self.fetch - waiting.r_en)
        with m.If(waiting.r_rdy):
            m.d.sync += word.eq(Mux(last, 0, word + 1))
        with m.If(self.begin):
            m.d.sync += left.eq(self.count)
        with m.Elif(waiting.r_en):
            m.d.sync += left.eq(left - 1)

        # The word, a register, the product of a graded payload, the accumulators.
        shape = sparse_word_layout(tile)
        m.submodules.words = words = memory.Memory(shape=unsigned(shape.size), depth=tile.sparse_depth, init=self._sparse,
                                                   attrs={"ram_style": "block"})
        write, read = words.write_port(), words.read_port()
        if tile.readable:
            m.d.comb += self.r_pointer.eq(pointed)
        address = head.first + word
        m.d.comb += [read.addr.eq(Mux(self.r_valid, self.r_address, address) if tile.readable else address),
                     read.en.eq(~self.w_sparse), write.addr.eq(self.w_address), write.data.eq(self.w_data),
                     write.en.eq(self.w_sparse)]
        found, found_payload = Signal(), Signal(self.event.payload.shape())
        valid, factor, register = Signal(), Signal(self.event.payload.shape()), Signal(shape, reset_less=True)
        m.d.sync += [found.eq(waiting.r_rdy & (head.count != 0)), found_payload.eq(waiting.r_data[layout.size:]), valid.eq(found),
                     factor.eq(found_payload), register.as_value().eq(read.data)]
        if tile.readable:
            m.d.comb += self.r_sparse.eq(register)
        self._observe(m, valid, factor, register)
        terms = [register[lane].weight for lane in range(tile.lanes)]
        rows = [register[lane].row for lane in range(tile.lanes)]
        if tile.payload_kind == "graded":
            late_valid = Signal()
            m.d.sync += late_valid.eq(valid)
            for lane in range(tile.lanes):
                product = Signal(signed(len(terms[lane]) + payload_bits), name=f"product_{lane}")
                row = Signal(tile.row_bits, name=f"row_{lane}")
                m.d.sync += [product.eq(terms[lane] * factor), row.eq(rows[lane])]
                terms[lane], rows[lane] = product, row
            valid = late_valid
        elif tile.payload_kind == "sign":
            terms = [Mux(factor[0], -term, term) for term in terms]
        for lane in range(tile.lanes):
            m.submodules[f"accumulators_{lane}"] = sums = memory.Memory(shape=signed(tile.accumulator_bits), depth=1 << tile.row_bits, init=[])
            read, write = sums.read_port(domain="comb"), sums.write_port()
            m.d.comb += [read.addr.eq(Mux(valid, rows[lane], self.row)), self.sums[lane].eq(read.data),
                         write.addr.eq(read.addr), write.en.eq(valid | self.take), write.data.eq(Mux(valid, read.data + terms[lane], 0))]
        return m

    def _observe(self, m, valid, factor, register):
        """What a counter has to know of a word."""
        tile = self._tile
        m.d.comb += [self.worked.eq(valid), self.synapses.eq(sum(register[lane].weight != 0 for lane in range(tile.lanes)))]
        if tile.payload_kind == "graded":
            m.d.comb += self.multiplied.eq(valid & (factor != 1) & (factor != -1))
