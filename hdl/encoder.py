"""Spike FIFO and encoder: from masks of U neurons to single flits."""

from amaranth import *
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ..spec.chip import FlitSpec, TileSpec
from .block_fifo import BlockFifo
from .firing import count_shape
from .flit import flit_layout

__all__ = ["Encoder"]


class Encoder(wiring.Component):
    """Queues one mask (and its values, where there are any but 1: of LI v, of multiple spikes their number) per update and sends its set lanes as
    flits, lowest first.

    A mask written in cycle c is offered from c + 1 on, if nothing is before it; then one flit per cycle as the network takes them, no
    gaps. The FIFO has a place for every update of a timestep, so it never refuses one: the update does not wait for the network.

    Members
    -------
    valid, group, local, mask, v, counts : a beat's result; not queued where the mask is empty or nobody listens to the group. The beats of a
        group come in their order, each once.
    times : timestep counter of each group.
    flits : stream to the network.
    busy : a flit is left.
    key, listens, shows_v : of a loadable tile: its key, whether anybody listens to it, and whether its neurons send v.
    """

    def __init__(self, tile: TileSpec, flit: FlitSpec):
        self._tile, self._flit = tile, flit
        u, index, group = tile.update_lanes, range(tile.n_updates), ceil_log2(len(tile.groups))
        v_bits = max(g.update.v_bits for g in tile.groups)
        super().__init__({
            "valid": In(1), "group": In(group), "local": In(index), "mask": In(u), "v": In(data.ArrayLayout(signed(v_bits), u)),
            **({"counts": In(data.ArrayLayout(count_shape(tile), u))} if tile.count_bits else {}),
            "times": In(data.ArrayLayout(unsigned(flit.time_bits), len(tile.groups))),
            "flits": Out(stream.Signature(flit_layout(flit))), "busy": Out(1),
            **({"key": In(flit.key_bits), "listens": In(1), "shows_v": In(1)} if tile.loadable else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile, flit = self._tile, self._flit
        if all(g.key is None for g in tile.groups):  # nobody listens to this tile
            return m
        lanes, maps = tile.update_lanes, any(g.positions > 1 or g.apart for g in tile.groups)
        entry = data.StructLayout({
            "mask": unsigned(lanes), "local": unsigned(flit.neuron_bits if maps else ceil_log2(tile.n_updates)),
            "group": unsigned(ceil_log2(len(tile.groups))),
            "values": data.ArrayLayout(signed(max(tile.value_bits, 1)), lanes if tile.value_bits else 0),
        })
        kind = fifo.SyncFIFO if tile.memories == "distributed" else BlockFifo
        m.submodules.fifo = queue = kind(width=entry.size, depth=tile.n_updates)
        put, head = Signal(entry), data.View(entry, queue.r_data)
        listened = self.listens if tile.loadable else Array(int(g.key is not None) for g in tile.groups)[self.group] if len(tile.groups) > 1 else 1
        m.d.comb += [put.mask.eq(self.mask), put.local.eq(self._first(m) if maps else self.local), put.group.eq(self.group), queue.w_data.eq(put),
                     queue.w_en.eq(self.valid & self.mask.any() & listened)]
        if tile.value_bits:
            counted = self.counts if tile.count_bits else [Const(1)] * lanes
            shows_v = Array(int(g.update.values) for g in tile.groups)[self.group] if len({g.update.values for g in tile.groups}) > 1 \
                else Const(tile.groups[0].update.values)
            if tile.loadable:
                shows_v = self.shows_v
            m.d.comb += [put.values[lane].eq(Mux(shows_v, self.v[lane], counted[lane])) for lane in range(lanes)]

        left, lane = Signal(lanes), Signal(exact_log2(lanes))
        rest = Signal(lanes)
        if lanes == 1:
            m.d.comb += left.eq(head.mask)
        else:
            sent = Signal(lanes)
            m.d.comb += [left.eq(head.mask & ~sent), rest.eq(left & (left - 1))]
            for k in reversed(range(lanes)):
                with m.If(left[k]):
                    m.d.comb += lane.eq(k)
            with m.If(self.flits.valid & self.flits.ready):
                m.d.sync += sent.eq(Mux(rest == 0, 0, head.mask & ~rest))
        flits = self.flits.payload
        keys = [g.key or 0 for g in tile.groups]
        spike_payload = 1 if flit.payload_bits else 0
        payload, neuron = spike_payload, Cat(lane, head.local)
        if maps:  # the lanes of a map are channels: as far apart as it has places, or as the whole map has where this is a part that leaves the chip
            apart = [Array(k * (g.apart or g.positions) for k in range(lanes))[lane] if lanes > 1 else Const(0) for g in tile.groups]
            neuron = head.local + (Array(apart)[head.group] if len(apart) > 1 else apart[0])
        if tile.value_bits:
            payload = head.values[lane] if lanes > 1 else head.values[0]
        m.d.comb += [
            self.busy.eq(queue.r_rdy), self.flits.valid.eq(queue.r_rdy), queue.r_en.eq(self.flits.ready & (rest == 0)),
            flits.key.eq(self.key if tile.loadable else Array(keys)[head.group] if len(keys) > 1 else keys[0]), flits.neuron.eq(neuron),
            flits.time.eq(Array(self.times)[head.group] if len(keys) > 1 else self.times[0]), flits.payload.eq(payload),
        ]
        return m

    def _first(self, m):
        """Neuron of the lowest lane of the beat at hand, where groups are maps: rows are P channels at one place, places follow each other, and
        behind the last one come the next P channels."""
        tile, bits = self._tile, self._flit.neuron_bits
        first, beat, place = Signal(bits), Signal(range(tile.beats)), Signal(range(max(g.positions for g in tile.groups)))
        now, beat_now, place_now = Signal.like(first), Signal.like(beat), Signal.like(place)
        fresh = self.local == 0
        m.d.comb += [now.eq(Mux(fresh, 0, first)), beat_now.eq(Mux(fresh, 0, beat)), place_now.eq(Mux(fresh, 0, place))]

        def of_group(value):
            values = [value(g.positions, g.apart or g.positions) for g in tile.groups]
            return Array(values)[self.group] if len(set(values)) > 1 else values[0]

        u, beats = tile.update_lanes, tile.beats
        last_beat, last_place = beat_now == beats - 1, place_now == of_group(lambda n, apart: n - 1)
        steps = [of_group(lambda n, apart, step=step: step(n, apart) & ((1 << bits) - 1))
                 for step in (lambda n, apart: u * apart, lambda n, apart: 1 - (beats - 1) * u * apart, lambda n, apart: u * apart - n + 1)]
        with m.If(self.valid):
            m.d.sync += [first.eq(now + Mux(last_beat, Mux(last_place, steps[2], steps[1]), steps[0])), beat.eq(Mux(last_beat, 0, beat_now + 1)),
                         place.eq(Mux(last_beat, Mux(last_place, 0, place_now + 1), place_now))]
        return now
