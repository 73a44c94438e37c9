"""The plan of a chip: everything that the hardware, the cycle model and the packer need to know, and nothing of the weights.

The generator makes a :class:`ChipSpec` from a network; ``hdl`` builds it, ``sim.cycles`` predicts its clock cycles and
``gen.pack`` fills its memories. All of it is plain integers, frozen, and comparable. Timing is in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .arithmetic import Decay, Rounding, bits_signed, bits_unsigned
from .network import Readout, Reset

__all__ = ["AxonEntry", "ChipSpec", "Endpoint", "FabricSpec", "FlitSpec", "GroupSpec", "InputSpec", "KeySpec", "OutputSpec", "SwitchSpec",
           "TileSpec", "UpdateSpec"]


class Endpoint(NamedTuple):
    """One end of a link: ``("host", 0, 0)``, ``("tile", index, 0)``, ``("switch", index, port)`` or ``("none", 0, 0)``."""

    kind: str
    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an endpoint
    port: int = 0


@dataclass(frozen=True, kw_only=True)
class UpdateSpec:
    """How a membrane is updated; equal specs share one datapath. Fields as in :class:`~spikeloom.spec.network.Population`.

    ``input_shift`` is the left shift of the accumulator into v (guard bits plus what the projections have in common);
    ``values`` is set for LI populations, which send v each timestep instead of spikes.
    """

    decay: Decay
    rounding: Rounding
    reset: Reset
    v_bits: int
    input_shift: int
    v_init: int
    values: bool

    @property
    def v_min(self) -> int:
        """Smallest membrane potential."""
        return -(1 << (self.v_bits - 1))

    @property
    def v_max(self) -> int:
        """Largest membrane potential."""
        return (1 << (self.v_bits - 1)) - 1

    def stored_bounds(self, theta_bits: int, bias_bits: int) -> tuple[int, int]:
        """Range of the stored state u = decay(v) + b - theta * s, for any parameters of these widths."""
        low, high = self.v_min, self.v_max
        theta = (1 << theta_bits) - 1
        if self.reset is Reset.SUBTRACT_BEFORE_DECAY:
            low -= theta
        low, high = self.decay.bounds(low, high, self.rounding)
        low, high = min(low, 0), max(high, 0)
        if self.reset is Reset.SUBTRACT:
            low -= theta
        bias = 1 << (bias_bits - 1) if bias_bits else 0
        return low - bias, high + bias


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """A slice of one population on a tile: neurons ``first`` .. ``first + size - 1``.

    ``key`` is the source key of its events (None if nobody listens), ``level`` the phase of its timestep 0 (sigma),
    ``axons`` the number of its input lines, ``theta`` and ``bias`` its parameters where the tile keeps them as constants.
    """

    population: str
    first: int
    size: int
    key: int | None
    level: int
    axons: int
    update: UpdateSpec
    theta: int = 0
    bias: int = 0


class AxonEntry(NamedTuple):
    """What an arriving event is for a tile: axon ``base + neuron`` of group ``group``, ``delay`` timesteps later."""

    group: int
    base: int
    delay: int


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
    weight_bits : width of a stored weight.
    accumulator_bits : width of an accumulator, from the worst case of its weights.
    theta_bits, bias_bits : widths of the parameters (theta unsigned, bias two's complement; 0 if always zero).
    constant_parameters : theta and bias are constants of the groups instead of a memory.
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

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.update_lanes < 1 or self.update_lanes & (self.update_lanes - 1) or self.lanes % self.update_lanes:
            raise ValueError(f"Update lanes must be a power of two that divides the lanes, not {self.update_lanes} of {self.lanes}")
        if self.slots < 1 or self.slots & (self.slots - 1):
            raise ValueError(f"Slots must be a power of two, not {self.slots}")

    @property
    def beats(self) -> int:
        """P / U: cycles that the update of one row of P neurons takes."""
        return self.lanes // self.update_lanes

    def rows(self, group: int) -> int:
        """Rows of P neurons in a group."""
        return -(-self.groups[group].size // self.lanes)

    def weight_base(self, group: int) -> int:
        """Address of the first weight word of a group; the word of (row, axon) follows at row * axons + axon."""
        return sum(self.rows(g) * self.groups[g].axons for g in range(group))

    def update_base(self, group: int) -> int:
        """Index of the first update (U neurons) of a group."""
        return sum(self.rows(g) * self.beats for g in range(group))

    @property
    def weight_depth(self) -> int:
        """Words of the weight memory, each ``lanes * weight_bits`` wide."""
        return self.weight_base(len(self.groups))

    @property
    def n_updates(self) -> int:
        """Updates per timestep: words of the state and parameter memories."""
        return self.update_base(len(self.groups))

    @property
    def axon_bits(self) -> int:
        """Width of an axon number within a group."""
        return bits_unsigned(max(g.axons for g in self.groups) - 1)

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
    def stored_bits(self) -> int:
        """Width of the stored state u, the widest group's; one more bit where a group resets by ZERO_AFTER marks a spent neuron."""
        low = min(g.update.stored_bounds(self.theta_bits, self.bias_bits)[0] for g in self.groups)
        high = max(g.update.stored_bounds(self.theta_bits, self.bias_bits)[1] for g in self.groups)
        low, high = min(low, *(g.update.v_init for g in self.groups), 0), max(high, *(g.update.v_init for g in self.groups), 0)
        return bits_signed(low, high)

    @property
    def marks_spent(self) -> bool:
        """Whether the state holds the extra ZERO_AFTER bit."""
        return any(g.update.reset is Reset.ZERO_AFTER for g in self.groups)

    @property
    def value_bits(self) -> int:
        """Width of v sent as an event by LI groups; 0 if there is none."""
        return max((g.update.v_bits for g in self.groups if g.update.values and g.key is not None), default=0)

    @property
    def front_latency(self) -> int:
        """Cycles from ``start`` to the first event in the accumulators: walk, queue, weight address, memory, register (, product)."""
        return 6 if self.payload_kind == "graded" else 5


@dataclass(frozen=True, kw_only=True)
class KeySpec:
    """A source of events: a slice of a population on a tile, or an input population at the host port."""

    population: str
    first: int
    size: int
    origin: Endpoint


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

    @cached_property
    def levels(self) -> int:
        """The largest level of any group: phases after the last timestep's input until its last output."""
        return max(g.level for tile in self.tiles for g in tile.groups)

    @property
    def n_readouts(self) -> int:
        """Words of the readout memory."""
        return sum(o.n_values for o in self.outputs)
