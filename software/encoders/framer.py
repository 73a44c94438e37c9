"""Windows over a stream of samples, cut where the front end of a clip cuts them."""

from __future__ import annotations

import numpy as np

from ...spec.errors import NetworkError

__all__ = ["Framer"]


class Framer:
    """Cuts of ``window`` samples, ``hop`` apart, of samples that come in pieces.

    Of n samples in all it gives the same cuts whatever the pieces were: ceil(n / hop) of them, the first at sample 0, the last ones continued by
    zeros; or, centred,
    floor(n / hop) + 1, cut k around sample k * hop, with both ends continued by reflection (by zeros where there are too few samples to be
    reflected).

    Parameters
    ----------
    hop, window : samples.
    fft : of the transform that a centred window stands in the middle of; 0: not centred.
    """

    def __init__(self, hop: int, window: int, fft: int = 0) -> None:
        self.hop, self._window, self._fft = hop, window, fft
        self._half = fft // 2  # samples that each end is continued by
        self._came = self._given = 0  # samples of the stream, cuts
        self._held = np.zeros(0, np.int64)  # what further cuts need, continuation included ...
        self._first = 0  # ... and the place of the first of it, cut 0 beginning at 0
        self._tail = np.zeros(0, np.int64)  # the last samples, which are reflected at the end
        self._begun = not fft

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Further samples ``[n]``, integers, clipped to 16 bits; the cuts that they complete, ``[k, window], int64``. Raises NetworkError for "
        "floats."""
        samples = np.asarray(samples)
        if samples.dtype.kind not in "iu" or samples.ndim != 1:
            raise NetworkError(f"sound must be integers of one dimension, not {samples.dtype} of shape {list(samples.shape)}")
        samples = np.clip(samples.astype(np.int64), -32768, 32767)
        self._came += len(samples)
        self._held = np.concatenate([self._held, samples])
        if self._fft:
            self._tail = np.concatenate([self._tail, samples])[-(self._half + 1):]
        if not self._begun:
            if len(self._held) <= self._half:
                return self._cut(0)
            self._begin(np.pad(self._held, (self._half, 0), mode="reflect"))
        return self._cut()

    def finish(self) -> np.ndarray:
        """The remaining cuts, ``[k, window], int64``; nothing may follow."""
        if not self._came:
            return self._cut(0)
        total = self._came // self.hop + 1 if self._fft else -(-self._came // self.hop)
        if not self._begun:
            self._begin(np.pad(self._held, self._half))
        elif self._fft:
            self._held = np.concatenate([self._held, self._tail[-2::-1]])
        end = (total - 1) * self.hop + self._window
        self._held = np.pad(self._held, (0, max(0, end - self._first - len(self._held))))
        return self._cut(total - self._given)

    def _begin(self, continued: np.ndarray) -> None:
        self._begun = True
        self._held = continued[(self._fft - self._window) // 2:]  # a window shorter than the transform stands in its middle

    def _cut(self, most: int | None = None) -> np.ndarray:
        start = self._given * self.hop - self._first  # beyond what is held where the hop is longer than the window
        n = max(0, (len(self._held) - start - self._window) // self.hop + 1)
        n = n if most is None else min(n, most)
        places = start + self.hop * np.arange(n)[:, None] + np.arange(self._window)
        cuts = self._held[places] if n else np.zeros((0, self._window), np.int64)
        self._given += n
        gone = max(0, min(self._given * self.hop - self._first, len(self._held)))
        self._held, self._first = self._held[gone:], self._first + gone
        return cuts
