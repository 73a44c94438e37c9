"""Variations of every clip that are made once, with what the teachers say of them: a teacher's answer costs as much as a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .words import Augment, Words

__all__ = ["Variations"]

_CHUNK = 250  # clips that are varied and answered at a time


class Variations:
    """``count`` variations of each clip of ``words``, from which training draws.

    Parameters
    ----------
    answer : what the teachers say of payloads ``[n, T, C]``: ``[n, classes], float32``, rows of sum 1.
    progress : told about each variation.

    ``payloads [count, N, T, C], int8 or int16``; ``taught [count, N, classes], float32``.
    """

    def __init__(self, words: Words, augment: Augment, front_end: dict, count: int, answer: Callable[[np.ndarray], np.ndarray], seed: int,
                 progress: Callable[[str], None]) -> None:
        rng = np.random.default_rng(seed)
        clips = np.split(np.arange(len(words.y)), range(_CHUNK, len(words.y), _CHUNK))
        payloads, taught = [], []
        for k in range(count):
            parts = [replace(words, x=augment.vary(words.x[rows], rng)).payloads(front_end) for rows in clips]
            taught.append(np.concatenate([answer(part) for part in parts]))
            payloads.append(np.concatenate(parts).astype(np.int8 if front_end["max"] < 128 else np.int16))
            progress(f"variation {k + 1} of {count} of {len(words.y)} clips")
        self.payloads, self.taught = np.stack(payloads), np.stack(taught)

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Payloads ``[n, T, C]`` and the teachers' answers ``[n, classes]`` of a variation of each of the clips ``rows``."""
        which = rng.integers(0, len(self.payloads), len(rows))
        return self.payloads[which, rows], self.taught[which, rows]
