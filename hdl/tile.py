"""A tile: event queue, P synapse lanes and U update lanes around the weights of some neurons."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ..spec.chip import FlitSpec, TileSpec
from .axon_table import AxonTable, axon_entry_layout
from .encoder import Encoder
from .event_queue import EventQueue
from .flit import flit_layout
from .pipeline import Pipeline
from .scatter import Scatter, sparse_word_layout
from .synapse_lanes import SynapseLanes, weight_row_layout
from .update import NeuronUpdate, loaded_update, parameter_layout, state_layout
from .walker import Walker
from .window_walk import pointer_layout

__all__ = ["MemoryKind", "Tile", "configuration_bits", "counters_layout", "trace_layout"]


class MemoryKind:
    """Numbers of a tile's memories on the configuration port; the settings of an overlay, of the whole chip, count as tile 0's."""

    WEIGHTS, PARAMETERS, AXONS, SPARSE, POINTERS, STATE, SETTINGS = range(7)


def trace_layout(tile: TileSpec) -> dict[str, Out]:
    """Members of the observation port: ``valid``, update ``index``, U membrane potentials ``v``."""
    v_bits = max(g.update.v_bits for g in tile.groups)
    return {"valid": Out(1), "index": Out(range(max(tile.n_updates, 2))), "v": Out(data.ArrayLayout(signed(v_bits), tile.update_lanes))}


def counters_layout(tile: TileSpec) -> data.ArrayLayout:
    """Per group since RESET, modulo 2**32: events worked on, synaptic operations, those that multiply (a payload other than -1 and 1), neuron
    updates, and spikes sent (LI: values)."""
    return data.ArrayLayout(data.StructLayout({"events": 32, "sops": 32, "multiplied": 32, "updates": 32, "spikes": 32}), len(tile.groups))


def configuration_bits(tile: TileSpec) -> int:
    """Width of the tile's widest memory word."""
    sparse = [pointer_layout(tile).size] * tile.has_sparse + [sparse_word_layout(tile).size] * tile.has_words
    return max(weight_row_layout(tile).size, parameter_layout(tile).size, axon_entry_layout(tile).size, state_layout(tile).size, *sparse)


class Tile(wiring.Component):
    """One tile; the timing is docs/architecture.md, section 3, clock by clock.

    Throughput P synaptic operations per cycle. A phase takes the sum over rows of max(events, P / U) cycles plus a constant; a group with a gate
    (or another port) walks two lists per row. Takes a flit per cycle and axon entry, always. Its own flits wait in a FIFO that cannot overflow.

    Parameters
    ----------
    tile, flit, n_keys : the plan.
    image : :class:`~spikeloom.spec.image.TileWords`, initial contents.
    writable, counters : see :class:`~spikeloom.spec.chip.ChipSpec`.
    settings : of a loadable tile: layout of what its registers say (:func:`~spikeloom.hdl.settings.tile_settings_layout`).

    Members
    -------
    start, clear, active : begin a phase; of RESET; bit per group.
    i, o : flits from and to the network.
    busy : work or flits are left.
    w_memory, w_valid, w_address, w_data : writes of the memories.
    r_valid, r_part, r_data : where the tile keeps v or is readable: from the cycle after ``r_valid`` on, ``r_data`` is part ``r_part`` of 32 bits
        of the state word at ``w_address``; of a readable tile from the second one on, of the word of ``w_memory``. Only while nothing is busy.
    settings : of a loadable tile.
    trace : v of every update. counters : see :func:`counters_layout`.
    """

    def __init__(self, tile: TileSpec, flit: FlitSpec, n_keys: int, image, *, writable: bool, counters: bool,
                 settings: data.StructLayout | None = None):
        self._tile, self._flit, self._counters = tile, flit, counters
        self._axons = AxonTable(tile, flit, n_keys, image.axons, writable=writable)
        self._queue, self._walker = EventQueue(tile), Walker(tile)
        self._lanes, self._update = SynapseLanes(tile, image.weights), NeuronUpdate(tile, image.parameters, writable=writable)
        self._encoder = Encoder(tile, flit)
        self._scatter: Scatter | None = Scatter(tile, image.sparse, image.pointers) if tile.has_sparse else None
        members = {"w_valid": In(1), "w_memory": In(3), "w_address": In(20), "w_data": In(configuration_bits(tile))} if writable else {}
        if tile.keeps_v or tile.readable:
            widest = configuration_bits(tile) if tile.readable else state_layout(tile).size
            members |= {"r_valid": In(1), "r_part": In(range(-(-widest // 32))), "r_data": Out(32)}
        self._writable = writable
        super().__init__({
            "start": In(1), "clear": In(1), "active": In(len(tile.groups)), "busy": Out(1),
            "i": In(stream.Signature(flit_layout(flit))), "o": Out(stream.Signature(flit_layout(flit))),
            "trace": Out(wiring.Signature(trace_layout(tile))), **members,
            **({"counters": Out(counters_layout(tile))} if counters else {}),
            **({"settings": In(settings)} if settings is not None else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile, n_groups = self._tile, len(self._tile.groups)
        m.submodules.axons, m.submodules.queue, m.submodules.walker = axons, queue, walker = self._axons, self._queue, self._walker
        m.submodules.lanes, m.submodules.update, m.submodules.encoder = lanes, update, encoder = self._lanes, self._update, self._encoder
        connect(m, flipped(self.i), axons.flits)
        connect(m, encoder.flits, flipped(self.o))
        if tile.loadable:
            held = self.settings
            m.d.comb += [walker.rows.eq(held.rows), walker.axons.eq(held.axons), encoder.key.eq(held.key), encoder.listens.eq(held.listens),
                         encoder.shows_v.eq(held.values), *(update.settings[name].eq(held[name]) for name in loaded_update(tile))]

        # Timestep of each group, advanced when its work of a phase is over; its low bits name the slot.
        time_bits = max(self._flit.time_bits, ceil_log2(tile.slots))
        times = Array(Signal(time_bits, name=f"time_{g}") for g in range(n_groups))
        slot_bits = ceil_log2(tile.slots)
        working, worked, clearing = Signal(), Signal(n_groups), Signal()
        with m.If(self.start):
            m.d.sync += [working.eq(self.active.any() | self.clear), worked.eq(self.active), clearing.eq(self.clear)]
        with m.If(self.start & self.clear):
            m.d.sync += [time.eq(0) for time in times]

        # Walk.
        m.d.comb += [
            walker.start.eq(self.start), walker.clear.eq(self.clear), walker.active.eq(self.active), walker.count.eq(queue.count),
            queue.count_list.eq(walker.next_list), queue.count_slot.eq(times[walker.next_group][:slot_bits]),
            queue.r_list.eq(walker.list), queue.r_slot.eq(times[walker.group][:slot_bits]), queue.r_index.eq(walker.index),
            queue.clear.eq(walker.list_done), queue.clear_all.eq(self.start & self.clear),
            queue.w_valid.eq(axons.w_valid), queue.w_list.eq(axons.w_list), queue.w_slot.eq(axons.w_slot), queue.w_data.eq(axons.w_data),
        ]
        # The event leaves the queue one cycle after it was asked for; its weight address comes one later, then weights and sums.
        valid, last, walking, number = Signal(), Signal(), Signal(), Signal.like(walker.list)
        m.d.sync += [valid.eq(walker.valid), last.eq(walker.last), walking.eq(walker.walking), number.eq(walker.list)]
        # The sum that is the weight address has a register: the queue's memory and the weights' are both slow.
        m.d.sync += [lanes.event.eq(queue.r_data), lanes.valid.eq(valid), lanes.last.eq(last), lanes.list.eq(number),
                     lanes.address.eq(walker.row_address + queue.r_data.axon)]
        if self._scatter is not None:
            self._connect_scatter(m, self._scatter, clearing)
        # Rows under way between walk and hand-over, and what the update must know of each: first of which group.
        depth = tile.front_latency - 1
        first, group = walker.first_row, walker.group
        stages = [walking]
        for stage in range(depth):
            late_first, late_group = Signal(name=f"first_{stage}"), Signal.like(walker.group, name=f"group_{stage}")
            m.d.sync += [late_first.eq(first), late_group.eq(group)]
            first, group = late_first, late_group
            if stage:
                moving = Signal(name=f"moving_{stage}")
                m.d.sync += moving.eq(stages[-1])
                stages.append(moving)
        rows_under_way = Cat(*stages).any()
        # Now ``first`` and ``group`` are those of the event being accumulated; one more register makes it that of ``sums``.
        row_group = Signal.like(walker.group)
        m.d.sync += row_group.eq(group)

        # Beats of the row in hand.
        beats = tile.beats
        beat, beating = Signal(range(beats)), Signal()
        more = Signal()  # beats of this row left after the first
        held_group, index, local = Signal.like(row_group), Signal(range(tile.n_updates)), Signal(range(tile.n_updates))
        # Those of the next cycle, worked out in this one: the parameter memory is read ahead.
        next_index, next_local, now_group = Signal.like(index), Signal.like(local), Signal.like(row_group)
        fresh = lanes.handing & first
        bases = [tile.update_base(g) for g in range(n_groups)]
        m.d.comb += [
            beating.eq(lanes.handed | more), now_group.eq(Mux(lanes.handed, row_group, held_group)),
            next_index.eq(Mux(fresh, Array(bases)[group] if n_groups > 1 else 0, index + beating)),
            next_local.eq(Mux(fresh, 0, local + beating) if n_groups > 1 else next_index),
            update.beat.eq(beating), update.next_index.eq(next_index),
            update.index.eq(index), update.local.eq(local), update.group.eq(now_group), update.clear.eq(clearing),
        ]
        if tile.has_map_parts:
            m.d.comb += update.part.eq(beat)
        with m.If(lanes.handed):
            m.d.sync += held_group.eq(row_group)
        m.d.sync += [index.eq(next_index), local.eq(next_local)]
        if beats > 1:
            with m.If(lanes.handed):
                m.d.sync += [more.eq(1), beat.eq(1)]
            with m.Elif(beat == beats - 1):
                m.d.sync += [more.eq(0), beat.eq(0)]
            with m.Elif(more):
                m.d.sync += beat.eq(beat + 1)

        def of_beat(held, lane):
            choices = [held[b * tile.update_lanes + lane] for b in range(beats)]
            return Array(choices)[beat] if beats > 1 else choices[0]

        # A gate without events of its own would see another group's.
        own_side = Const(1, 1)
        if any(g.update.has_gate and not g.side_axons for g in tile.groups):
            own_side = Array(int(g.side_axons > 0) for g in tile.groups)[now_group]
        for lane in range(tile.update_lanes):
            m.d.comb += update.sums[lane].eq(of_beat(lanes.sums, lane))
            if tile.has_sides:
                m.d.comb += update.side_sums[lane].eq(Mux(own_side, of_beat(lanes.side_sums, lane), 0))

        # Results.
        m.d.comb += [
            encoder.valid.eq(update.done), encoder.group.eq(update.done_group), encoder.local.eq(update.done_local),
            encoder.mask.eq(update.spikes), encoder.v.eq(update.v),
            *([encoder.counts.eq(update.counts)] if tile.count_bits else []),
            self.trace.valid.eq(update.done & ~clearing), self.trace.index.eq(update.done_index), self.trace.v.eq(update.v),
        ]
        m.d.comb += [encoder.times[g].eq(times[g]) for g in range(n_groups)]
        finished = Signal()
        m.d.comb += [finished.eq(~walker.walking & ~walker.scattering & ~rows_under_way & ~lanes.handed & ~update.busy & ~encoder.busy),
                     self.busy.eq((working & ~finished) | axons.busy)]
        with m.If(working & finished):
            m.d.sync += working.eq(0)
            for g in range(n_groups):
                with m.If(worked[g]):
                    m.d.sync += times[g].eq(times[g] + 1)

        if self._writable:
            data_in = self.w_data
            m.d.comb += [
                lanes.w_valid.eq(self.w_valid & (self.w_memory == MemoryKind.WEIGHTS)), lanes.w_address.eq(self.w_address),
                lanes.w_data.eq(data_in), update.w_valid.eq(self.w_valid & (self.w_memory == MemoryKind.PARAMETERS)),
                update.w_address.eq(self.w_address), update.w_data.eq(data_in),
                axons.t_valid.eq(self.w_valid & (self.w_memory == MemoryKind.AXONS)), axons.t_address.eq(self.w_address), axons.t_data.eq(data_in),
                update.s_valid.eq(self.w_valid & (self.w_memory == MemoryKind.STATE)), update.s_address.eq(self.w_address), update.s_data.eq(data_in),
            ]
        if tile.keeps_v or tile.readable:
            # The register that follows the beats of a phase has nothing to do between two: the state memory needs no second address.
            with m.If(self.r_valid):
                m.d.comb += next_index.eq(self.w_address)
            m.d.comb += self.r_data.eq(_part(update.state.as_value(), self.r_part))
        if tile.readable:
            self._read(m)
        if self._counters:
            self._count(m, walker, update)
        return m

    def _read(self, m):
        """Every memory by its own read port, whose address is the host's while it reads; behind the registers that follow the memories anyway."""
        lanes, update, axons, scatter = self._lanes, self._update, self._axons, self._scatter
        found = {MemoryKind.WEIGHTS: lanes.r_data.as_value(), MemoryKind.AXONS: axons.r_data.as_value(), MemoryKind.STATE: update.state.as_value()}
        readers = [lanes, axons]
        if not self._tile.constant_parameters:
            found[MemoryKind.PARAMETERS] = update.r_data.as_value()
            readers.append(update)
        if scatter is not None:
            found |= {MemoryKind.SPARSE: scatter.r_sparse.as_value(), MemoryKind.POINTERS: scatter.r_pointer.as_value()}
            readers.append(scatter)
        m.d.comb += [part.eq(value) for reader in readers for part, value in ((reader.r_valid, self.r_valid), (reader.r_address, self.w_address))]
        with m.Switch(self.w_memory):
            for memory, word in found.items():
                with m.Case(memory):
                    m.d.comb += self.r_data.eq(_part(word, self.r_part))

    def _connect_scatter(self, m, scatter: Scatter, clearing):
        """Sparse synapses: fed by the queue before a group's rows are walked, they leave each row something to begin with."""
        walker, queue, lanes = self._walker, self._queue, self._lanes
        m.submodules.scatter = scatter
        begins, row = Signal(), Signal.like(walker.row)
        m.d.sync += [begins.eq(walker.begins), row.eq(walker.row), lanes.begins.eq(begins), lanes.row.eq(row)]
        if self._tile.has_windows:  # no row is walked meanwhile: the lanes are free
            m.d.sync += [lanes.window.eq(scatter.window), lanes.window_lanes.eq(scatter.window_lanes)]
            with m.If(scatter.window):
                m.d.sync += [lanes.address.eq(scatter.address), lanes.event.payload.eq(scatter.payload), lanes.row.eq(scatter.window_row)]
            m.d.comb += [scatter.put.eq(lanes.put), scatter.put_lanes.eq(lanes.put_lanes), scatter.terms.eq(lanes.terms)]
        m.d.comb += [
            scatter.begin.eq(walker.begin_scatter), scatter.count.eq(Mux(Mux(self.start, self.clear, clearing), 0, queue.count)),
            scatter.fetch.eq(walker.fetch), scatter.list.eq(walker.list), scatter.event.eq(queue.r_data), walker.room.eq(scatter.room),
            walker.scattered.eq(scatter.scattered), scatter.row.eq(lanes.took_row), scatter.take.eq(lanes.took), lanes.before.eq(scatter.sums),
        ]
        if self._writable:
            m.d.comb += [scatter.w_sparse.eq(self.w_valid & (self.w_memory == MemoryKind.SPARSE)), scatter.w_data.eq(self.w_data),
                         scatter.w_pointers.eq(self.w_valid & (self.w_memory == MemoryKind.POINTERS)), scatter.w_address.eq(self.w_address)]

    def _count(self, m, walker, update):
        """Counters. A synaptic operation is one weight of a real neuron accumulated: a padded lane does not count."""
        tile, lanes = self._tile, self._lanes
        neurons = Signal(range(tile.lanes + 1))
        m.d.comb += neurons.eq(tile.lanes)
        for g, group in enumerate(tile.groups):
            late = walker.last_row if group.positions == 1 else walker.row >= tile.rows(g) - group.positions
            if tile.part(g):
                with m.If((walker.group == g) & late):
                    m.d.comb += neurons.eq(tile.part(g))
        # An event's payload is known with it, two cycles after the walk.
        known = Pipeline(m, "counted")
        for name, value in (("neurons", neurons), ("group", walker.group)):
            known.put(name, value, 0)
        multiplies = Const(0, 1)
        if tile.payload_kind == "graded":
            multiplies = lanes.valid & (lanes.event.payload != 1) & (lanes.event.payload != -1)

        def population(bits):
            return sum(bits[k] for k in range(tile.update_lanes))

        scatter = self._scatter
        for g in range(len(tile.groups)):
            counters = self.counters[g]
            additions = {
                "events": [(walker.valid & walker.first_row & (walker.group == g), 1)],
                "sops": [(walker.valid & (walker.group == g), neurons)],
                "multiplied": [(multiplies & (known.at("group", 2) == g), known.at("neurons", 2))],
                "updates": [(self.trace.valid & (update.done_group == g), population(update.done_exists))],
                "spikes": [(self.trace.valid & (update.done_group == g), population(update.spikes))],
            }
            if scatter is not None:  # a word is known two cycles after its own, when the rows, or another group's, may have begun
                words_here = known.at("group", 2) == g
                additions["events"].append((walker.fetch & (walker.group == g), 1))
                additions["sops"].append((scatter.worked & words_here, scatter.synapses))
                additions["multiplied"].append((scatter.multiplied & words_here, scatter.synapses))
            for name, parts in additions.items():
                counter, amount = counters[name], parts[0][1]
                if len(parts) > 1:
                    amount = sum(Mux(when, part, 0) for when, part in parts)
                with m.If(self.start & self.clear):
                    m.d.sync += counter.eq(0)
                with m.Elif(Cat(when for when, _ in parts).any()):
                    m.d.sync += counter.eq(counter + amount)


def _part(word, part):
    """32 bits of a word; beyond its end the last ones again, which nobody asks for."""
    return Array(word[low:low + 32] for low in range(0, max(len(word), 1), 32))[part]
