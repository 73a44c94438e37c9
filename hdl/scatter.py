"""Sparse synapses and convolutions: the events of a list, one after the other, to the neurons that they reach."""

from amaranth import *
from amaranth.lib import data, fifo, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec
from ..spec.tile import SPARSE
from .event_queue import event_layout
from .window_walk import WindowWalk, pointer_layout

__all__ = ["Scatter", "sparse_word_layout"]

_AHEAD = 8  # events whose pointers may be under way: more than the cycles from asking for one to its first word


def sparse_word_layout(tile: TileSpec) -> data.ArrayLayout:
    """{row, weight} per lane, lane 0 in the lowest bits; a weight of 0 where the lane has no synapse in this word."""
    return data.ArrayLayout(data.StructLayout({"row": unsigned(tile.row_bits), "weight": signed(max(tile.sparse_weight_bits, 1))}), tile.lanes)


class Scatter(wiring.Component):
    """Event-major work: for each event the words of its axon, one per cycle, each with a synapse of up to P neurons, one in every lane.

    Each lane adds to the accumulator of the row that its synapse names: distributed memory, read, added to and written in one cycle, so
    there is no hazard. When the rows of the group are walked afterwards, each begins with what is here (``sums`` of ``row``), and
    ``take`` empties that row. So every row is empty between two groups.

    The words of a convolution lie in the weight memory of the lanes, and go through these: ``window`` says which word to read, for which row, and
    the lanes give it back as ``terms``.

    Timing: with ``fetch`` of the first event in cycle 0, its first word is addressed in cycle 3; then every event takes as many cycles as its
    axon has words, at least one, without gaps. ``scattered`` is the cycle of the last word. A word is in the accumulators 3 cycles after its
    own cycle (graded payloads, or a tile with convolutions: 4; both: 5): before any row of the same group asks for its sums.
    No backpressure but ``room``, which only bounds the events under way.

    Members
    -------
    begin, count : a list of ``count`` events begins in the next cycle.
    fetch, list : of this cycle: the queue is asked for an event of this list. ``event`` is that of the cycle before.
    room, scattered : see :class:`~spikeloom.hdl.walker.Walker`.
    row, sums, take : accumulators of a row, combinational; it is emptied at the end of the cycle.
    window, address, window_row, window_lanes, payload : the word of this cycle is one of a convolution: its address, its row, its lanes.
    put, put_lanes, terms : the lanes give a word of a convolution for ``row``; each of these lanes' is added at the end of the cycle.
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
            **({"window": Out(1), "address": Out(range(max(tile.weight_depth, 1))), "window_row": Out(tile.row_bits), "window_lanes": Out(tile.lanes),
                "payload": Out(self._payload(tile)), "put": In(1), "put_lanes": In(tile.lanes),
                "terms": In(data.ArrayLayout(signed(tile.term_bits), tile.lanes))} if tile.has_windows else {}),
            "worked": Out(1), "multiplied": Out(1), "synapses": Out(range(tile.lanes + 1)),
            "w_sparse": In(1), "w_pointers": In(1), "w_address": In(20), "w_data": In(widest),
            **({"r_valid": In(1), "r_address": In(20), "r_sparse": Out(sparse_word_layout(tile)), "r_pointer": Out(pointer_layout(tile))}
               if tile.readable else {}),
        })

    @staticmethod
    def _payload(tile):
        return event_layout(tile).members["payload"]

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
        m.submodules.walk = walk = WindowWalk(tile)
        left, under_way = Signal.like(self.count), Signal(range(_AHEAD + 1))
        m.d.comb += [walk.valid.eq(waiting.r_rdy), walk.pointer.eq(head), waiting.r_en.eq(waiting.r_rdy & walk.last),
                     self.room.eq(under_way < _AHEAD), self.scattered.eq(waiting.r_en & (left == 1))]
        m.d.sync += under_way.eq(under_way + self.fetch - waiting.r_en)
        with m.If(self.begin):
            m.d.sync += left.eq(self.count)
        with m.Elif(waiting.r_en):
            m.d.sync += left.eq(left - 1)

        exists, head_payload = waiting.r_rdy & walk.exists, waiting.r_data[layout.size:]
        window = Const(0, 1)
        if tile.has_windows:
            window = exists & (head.walk != 0) if tile.has_words else exists
            m.d.comb += [self.window.eq(window), self.address.eq(walk.address), self.window_row.eq(walk.row), self.payload.eq(head_payload)]
            parts = [steps.part_lanes if steps else tile.lanes for steps in tile.walks]
            masks = [Cat(head.part == lane // lanes for lane in range(tile.lanes)) if lanes < tile.lanes else Const(-1, tile.lanes)
                     for lanes in parts]
            m.d.comb += self.window_lanes.eq(masks[0] if len(masks) == 1 else Array(masks)[head.walk])
        read = self._words(m, walk.address)

        # The word, a register, the product of a graded payload, the accumulators.
        shape = sparse_word_layout(tile)
        found, found_payload = Signal(), Signal(self.event.payload.shape())
        valid, factor, register = Signal(), Signal(self.event.payload.shape()), Signal(shape, reset_less=True)
        m.d.sync += [found.eq(exists & ~window), found_payload.eq(head_payload), valid.eq(found), factor.eq(found_payload),
                     register.as_value().eq(read)]
        if tile.readable:
            m.d.comb += [self.r_pointer.eq(pointed), self.r_sparse.eq(register)]
        self._observe(m, valid, factor, register, window, walk.row, Array(parts)[head.walk] if tile.has_windows else None)
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
        if tile.has_windows and tile.has_words:  # as long under way as the words of convolutions, which have a register more
            late = [Signal(name="late_valid_sparse"), [Signal(tile.row_bits, name=f"late_row_{k}") for k in range(tile.lanes)],
                    [Signal(Shape.cast(Value.cast(term).shape()), name=f"late_term_{k}") for k, term in enumerate(terms)]]
            m.d.sync += [late[0].eq(valid), *(new.eq(old) for new, old in zip(late[1], rows)), *(new.eq(old) for new, old in zip(late[2], terms))]
            valid, rows, terms = late
        put = self.put if tile.has_windows else Const(0, 1)
        for lane in range(tile.lanes):
            m.submodules[f"accumulators_{lane}"] = sums = memory.Memory(shape=signed(tile.accumulator_bits), depth=1 << tile.row_bits, init=[])
            read, write = sums.read_port(domain="comb"), sums.write_port()
            here, added, term = valid, valid, terms[lane]
            if tile.has_windows:
                here = (put & self.put_lanes[lane]) | valid if tile.has_words else put & self.put_lanes[lane]
                added, term = put | valid, Mux(put, self.terms[lane], term) if tile.has_words else self.terms[lane]
            m.d.comb += [read.addr.eq(Mux(valid, rows[lane], self.row) if tile.has_words else self.row), self.sums[lane].eq(read.data),
                         write.addr.eq(read.addr), write.en.eq(here | self.take), write.data.eq(Mux(added, read.data + term, 0))]
        return m

    def _words(self, m, address):
        """What the memory of sparse words holds at an address, one cycle later; nothing where the tile has none."""
        tile, shape = self._tile, sparse_word_layout(self._tile)
        if not tile.has_words:
            return Const(0, shape.size)
        m.submodules.words = words = memory.Memory(shape=unsigned(shape.size), depth=tile.sparse_depth, init=self._sparse,
                                                   attrs={"ram_style": "block"})
        write, read = words.write_port(), words.read_port()
        m.d.comb += [read.addr.eq(Mux(self.r_valid, self.r_address, address) if tile.readable else address), read.en.eq(~self.w_sparse),
                     write.addr.eq(self.w_address), write.data.eq(self.w_data), write.en.eq(self.w_sparse)]
        return read.data

    def _observe(self, m, valid, factor, register, window, row, most):
        """What a counter has to know of a word, two cycles after its own: of a convolution all its lanes that hold neurons."""
        tile = self._tile
        m.d.comb += [self.worked.eq(valid), self.synapses.eq(sum(register[lane].weight != 0 for lane in range(tile.lanes)))]
        if tile.has_windows:
            amount, asked, late = (Signal.like(self.synapses, name=name) for name in ("window_amount", "window_asked", "window_synapses"))
            m.d.comb += amount.eq(most)
            for number, (g, port) in enumerate(tile.lists):
                rest = tile.part(g)  # of the last row of each place; a part of the lanes is a group of channels, and whole
                if port == SPARSE and rest:
                    with m.If((self.list == number) & (row >= tile.rows(g) - tile.groups[g].positions) & (most == tile.lanes)):
                        m.d.comb += amount.eq(rest)
            first, second = Signal(name="window_found"), Signal(name="window_worked")
            m.d.sync += [first.eq(window), second.eq(first), asked.eq(amount), late.eq(asked)]
            with m.If(second):
                m.d.comb += [self.worked.eq(1), self.synapses.eq(late)]
            valid = valid | second
        if tile.payload_kind == "graded":
            m.d.comb += self.multiplied.eq(valid & (factor != 1) & (factor != -1))
