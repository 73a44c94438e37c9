"""The gate of a SPIKGRU in integers: weights of port z, their common unit, the shift of the sum and the table of the sigmoid.

The table is one for all neurons, so the gate's weights have one scale s_z; g = round_shift(Az + gate_bias, gate_shift) counts steps of s_z *
2**gate_shift.
docs/numerics.md, "The gate table", says why the table has 64 entries over -8 to 8; with a step that is a power of two times s_z its range is within a
factor of 1.42 of that. The gate's sum has no guard bits: where few bits make its unit coarse, all its projections are shifted to the left instead,
so that its bias stays fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..spec.arithmetic import Rounding
from ..spec.gate import GATE_BITS, GATE_RANGE, gate_table
from .float_population import FloatPopulation
from .float_projection import FloatProjection
from .quantize_weights import MAX_SHIFT, quantize_weights

__all__ = ["QuantizedGate", "quantize_gate"]

FINEST = 1 / 16  # a unit of the gate's sum is at most this, as an argument of the sigmoid: a quarter of an index
MAX_GATE_SHIFT = 31


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedGate:
    """Integer gate of one population.

    Parameters
    ----------
    unit : value of one unit of its sum as an argument of the sigmoid.
    weights, shifts : of each projection into port z.
    fields : ``gate_table``, ``gate_shift``, ``gate_bias`` of the Population.
    reach : the table covers arguments of -reach to reach.
    """

    unit: float
    weights: tuple[np.ndarray, ...]
    shifts: tuple[int, ...]
    fields: dict
    reach: float


def quantize_gate(p: FloatPopulation, incoming: Sequence[FloatProjection], bits: Sequence[int],
                  rounding: Rounding = Rounding.NEAREST) -> QuantizedGate:
    """Quantize the projections into port z of ``p``, ``bits`` of each, and its ``gate_bias``."""
    unit, weights, shifts = FINEST, (), ()  # type: float, tuple[np.ndarray, ...], tuple[int, ...]
    if incoming:
        z = quantize_weights([q.weights for q in incoming], weight_bits=bits, per_neuron=False, floor=np.full(p.size, 2.0**-20))
        left = min(max(int(np.ceil(np.log2(z.scale[0] / FINEST))), 0), MAX_SHIFT - max(z.shifts))
        unit, weights, shifts = float(z.scale[0]) / 2**left, z.weights, tuple(s + left for s in z.shifts)
    step = 2 * GATE_RANGE / (1 << GATE_BITS)
    shift = min(max(round(np.log2(step / unit)), 0), MAX_GATE_SHIFT)
    step = unit * 2.0**shift
    fields = {"gate_table": gate_table(GATE_BITS, step, rounding), "gate_shift": shift,
              "gate_bias": np.rint(np.asarray(p.gate_bias, np.float64) / unit).astype(np.int64)}
    return QuantizedGate(unit=unit, weights=weights, shifts=shifts, fields=fields, reach=step * (1 << GATE_BITS) / 2)
