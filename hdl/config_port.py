"""Configuration port: writes of the tiles' memories, 32 bits at a time, and requests to read them."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..spec.chip import ChipSpec
from ..spec.settings import WORD, settings_words
from .axon_table import axon_entry_layout
from .scatter import sparse_word_layout
from .synapse_lanes import weight_row_layout
from .tile import MemoryKind
from .update import parameter_layout, state_layout
from .window_walk import pointer_layout

__all__ = ["ConfigPort", "config_layout", "memory_words", "readable_words"]


def config_layout(chip: ChipSpec) -> data.StructLayout:
    """{tile, memory, address, data, last}, and on a chip with a readback port {read}."""
    return data.StructLayout({"tile": 8, "memory": 3, "address": 20, "data": 32, "last": 1, **({"read": 1} if chip.reads else {})})


def memory_words(chip: ChipSpec, index: int) -> dict[int, tuple[int, int]]:
    """Depth and width of each configurable memory of a tile, by :class:`MemoryKind`."""
    tile = chip.tiles[index]
    per_key = max((len(e) for e in tile.entries.values()), default=1)
    memories = {MemoryKind.WEIGHTS: (tile.weight_depth, weight_row_layout(tile).size),
                MemoryKind.AXONS: (len(chip.keys) * per_key, axon_entry_layout(tile).size)}
    if tile.has_words:
        memories[MemoryKind.SPARSE] = (tile.sparse_depth, sparse_word_layout(tile).size)
    if tile.has_sparse:
        memories[MemoryKind.POINTERS] = (tile.pointer_depth, pointer_layout(tile).size)
    if not tile.constant_parameters:
        memories[MemoryKind.PARAMETERS] = (tile.n_updates, parameter_layout(tile).size)
    memories[MemoryKind.STATE] = (tile.n_updates, state_layout(tile).size)
    if chip.capacity and index == 0:
        memories[MemoryKind.SETTINGS] = (settings_words(chip), WORD)
    return memories


def readable_words(chip: ChipSpec, index: int) -> dict[int, tuple[int, int]]:
    """The same of those memories that can be read."""
    tile, memories = chip.tiles[index], memory_words(chip, index)
    return memories if tile.readable else {kind: size for kind, size in memories.items() if kind == MemoryKind.STATE and tile.keeps_v}


class ConfigPort(wiring.Component):
    """Collects the 32 bit parts of a word, lowest first; checks it in the cycle after the one marked ``last``, writes it in the next.

    One part per cycle while ``quiet`` is high, and none in those two; otherwise it waits. A word for a tile, memory or address that
    does not exist is not written and raises ``error``, as does a word with more or fewer parts than its memory needs. Written
    memories act at once, but the stored state holds bias and decay of the timestep before: RESET after changing parameters, or write the
    states, too.

    On a chip with a readback port, a part with ``last`` and ``read`` asks for a word instead: one part, whose ``data`` means nothing.
    It takes the same cycles, and is handed to :class:`~spikeloom.hdl.readback.Readback`. A request for what does not exist, or cannot be read, raises
    ``error`` and is handed on as one without a tile, so that each request has its answer.

    Members
    -------
    config : from the host.
    quiet : from the sequencer.
    write : bit per tile: a word is written in this cycle; ``memory``, ``address``, ``word`` say what.
    read, asked : bit per tile: a word is asked for; set for one cycle, with ``asked``, which is all that a refused request sets.
    busy : a request is being checked or handed on: no phase may begin.
    error : a bad write or request was refused; stays until reset.
    """

    def __init__(self, chip: ChipSpec):
        self._chip = chip
        widest = max(width for k in range(len(chip.tiles)) for _, width in memory_words(chip, k).values())
        self._parts = -(-widest // 32)
        super().__init__({
            "config": In(stream.Signature(config_layout(chip))), "quiet": In(1), "write": Out(len(chip.tiles)), "memory": Out(3),
            "address": Out(20), "word": Out(32 * self._parts), "error": Out(1),
            **({"read": Out(len(chip.tiles)), "asked": Out(1), "busy": Out(1)} if chip.reads else {}),
        })

    def elaborate(self, platform):
        m = Module()
        chip, item = self._chip, self.config.payload
        part, parts, checking, tile = Signal(range(self._parts + 1)), Signal(range(self._parts + 2)), Signal(), Signal(8)
        reading = Signal()  # what is being checked is a request
        acting = self.write.any() | self.asked if chip.reads else self.write.any()
        m.d.comb += self.config.ready.eq(self.quiet & ~checking & ~acting)
        m.d.sync += checking.eq(0)
        with m.If(self.config.valid & self.config.ready):
            for k in range(self._parts):
                with m.If(part == k):
                    m.d.sync += self.word[32 * k:32 * k + 32].eq(item.data)
            # ``part`` stops behind the widest word, so that a longer one counts as too long by one at least.
            m.d.sync += [self.memory.eq(item.memory), self.address.eq(item.address), tile.eq(item.tile), checking.eq(item.last),
                         part.eq(Mux(item.last, 0, Mux(part == self._parts, part, part + 1))), parts.eq(part + 1)]
            if chip.reads:
                m.d.sync += reading.eq(item.read)
        exists, readable = Signal(len(chip.tiles)), Signal(len(chip.tiles))
        found = Mux(reading, readable, exists) if chip.reads else exists
        for k in range(len(chip.tiles)):
            for kind, (depth, width) in memory_words(chip, k).items():
                if width:
                    with m.If((tile == k) & (self.memory == kind) & (self.address < depth)):
                        m.d.comb += exists[k].eq(parts == -(-width // 32))
                        if kind in readable_words(chip, k):
                            m.d.comb += readable[k].eq(parts == 1)
        # A register between check and write: the memories are many, and far away.
        writes = checking & ~reading if chip.reads else checking
        m.d.sync += self.write.eq(exists & writes.replicate(len(chip.tiles)))
        if chip.reads:
            m.d.sync += [self.read.eq(readable & (checking & reading).replicate(len(chip.tiles))), self.asked.eq(checking & reading)]
            m.d.comb += self.busy.eq((checking & reading) | self.asked)
        with m.If(checking & ~found.any()):
            m.d.sync += self.error.eq(1)
        return m
