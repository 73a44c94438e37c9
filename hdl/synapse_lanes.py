"""Synapse lanes: weight memory and P exact accumulators."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec
from ..spec.tile import SIDE
from .event_queue import event_layout
from .spram import Spram

__all__ = ["SynapseLanes", "weight_row_layout"]


def weight_row_layout(tile: TileSpec) -> data.ArrayLayout:
    """P weights (unsigned indices where any list has a codebook), lane 0 in the lowest bits."""
    return data.ArrayLayout(unsigned(tile.weight_bits) if tile.codebooks else signed(tile.weight_bits), tile.lanes)


class SynapseLanes(wiring.Component):
    """Adds one weight per lane and cycle; hands a finished row over to ``sums``.

    Throughput one event per cycle, P weights each. Latency from ``event`` to the accumulators: 2 cycles (weight memory, weight
    register), for graded payloads 3 (product register). The row's sums are in ``sums`` from the cycle after its last event was
    added, marked by ``handed``, until the next row's last event. No backpressure.

    The cycles of a row without an event must come before its events: then a row whose last cycle has no event has the sum zero, and
    masking costs the flip-flops' enable and reset instead of a gate per weight bit.

    Where a group has another port, the sums of a row of that port's list go to ``side_sums`` instead, and stay there until the next such
    row's last event; the row of port ``i`` follows, and ``handed`` marks both. Indices become weights behind the weight register.

    Where the tile has sparse synapses, a row begins (``begins``) with the sums that they left in ``before``, those of ``row``, in the cycle in
    which its first event is added (``took``, ``took_row``).

    Where convolutions lead to it, words of theirs (``window``: no event of a row) come back as ``terms`` when they would be added: ``put``, for
    ``took_row`` and ``put_lanes``.

    Members
    -------
    event, valid, last, list : stage of the weight address: event of this cycle; it exists (and so do all later ones of its row);
        end of the row; number of its list.
    address : address of the weight row of this event.
    handing, handed : last cycle before, and first cycle of a new row in ``sums``.
    sums, side_sums : P sums of payload * weight, exact.
    begins, row, took, before : where anything is scattered, see above; ``begins`` and ``row`` are those of the event.
    window, window_lanes, put, put_lanes, terms : where there are convolutions, see above; ``window`` and ``window_lanes`` are those of the event.
    w_valid, w_address, w_data : write port of the weight memory; the walk must not run.
    r_valid, r_address, r_data : of a readable tile: the word of the address, two cycles later; the walk must not run.
    """

    def __init__(self, tile: TileSpec, init=()):
        self._tile, self._init = tile, init
        sums, rows = data.ArrayLayout(signed(tile.accumulator_bits), tile.lanes), range(max(tile.rows(g) for g in range(len(tile.groups))))
        super().__init__({
            "event": In(event_layout(tile)), "valid": In(1), "last": In(1), "list": In(ceil_log2(len(tile.lists))),
            "address": In(range(max(tile.weight_depth, 1))),
            "handing": Out(1), "handed": Out(1), "sums": Out(sums), "side_sums": Out(sums),
            **({"begins": In(1), "row": In(rows), "took": Out(1), "took_row": Out(rows), "before": In(sums)} if tile.has_sparse else {}),
            **({"window": In(1), "window_lanes": In(tile.lanes), "put": Out(1), "put_lanes": Out(tile.lanes),
                "terms": Out(data.ArrayLayout(signed(tile.term_bits), tile.lanes))} if tile.has_windows else {}),
            "w_valid": In(1), "w_address": In(range(max(tile.weight_depth, 1))), "w_data": In(weight_row_layout(tile)),
            **({"r_valid": In(1), "r_address": In(20), "r_data": Out(weight_row_layout(tile))} if tile.readable else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        address = Mux(self.r_valid, self.r_address, self.address) if tile.readable else self.address
        row = data.View(weight_row_layout(tile), self._single_port(m, address) if tile.memories == "spram" else self._block(m, address))

        valid, last, payload, number = Signal(), Signal(), Signal.like(self.event.payload), Signal.like(self.list)
        m.d.sync += [valid.eq(self.valid), last.eq(self.last), payload.eq(self.event.payload), number.eq(self.list)]
        # The block RAM's output has the cycle to itself: it is slow, and far from the lanes.
        register = Signal(weight_row_layout(tile), reset_less=True)
        factor, factor_valid, factor_last, factor_list = Signal.like(payload), Signal(), Signal(), Signal.like(self.list)
        raised = self._raised(m) if tile.shifts else None
        if tile.readable:
            m.d.comb += self.r_data.eq(register)
        m.d.sync += [register.eq(row), factor.eq(payload), factor_valid.eq(valid), factor_last.eq(last), factor_list.eq(number)]
        terms = [self._weight(m, register[lane], factor_list, lane) if raised is None else raised(register[lane]) for lane in range(tile.lanes)]
        valid, last, payload, number = factor_valid, factor_last, factor, factor_list
        if tile.payload_kind == "graded":
            product_valid, product_last, product_list = Signal(), Signal(), Signal.like(self.list)
            m.d.sync += [product_valid.eq(factor_valid), product_last.eq(factor_last), product_list.eq(factor_list)]
            for lane, weight in enumerate(terms):
                product = Signal(signed(tile.value_weight_bits + tile.payload_bits), name=f"product_{lane}")
                m.d.sync += product.eq(weight * factor)
                terms[lane] = product
            valid, last, number = product_valid, product_last, product_list

        begins = Const(0, 1)
        if tile.has_sparse:
            begins, row = self.begins, self.row
            for stage in range(tile.front_latency - 3):  # as many as from the event to here
                late_begins, late_row = Signal(name=f"begins_{stage}"), Signal.like(self.row, name=f"row_{stage}")
                m.d.sync += [late_begins.eq(begins), late_row.eq(row)]
                begins, row = late_begins, late_row
            m.d.comb += [self.took.eq(begins), self.took_row.eq(row)]
        if tile.has_windows:
            window, lanes = self.window, self.window_lanes
            for stage in range(tile.front_latency - 3):
                late_window, late_lanes = Signal(name=f"window_{stage}"), Signal(tile.lanes, name=f"window_lanes_{stage}")
                m.d.sync += [late_window.eq(window), late_lanes.eq(lanes)]
                window, lanes = late_window, late_lanes
            m.d.comb += [self.put.eq(window), self.put_lanes.eq(lanes)]
            for lane, term in enumerate(terms):
                m.d.comb += self.terms[lane].eq(Mux(payload[0], -term, term) if tile.payload_kind == "sign" else term)
        side = Array(int(port == SIDE) for _, port in tile.lists)[number] if tile.has_sides else Const(0, 1)
        m.d.comb += self.handing.eq(last & ~side)
        m.d.sync += self.handed.eq(self.handing)
        for lane, term in enumerate(terms):
            accumulator = Signal(signed(tile.accumulator_bits), name=f"accumulator_{lane}", reset_less=True)
            total = Signal(signed(tile.accumulator_bits), name=f"total_{lane}")
            start = Mux(begins, self.before[lane], accumulator) if tile.has_sparse else accumulator
            if tile.has_sparse:
                term = Mux(valid, term, 0)  # a row without events has the sums of its sparse synapses
            if tile.payload_kind == "sign":
                # a - w = a + ~w + 1: one adder, its carry fed by an extra low bit.
                addend = Mux(payload[0], ~term, term)
                m.d.comb += total.eq((Cat(1, start).as_signed() + Cat(payload[0], addend).as_signed()) >> 1)
            else:
                m.d.comb += total.eq(start + term)
            with m.If(last):
                m.d.sync += accumulator.eq(0)
            with m.Elif(valid | begins):
                m.d.sync += accumulator.eq(total)
            for name, sums, here in (("held", self.sums, ~side), ("side_held", self.side_sums, side))[:1 + tile.has_sides]:
                held = Signal(signed(tile.accumulator_bits), name=f"{name}_{lane}", reset_less=True)
                with m.If(last & here & ~valid & (not tile.has_sparse)):
                    m.d.sync += held.eq(0)
                with m.Elif(last & here):
                    m.d.sync += held.eq(total)
                m.d.comb += sums[lane].eq(held)
        return m

    def _block(self, m, address):
        """Weights in a block RAM; its output in the cycle after the address."""
        tile = self._tile
        # Block RAM even where it is shallow: yosys would turn a small ROM into thousands of LUTs (measured).
        m.submodules.weights = weights = memory.Memory(shape=unsigned(tile.lanes * tile.weight_bits), depth=tile.weight_depth,
                                                       init=self._init, attrs={"ram_style": "block"})
        write, read = weights.write_port(), weights.read_port()
        # Never read and write at once: saves the logic that would define what such a read returns.
        m.d.comb += [write.addr.eq(self.w_address), write.data.eq(self.w_data), write.en.eq(self.w_valid), read.addr.eq(address),
                     read.en.eq(~self.w_valid)]
        return read.data

    def _single_port(self, m, address):
        """The same in single-port memories."""
        tile = self._tile
        m.submodules.weights = weights = Spram(width=tile.lanes * tile.weight_bits, depth=tile.weight_depth, init=self._init)
        m.d.comb += [weights.address.eq(Mux(self.w_valid, self.w_address, address)), weights.w_valid.eq(self.w_valid),
                     weights.w_data.eq(self.w_data)]
        return weights.data

    def _raised(self, m):
        """What makes a weight of what the memory held: it is shifted by as much as its axon says, known two cycles before."""
        steps = sorted({shift for listed in self._tile.shifts for _, shift in listed})
        if len(steps) == 1:
            return lambda stored: stored << steps[0]
        step, known, late = Signal(range(len(steps))), Signal(range(len(steps))), Signal(range(len(steps)))
        for number, listed in enumerate(self._tile.shifts):
            with m.If(self.list == number):
                for first, shift in listed:
                    with m.If(self.event.axon >= first):
                        m.d.comb += step.eq(steps.index(shift))
        m.d.sync += [known.eq(step), late.eq(known)]
        return lambda stored: Array(stored << shift for shift in steps)[late]

    def _weight(self, m, stored, number, lane):
        """What is stored as a weight: itself, or the entry of the list's codebook."""
        tile = self._tile
        if not tile.codebooks:
            return stored
        weight = Signal(signed(tile.value_weight_bits), name=f"weight_{lane}")
        values = {book: Array(book[min(k, len(book) - 1)] for k in range(1 << tile.weight_bits))[stored] if book else stored.as_signed()
                  for book in dict.fromkeys(tile.codebooks)}
        m.d.comb += weight.eq(next(iter(values.values())) if len(values) == 1 else Array(values[book] for book in tile.codebooks)[number])
        return weight
