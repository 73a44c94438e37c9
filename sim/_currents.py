"""What drives a membrane where it is not the synaptic sum itself: a current that decays on its own, and a gate that mixes it in."""

from __future__ import annotations

import numpy as np

from ..spec.arithmetic import round_shift
from ..spec.network import Gain, Population
from ._neuron_steps import tiled

__all__ = ["Current", "Gate"]


class Current:
    """Synaptic currents of one population for a chunk of clips, flat in memory.

    Parameters
    ----------
    population : CUBALIF, CUBALI or SPIKGRU, or one that holds its current.
    i : currents to start from, ``[n, size]``; copied.
    dtype : from :func:`~spikeloom.sim._bounds.state_dtype`.

    Members
    -------
    i : ``[n * size], dtype``, the currents after the last step.
    saturations : write-backs that saturated so far.
    """

    def __init__(self, population: Population, i: np.ndarray, dtype: type) -> None:
        self.i: np.ndarray = i.astype(dtype).ravel()
        self.saturations = 0
        self._population = population
        self._limit = 1 << (population.i_bits - 1)
        self._alpha = tiled(population.alpha, len(i), dtype)
        self._beta = tiled(population.beta, len(i), dtype)
        self._bias = tiled(population.bias, len(i), dtype) if population.held else None

    def step(self, total: np.ndarray) -> np.ndarray:
        """Advance by ``total``, (A << G) + b, or A << G where it is held; returns what drives the membrane: i, complement(i), or i + b. All
        ``[n * size]``."""
        p = self._population
        i = p.current_decay.apply(self.i, p.rounding, self._alpha) + total
        self.saturations += int(np.count_nonzero((i >= self._limit) | (i < -self._limit)))
        np.clip(i, -self._limit, self._limit - 1, out=self.i, casting="unsafe")
        if self._bias is not None:
            return self.i + self._bias
        return self.i if p.gain is Gain.UNIT else p.decay.complement(self.i, p.rounding, self._beta)


class Gate:
    """The gate of a SPIKGRU population: z by its table."""

    def __init__(self, population: Population, dtype: type) -> None:
        self._shift, self._rounding = population.gate_shift, population.rounding
        self._table: np.ndarray = population.gate_table.astype(dtype)
        self._half = len(self._table) // 2

    def step(self, total: np.ndarray) -> np.ndarray:
        """z, 0..255, of ``total``, Az + gate_bias; both ``[n * size]``."""
        g = round_shift(total, self._shift, self._rounding)
        return self._table[np.clip(g, -self._half, self._half - 1) + self._half]
