"""Scales of weights: float matrices that lead to one port of a population become integers of a few bits.

All projections into a port share the scale s_n of each target neuron, since their sums meet in one membrane; a projection
whose weights are far larger than those of the others gets a left shift instead, so that none loses its resolution:

    w  ~  s_n * 2**shift * w_q        w_q in -2**(bits-1) .. 2**(bits-1) - 1, or -1 and +1 where bits is 1

The scale is the one of least square error, each projection's error counted relative to the power of its weights. It is searched below the
one that just holds the largest weight: clipping a few outliers costs less than a coarser step for all, the more so the fewer the bits (of
Gaussian weights the best step of 2 bits is one standard deviation, a quarter of what holds the largest). The grid of fractions costs at most
1 % of square error against the exact optimum; to refine it further changed no accuracy but by noise (NeuroBench's network, a SpikGRU).

Ref: for the idea, R. Banner et al., "Post training 4-bit quantization of convolutional networks for rapid-deployment", NeurIPS 2019; for 1 bit, whose
best scale is the mean magnitude, M. Rastegari et al., "XNOR-Net", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["MAX_SHIFT", "QuantizedWeights", "integers", "limits", "quantize_weights"]

CLIP_FRACTIONS = np.linspace(1.0, 0.4, 31)  # of the largest weight; 1.0 first: of equals the least clipping wins
MORE_FRACTIONS = np.linspace(0.38, 0.06, 17)  # tried too where there are few bits
FEW_BITS = 4
MAX_SHIFT = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedWeights:
    """Integer weights of all projections into one port of a population.

    Parameters
    ----------
    scale : ``[size], float64``: value of one unit of the synaptic sum, above 0.
    weights : per projection ``[size, source size], int64``.
    shifts : per projection, left shift into the accumulator.
    """

    scale: np.ndarray
    weights: tuple[np.ndarray, ...]
    shifts: tuple[int, ...]


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest weight of a number of bits."""
    return (-1, 1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def integers(steps: np.ndarray, bits: int) -> np.ndarray:
    """The integer weights nearest to ``steps`` (weights over their scale), as floats; of 1 bit +1 where the weight is 0."""
    if bits == 1:
        return np.where(steps < 0, -1.0, 1.0)
    return np.clip(np.rint(steps), *limits(bits))


def quantize_weights(matrices: Sequence[np.ndarray], *, weight_bits: int | Sequence[int], per_neuron: bool, floor: np.ndarray) -> QuantizedWeights:
    """Quantize all matrices that lead to one port of a population.

    Parameters
    ----------
    matrices : ``[size, source size]``, float, one for each projection; at least one.
    weight_bits : 1..8, of all or of each.
    per_neuron : a scale for each row; else one for all.
    floor : ``[size]``: no scale becomes smaller than this (above 0), so that thresholds stay within their format.
    """
    rows = [np.asarray(m, np.float64) for m in matrices]
    bits = [weight_bits] * len(rows) if isinstance(weight_bits, int) else list(weight_bits)
    floor = np.asarray(floor, dtype=np.float64)
    if not per_neuron:
        floor = np.full_like(floor, floor.max())
    shifts = _shifts(rows, bits)
    scale = _Parts(rows, bits, shifts, per_neuron).search(floor)
    return QuantizedWeights(scale=scale, shifts=tuple(shifts), weights=tuple(
        integers(w / (scale[:, None] * 2.0**s), b).astype(np.int64) for w, b, s in zip(rows, bits, shifts, strict=True)))


def _shifts(rows: list[np.ndarray], bits: list[int]) -> list[int]:
    """Left shifts by the size of a step: that which holds the largest weight, or of 1 bit the mean."""
    steps = [float(abs(w).mean() if b == 1 else abs(w).max(initial=0.0) / limits(b)[1]) if w.size else 0.0 for w, b in zip(rows, bits, strict=True)]
    if len(set(bits)) > 1:  # few bits clip, so the step that holds all is not the one that will be taken
        one = [np.full(len(w), 1e-300) for w in rows]
        steps = [float(_Parts([w], [b], [0], False).search(f)[0]) if s > 0 else 0.0 for w, b, s, f in zip(rows, bits, steps, one, strict=True)]
    smallest = min((s for s in steps if s > 0), default=1.0)
    return [min(max(round(np.log2(s / smallest)), 0), MAX_SHIFT) if s > 0 else 0 for s in steps]


class _Parts:
    """The matrices into one port with their shifts, and what a common scale costs."""

    def __init__(self, rows: list[np.ndarray], bits: list[int], shifts: Sequence[int], per_neuron: bool) -> None:
        self._rows = [w / 2.0**s for w, s in zip(rows, shifts, strict=True)]
        self._bits, self._per_neuron = bits, per_neuron
        powers = [float(np.square(w).mean()) if w.size else 0.0 for w in self._rows]
        self._weight = [1 / p if p > 0 else 1.0 for p in powers]

    def _sum(self, values: list[np.ndarray]) -> np.ndarray:
        """Weighted sum over all synapses of a neuron, or of all neurons, ``[size]``."""
        total: np.ndarray = np.sum([g * v.sum(axis=1) for g, v in zip(self._weight, values, strict=True)], axis=0)
        return total if self._per_neuron else np.full_like(total, total.sum())

    def _cost(self, scale: np.ndarray) -> np.ndarray:
        return self._sum([np.square(integers(w / scale[:, None], b) * scale[:, None] - w) for w, b in zip(self._rows, self._bits, strict=True)])

    def search(self, floor: np.ndarray) -> np.ndarray:
        """Scale ``[size]`` of least cost among fractions of the one that holds everything and the powers of two about it.

        The power of two makes weights that are integers (or any dyadic fraction) already come through without error.
        """
        start = np.max([(abs(w).mean(axis=1) if w.shape[1] else np.zeros(len(w))) if b == 1 else abs(w).max(axis=1, initial=0.0) / limits(b)[1]
                        for w, b in zip(self._rows, self._bits, strict=True)], axis=0)
        if not self._per_neuron:
            start = np.full_like(start, start.max())
        best = np.maximum(start, floor)
        least = np.full(len(start), np.inf)
        with np.errstate(divide="ignore"):
            dyadic = np.where(start > 0, 2.0 ** np.ceil(np.log2(start)), best)
        few = min(self._bits) <= FEW_BITS
        # Half of it serves where the largest magnitude is -2**(bits - 1); elsewhere it clips, and its cost says so.
        for candidate in [dyadic, dyadic / 2, *(start * f for f in (*CLIP_FRACTIONS, *(MORE_FRACTIONS if few else ())))]:
            scale = np.maximum(candidate, floor)
            cost = self._cost(scale)
            better = cost < least
            best, least = np.where(better, scale, best), np.where(better, cost, least)
        return best
