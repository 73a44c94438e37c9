"""Which integer type holds every intermediate value of a population's update: Python's own integers bound them all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..spec.arithmetic import Decay
from ..spec.errors import NetworkError
from ..spec.network import Gain, Population, Port

__all__ = ["state_dtype", "sum_dtype"]


def sum_dtype(bounds: tuple[int, int]) -> np.dtype:
    """The float whose products are exact: any partial sum of integers lies within the bounds of the whole sum.

    float64 is always enough: 2**26 synapses of 8 bits, shifted by 12, of payloads of 9 bits stay within 2**53.
    """
    return np.dtype(np.float32 if max(-bounds[0], bounds[1]) < 1 << 24 else np.float64)


def state_dtype(population: Population, sums: Mapping[Port, tuple[int, int]]) -> type:
    """int32 where no intermediate value of the update can leave it, int64 otherwise.

    ``sums`` bound the synaptic sum of each port of the population (before the guard shift). Raises NetworkError where 62 bits
    do not hold everything.
    """
    widest = _widest(population, {port: max(-low, high) for port, (low, high) in sums.items()})
    if widest >= 1 << 62:
        low, high = sums[Port.CURRENT]
        raise NetworkError(f"Population {population.name!r}: its synaptic sums of {low}..{high} shifted left by {population.guard_bits} "
                           "guard bits need more than 62 bits; use fewer guard bits or smaller shifts")
    return np.int32 if widest < 1 << 31 else np.int64


def _widest(p: Population, sums: Mapping[Port, int]) -> int:
    """The largest magnitude of anything that the update of a population computes."""
    theta = int(np.max(p.theta)) if p.spikes else 0
    # A neuron that fired n times had v >= n * theta, so no reset takes more than the largest v.
    taken = min(theta * p.max_spikes, p.v_max)
    v = (1 << (p.v_bits - 1)) + taken
    drive = (sums[Port.CURRENT] << p.guard_bits) + int(np.abs(p.bias).max())
    values = [*sums.values()]
    if p.has_current:
        i = 1 << (p.i_bits - 1)
        values += [_decaying(p.current_decay, i), 2 * i + drive]
        if p.gain is Gain.COMPLEMENT:
            # A factor per neuron can be 0 where that of the decay, the largest, is not.
            values.append((i + 1) << (p.decay.fraction_bits or 2))
        drive = 2 * i + int(np.abs(p.bias).max())
    if p.has_gate:
        values += [256 * max(v, 1 << (p.i_bits - 1)) + 256, sums.get(Port.GATE, 0) + int(np.abs(p.gate_bias).max()) + (1 << p.gate_shift)]
    if p.adapts:
        a = 1 << p.a_bits
        values += [_decaying(p.adaptation_decay, a), 2 * a + max(int(p.jump.max()), theta)]
    return max(*values, _decaying(p.decay, v), 2 * v + drive + taken)


def _decaying(decay: Decay, x: int) -> int:
    """The largest magnitude on the way to decay(x), of values up to x."""
    return x * (decay.factor or 1) + (1 << (decay.fraction_bits or 16))
