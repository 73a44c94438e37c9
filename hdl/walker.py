"""The row-major walk: which event meets which row of neurons in which cycle."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec
from ..spec.tile import MAIN, SIDE, SPARSE

__all__ = ["Walker"]


class Walker(wiring.Component):
    """Walks the event list of each active group once per row of P neurons; where a group has another port, that port's list first, then its
    own, row by row: two weight rows per event.

    With ``start`` in cycle 0, the first row begins in cycle 1; then lists, rows and groups follow each other without gaps. A list takes
    max(events, P / U) cycles, so that the update of the row before fits beside it. ``index`` counts down to 0, the end of the list:
    the cycles without an event (``valid`` low) come first, then one event per cycle, the latest arrival first. The queue delivers
    an event one cycle after ``index``; ``row_address`` is timed for that cycle.

    The rows of a group with sparse synapses are preceded by its sparse list (``scattering``): its events are asked for as fast as there is
    ``room``, one per cycle, until they are ``scattered``; with no event that is one cycle.

    Members
    -------
    start, active, clear : begin a phase with these groups; with ``clear`` all of them, as if no event had arrived.
    next_group, next_list, count : the list that begins if one does in this cycle, its group, and its length.
    group, list, index : those of this cycle, if ``walking``, and the place in the list of the event asked for, if ``valid``.
    walking, valid, last, done : of this cycle: in a row; an event exists; end of a row's list; end of a group's last row.
    list_done : the list of this cycle is not asked for any more.
    side : the list is that of a port beside ``i``.
    first_row, last_row : the row is its group's first, its last.
    scattering, fetch, room, scattered : the sparse list is at work; an event is asked for; one may be; all its synapses are on their way.
    begin_scatter : a sparse list of ``count`` events begins in the next cycle.
    begins, row : where there are sparse synapses: first cycle of a row's list of port ``i``, and the row.
    row_address : weight address of axon 0 of the row, one cycle later.
    rows, axons : of a loadable tile: rows, less 1, and axons of what it holds.
    """

    def __init__(self, tile: TileSpec):
        self._tile = tile
        group, number = ceil_log2(len(tile.groups)), ceil_log2(len(tile.lists))
        most = max(tile.list_axons(k) for k in range(len(tile.lists)))
        super().__init__({
            "start": In(1), "clear": In(1), "active": In(len(tile.groups)),
            "next_group": Out(group), "next_list": Out(number), "count": In(range(most + 1)),
            "group": Out(group), "list": Out(number), "index": Out(tile.axon_bits), "walking": Out(1), "valid": Out(1), "last": Out(1),
            "list_done": Out(1),
            "scattering": Out(1), "fetch": Out(1), "room": In(1), "scattered": In(1), "begin_scatter": Out(1),
            "begins": Out(1), "row": Out(range(max(tile.rows(g) for g in range(len(tile.groups))))),
            **({"rows": In(range(max(tile.rows(0), 2))), "axons": In(range(most + 1))} if tile.loadable else {}),
            "done": Out(1), "side": Out(1), "first_row": Out(1), "last_row": Out(1), "row_address": Out(range(max(tile.weight_depth, 1))),
        })

    def elaborate(self, platform):
        m = Module()
        tile, n_groups = self._tile, len(self._tile.groups)

        def of_group(values, group):
            return Array(values)[group] if n_groups > 1 else values[0]

        # Which group begins: at start the first active one, after a group's last row the first of those left.
        clearing, todo, wanted, choices, begin = Signal(), Signal(n_groups), Signal(n_groups), Signal(n_groups), Signal()
        chosen = Signal.like(self.group)
        m.d.comb += [wanted.eq(self.active | self.clear.replicate(n_groups)), choices.eq(Mux(self.start, wanted, todo)),
                     begin.eq((self.start | self.done) & choices.any())]
        for g in reversed(range(n_groups)):
            with m.If(choices[g]):
                m.d.comb += chosen.eq(g)  # the last assignment wins: the lowest group
        with m.If(self.start):
            m.d.sync += clearing.eq(self.clear)

        events, length = Signal.like(self.count), Signal.like(self.count)
        most = max(tile.list_axons(k) for k in range(len(tile.lists)))
        cycle = Signal(range(max(most, tile.beats)))
        longest, first_cycle = Signal.like(cycle), Signal.like(cycle)  # of the list that is walked, and of one that begins now
        m.d.comb += first_cycle.eq(Mux(length > tile.beats, length - 1, tile.beats - 1))
        rows_left = Signal(range(max(tile.rows(g) for g in range(n_groups))))
        m.d.comb += [
            length.eq(Mux(Mux(self.start, self.clear, clearing), 0, self.count)),
            self.index.eq(cycle),
            self.valid.eq(self.walking & (cycle < events)),
            self.last.eq(self.walking & (cycle == 0)),
            self.last_row.eq(rows_left == 0),
            self.done.eq(self.last & self.last_row & ~self.side),
        ]
        rows_begin = Signal()  # behind the sparse list
        self._choose_list(m, chosen, of_group)
        sparse = of_group([int(g.sparse is not None) for g in tile.groups], chosen) if tile.has_sparse else Const(0, 1)
        first = Mux(sparse, length - 1, first_cycle) if tile.has_sparse else first_cycle
        with m.If(begin):
            m.d.sync += [self.walking.eq(~sparse), self.group.eq(self.next_group), self.list.eq(self.next_list), self.first_row.eq(1),
                         events.eq(length), cycle.eq(first), longest.eq(first_cycle),
                         rows_left.eq(self.rows if tile.loadable else of_group([tile.rows(g) - 1 for g in range(n_groups)], self.next_group)),
                         todo.eq(choices & (choices - 1))]
        if tile.has_sparse:
            with m.Elif(rows_begin):
                m.d.sync += [self.scattering.eq(0), self.walking.eq(1), self.list.eq(self.next_list), events.eq(length), cycle.eq(first_cycle),
                             longest.eq(first_cycle)]
            with m.Elif(self.fetch):  # from the last to the first, as in the rows; ``events`` counts those still to be asked for
                m.d.sync += [events.eq(events - 1), cycle.eq(cycle - 1)]
        with m.Elif(self.done):
            m.d.sync += self.walking.eq(0)
        with m.Elif(self.last):
            if tile.has_sides:  # the next list has its own length
                m.d.sync += [events.eq(length), cycle.eq(first_cycle), self.list.eq(self.next_list)]
            else:
                m.d.sync += cycle.eq(longest)
            with m.If(~self.side):
                m.d.sync += [rows_left.eq(rows_left - 1), self.first_row.eq(0)]
        with m.Elif(self.walking):
            m.d.sync += cycle.eq(cycle - 1)
        m.d.comb += self.list_done.eq((self.last & self.last_row) | rows_begin)
        if tile.has_sparse:
            self._scatter(m, begin, sparse, rows_begin, length, events)
        self._address(m, of_group)
        return m

    def _scatter(self, m, begin, sparse, rows_begin, length, events):
        """When the sparse list is at work, and which row its sums belong to afterwards."""
        none, started = Signal(), Signal()
        m.d.comb += [self.begin_scatter.eq(begin & sparse), self.fetch.eq(self.scattering & (events != 0) & self.room),
                     rows_begin.eq(self.scattering & (none | self.scattered)), self.begins.eq(started & self.walking & ~self.side)]
        m.d.sync += started.eq((begin & ~sparse) | rows_begin | self.last)
        with m.If(begin):
            m.d.sync += [none.eq(length == 0), self.scattering.eq(sparse), self.row.eq(0)]
        with m.Elif(self.last & ~self.side):
            m.d.sync += self.row.eq(self.row + 1)

    def _choose_list(self, m, chosen, of_group):
        """The list that begins: a group's sparse one before its rows, and of each row its second port's before its first."""
        tile = self._tile
        if not tile.has_sides and not tile.has_sparse:
            m.d.comb += [self.next_group.eq(chosen), self.next_list.eq(chosen)]
            return
        groups = range(len(tile.groups))
        main = [tile.list_of(g) for g in groups]
        of_row = [tile.list_of(g, SIDE) if tile.groups[g].side_axons else main[g] for g in groups]
        first = [tile.list_of(g, SPARSE) if tile.groups[g].sparse else of_row[g] for g in groups]
        # Whatever begins while rows of the group are left is one of them. That does not wait for the end of the list, which is known late.
        rows_left = self.scattering | (self.walking & ~(self.last_row & ~self.side))
        m.d.comb += [
            self.next_group.eq(Mux(rows_left, self.group, chosen)),
            self.next_list.eq(Mux(rows_left, Mux(self.side, of_group(main, self.group), of_group(of_row, self.group)), of_group(first, chosen))),
            self.side.eq(Array(int(port == SIDE) for _, port in tile.lists)[self.list] if tile.has_sides else 0),
        ]

    def _address(self, m, of_group):
        """Running base of the weight rows, one stage behind the walk: a new group loads its bases, a new row adds the list's axons."""
        tile = self._tile
        late_walking, late_last, late_done, late_side = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [late_walking.eq(self.walking), late_last.eq(self.last), late_done.eq(self.done)]
        bases = {MAIN: self.row_address}
        if tile.has_sides:
            m.d.sync += late_side.eq(self.side)
            bases = {MAIN: Signal.like(self.row_address, name="base"), SIDE: Signal.like(self.row_address, name="side_base")}
            m.d.comb += self.row_address.eq(Mux(late_side, bases[SIDE], bases[MAIN]))
        for port, base in bases.items():
            starts, steps = [], []
            for g, group in enumerate(tile.groups):
                there = port == MAIN or group.side_axons > 0
                starts.append(tile.weight_base(tile.list_of(g, port)) if there else 0)
                steps.append((group.axons, group.side_axons)[port])
            with m.If(~late_walking | late_done):
                m.d.sync += base.eq(of_group(starts, self.group))
            with m.Elif(late_last & (late_side == port)):
                m.d.sync += base.eq(base + (self.axons if tile.loadable else of_group(steps, self.group)))
