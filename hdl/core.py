"""The core of a chip: tiles, network and sequencer; flits and commands at its ports."""

from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..spec.chip import ChipSpec
from ..spec.image import MemoryImage
from .fabric import Fabric
from .flit import flit_layout
from .readback import most_parts
from .sequencer import Sequencer, control_layout
from .settings import settings_layout, tile_settings_layout
from .tile import Tile, configuration_bits, counters_layout, trace_layout

__all__ = ["Core"]


class Core(wiring.Component):
    """Everything that computes; what it lacks of a chip are the host's ports (input checks, readouts, configuration).

    Parameters
    ----------
    chip : :class:`ChipSpec`
    image : :class:`~spikeloom.spec.image.MemoryImage`, initial contents of the memories.

    Members
    -------
    control : commands, see :class:`~spikeloom.hdl.sequencer.Sequencer`; so are ``start``, ``clear``, ``active``, ``timestep``, ``finish``,
        ``window``, ``read``, ``reading``, ``quiet``.
    i, o : flits from and to the host. ``error``: a flit had no route.
    host_busy : something outside is under way: the phase goes on.
    w_tile, w_memory, w_address, w_data : memory writes, ``w_tile`` one bit per tile; where ``chip.writable``.
    r_tile, r_part, r_data : reads at ``w_address``, where ``chip.reads``: part ``r_part`` of the word of the tile whose bit is set, 0 without one.
    settings : of an overlay, what it holds (:func:`~spikeloom.hdl.settings.settings_layout`).
    trace_0, ...; counters_0, ... : see :class:`~spikeloom.hdl.tile.Tile`.
    """

    def __init__(self, chip: ChipSpec, image: MemoryImage):
        self._chip, self._image = chip, image
        tiles = range(len(chip.tiles))
        widest = max(configuration_bits(t) for t in chip.tiles)
        writes = {"w_tile": In(len(chip.tiles)), "w_memory": In(3), "w_address": In(20), "w_data": In(widest)}
        if chip.reads:
            writes |= {"r_tile": In(len(chip.tiles)), "r_part": In(range(most_parts(chip))), "r_data": Out(32)}
        super().__init__({
            "control": In(stream.Signature(control_layout())),
            "start": Out(1), "clear": Out(1), "active": Out(chip.levels), "timestep": Out(1), "finish": Out(1), "window": Out(1),
            "read": Out(1), "reading": In(1), "quiet": Out(1),
            "i": In(stream.Signature(flit_layout(chip.flit))), "o": Out(stream.Signature(flit_layout(chip.flit))),
            **({"settings": In(settings_layout(chip))} if chip.capacity else {}),
            "host_busy": In(1), "error": Out(1), **(writes if chip.writable else {}),
            **{f"trace_{k}": Out(wiring.Signature(trace_layout(chip.tiles[k]))) for k in tiles},
            **({f"counters_{k}": Out(counters_layout(chip.tiles[k])) for k in tiles} if chip.counters else {}),
        })

    def elaborate(self, platform):
        m = Module()
        chip = self._chip
        m.submodules.sequencer = sequencer = Sequencer(levels=chip.levels, period=chip.period, loadable=chip.capacity is not None)
        m.submodules.fabric = fabric = Fabric(chip.fabric, chip.flit, len(chip.tiles), loadable=chip.capacity is not None)
        if chip.capacity:
            self._route(m, fabric)
            m.d.comb += [sequencer.last_phase.eq(self.settings.period), sequencer.drain.eq(self.settings.drain)]
        connect(m, flipped(self.control), sequencer.control)
        connect(m, flipped(self.i), fabric.host_i)
        connect(m, fabric.host_o, flipped(self.o))
        m.d.comb += [getattr(self, name).eq(getattr(sequencer, name))
                     for name in ("start", "clear", "active", "timestep", "finish", "window", "read", "quiet")]
        m.d.comb += [sequencer.reading.eq(self.reading), self.error.eq(fabric.error)]
        busy, read = [fabric.busy, self.host_busy], []
        for k, spec in enumerate(chip.tiles):
            m.submodules[f"tile_{k}"] = tile = Tile(spec, chip.flit, len(chip.keys), self._image.tiles[k].words(spec),
                                                    writable=chip.writable, counters=chip.counters,
                                                    settings=tile_settings_layout(chip, k) if chip.capacity else None)
            connect(m, fabric.tile_o[k], tile.i)
            connect(m, tile.o, fabric.tile_i[k])
            connect(m, flipped(getattr(self, f"trace_{k}")), tile.trace)
            m.d.comb += [tile.start.eq(sequencer.start), tile.clear.eq(sequencer.clear)]
            if chip.capacity:
                held = self.settings.tiles[str(k)]
                m.d.comb += [tile.settings.eq(held), tile.active.eq(held.used & sequencer.active.bit_select(held.level, 1))]
            else:
                m.d.comb += [tile.active[g].eq(sequencer.active[group.level - 1]) for g, group in enumerate(spec.groups)]
            if chip.writable:
                m.d.comb += [tile.w_valid.eq(self.w_tile[k]), tile.w_memory.eq(self.w_memory), tile.w_address.eq(self.w_address),
                             tile.w_data.eq(self.w_data)]
            if spec.keeps_v or spec.readable:
                m.d.comb += [tile.r_valid.eq(self.r_tile[k]), tile.r_part.eq(self.r_part)]
                read.append(tile.r_data & self.r_tile[k].replicate(32))
            if chip.counters:
                m.d.comb += getattr(self, f"counters_{k}").eq(tile.counters)
            busy.append(tile.busy)
        if chip.reads:
            m.d.comb += self.r_data.eq(reduce(or_, read))
        m.d.comb += sequencer.idle.eq(~Cat(*busy).any())
        return m

    def _route(self, m, fabric):
        """Where the flits of an overlay go: a tile has one key, an input of the host one of its own."""
        key, masks = self.i.payload.key, fabric.masks
        for number in range(len(self._chip.inputs)):
            of = self.settings.inputs[str(number)]
            with m.If(of.used & (key == of.key)):
                m.d.comb += masks[0].eq(of.routes)
        m.d.comb += [masks[k + 1].eq(self.settings.tiles[str(k)].routes) for k in range(len(self._chip.tiles))]
