"""How far v, i and the rise of the threshold can go: measured on clips, or proven for any events.

The proof, in any unit: let every timestep's sum at port i plus bias lie in A_low..A_high, and every rounding add at most r. Then

    i  in  (A_low - r) / (1 - alpha)  ..  (A_high + r) / (1 - alpha)                                      geometric series
    v  in  (I_low - r) / (1 - beta) - n theta  ..  (I_high + r) / (1 - beta) + max(v_init, 0)              I = A, i or (1 - beta) i
    v  in  min(i_low, v_init, 0) - n theta  ..  max(i_high, v_init, 0)                                    SpikGRU: a mean of v and i, weighted by z

A spike takes theta only off a v that was at least theta, so n (``max_spikes``) thresholds are the most that v can be led below the series. Without
a leak there is no bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.network import Gain, Port
from .float_network import FloatNetwork, FloatPopulation, FloatResult

__all__ = ["MARGIN", "MIN_HEADROOM", "Bounds", "Needs", "bounds", "float_sums", "needs"]

MARGIN = 1.25  # of a measured range
MIN_HEADROOM = 16  # thresholds that a spiking v (and its i) must hold; beyond, it saturates without harm
NO_LEAK = 4.0  # timesteps of the largest sum that are allowed for where nothing leaks


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """Lowest and highest v and i of each neuron, ``[size], float64``; ``proven``: no events lead beyond."""

    v_low: np.ndarray
    v_high: np.ndarray
    i_low: np.ndarray
    i_high: np.ndarray
    proven: bool


def bounds(p: FloatPopulation, low: np.ndarray, high: np.ndarray, *, alpha: np.ndarray, beta: np.ndarray, theta: np.ndarray, v_init: np.ndarray,
           rounding: float = 0.0) -> Bounds:
    """The bounds above, in the unit of ``low`` and ``high`` (sum and bias, low <= 0 <= high), ``theta`` and ``v_init``, all ``[size]``."""

    def gain(decay: np.ndarray) -> np.ndarray:
        return np.where(decay < 1, 1 / np.where(decay < 1, 1 - decay, 1.0), NO_LEAK)

    i_low, i_high = (low - rounding) * gain(alpha), (high + rounding) * gain(alpha)
    fired = theta * p.max_spikes if p.spikes else theta * 0
    if p.has_gate:
        v_low, v_high, leaks = np.minimum(i_low, v_init), np.maximum(i_high, v_init), alpha < 1
    else:
        drive = (i_low, i_high) if p.has_current else (low, high)
        if p.gain is Gain.COMPLEMENT:
            drive = ((1 - beta) * drive[0] - rounding, (1 - beta) * drive[1] + rounding)
        leaks = (beta < 1) & (alpha < 1) if p.has_current else beta < 1
        v_low, v_high = (drive[0] - rounding) * gain(beta) + np.minimum(v_init, 0), (drive[1] + rounding) * gain(beta) + np.maximum(v_init, 0)
        v_high = v_high + np.where(beta < 1, 0, fired)
    v_low = v_low - fired
    if p.v_floor == 0:
        v_low = np.zeros_like(v_low)
    return Bounds(v_low=v_low, v_high=v_high, i_low=i_low, i_high=i_high, proven=bool(leaks.all()))


def float_sums(net: FloatNetwork, p: FloatPopulation) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest sum at port i plus bias that any events can give, ``[size], float64``, in float units; never above and below 0."""
    low, high = np.minimum(p.bias, 0).astype(np.float64), np.maximum(p.bias, 0).astype(np.float64)
    for q in net.incoming(p.name, Port.CURRENT):
        source = net.population(q.source)
        lows, highs = q.sum_bounds(min(source.payload_min, 0), max(source.payload_max, source.max_spikes if source.spikes else 0))
        low += lows
        high += highs
    return low, high


@dataclass(frozen=True, kw_only=True, eq=False)
class Needs:
    """The largest magnitude of v and i that a format should hold, ``[size], float64``, in float units; ``source``: ``measured`` or ``bound``."""

    v: np.ndarray
    i: np.ndarray
    source: str


def needs(net: FloatNetwork, p: FloatPopulation, reference: FloatResult | None) -> Needs:
    """Of one population: what a float run had, with a margin, or else the bounds; of what fires not more than MIN_HEADROOM thresholds."""
    if reference is not None:
        v = MARGIN * np.maximum(abs(reference.v_low[p.name]), abs(reference.v_high[p.name])).astype(np.float64)
        i = v * 0
        if p.has_current:
            i = MARGIN * np.maximum(abs(reference.i_low[p.name]), abs(reference.i_high[p.name])).astype(np.float64)
    else:
        theta = np.asarray(p.threshold, np.float64)
        b = bounds(p, *float_sums(net, p), alpha=p.of_each("alpha"), beta=p.of_each("beta"), theta=theta, v_init=p.of_each("v_init"))
        v, i = np.maximum(abs(b.v_low), abs(b.v_high)), np.maximum(abs(b.i_low), abs(b.i_high))
    if p.spikes:
        enough = MIN_HEADROOM * np.asarray(p.threshold, np.float64)
        v, i = np.minimum(v, enough), np.minimum(i, enough * current_headroom(p))
        v = np.maximum(v, p.threshold)
    v = np.maximum(v, abs(p.of_each("v_init")))
    if p.has_current:
        i = np.maximum(i, abs(np.asarray(p.bias, np.float64)))
    else:
        v = np.maximum(v, abs(np.asarray(p.bias, np.float64)))
    return Needs(v=v, i=i, source="bound" if reference is None else "measured")


def current_headroom(p: FloatPopulation) -> np.ndarray:
    """Factor by which i may be larger than v before it does not matter, ``[size]``: 1 / (1 - beta) where (1 - beta) i drives v."""
    if p.gain is not Gain.COMPLEMENT:
        return np.ones(p.size)
    return 1 / np.maximum(1 - p.of_each("beta"), 2.0**-12)
