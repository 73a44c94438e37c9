"""One timestep of a population of any model, composed of the parts that it needs; :class:`~._neuron_steps.Membrane` is the fast plain case."""

from __future__ import annotations

import numpy as np

from ..spec.arithmetic import round_shift
from ..spec.network import Population, Refractory, Reset
from ._currents import Current, Gate
from ._firing import Rest, Threshold
from ._neuron_steps import tiled
from ._state import State

__all__ = ["Neurons"]


class Neurons:
    """Everything that the neurons of one population carry, for a chunk of clips, flat in memory.

    Parameters
    ----------
    population : the neurons.
    state : to start from; its arrays are copied.
    dtype : from :func:`~spikeloom.sim._bounds.state_dtype`.

    Members
    -------
    v : ``[n * size], dtype``, the potentials after the last step.
    saturations : write-backs of v and i that saturated so far.
    current, rest, threshold : the parts that it needs, or None.
    """

    def __init__(self, population: Population, state: State, dtype: type) -> None:
        p, n = population, state.n_clips
        self.v: np.ndarray = state.potentials[p.name].astype(dtype).ravel()
        self.current = Current(p, state.currents[p.name], dtype) if p.has_current else None
        self.rest = Rest(p, state.quiet[p.name]) if p.name in state.quiet else None
        self.threshold = Threshold(p, state.rises.get(p.name), n, dtype) if p.spikes else None
        self._gate = Gate(p, dtype) if p.has_gate else None
        self._population, self._saturations = p, 0
        self._beta = tiled(p.beta, n, dtype)

    @property
    def saturations(self) -> int:
        return self._saturations + (self.current.saturations if self.current is not None else 0)

    def step(self, before: np.ndarray, after: np.ndarray, total: np.ndarray, second: np.ndarray | None = None) -> None:
        """Advance one timestep.

        ``before`` holds the spikes of the step before, less 1; ``after`` receives the new ones (left alone where none are sent); ``total``
        is (A << G) + b; ``second`` what arrives at the port beside ``i``: Az + gate_bias, or Ab, or None. All ``[n * size], dtype``.
        """
        spikes = before + 1
        fired = before >= 0
        resting = self.rest.step(fired, None if self._gate is not None else second) if self.rest is not None else None
        drive = self.current.step(total) if self.current is not None else total
        held = self._reset(spikes, fired)
        v = self._integrated(drive, held, spikes, fired, second)
        if resting is not None and self._population.refractory_mode is Refractory.INTEGRATE:
            v = np.where(resting, held, v)
        self._write_back(v)
        if self.threshold is not None:
            n = self.threshold.step(self.v, spikes)
            if resting is not None:
                n[resting] = 0
            np.subtract(n, 1, out=after)

    def _reset(self, spikes: np.ndarray, fired: np.ndarray) -> np.ndarray:
        """What the spikes of the step before leave of v, before anything decays or arrives."""
        reset = self._population.reset
        if self.threshold is None or reset is Reset.NONE:
            return self.v
        if reset in (Reset.ZERO, Reset.ZERO_AFTER):
            return np.where(fired, 0, self.v)
        return self.v - self.threshold.theta * spikes

    def _integrated(self, drive: np.ndarray, held: np.ndarray, spikes: np.ndarray, fired: np.ndarray, second: np.ndarray | None) -> np.ndarray:
        """v before it saturates, of a neuron that integrates."""
        p = self._population
        x = held if p.reset in (Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO) else self.v
        if self._gate is not None and second is not None:
            z = self._gate.step(second)
            v = round_shift(z * x + (256 - z) * drive, 8, p.rounding)
        else:
            v = p.decay.apply(x, p.rounding, self._beta) + drive
        if self.threshold is not None and p.reset is Reset.SUBTRACT:
            return v - self.threshold.theta * spikes
        return np.where(fired, 0, v) if p.reset is Reset.ZERO_AFTER else v

    def _write_back(self, v: np.ndarray) -> None:
        p = self._population
        self._saturations += int(np.count_nonzero((v > p.v_max) | (v < p.v_min)))
        np.clip(v, p.low, p.v_max, out=self.v, casting="unsafe")  # a floor is at least v_min
