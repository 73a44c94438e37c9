"""The update of a population as a tile does it."""

from __future__ import annotations

from ..spec.arithmetic import Rounding
from ..spec.network import Gain, Network, Population, Port, Projection, Refractory
from ..spec.tile import MAIN, SIDE
from ..spec.update import UpdateSpec
from .lists import port_of

__all__ = ["common_shift", "extra_shift", "update_of"]


def common_shift(network: Network, population: str, port: int = MAIN) -> int:
    """What the shifts of all projections into an accumulator (of port ``i``, or of the other) have in common: it is done once, behind it."""
    return min((p.shift for p in network.incoming(population) if (port_of(p) == SIDE) == (port == SIDE)), default=0)


def extra_shift(network: Network, projection: Projection) -> int:
    """Left shift of a projection's weights in the memory, beyond what its target does behind the accumulator."""
    return projection.shift - common_shift(network, projection.target, port_of(projection))


def update_of(network: Network, p: Population) -> UpdateSpec:
    """How the membranes of a population are updated; equal for populations that can share a datapath."""
    rounds = p.decay.kind != "none" or p.has_current or p.has_gate or (p.adapts and p.adaptation_decay.kind != "none")
    alike = bool((p.v_init == p.v_init[0]).all())
    return UpdateSpec(
        decay=p.decay, rounding=p.rounding if rounds else Rounding.NEAREST,  # nothing is rounded: be equal to others
        reset=p.reset, v_bits=p.v_bits, v_init=int(p.v_init[0]) if alike else None, values=not p.spikes,
        input_shift=p.guard_bits + common_shift(network, p.name), beta_each=p.beta is not None,
        current_decay=p.current_decay if p.has_current else None, alpha_each=p.alpha is not None, i_bits=p.i_bits if p.has_current else 0,
        complement=p.gain is Gain.COMPLEMENT, gate_table=tuple(int(z) for z in p.gate_table) if p.has_gate else (), gate_shift=p.gate_shift,
        side_shift=common_shift(network, p.name, SIDE) if p.has_gate else 0, adaptation_decay=p.adaptation_decay if p.adapts else None,
        a_bits=p.a_bits if p.adapts else 0, max_spikes=p.max_spikes, refractory=p.refractory,
        holds=p.refractory > 0 and p.refractory_mode is Refractory.INTEGRATE,
        inhibition=p.inhibition if network.incoming(p.name, Port.BLOCK) else 0, v_floor=p.v_floor, held=p.held, changes=p.changes)
