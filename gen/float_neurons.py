"""One timestep of a float population, in float32: the equations of docs/numerics.md, "One timestep", without their roundings.

Sources: LIF, Cuba-LIF and SpikGRU, Dampfhoffer 2023, 4.1 to 4.5 and 4.10 to 4.13; ALIF, Bellec et al. 2020; the order of operations of a LIF is
that of snnTorch's Leaky with a delayed reset (Eshraghian et al., Proc. IEEE 111(9), 2023).
"""

from __future__ import annotations

import numpy as np

from ..spec.network import Gain, Model, Refractory, Reset
from .float_population import FloatPopulation

__all__ = ["FloatNeurons"]


class FloatNeurons:
    """The state of one population for n clips, all ``[n, size], float32``.

    Members
    -------
    v, i, a : membrane; synaptic current and rise of the threshold, where the model has them (else None).
    spikes : number of spikes of the last timestep, as floats.
    """

    def __init__(self, p: FloatPopulation, n: int) -> None:
        def zeros() -> np.ndarray:
            return np.zeros((n, p.size), np.float32)

        self._p = p
        self._beta, self._alpha, self._rho = np.float32(p.beta), np.float32(p.alpha), np.float32(p.rho)
        self.v: np.ndarray = zeros() + np.float32(p.v_init)
        self.i: np.ndarray | None = zeros() if p.has_current else None
        self.a: np.ndarray | None = zeros() if p.model is Model.ALIF else None
        self.spikes: np.ndarray = zeros()
        self._quiet = np.zeros((n, p.size), np.int16) if p.refractory or p.inhibition else None

    def step(self, current: np.ndarray, gate: np.ndarray | None = None, block: np.ndarray | None = None) -> None:
        """Advance by one timestep: ``current`` and ``gate`` are the sums at ports i and z plus their biases, ``block`` that at port block."""
        p, before = self._p, self.spikes
        fired = before > 0
        if self._quiet is not None:
            self._quiet = np.where(fired, p.refractory, np.maximum(self._quiet - 1, 0)).astype(np.int16)
            if block is not None:
                self._quiet = np.where(block > 0, np.maximum(self._quiet, p.inhibition), self._quiet)
        if self.i is not None:
            self.i = current = self._alpha * self.i + current
            if p.gain is Gain.COMPLEMENT:
                current = (1 - self._beta) * current
        self.v = self._membrane(current, gate, before, fired)
        if p.v_floor is not None:
            self.v = np.maximum(self.v, np.float32(p.v_floor))
        if p.spikes:
            self.spikes = self._fire(before)

    def _membrane(self, drive: np.ndarray, gate: np.ndarray | None, before: np.ndarray, fired: np.ndarray) -> np.ndarray:
        p, v, reset = self._p, self.v, self._p.reset if self._p.spikes else Reset.NONE
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY):
            taken = before * p.threshold
            held = v - taken
        else:
            held = v * ~fired if reset in (Reset.ZERO, Reset.ZERO_AFTER) else v
        start = held if reset in (Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO) else v
        if gate is not None:
            z = 0.5 + 0.5 * np.tanh(0.5 * gate)  # the sigmoid, without an overflow of exp
            new = z * start + (1 - z) * drive
        else:
            new = self._beta * start + drive
        if reset is Reset.SUBTRACT:
            new = new - taken
        elif reset is Reset.ZERO_AFTER:
            new = new * ~fired
        if self._quiet is not None and p.refractory_mode is Refractory.INTEGRATE:
            new = np.where(self._quiet > 0, held, new)
        return new

    def _fire(self, before: np.ndarray) -> np.ndarray:
        p = self._p
        threshold: np.ndarray = np.asarray(p.threshold)
        if self.a is not None:
            self.a = self._rho * self.a + before * p.jump
            threshold = threshold + self.a
        if p.max_spikes > 1:
            ratio = self.v / threshold
            spikes = np.clip(np.ceil(ratio) - 1 if p.strict else np.floor(ratio), 0, p.max_spikes).astype(np.float32)
        else:
            spikes = (self.v > threshold if p.strict else self.v >= threshold).astype(np.float32)
        return spikes if self._quiet is None else spikes * (self._quiet == 0)
