"""When a neuron may fire, at which threshold, and how often: refractory timesteps, inhibition, adaptation, several spikes."""

from __future__ import annotations

import numpy as np

from ..spec.network import Population
from ._neuron_steps import tiled

__all__ = ["Rest", "Threshold"]


class Rest:
    """Timesteps for which the neurons of one population must not fire.

    Parameters
    ----------
    population : with refractory timesteps or an inhibition.
    q : timesteps to start from, ``[n, size]``; copied.

    Members
    -------
    q : ``[n * size], int16``, the timesteps, the last one included, for which a neuron must not fire.
    """

    def __init__(self, population: Population, q: np.ndarray) -> None:
        self.q: np.ndarray = q.astype(np.int16).ravel()
        self._refractory, self._inhibition = np.int16(population.refractory), np.int16(population.inhibition)

    def step(self, fired: np.ndarray, block: np.ndarray | None) -> np.ndarray:
        """Advance; ``fired`` in the step before, ``block`` is Ab or None. Returns where a neuron must not fire, ``[n * size], bool``."""
        self.q = np.where(fired, self._refractory, np.maximum(self.q - 1, 0))
        if block is not None:
            self.q = np.where(block > 0, np.maximum(self.q, self._inhibition), self.q)
        return self.q > 0


class Threshold:
    """Thresholds of one population, and the spikes they let through.

    Parameters
    ----------
    population : that fires.
    a : rises to start from, ``[n, size]``, or None where thresholds do not adapt; copied.
    n_clips : n.
    dtype : from :func:`~spikeloom.sim._bounds.state_dtype`.

    Members
    -------
    theta : ``[n * size], dtype``, without the rise.
    a : ``[n * size], dtype``, the rises after the last step, or None.
    """

    def __init__(self, population: Population, a: np.ndarray | None, n_clips: int, dtype: type) -> None:
        self.theta: np.ndarray = np.tile(population.theta.astype(dtype), n_clips)
        self.a: np.ndarray | None = None if a is None else a.astype(dtype).ravel()
        self._population = population
        self._jump = tiled(population.jump, n_clips, dtype)

    def step(self, v: np.ndarray, spikes: np.ndarray) -> np.ndarray:
        """Spikes n of the potentials ``v``, given the ``spikes`` of the step before; all ``[n * size], dtype``."""
        p, threshold = self._population, self.theta
        if self.a is not None:
            a = p.adaptation_decay.apply(self.a, p.rounding) + self._jump * spikes
            np.clip(a, 0, (1 << p.a_bits) - 1, out=self.a, casting="unsafe")
            threshold = threshold + self.a
        if p.max_spikes == 1:
            return (v >= threshold).astype(v.dtype)
        return np.minimum(np.maximum(v, 0) // threshold, p.max_spikes)
