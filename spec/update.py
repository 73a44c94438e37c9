"""How a tile updates the membranes of a group: the model's parameters, and the widths and cycles that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from .arithmetic import Decay, Rounding, bits_unsigned
from .neuron import Reset
from .traits import MembraneFormat

__all__ = ["UpdateSpec"]


@dataclass(frozen=True, kw_only=True)
class UpdateSpec(MembraneFormat):
    """How a membrane is updated; equal specs share one datapath. Fields as in :class:`~spikeloom.spec.network.Population`.

    ``input_shift`` is the left shift of the accumulator into v or i (guard bits plus what the projections have in common), ``side_shift`` that
    of the accumulator of the other port; ``values`` is set for LI populations, which send v each timestep instead of spikes. ``v_init`` is None
    where each neuron has its own. A decay is None where the model has no such state; ``holds`` says refractory mode ``integrate``; ``held``: the
    bias is not the current's, which only sums up what arrives; ``changes``: of RELU, whose counts are sent as changes.
    """

    decay: Decay
    rounding: Rounding
    reset: Reset
    v_bits: int
    input_shift: int
    v_init: int | None
    values: bool
    beta_each: bool = False  # the factor of the decay is a parameter of each neuron
    current_decay: Decay | None = None
    alpha_each: bool = False
    i_bits: int = 0
    complement: bool = False
    gate_table: tuple[int, ...] = ()
    gate_shift: int = 0
    side_shift: int = 0
    adaptation_decay: Decay | None = None
    a_bits: int = 0
    max_spikes: int = 1
    refractory: int = 0
    holds: bool = False
    inhibition: int = 0
    v_floor: int | None = None
    held: bool = False
    changes: bool = False

    @property
    def has_gate(self) -> bool:
        """Whether the membrane is mixed by a gate."""
        return bool(self.gate_table)

    @property
    def has_current(self) -> bool:
        """Whether there is a synaptic current."""
        return self.current_decay is not None

    @property
    def biases_current(self) -> bool:
        """Whether the bias is the current's, not the membrane's."""
        return self.has_current and not self.held

    @property
    def counts(self) -> bool:
        """Whether n is not just whether v reached the threshold."""
        return self.max_spikes > 1 or self.changes

    @property
    def sent_bits(self) -> int:
        """Width of the stored activation of the timestep before; 0 where there is none."""
        return bits_unsigned(self.max_spikes) if self.changes else 0

    @property
    def quiet_bits(self) -> int:
        """Width of the count of timesteps in which the neuron must not fire; 0 where there is none."""
        return bits_unsigned(max(self.refractory, self.inhibition))

    @property
    def drive_latency(self) -> int:
        """Cycles from a plain neuron's sum u + (A << shift) to this model's: i and its gain, the gate and its product, the threshold."""
        if self.has_gate:
            return 5
        if self.has_current:
            return 3 if self.complement else 2
        return int(self.adaptation_decay is not None)

    @property
    def quotient_latency(self) -> int:
        """Cycles of the comparisons that find the number of spikes, and of what they take from the membrane."""
        return self.max_spikes.bit_length() + 1 if self.counts else 0

    @property
    def multiplies(self) -> bool:
        """Whether the next state takes a product: of the membrane's, the current's or the threshold's decay."""
        return any(d is not None and d.kind == "multiply" for d in (self.decay, self.current_decay, self.adaptation_decay))

    @property
    def marks_spent(self) -> bool:
        """Whether the stored state needs a bit that says that the neuron fired."""
        return self.reset is Reset.ZERO_AFTER or (self.has_gate and self.reset is Reset.SUBTRACT and self.max_spikes == 1)

    @property
    def keeps_taken(self) -> bool:
        """Whether the stored state holds theta * n, what the next timestep's reset takes."""
        return self.has_gate and self.reset is Reset.SUBTRACT and self.max_spikes > 1

    def stored_bounds(self, theta_bits: int, bias_bits: int) -> tuple[int, int]:
        """Range of the stored state u = decay(v) + b - theta * n (no b with a current; with a gate v itself), for any parameters of these widths."""
        low, high = self.v_min, self.v_max
        theta = (1 << theta_bits) - 1 if self.max_spikes == 1 else self.v_max
        if self.reset is Reset.SUBTRACT_BEFORE_DECAY:
            low -= theta
        if self.has_gate:
            return low, high
        held = (self.v_min, self.v_max) if self.holds else (0, 0)
        low, high = self.decay.bounds(low, high, self.rounding)
        low, high = min(low, 0, held[0]), max(high, 0, held[1])
        if self.reset is Reset.SUBTRACT:
            low -= theta
        bias = 1 << (bias_bits - 1) if bias_bits and not self.biases_current else 0
        return low - bias, high + bias

    def current_bounds(self, bias_bits: int) -> tuple[int, int]:
        """Range of the stored current decay(i) + b, for any bias of this width; 0, 0 where there is no current."""
        if self.current_decay is None:
            return 0, 0
        low, high = self.current_decay.bounds(-(1 << (self.i_bits - 1)), (1 << (self.i_bits - 1)) - 1, self.rounding)
        bias = 1 << (bias_bits - 1) if bias_bits and not self.held else 0
        return min(low, 0) - bias, max(high, 0) + bias
