"""Scales of weights: float matrices that lead to one population become integers of a few bits.

All projections into a population share the scale s_n of each target neuron, since their sums meet in one membrane; a projection
whose weights are far larger than those of the others gets a left shift instead, so that none loses its resolution:

    w  ~  s_n * 2**shift * w_q        w_q in -2**(bits-1) .. 2**(bits-1) - 1

The scale is searched around the one that just holds the largest weight: clipping a few outliers a little can cost less mean
square error than a coarser step for all. Ref: for the idea, R. Banner et al., "Post training 4-bit quantization of convolutional
networks for rapid-deployment", NeurIPS 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["QuantizedWeights", "quantize_weights"]

CLIP_FRACTIONS = np.linspace(1.0, 0.4, 31)  # of the largest weight; 1.0 first: of equals the least clipping wins
MAX_SHIFT = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedWeights:
    """Integer weights of all projections into one population.

    Parameters
    ----------
    scale : ``[size], float64``: value of one unit of the synaptic sum, above 0.
    weights : per projection ``[size, source size], int64``.
    shifts : per projection, left shift into the accumulator.
    """

    scale: np.ndarray
    weights: tuple[np.ndarray, ...]
    shifts: tuple[int, ...]


def quantize_weights(matrices: list[np.ndarray], *, weight_bits: int, per_neuron: bool, floor: np.ndarray) -> QuantizedWeights:
    """Quantize all matrices that lead to one population.

    Parameters
    ----------
    matrices : ``[size, source size]``, float, one for each projection; at least one.
    weight_bits : 2..8.
    per_neuron : a scale for each row; else one for all.
    floor : ``[size]``: no scale becomes smaller than this (above 0), so that thresholds stay within their format.
    """
    high = (1 << (weight_bits - 1)) - 1
    floor = np.asarray(floor, dtype=np.float64)
    peaks = [float(abs(m).max(initial=0.0)) for m in matrices]
    smallest = min((p for p in peaks if p > 0), default=1.0)
    shifts = tuple(min(max(round(np.log2(p / smallest)), 0), MAX_SHIFT) if p > 0 else 0 for p in peaks)
    rows = np.concatenate([np.asarray(m, np.float64) / (1 << s) for m, s in zip(matrices, shifts, strict=True)], axis=1)
    peak = abs(rows).max(axis=1, initial=0.0)
    if not per_neuron:
        peak = np.full_like(peak, peak.max())
        floor = np.full_like(floor, floor.max())
    scale = _search(rows, peak / high, floor, high, per_neuron)
    split = np.cumsum([m.shape[1] for m in matrices])[:-1]
    integers = np.clip(np.rint(rows / scale[:, None]), -high - 1, high).astype(np.int64)
    return QuantizedWeights(scale=scale, weights=tuple(np.split(integers, split, axis=1)), shifts=shifts)


def _search(rows: np.ndarray, start: np.ndarray, floor: np.ndarray, high: int, per_neuron: bool) -> np.ndarray:
    """Scale ``[size]`` of least square error among fractions of ``start`` and the power of two next above it.

    The power of two makes weights that are integers (or any dyadic fraction) already come through without error.
    """
    best = np.maximum(start, floor)
    least = np.full(len(rows), np.inf)
    with np.errstate(divide="ignore"):
        dyadic = np.where(start > 0, 2.0 ** np.ceil(np.log2(start)), best)
    # Half of it serves where the largest magnitude is -2**(bits - 1); elsewhere it clips, and its cost says so.
    for candidate in [dyadic, dyadic / 2, *(start * f for f in CLIP_FRACTIONS)]:
        scale = np.maximum(candidate, floor)
        error = np.clip(np.rint(rows / scale[:, None]), -high - 1, high) * scale[:, None] - rows
        cost = np.square(error).sum(axis=1)
        if not per_neuron:
            cost = np.full_like(cost, cost.sum())
        better = cost < least
        best, least = np.where(better, scale, best), np.where(better, cost, least)
    return best
