"""Another sample rate, of sound that comes in pieces."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Resampler"]

_SINC_ZEROS, _KAISER_BETA = 10, 5.0  # the anti-alias filter: zero crossings to each side, Kaiser window


class Resampler:
    """From ``rate`` Hz to ``to`` Hz; the same bits whatever the pieces were.

    Polyphase: y[m] = sum_k x[k] h[m down - k up], h a sinc under a Kaiser window (beta 5) that cuts off at the lower of the two Nyquist
    frequencies; the ends are
    taken as silence. Latency: ten periods of the lower rate.
    """

    def __init__(self, rate: int, to: int) -> None:
        common = math.gcd(to, rate)
        self._up, self._down = to // common, rate // common
        self._half = _SINC_ZEROS * max(self._up, self._down)
        h = np.sinc(np.arange(-self._half, self._half + 1) / max(self._up, self._down)) * np.kaiser(2 * self._half + 1, _KAISER_BETA)
        self._taps = h * (self._up / h.sum())
        self._held, self._first = np.zeros(0), 0  # samples that are needed yet, and the number of the first of them
        self._given = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Further samples ``[n]``; those of the new rate that they complete, ``[k], float64``."""
        samples = np.asarray(samples, dtype=np.float64)
        if self._up == self._down:
            return samples
        self._held = np.concatenate([self._held, samples])
        # y[m] needs x up to (half + m down) div up.
        ready = ((self._first + len(self._held)) * self._up - 1 - self._half) // self._down + 1
        return self._make(max(ready, self._given))

    def finish(self) -> np.ndarray:
        """What is left: ceil(n * to / rate) samples of n in all; nothing may follow."""
        return self._make(-(-(self._first + len(self._held)) * self._up // self._down)) if self._up != self._down else np.zeros(0)

    def _make(self, end: int) -> np.ndarray:
        m = np.arange(self._given, end)
        first = -((self._half - m * self._down) // self._up)  # the first k whose tap m down - k up + half is not past the end of h
        y = np.zeros(m.size)
        if not m.size:
            return y
        for j in range(2 * self._half // self._up + 1):
            k = first + j
            tap, place = m * self._down - k * self._up + self._half, k - self._first
            inside = (k >= 0) & (place < len(self._held)) & (tap >= 0) & (tap <= 2 * self._half)
            y += np.where(inside, self._held[np.clip(place, 0, len(self._held) - 1)] * self._taps[np.clip(tap, 0, 2 * self._half)], 0.0)
        self._given = end
        gone = max(0, min(-((self._half - end * self._down) // self._up) - self._first, len(self._held)))
        self._held, self._first = self._held[gone:], self._first + gone
        return y
