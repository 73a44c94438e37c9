"""The plan of a tile: what it owns, its memories and widths, and the cycles of its pipeline."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .arithmetic import bits_signed, bits_unsigned
from .runs import Run
from .update import UpdateSpec
from .window import Steps, WindowSpec

__all__ = ["MAIN", "MEMORIES", "SIDE", "SPARSE", "SPRAM_DEPTH", "SPRAM_WIDTH", "AxonEntry", "GroupSpec", "ParameterSpec", "SparseSpec",
           "TileSpec", "places", "pointer_fields"]

# Event lists of a group: port ``i``, its other port (gate or block), and port ``i`` of what is scattered: sparse projections and convolutions.
MAIN, SIDE, SPARSE = range(3)

# What a device has for a tile's memories: also distributed RAM, which is read at once; block RAM alone; block RAM, and single-port RAM for weights.
MEMORIES = ("distributed", "block", "spram")
SPRAM_WIDTH, SPRAM_DEPTH = 16, 16384  # of an SB_SPRAM256KA


def places(size: int, positions: int, lanes: int) -> np.ndarray:
    """Where ``size`` neurons of a map with so many positions are on a tile, ``row * lanes + lane``; ``[size], int64``."""
    channel, place = np.divmod(np.arange(size), positions)
    return (channel // lanes * positions + place) * lanes + channel % lanes


@dataclass(frozen=True, kw_only=True)
class SparseSpec:
    """What is scattered onto a group: per axon its words of P synapses, one per lane at most, and how many synapses exist.

    Sparse synapses lie in the lane of their neuron, so an axon takes as many words as its fullest lane has synapses; ``weight_bits`` is the width
    of such a weight (0 where there are none). ``windows`` are convolutions: their axons' words are those of the window, and lie with those of dense
    projections, once.
    """

    words: tuple[int, ...]
    synapses: tuple[int, ...]
    weight_bits: int
    windows: tuple[WindowSpec, ...] = ()

    @property
    def stored_words(self) -> int:
        """Words of sparse synapses."""
        return sum(self.words) - sum(sum(self.words[w.axon:w.axon + w.axons]) for w in self.windows)

    @property
    def has_words(self) -> bool:
        """Whether any of its axons has sparse synapses."""
        return len(self.words) > sum(w.axons for w in self.windows)


def _walks(scattered: Sequence[SparseSpec], lanes: int) -> tuple[Steps | None, ...]:
    found: list[Steps | None] = [None] * any(s.has_words for s in scattered)
    return tuple(dict.fromkeys(found + [w.steps(lanes) for s in scattered for w in s.windows]))


def pointer_fields(scattered: Sequence[SparseSpec], lanes: int, row_bits: int, sparse_depth: int, weight_depth: int) -> dict[str, int]:
    """:attr:`TileSpec.pointer_fields` of a tile with these scattered lists and memories."""
    windows = [w.pointers(lanes) for s in scattered for w in s.windows]

    def widest(name: str) -> int:
        return max((int(getattr(p, name).max()) for p in windows), default=0)

    # A memory has bits, even if no synapse exists.
    count = max(max((max(s.words) for s in scattered if s.has_words), default=0), widest("count"), 1)
    bits = {"first": bits_unsigned(max(sparse_depth, weight_depth if windows else 1) - 1), "count": bits_unsigned(count)}
    if windows:
        bits |= {"row": row_bits, **{name: bits_unsigned(widest(name)) for name in ("lines", "blocks", "part")},
                 "walk": bits_unsigned(len(_walks(scattered, lanes)) - 1)}
    return bits


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """A slice of one population on a tile: neurons ``first`` .. ``first + size - 1``; of a map that is cut by rows (``pitch`` is not 0) runs of
    ``positions`` neurons, ``pitch`` apart, whose numbers in flits are ``apart`` from each other (0: ``positions``).

    ``key`` is the source key of its events (None if nobody listens), ``level`` the phase of its timestep 0 (sigma),
    ``axons`` the number of its input lines, ``side_axons`` of those into its other port (gate or block; 0 if it has none), ``sparse`` those
    that are scattered (None if there are none);
    ``positions`` are the places of its (part of the) map: neuron ``channel * positions + place`` (1 where no convolution leads to it);
    ``theta``, ``bias``, ``gate_bias`` and ``jump`` are its parameters where the tile keeps them as constants.
    """

    population: str
    first: int
    size: int
    key: int | None
    level: int
    axons: int
    update: UpdateSpec
    side_axons: int = 0
    sparse: SparseSpec | None = None
    theta: int = 0
    bias: int = 0
    gate_bias: int = 0
    jump: int = 0
    positions: int = 1
    pitch: int = 0
    apart: int = 0

    @property
    def neurons(self) -> np.ndarray:
        """Numbers of its neurons in the population, ``[size], int64``, ascending."""
        return Run(self.first, self.size, self.positions if self.pitch else 0, self.pitch).neurons

    @property
    def channels(self) -> int:
        """Channels of its map; neurons where it has none."""
        return self.size // self.positions


class AxonEntry(NamedTuple):
    """What an arriving event is for a tile: axon ``base + neuron`` of the list ``port`` of group ``group``, ``delay`` timesteps later."""

    group: int
    base: int
    delay: int
    port: int = MAIN


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """A parameter that a tile's memory holds for each neuron: ``theta``, ``bias``, ``gate_bias``, ``jump``, ``beta``, ``alpha`` or ``v_init``."""

    name: str
    bits: int
    signed: bool


@dataclass(frozen=True, kw_only=True)
class TileSpec:
    """One tile.

    Parameters
    ----------
    lanes : P, synapses per clock.
    update_lanes : U, neuron updates per clock; a power of two that divides P.
    slots : S, timesteps of events a group can hold; a power of two.
    groups : the slices it owns, in the order in which a phase works on them.
    entries : source key -> axon entries, in the order in which they are written (at least one per key).
    payload_min, payload_max : range of payloads over all its axons.
    weight_bits : width of a stored weight, or index.
    accumulator_bits : width of an accumulator, from the worst case of its weights.
    theta_bits, bias_bits : widths of the parameters (theta unsigned, bias two's complement; 0 if always zero).
    constant_parameters : theta, bias, gate_bias and jump are constants of the groups instead of a memory.
    parameters : what the memory holds of each neuron beside theta and bias.
    codebooks : per list (see ``lists``) the weights that its indices stand for, empty where weights are stored; empty if that is so for all lists.
    shared : per list the list whose weights it reads (of a scattered list: and pointers), itself where it has its own; empty if that is so for all
        lists. Windows of different lists read the same words where their matrix, their channels and the list's codebook are the same.
    keeps_v : the state memory also holds v and i of the last timestep, and can be read.
    readable : every memory that can be written can be read.
    memories : one of :data:`MEMORIES`. With "spram", weights are in single-port memories, which hold nothing at power-up.
    shifts : per list how far its weights are shifted to the left when they are read: (first axon, shift), ascending, up to the next one's axon;
        empty where weights are stored as they are accumulated.
    graded_axons : events of axons from this one on always have payload 1, in every list; None where nothing is known.
    loadable : of an overlay: what ``groups`` and ``entries`` say is the most that a loaded network may have; its own shape is in registers.
    weight_words : of an overlay: words of the weight memory; None where the groups say it.
    """

    lanes: int
    update_lanes: int
    slots: int
    groups: tuple[GroupSpec, ...]
    entries: Mapping[int, tuple[AxonEntry, ...]]
    payload_min: int
    payload_max: int
    weight_bits: int
    accumulator_bits: int
    theta_bits: int
    bias_bits: int
    constant_parameters: bool
    parameters: tuple[ParameterSpec, ...] = ()
    codebooks: tuple[tuple[int, ...], ...] = ()
    shared: tuple[int, ...] = ()
    keeps_v: bool = False
    readable: bool = False
    memories: str = "distributed"
    shifts: tuple[tuple[tuple[int, int], ...], ...] = ()
    graded_axons: int | None = None
    loadable: bool = False
    weight_words: int | None = None

    def __post_init__(self) -> None:
        if self.memories not in MEMORIES:
            raise ValueError(f"Memories must be one of {', '.join(MEMORIES)}, not {self.memories!r}")
        if self.lanes < 1 or self.update_lanes < 1 or self.update_lanes & (self.update_lanes - 1) or self.lanes % self.update_lanes:
            raise ValueError(f"Update lanes must be a power of two that divides the lanes, not {self.update_lanes} of {self.lanes}")
        if self.slots < 1 or self.slots & (self.slots - 1):
            raise ValueError(f"Slots must be a power of two, not {self.slots}")

    @property
    def beats(self) -> int:
        """P / U: cycles that the update of one row of P neurons takes."""
        return self.lanes // self.update_lanes

    def rows(self, group: int) -> int:
        """Rows of P neurons in a group: of a map, P channels at one of its places."""
        return -(-self.groups[group].size // (self.lanes * self.groups[group].positions)) * self.groups[group].positions

    def part(self, group: int) -> int:
        """Neurons of each of a group's last rows (of a map as many as it has places), where they are fewer than P; otherwise 0."""
        return self.groups[group].channels % self.lanes

    @property
    def has_map_parts(self) -> bool:
        """Whether a map has rows with fewer than P neurons."""
        return any(g.positions > 1 and g.channels % self.lanes for g in self.groups)

    def places(self, group: int) -> np.ndarray:
        """Where each neuron of a group is, ``row * P + lane``; ``[size], int64``."""
        return places(self.groups[group].size, self.groups[group].positions, self.lanes)

    @cached_property
    def lists(self) -> tuple[tuple[int, int], ...]:
        """(group, port) of each event list: MAIN of each group, and behind it SIDE and SPARSE where there is one."""
        return tuple((g, port) for g, group in enumerate(self.groups)
                     for port, there in ((MAIN, True), (SIDE, group.side_axons > 0), (SPARSE, group.sparse is not None)) if there)

    def list_of(self, group: int, port: int = MAIN) -> int:
        """Number of the event list of a group's port."""
        return self.lists.index((group, port))

    def shares(self, group: int, port: int) -> bool:
        """Whether a group's list of a port reads what another's before it stores."""
        return bool(self.shared) and (group, port) in self.lists and self.shared[self.list_of(group, port)] != self.list_of(group, port)

    def list_axons(self, number: int) -> int:
        """Axons of an event list."""
        index, port = self.lists[number]
        group = self.groups[index]
        return (group.axons, group.side_axons, len(group.sparse.words) if group.sparse else 0)[port]

    @property
    def has_sides(self) -> bool:
        """Whether a group has a port beside ``i``."""
        return any(g.side_axons for g in self.groups)

    @property
    def has_sparse(self) -> bool:
        """Whether a group has projections that are scattered."""
        return any(g.sparse is not None for g in self.groups)

    @property
    def has_words(self) -> bool:
        """Whether a group has synapses that are stored one by one."""
        return any(g.sparse is not None and g.sparse.has_words for g in self.groups)

    @property
    def has_windows(self) -> bool:
        """Whether a convolution leads to a group."""
        return any(g.sparse is not None and g.sparse.windows for g in self.groups)

    @cached_property
    def walks(self) -> tuple[Steps | None, ...]:
        """The different ways to go through an axon's words: None one after the other (sparse synapses), and the steps of windows."""
        return _walks([g.sparse for g in self.groups if g.sparse], self.lanes)

    @property
    def row_bits(self) -> int:
        """Width of the row of a synapse that is stored by itself."""
        return bits_unsigned(max(self.rows(g) for g in range(len(self.groups))) - 1)

    @property
    def sparse_weight_bits(self) -> int:
        """Width of a weight that is stored by itself; 0 if none is."""
        return max((g.sparse.weight_bits for g in self.groups if g.sparse), default=0)

    def sparse_base(self, group: int) -> int:
        """Address of the first sparse word of a group; its axons' words follow each other, those of windows left out."""
        return sum(g.sparse.stored_words for _, g in self._scattered(group) if g.sparse)

    def pointer_base(self, group: int) -> int:
        """Address of the pointer of a group's first scattered axon."""
        return sum(len(g.sparse.words) for _, g in self._scattered(group) if g.sparse)

    def _scattered(self, group: int) -> list[tuple[int, GroupSpec]]:
        """Groups whose scattered lists have storage of their own, before the one that holds that of ``group``."""
        found = [(k, g) for k, g in enumerate(self.groups) if g.sparse is not None]
        if self.shared:
            owner = {k: self.lists[self.shared[self.list_of(k, SPARSE)]][0] for k, _ in found}
            found, group = [(k, g) for k, g in found if owner[k] == k], owner.get(group, group)
        return [(k, g) for k, g in found if k < group]

    @property
    def sparse_depth(self) -> int:
        """Words of the sparse weight memory, each P of {row, weight}."""
        return self.sparse_base(len(self.groups))

    @property
    def pointer_depth(self) -> int:
        """Pointers to words: one per scattered axon."""
        return self.pointer_base(len(self.groups))

    @cached_property
    def pointer_fields(self) -> dict[str, int]:
        """Widths of a pointer's fields, lowest first: the first word and the number of words; where there are windows, those of a line, and the row
        of the first, lines and blocks (less 1), part of the lanes, and which of the ``walks`` it is."""
        return pointer_fields([g.sparse for g in self.groups if g.sparse], self.lanes, self.row_bits, self.sparse_depth, self.weight_depth)

    @property
    def pointer_bits(self) -> tuple[int, ...]:
        """The widths alone."""
        return tuple(self.pointer_fields.values())

    def weight_base(self, number: int) -> int:
        """Address of the first weight word of a list; the word of (row, axon) follows at row * axons + axon. Of a scattered list it is that of its
        first window (:meth:`window_base`)."""
        return self._weights[0][number]

    def window_base(self, number: int, window: int) -> int:
        """Address of the first weight word of a window of a scattered list (:mod:`.window`)."""
        return self._weights[1][number, window]

    @cached_property
    def _weights(self) -> tuple[list[int], dict[tuple[int, int], int], int]:
        """First words of lists and of windows, and all words: list after list, what is shared where it comes first."""
        bases: list[int] = []
        windows: dict[tuple[int, int], int] = {}
        kernels: dict[Hashable, int] = {}
        end = 0
        for number, (group, port) in enumerate(self.lists):
            owner, sparse = self.shared[number] if self.shared else number, self.groups[group].sparse
            bases.append(end if owner == number else bases[owner])
            if owner == number and port != SPARSE:
                end += self.rows(group) * self.list_axons(number)
            for k, window in enumerate(sparse.windows if sparse and port == SPARSE else ()):
                same = (window.matrix, window.first, window.channels, self.codebook(number)) if window.matrix else (number, k)
                if owner != number:
                    windows[number, k] = windows[owner, k]
                elif same in kernels:
                    windows[number, k] = kernels[same]
                else:
                    windows[number, k] = kernels[same] = end
                    end += window.words(self.lanes)
            if (number, 0) in windows:
                bases[number] = windows[number, 0]
        return bases, windows, end

    def codebook(self, number: int) -> tuple[int, ...]:
        """What the indices of a list stand for; empty where its weights are stored as they are."""
        return self.codebooks[number] if self.codebooks else ()

    def axon_shifts(self, number: int) -> np.ndarray:
        """How far the stored weights of each axon of a list are shifted when they are read; ``[axons], int64``."""
        shifts = np.zeros(self.list_axons(number), dtype=np.int64)
        for first, shift in self.shifts[number] if self.shifts else ():
            shifts[first:] = shift
        return shifts

    @property
    def sprams(self) -> int:
        """Single-port memories that its weights take."""
        return -(-self.lanes * self.weight_bits // SPRAM_WIDTH) * -(-self.weight_depth // SPRAM_DEPTH) if self.memories == "spram" else 0

    @property
    def value_weight_bits(self) -> int:
        """Width of a weight as it is accumulated."""
        if self.shifts:
            return self.weight_bits + max(shift for listed in self.shifts for _, shift in listed)
        plain = any(not self.codebook(k) for k in range(len(self.lists)))
        return max([bits_signed(min(book), max(book)) for book in self.codebooks if book] + [self.weight_bits] * plain)

    def update_base(self, group: int) -> int:
        """Index of the first update (U neurons) of a group."""
        return sum(self.rows(g) * self.beats for g in range(group))

    @property
    def weight_depth(self) -> int:
        """Words of the weight memory, each ``lanes * weight_bits`` wide."""
        return self._weights[2] if self.weight_words is None else self.weight_words

    @property
    def n_updates(self) -> int:
        """Updates per timestep: words of the state and parameter memories."""
        return self.update_base(len(self.groups))

    @property
    def fields(self) -> tuple[ParameterSpec, ...]:
        """Parameters of a neuron in the order in which they lie in a word of the memory, lowest first."""
        return (ParameterSpec(name="theta", bits=self.theta_bits, signed=False), ParameterSpec(name="bias", bits=self.bias_bits, signed=True),
                *self.parameters)

    @property
    def axon_bits(self) -> int:
        """Width of an axon number within a list."""
        return bits_unsigned(max(self.list_axons(k) for k in range(len(self.lists))) - 1)

    @property
    def payload_kind(self) -> str:
        """``"unit"`` (always 1), ``"sign"`` (+1 or -1) or ``"graded"``."""
        if (self.payload_min, self.payload_max) == (1, 1):
            return "unit"
        return "sign" if self.payload_min >= -1 and self.payload_max <= 1 else "graded"

    @property
    def payload_bits(self) -> int:
        """Bits of payload in the event queue (signed where graded; the sign alone where +1 or -1)."""
        return {"unit": 0, "sign": 1, "graded": bits_signed(min(self.payload_min, 0), max(self.payload_max, 0))}[self.payload_kind]

    @property
    def stored_payload_bits(self) -> int:
        """Bits of a payload in an event queue that is folded: without a sign where none is negative."""
        return self.payload_bits - (self.payload_kind == "graded" and self.payload_min >= 0)

    @property
    def folded_bits(self) -> int | None:
        """Bits of an axon number that lie beside a payload in the event queue; an event of a higher axon has the whole number in their place, and
        payload 1. A bit says which. None where that takes no fewer bits than number and payload do."""
        if self.memories == "distributed" or self.graded_axons is None or self.payload_kind == "unit":
            return None
        low = bits_unsigned(max(self.graded_axons - 1, 0))
        folded = 1 + max(low + self.stored_payload_bits, self.axon_bits)
        return low if folded < self.axon_bits + self.payload_bits else None

    @property
    def queue_size(self) -> tuple[int, int]:
        """(width, depth) of the event queue's memory: a list per slot and number of list, as long as the longest; a power of two unless each block
        RAM counts."""
        low, longest = self.folded_bits, max(self.list_axons(k) for k in range(len(self.lists)))
        width = self.axon_bits + self.payload_bits if low is None else 1 + max(low + self.stored_payload_bits, self.axon_bits)
        return width, len(self.lists) * self.slots * (1 << self.axon_bits if self.memories == "distributed" else longest)

    @property
    def term_bits(self) -> int:
        """Width of a weight times a payload."""
        return self.value_weight_bits + {"unit": 0, "sign": 1, "graded": self.payload_bits}[self.payload_kind]

    @property
    def stored_bits(self) -> int:
        """Width of the stored state u, the widest group's."""
        bounds = [g.update.stored_bounds(self.theta_bits, self.bias_bits) for g in self.groups]
        starts = [g.update.v_init or 0 for g in self.groups]
        return bits_signed(min(0, *starts, *(low for low, _ in bounds)), max(0, *starts, *(high for _, high in bounds)))

    @property
    def current_bits(self) -> int:
        """Width of the stored current, the widest group's; 0 if no group has one."""
        bounds = [g.update.current_bounds(self.bias_bits) for g in self.groups if g.update.has_current]
        return bits_signed(min(low for low, _ in bounds), max(high for _, high in bounds)) if bounds else 0

    @property
    def a_bits(self) -> int:
        """Width of the stored rise of the threshold; 0 if no group adapts."""
        return max(g.update.a_bits for g in self.groups)

    @property
    def quiet_bits(self) -> int:
        """Width of the stored count of refractory timesteps; 0 if no group has one."""
        return max(g.update.quiet_bits for g in self.groups)

    @property
    def taken_bits(self) -> int:
        """Width of the stored theta * n of gated neurons that fire several times; 0 if there are none."""
        return max((g.update.v_bits - 1 for g in self.groups if g.update.keeps_taken), default=0)

    @property
    def marks_spent(self) -> bool:
        """Whether the state holds the bit that says that the neuron fired."""
        return any(g.update.marks_spent for g in self.groups)

    @property
    def state_fields(self) -> tuple[ParameterSpec, ...]:
        """What the state memory holds of a neuron, in the order in which it lies in a word, lowest first (docs/architecture.md, section 3)."""
        kept = [g.update for g in self.groups if self.keeps_v]
        fields = (("u", self.stored_bits, True), ("current", self.current_bits, True), ("a", self.a_bits, False), ("quiet", self.quiet_bits, False),
                  ("taken", self.taken_bits, False), ("spent", int(self.marks_spent), False),
                  ("sent", max(g.update.sent_bits for g in self.groups), False),
                  ("v", max((u.v_bits for u in kept), default=0), True), ("i", max((u.i_bits for u in kept), default=0), True))
        return tuple(ParameterSpec(name=name, bits=bits, signed=signed) for name, bits, signed in fields if bits)

    @property
    def state_bits(self) -> int:
        """Bits of state of one neuron."""
        return sum(f.bits for f in self.state_fields)

    @property
    def count_bits(self) -> int:
        """Width of the number of spikes of a neuron in a timestep, signed where groups send changes; 0 where it is 1 at most."""
        most = max(g.update.max_spikes for g in self.groups)
        if self.has_changes:
            return bits_signed(-most, most)
        return bits_unsigned(most) if most > 1 else 0

    @property
    def has_changes(self) -> bool:
        """Whether a group's events are changes of an activation."""
        return any(g.update.changes for g in self.groups)

    @property
    def value_bits(self) -> int:
        """Width (signed) of the payloads of its own events: v of LI groups, or numbers of spikes; 0 if all are 1."""
        values = [g.update.v_bits if g.update.values else bits_unsigned(g.update.max_spikes) + 1
                  for g in self.groups if g.key is not None and (g.update.values or g.update.counts)]
        return max([2, *values]) if values else 0

    @property
    def front_latency(self) -> int:
        """Cycles from ``start`` to the first event in the accumulators: walk, queue, weight address, memory, register (, product)."""
        return 6 if self.payload_kind == "graded" else 5

    @property
    def check_latency(self) -> int:
        """Cycles from a beat to the comparison of its membranes with their thresholds: 1, and those of the slowest drive."""
        return 1 + max(g.update.drive_latency for g in self.groups)

    @property
    def update_latency(self) -> int:
        """Cycles from a beat to its spikes and membranes: 2 where all models are plain."""
        return self.check_latency + 1 + max(g.update.quotient_latency for g in self.groups)
