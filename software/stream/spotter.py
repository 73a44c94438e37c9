"""Words from scores: posteriors, smoothed; a threshold; a refractory time.

Ref: posterior smoothing after G. Chen, C. Parada and G. Heigold, "Small-footprint keyword spotting using deep neural networks", ICASSP 2014.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .settings import StreamSettings

__all__ = ["Spotted", "Spotter"]


class Spotted(NamedTuple):
    """A word: the timestep behind which it was spotted, counted from 1, the time that is, and its averaged posterior."""

    word: str
    step: int
    time_s: float
    posterior: float


class Spotter:
    """Decides, READ by READ.

    A word is spotted where its averaged posterior is the largest of all and reaches the threshold, if no word was in the refractory time before,
    and if it itself
    has been below the threshold since it was last spotted: a word that lasts is one word. Before ``smooth_s`` has passed, posteriors that are
    missing count as 0.
    """

    def __init__(self, labels: Sequence[str], settings: StreamSettings, step_s: float) -> None:
        self._labels, self._settings, self._step_s = tuple(labels), settings, step_s
        self._spottable = np.array([label not in settings.background for label in labels])
        self._recent: deque[np.ndarray] = deque(maxlen=max(1, round(settings.smooth_s / settings.every_s)))
        self._armed = np.ones(len(labels), dtype=bool)
        self._free_at = 0.0

    def push(self, step: int, scores: np.ndarray) -> tuple[np.ndarray, Spotted | None]:
        """Scores ``[classes]`` behind timestep ``step``; the averaged posteriors ``[classes], float64``, and a word or None."""
        self._recent.append(self.posterior(scores))
        averaged = np.sum(self._recent, axis=0) / (self._recent.maxlen or 1)
        above = averaged >= self._settings.threshold
        best, time = int(averaged.argmax()), step * self._step_s
        word = None
        if above[best] and self._spottable[best] and self._armed[best] and time >= self._free_at:
            word = Spotted(self._labels[best], step, round(time, 6), round(float(averaged[best]), 4))
            self._free_at, self._armed[best] = time + self._settings.refractory_s - 1e-9, False
        self._armed |= ~above
        return averaged, word

    def posterior(self, scores: np.ndarray) -> np.ndarray:
        """softmax(scores / temperature), ``[classes], float64``."""
        x = scores.astype(np.float64) - scores.max()
        scale = self._settings.temperature or float(np.std(x))
        e = np.exp(x / scale) if scale else np.ones(len(x))
        return e / e.sum()
