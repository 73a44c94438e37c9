"""One timestep of a plain population of IF, LIF or LI neurons, in place over a chunk of clips.

Plain is what has a membrane and a fixed threshold and fires at most once; :mod:`._neurons` does everything else.

Booleans are kept as integer masks, ``quiet`` = -1 where the neuron did not fire and 0 where it did, so that every reset is a
bitwise and: ``v & quiet`` is "0 if s_prev else v", and ``theta & quiet`` is theta - theta * s_prev.
"""

from __future__ import annotations

import numpy as np

from ..spec.arithmetic import Decay, Rounding
from ..spec.network import Population, Reset

__all__ = ["Membrane", "current_offset", "tiled"]


def current_offset(population: Population) -> np.ndarray:
    """What a Membrane expects added to A << G, ``[size], int64``: the bias, and -theta for SUBTRACT (see Membrane.step)."""
    bias = np.asarray(population.bias)
    return bias - population.theta if population.reset is Reset.SUBTRACT else bias


def tiled(values: np.ndarray | None, n_clips: int, dtype: type) -> np.ndarray | None:
    """``[size]`` repeated for every clip, ``[n_clips * size], dtype``; None stays None."""
    return None if values is None else np.tile(values.astype(dtype), n_clips)


class Membrane:
    """Membrane potentials of one population for a chunk of clips, flat in memory.

    Parameters
    ----------
    population : the neurons.
    v : potentials to start from, ``[n, size]``, any integer dtype; copied.
    dtype : from :func:`~spikeloom.sim._bounds.state_dtype`.

    Members
    -------
    v : ``[n * size], dtype``, the potentials after the last step.
    saturations : write-backs that saturated so far.
    """

    def __init__(self, population: Population, v: np.ndarray, dtype: type) -> None:
        self.v: np.ndarray = v.astype(dtype).ravel()
        self.saturations = 0
        self._temporary: np.ndarray = np.empty_like(self.v)
        self._second: np.ndarray | None = np.empty_like(self.v) if population.decay.shift_b is not None else None
        self._theta: np.ndarray = np.tile(np.asarray(population.theta, dtype=dtype), len(v))
        self._reset = population.reset
        self._rounding = population.rounding
        self._decay = population.decay
        beta = tiled(population.beta, len(v), dtype)
        self._factor = population.decay.factor if beta is None else beta
        self._spikes = population.spikes
        self._low, self._high, self._floor = population.v_min, population.v_max, population.v_floor
        self._sign_shift = 8 * self.v.itemsize - 1

    def step(self, quiet_before: np.ndarray, quiet_after: np.ndarray, current: np.ndarray) -> None:
        """Advance one timestep.

        ``quiet_before`` is the mask of the step before; ``quiet_after`` receives the new mask (left alone by LI); ``current`` is
        (A << G) + :func:`current_offset`. All ``[n * size], dtype``.
        """
        v, temporary, reset = self.v, self._temporary, self._reset
        if reset is Reset.ZERO:
            np.bitwise_and(v, quiet_before, out=v)
        elif reset is Reset.SUBTRACT_BEFORE_DECAY:
            np.subtract(v, self._theta, out=v)
            np.bitwise_and(self._theta, quiet_before, out=temporary)
            np.add(v, temporary, out=v)
        self._apply_decay()
        np.add(v, current, out=v)
        if reset is Reset.SUBTRACT:  # the offset took theta from every neuron: give it back to those that were quiet
            np.bitwise_and(self._theta, quiet_before, out=temporary)
            np.add(v, temporary, out=v)
        elif reset is Reset.ZERO_AFTER:
            np.bitwise_and(v, quiet_before, out=v)
        # Two reductions cost what a clip costs, and tell whether there is anything to count and clip at all.
        if v.size and (v.max() > self._high or v.min() < self._low):
            self.saturations += int(np.count_nonzero((v > self._high) | (v < self._low)))
            np.clip(v, self._low, self._high, out=v)
        if self._floor is not None:
            np.maximum(v, self._floor, out=v)
        if self._spikes:
            np.subtract(v, self._theta, out=quiet_after)
            np.right_shift(quiet_after, self._sign_shift, out=quiet_after)

    def _apply_decay(self) -> None:
        decay: Decay = self._decay
        v = self.v
        if self._factor is not None and decay.fraction_bits is not None:
            np.multiply(v, self._factor, out=v)
            self._round_shift(v, decay.fraction_bits, v)
        elif decay.shift_a is not None:
            if decay.shift_b is not None and self._second is not None:
                self._round_shift(v, decay.shift_b, self._second)
            self._round_shift(v, decay.shift_a, self._temporary)
            np.subtract(v, self._temporary, out=v)
            if self._second is not None:
                np.subtract(v, self._second, out=v)

    def _round_shift(self, x: np.ndarray, n: int, out: np.ndarray) -> None:
        """out = round_shift(x, n) for n >= 1; ``out`` may be ``x``; uses the temporary unless that is ``out``."""
        if self._rounding is Rounding.NEAREST:
            np.add(x, 1 << (n - 1), out=out)
            np.right_shift(out, n, out=out)
        elif self._rounding is Rounding.FLOOR:
            np.right_shift(x, n, out=out)
        else:
            lift = self._temporary
            np.right_shift(x, self._sign_shift, out=lift)
            np.bitwise_and(lift, (1 << n) - 1, out=lift)
            np.add(x, lift, out=out)
            np.right_shift(out, n, out=out)
