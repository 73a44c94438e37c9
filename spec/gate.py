"""The table of a SPIKGRU's gate: a sigmoid in 256 steps, by the integer argument of the gate.

The sizes that :func:`gate_table` takes by default were chosen by measurement: docs/numerics.md, "The gate table".
"""

from __future__ import annotations

import numpy as np

from .arithmetic import Rounding

__all__ = ["GATE_BITS", "GATE_RANGE", "gate_table"]

GATE_BITS = 6  # of an index: 64 entries
GATE_RANGE = 8.0  # the table reaches from -GATE_RANGE to GATE_RANGE


def gate_table(bits: int = GATE_BITS, scale: float | None = None, rounding: Rounding = Rounding.NEAREST) -> np.ndarray:
    """``z = round(256 * sigmoid(a))`` at the centre a of each index, clipped to 0..255: ``[2**bits], int64``, for ``Population.gate_table``.

    Entry j stands for the shifted argument g = j - 2**(bits-1), and g for all arguments that ``round_shift`` brings to it. Their centre is g with
    rounding to nearest, g + 1/2 with floor, and half a step further from 0 than g with rounding toward zero (0 itself stays, and
    stands for twice as many).

    Parameters
    ----------
    bits : of an index, 1..12.
    scale : value of one step of g as an argument of the sigmoid, above 0: value of one unit of the gate's sum * 2**gate_shift. The
        default lets the table reach from -GATE_RANGE to GATE_RANGE.
    rounding : of the population that has the table.

    Raises ValueError for bits or a scale out of range.
    """
    if not 1 <= bits <= 12:
        raise ValueError(f"Bits of a gate table must be 1 to 12, not {bits!r}")
    half = 1 << (bits - 1)
    scale = GATE_RANGE / half if scale is None else scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"Scale of a gate table must be a number above 0, not {scale!r}")
    centre = np.arange(-half, half, dtype=np.float64)
    if rounding is Rounding.FLOOR:
        centre += 0.5
    elif rounding is Rounding.TOWARD_ZERO:
        centre += 0.5 * np.sign(centre)
    z = 0.5 + 0.5 * np.tanh(0.5 * scale * centre)  # the sigmoid, without an overflow of exp
    return np.clip(np.rint(256 * z), 0, 255).astype(np.int64)
