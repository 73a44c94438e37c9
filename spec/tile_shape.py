"""What a tile owns: lanes, groups, and the lists of events that are walked for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .axon import MAIN, SIDE, SPARSE, AxonEntry
from .group import GroupSpec, places
from .parameter import ParameterSpec

__all__ = ["MEMORIES", "TileShape"]

# What a device has for a tile's memories: also distributed RAM, which is read at once; block RAM alone; block RAM, and single-port RAM for weights.
MEMORIES = ("distributed", "block", "spram")


@dataclass(frozen=True, kw_only=True)
class TileShape:
    """The shape of a tile: the fields of :class:`~.tile.TileSpec`, and what follows from them without any memory.

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
