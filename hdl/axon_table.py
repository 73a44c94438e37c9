"""Axon table: which axons of the tile an arriving event drives, and when."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import FlitSpec, TileSpec
from .event_queue import event_layout
from .flit import flit_layout

__all__ = ["AxonTable", "axon_entry_layout"]


def axon_entry_layout(tile: TileSpec) -> data.StructLayout:
    """{list, base, delay, last}: one word of the table, at address key * (entries per key) + entry."""
    return data.StructLayout({"list": unsigned(ceil_log2(len(tile.lists))), "base": unsigned(tile.axon_bits),
                              "delay": unsigned(ceil_log2(tile.slots)), "last": unsigned(1)})


class AxonTable(wiring.Component):
    """Takes flits and writes their axons to the event queue.

    A flit taken in cycle c causes a queue write in c + 1 for each entry of its key, one per cycle; the next flit is taken in the cycle
    of the last entry. So with one entry per key, which all but odd graphs have, it takes a flit in every cycle, unconditionally.

    Members
    -------
    flits : from the network.
    w_valid, w_list, w_slot, w_data : append port of the event queue.
    busy : a flit is held.
    t_valid, t_address, t_data : write port of the table (ignored where the table is fixed).
    r_valid, r_address, r_data : of a readable tile: the word of the address, a cycle later; no flit may come.
    """

    def __init__(self, tile: TileSpec, flit: FlitSpec, n_keys: int, init=(), *, writable: bool):
        self._tile, self._flit, self._init, self._writable = tile, flit, list(init), writable
        self._per_key = max((len(e) for e in tile.entries.values()), default=1)
        self._depth = n_keys * self._per_key
        super().__init__({
            "flits": In(stream.Signature(flit_layout(flit))), "busy": Out(1),
            "w_valid": Out(1), "w_list": Out(ceil_log2(len(tile.lists))), "w_slot": Out(ceil_log2(tile.slots)),
            "w_data": Out(event_layout(tile)),
            "t_valid": In(1), "t_address": In(range(max(self._depth, 1))), "t_data": In(axon_entry_layout(tile)),
            **({"r_valid": In(1), "r_address": In(20), "r_data": Out(axon_entry_layout(tile))} if tile.readable else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile, layout = self._tile, axon_entry_layout(self._tile)
        held, flit = Signal(), Signal(flit_layout(self._flit))
        number, last = Signal(range(self._per_key)), Signal()
        entry = Signal(layout)

        address = flit.key * self._per_key + number if self._per_key > 1 else flit.key
        if self._writable:
            m.submodules.table = table = memory.Memory(shape=unsigned(layout.size), depth=self._depth, init=self._init)
            write, read = table.write_port(), table.read_port(domain="comb")
            m.d.comb += [write.addr.eq(self.t_address), write.data.eq(self.t_data), write.en.eq(self.t_valid), read.addr.eq(address),
                         entry.eq(read.data)]
            if tile.readable:
                with m.If(self.r_valid):
                    m.d.comb += read.addr.eq(self.r_address)
                m.d.sync += self.r_data.eq(read.data)
        else:
            # Only the keys that arrive here: with one of them the table is a constant.
            words = {key * self._per_key + k: self._init[key * self._per_key + k]
                     for key, entries in tile.entries.items() for k in range(len(entries))}
            if len(words) == 1:
                m.d.comb += entry.eq(next(iter(words.values())))
            else:
                with m.Switch(address):
                    for where, word in words.items():
                        with m.Case(where):
                            m.d.comb += entry.eq(word)
        m.d.comb += [last.eq(entry.last if self._per_key > 1 else 1), self.busy.eq(held), self.flits.ready.eq(~held | last)]
        with m.If(self.flits.ready):
            m.d.sync += [held.eq(self.flits.valid), flit.eq(self.flits.payload)]
        if self._per_key > 1:
            with m.If(held):
                m.d.sync += number.eq(Mux(last, 0, number + 1))

        payload = flit.payload
        if tile.payload_kind == "sign":
            payload = flit.payload < 0
        elif tile.payload_kind == "graded" and not self._flit.payload_bits:
            payload = 1
        m.d.comb += [self.w_valid.eq(held), self.w_list.eq(entry.list), self.w_slot.eq(flit.time + entry.delay),
                     self.w_data.axon.eq(flit.neuron + entry.base), self.w_data.payload.eq(payload)]
        return m
