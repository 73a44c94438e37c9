"""Event queue of a tile: for each list of each group and each future timestep slot the axons that fired."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import TileSpec

__all__ = ["EventQueue", "event_layout"]

# Up to this many entries the list is distributed RAM with a register behind; beyond, block RAM. Both take one cycle.
_DISTRIBUTED_DEPTH = 128


def event_layout(tile: TileSpec) -> data.StructLayout:
    """{axon, payload}: payload is empty for unit spikes, 1 bit (negative) for signed spikes, signed for graded events."""
    payload = signed(tile.payload_bits) if tile.payload_kind == "graded" else unsigned(tile.payload_bits)
    return data.StructLayout({"axon": unsigned(tile.axon_bits), "payload": payload})


class EventQueue(wiring.Component):
    """Lists of events, one per :attr:`TileSpec.lists` and slot, re-readable until cleared.

    A write appends in the cycle of ``w_valid`` and counts from the next cycle on. ``r_data`` is entry ``r_index`` of the list
    (``r_list``, ``r_slot``), one cycle after the address; ``clear`` empties that list, ``clear_all`` every list. ``count`` is the
    length of the list (``count_list``, ``count_slot``), combinationally. There is no backpressure: a list has room for every axon of its port,
    and an axon is written at most once per slot, so it cannot overflow (proved in tests/formal).

    Parameters
    ----------
    tile : :class:`TileSpec`

    Members
    -------
    w_valid, w_list, w_slot, w_data : append port.
    r_list, r_slot, r_index, r_data : read port.
    count_list, count_slot, count : length port.
    clear, clear_all : see above.
    """

    def __init__(self, tile: TileSpec):
        self._tile = tile
        number, slot = ceil_log2(len(tile.lists)), ceil_log2(tile.slots)
        axons = max(tile.list_axons(k) for k in range(len(tile.lists)))
        super().__init__({
            "w_valid": In(1), "w_list": In(number), "w_slot": In(slot), "w_data": In(event_layout(tile)),
            "r_list": In(number), "r_slot": In(slot), "r_index": In(tile.axon_bits), "r_data": Out(event_layout(tile)),
            "count_list": In(number), "count_slot": In(slot), "count": Out(range(axons + 1)), "clear": In(1), "clear_all": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        n_lists = len(tile.lists) * tile.slots
        w_place, r_place, count_place = (Cat(self.w_slot, self.w_list), Cat(self.r_slot, self.r_list),
                                         Cat(self.count_slot, self.count_list))

        counts = [Signal.like(self.count, name=f"count_{k}") for k in range(n_lists)]
        w_index, w_count = Signal(tile.axon_bits), Signal.like(self.count)
        for k, count in enumerate(counts):
            # The list that is walked and cleared is never the one written to: its timestep's events are complete.
            with m.If(self.clear_all | (self.clear & (r_place == k))):
                m.d.sync += count.eq(0)
            with m.Elif(self.w_valid & (w_place == k)):
                m.d.sync += count.eq(w_count + 1)
        m.d.comb += [w_count.eq(Array(counts)[w_place] if n_lists > 1 else counts[0]), w_index.eq(w_count),
                     self.count.eq(Array(counts)[count_place] if n_lists > 1 else counts[0])]

        width = Shape.cast(event_layout(tile)).width
        if width == 0:  # a single axon with unit payload: the count says it all
            return m
        width, depth = tile.queue_size
        # A list without axons, as the first of a group that only convolutions lead to, takes no place.
        held = [k for k in range(len(tile.lists)) if tile.list_axons(k)] or [0]
        if len(held) < len(tile.lists) and tile.memories == "distributed":
            number = [held.index(k) if k in held else 0 for k in range(len(tile.lists))]
            w_place, r_place = (Cat(slot, Array(Const(n, ceil_log2(len(held))) for n in number)[which]) if len(held) > 1 else slot
                                for slot, which in ((self.w_slot, self.w_list), (self.r_slot, self.r_list)))
            depth = len(held) * tile.slots << tile.axon_bits
        m.submodules.entries = entries = memory.Memory(shape=unsigned(width), depth=depth, init=[])
        write = entries.write_port()
        m.d.comb += [write.addr.eq(self._address(w_index, w_place)), write.data.eq(self._folded(self.w_data)), write.en.eq(self.w_valid)]
        if depth <= _DISTRIBUTED_DEPTH and tile.memories == "distributed":
            read = entries.read_port(domain="comb")
            m.d.sync += self.r_data.eq(self._unfolded(read.data))
        else:
            # No list is read while it is written: it does not matter what a word being written reads as. The new one is the cheapest here.
            read = entries.read_port(transparent_for=(write,) if tile.memories != "distributed" else ())
            m.d.comb += self.r_data.eq(self._unfolded(read.data))
        m.d.comb += read.addr.eq(self._address(self.r_index, r_place))
        return m

    def _address(self, index, place):
        """Of an entry of a list: lists lie behind each other, as far apart as the longest is long."""
        if self._tile.memories == "distributed":
            return Cat(index, place)
        n = len(self._tile.lists) * self._tile.slots
        apart = self._tile.queue_size[1] // n
        return index + (Array(k * apart for k in range(n))[place] if n > 1 else 0)

    def _folded(self, event):
        """What the memory holds of an event, see :attr:`TileSpec.folded_bits`."""
        low, width = self._tile.folded_bits, self._tile.queue_size[0]
        if low is None:
            return event.as_value()
        whole = Cat(event.payload[:self._tile.stored_payload_bits], event.axon[:low])
        return Mux(event.axon >= 1 << low, event.axon | 1 << width - 1, whole)

    def _unfolded(self, word):
        """The event that the memory holds."""
        tile, low = self._tile, self._tile.folded_bits
        if low is None:
            return word
        bits = tile.stored_payload_bits
        one = 1 if tile.payload_kind == "graded" else 0  # of a tile with signs, the payload says that it is negative
        # Of a payload without a sign bit the one that is missing is 0.
        beside = Cat(word[bits:bits + low], Const(0, tile.axon_bits - low), word[:bits], Const(0, tile.payload_bits - bits))
        return Mux(word[-1], Cat(word[:tile.axon_bits], Const(one, tile.payload_bits)), beside)
