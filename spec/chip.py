"""The plan of a chip: everything that the hardware, the cycle model and the packer need to know, and nothing of the weights.

The generator makes a :class:`ChipSpec` from a network; ``hdl`` builds it, ``sim.cycles`` predicts its clock cycles and
``gen.pack`` fills its memories. All of it is plain integers, frozen, and comparable. Timing is in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .capacity import Capacity
from .neuron import Readout
from .runs import Run
from .tile import AxonEntry, GroupSpec, ParameterSpec, TileSpec
from .update import UpdateSpec

__all__ = ["AxonEntry", "ChipSpec", "Endpoint", "FabricSpec", "FlitSpec", "GroupSpec", "InputSpec", "KeySpec", "OutputSpec", "ParameterSpec",
           "SwitchSpec", "TileSpec", "UpdateSpec"]


class Endpoint(NamedTuple):
    """One end of a link: ``("host", 0, 0)``, ``("tile", index, 0)``, ``("switch", index, port)`` or ``("none", 0, 0)``."""

    kind: str
    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an endpoint
    port: int = 0


@dataclass(frozen=True, kw_only=True)
class KeySpec:
    """A source of events: a slice of a population on a tile, or an input population at the host port.

    ``run``, ``pitch``, ``apart``: of a map that is cut by rows, as :class:`~spikeloom.spec.runs.Run` has them.
    """

    population: str
    first: int
    size: int
    origin: Endpoint
    run: int = 0
    pitch: int = 0
    apart: int = 0

    @property
    def neurons(self) -> Run:
        """Its neurons in the population, and in flits."""
        return Run(self.first, self.size, self.run, self.pitch, self.apart)


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """An input population as the host port sees it."""

    population: str
    size: int
    payload_min: int
    payload_max: int
    key: int | None


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """An output population as the readout sees it; ``base`` is its first address in the readout memory.

    ``classes`` is, of a VOTE, the class of each neuron (-1 for none); ``max_spikes`` the largest payload of its spikes.
    """

    population: str
    size: int
    level: int
    readout: Readout
    value_bits: int
    base: int
    keys: tuple[int, ...]
    classes: tuple[int, ...] = ()
    max_spikes: int = 1

    @property
    def values(self) -> bool:
        """Whether it is a population that sends v in each timestep: no spikes, and its readouts are signed."""
        return self.readout in (Readout.LAST, Readout.SUM, Readout.MAX)

    @property
    def n_values(self) -> int:
        """Values that READ gives of it: one per neuron or, of a VOTE, per class."""
        if self.readout is Readout.NONE:
            return 0
        return max(self.classes) + 1 if self.readout is Readout.VOTE else self.size

    @property
    def readout_bits(self) -> int:
        """Width of a readout value: 16 (unsigned) of spikes, v_bits for last and max, v_bits + 16 for sums."""
        if not self.values:
            return 0 if self.readout is Readout.NONE else 16
        return self.value_bits + (16 if self.readout is Readout.SUM else 0)


@dataclass(frozen=True, kw_only=True)
class FlitSpec:
    """Widths of the fields of a flit; each may be 0. ``time`` is the source's timestep modulo 2**time_bits."""

    key_bits: int
    neuron_bits: int
    time_bits: int
    payload_bits: int
    payload_signed: bool


@dataclass(frozen=True, kw_only=True)
class SwitchSpec:
    """A multicast switch: a router of the mesh, or the star's only one.

    Parameters
    ----------
    inputs, outputs : what each port is connected to (``none`` where unused).
    routes : for each input, source key -> bit mask of the outputs that get a copy.
    buffered : each input has a queue of two flits (1 cycle per hop); otherwise flits pass in the cycle in which they are granted.
    """

    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    routes: tuple[Mapping[int, int], ...]
    buffered: bool

    def sources(self, output: int) -> tuple[int, ...]:
        """Inputs that some route leads to an output, ascending: the requesters of its round-robin arbiter."""
        return tuple(i for i, table in enumerate(self.routes) if any(mask >> output & 1 for mask in table.values()))


@dataclass(frozen=True, kw_only=True)
class FabricSpec:
    """The network on chip. ``kind`` is ``star`` (one unbuffered switch) or ``mesh`` (``width`` x ``height`` routers)."""

    kind: str
    width: int
    height: int
    switches: tuple[SwitchSpec, ...]


@dataclass(frozen=True, kw_only=True)
class ChipSpec:
    """A whole chip.

    Parameters
    ----------
    name : of the Verilog module.
    network_digest : of the network it was planned for.
    period : PI, phases per timestep.
    tiles, keys, inputs, outputs, flit, fabric : see their classes; a key's number is its index in ``keys``.
    writable : memories can be written over the configuration port.
    counters : tiles count events, synaptic operations, updates and spikes.
    capacity : of an overlay: what tiles, inputs and outputs say are then the most that a loaded network may have.
    """

    name: str
    network_digest: str
    period: int
    tiles: tuple[TileSpec, ...]
    keys: tuple[KeySpec, ...]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    flit: FlitSpec
    fabric: FabricSpec
    writable: bool
    counters: bool
    capacity: Capacity | None = None

    @cached_property
    def levels(self) -> int:
        """The largest level of any group: phases after the last timestep's input until its last output."""
        return max(g.level for tile in self.tiles for g in tile.groups)

    @property
    def exports(self) -> bool:
        """Whether membrane potentials can be read over the configuration port."""
        return any(tile.keeps_v for tile in self.tiles)

    @property
    def reads(self) -> bool:
        """Whether anything can be read over the configuration port: states, or with ``readable`` tiles every memory."""
        return any(tile.keeps_v or tile.readable for tile in self.tiles)

    @property
    def memories(self) -> str:
        """What the device has for memories: one of :data:`~spikeloom.spec.tile.MEMORIES`."""
        return self.tiles[0].memories

    @property
    def n_readouts(self) -> int:
        """Words of the readout memory."""
        return self.capacity.readouts if self.capacity else sum(o.n_values for o in self.outputs)
