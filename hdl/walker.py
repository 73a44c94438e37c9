"""The row-major walk: which event meets which row of neurons in which cycle."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec

__all__ = ["Walker"]


class Walker(wiring.Component):
    """Walks the event list of each active group once per row of P neurons.

    With ``start`` in cycle 0, the first row begins in cycle 1; then rows and groups follow each other without gaps. A row takes
    max(events, P / U) cycles, so that the update of the row before fits beside it. ``index`` counts down to 0, the end of the row:
    the cycles without an event (``valid`` low) come first, then one event per cycle, the latest arrival first. The queue delivers
    an event one cycle after ``index``; ``row_address`` is timed for that cycle.

    Members
    -------
    start, active, clear : begin a phase with these groups; with ``clear`` all of them, as if no event had arrived.
    next_group, count : the group that begins if one does in this cycle, and the length of its list.
    group, index : the group of this cycle, if ``walking``, and the place in its list of the event asked for, if ``valid``.
    walking, valid, last, done : of this cycle: in a row; an event exists; end of a row; end of a group's last row.
    first_row, last_row : the row is its group's first, its last.
    row_address : weight address of axon 0 of the row, one cycle later.
    """

    def __init__(self, tile: TileSpec):
        self._tile = tile
        group = ceil_log2(len(tile.groups))
        super().__init__({
            "start": In(1), "clear": In(1), "active": In(len(tile.groups)),
            "next_group": Out(group), "count": In(range(max(g.axons for g in tile.groups) + 1)),
            "group": Out(group), "index": Out(tile.axon_bits), "walking": Out(1), "valid": Out(1), "last": Out(1), "done": Out(1),
            "first_row": Out(1), "last_row": Out(1), "row_address": Out(range(max(tile.weight_depth, 1))),
        })

    def elaborate(self, platform):
        m = Module()
        tile, n_groups = self._tile, len(self._tile.groups)

        def of_group(values, group):
            return Array(values)[group] if n_groups > 1 else values[0]

        # Which group begins: at start the first active one, after a group's last row the first of those left.
        clearing, todo, wanted, choices, begin = Signal(), Signal(n_groups), Signal(n_groups), Signal(n_groups), Signal()
        m.d.comb += [wanted.eq(self.active | self.clear.replicate(n_groups)), choices.eq(Mux(self.start, wanted, todo)),
                     begin.eq((self.start | self.done) & choices.any())]
        for g in reversed(range(n_groups)):
            with m.If(choices[g]):
                m.d.comb += self.next_group.eq(g)  # the last assignment wins: the lowest group
        with m.If(self.start):
            m.d.sync += clearing.eq(self.clear)

        events, length = Signal.like(self.count), Signal.like(self.count)
        cycle = Signal(range(max(max(g.axons for g in tile.groups), tile.beats)))
        longest, first_cycle = Signal.like(cycle), Signal.like(cycle)  # of this group's rows, and of one that begins now
        m.d.comb += first_cycle.eq(Mux(length > tile.beats, length - 1, tile.beats - 1))
        rows_left = Signal(range(max(tile.rows(g) for g in range(n_groups))))
        m.d.comb += [
            length.eq(Mux(Mux(self.start, self.clear, clearing), 0, self.count)),
            self.index.eq(cycle),
            self.valid.eq(self.walking & (cycle < events)),
            self.last.eq(self.walking & (cycle == 0)),
            self.last_row.eq(rows_left == 0),
            self.done.eq(self.last & self.last_row),
        ]
        with m.If(begin):
            m.d.sync += [self.walking.eq(1), self.group.eq(self.next_group), self.first_row.eq(1), events.eq(length),
                         cycle.eq(first_cycle), longest.eq(first_cycle),
                         rows_left.eq(of_group([tile.rows(g) - 1 for g in range(n_groups)], self.next_group)),
                         todo.eq(choices & (choices - 1))]
        with m.Elif(self.done):
            m.d.sync += self.walking.eq(0)
        with m.Elif(self.last):
            m.d.sync += [cycle.eq(longest), rows_left.eq(rows_left - 1), self.first_row.eq(0)]
        with m.Elif(self.walking):
            m.d.sync += cycle.eq(cycle - 1)

        # Running base of the weight rows, one stage behind the walk: a new group loads its base, a new row adds the group's axons.
        late_walking, late_last, late_done = Signal(), Signal(), Signal()
        m.d.sync += [late_walking.eq(self.walking), late_last.eq(self.last), late_done.eq(self.done)]
        with m.If(~late_walking | late_done):
            m.d.sync += self.row_address.eq(of_group([tile.weight_base(g) for g in range(n_groups)], self.group))
        with m.Elif(late_last):
            m.d.sync += self.row_address.eq(self.row_address + of_group([g.axons for g in tile.groups], self.group))
        return m
