"""Training data: the spoken-keyword files, synthetic voices, and the variation of both."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....spec.errors import FileFormatError, ToolError
from ...data.compact import compact_features
from ...features import BANDS, FRAMES, apply_front_end, centre, log_mel
from .config import AugmentConfig, TrainConfig
from .voices import spoken_clips

__all__ = ["Split", "TrainingSet", "load_split", "load_training_set"]


@dataclass(frozen=True)
class Split:
    """Features ``x [N, 50, 40], uint8``, classes ``y [N], int64``, the names of the classes."""

    x: np.ndarray
    y: np.ndarray
    words: tuple[str, ...]


def load_split(folder: Path, split: str) -> Split:
    """Read ``SPLIT_logmel40x50.npz``; raises FileFormatError if it is missing or of another shape."""
    x, y, words, _ = compact_features(folder, split)
    return Split(x, y, words)


def _at_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Play ``[n]`` faster (pitch and formants rise with it): linear interpolation is enough for a variation."""
    places = np.arange(0.0, len(samples) - 1, speed)
    return np.interp(places, np.arange(len(samples)), samples)


def _recordings(folder: Path, split: str) -> list[np.ndarray]:
    try:
        import soundfile
    except ImportError:
        raise ToolError("Training reads FLAC with soundfile, which is not installed: pip install 'spikeloom[train]'.") from None
    try:
        sound, _ = soundfile.read(folder / f"{split}.flac", dtype="int16")
        with open(folder / f"{split}.csv", newline="", encoding="utf-8") as file:
            places = [(int(row["offset"]), int(row["length"])) for row in csv.DictReader(file)]
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise FileFormatError(f"{folder}/{split}.flac and .csv cannot be read: {error}.") from None
    return [sound[first:first + count] for first, count in places]


class TrainingSet:
    """Clips at several speeds, drawn with variations of level, noise, colour, place and gaps.

    Parameters
    ----------
    versions : ``[V, N, 50, 40], uint8``, the clips at each speed.
    y : ``[N], int64``.
    words : names of the classes.
    noise : ``[M, 50, 40], uint8``, clips without speech.
    """

    def __init__(self, versions: np.ndarray, y: np.ndarray, words: tuple[str, ...], noise: np.ndarray,
                 augment: AugmentConfig, front_end: dict) -> None:
        self.versions, self.y, self.words, self.noise = versions, y, words, noise
        self._augment, self._front_end = augment, front_end

    def mean_payload(self) -> np.ndarray:
        """Mean payload of each channel over all clips as they are, ``[40], float32``."""
        return apply_front_end(self.versions, self._front_end).mean(axis=(0, 1, 2)).astype(np.float32)

    def payloads(self) -> np.ndarray:
        """All clips as they are, at the first speed, ``[N, 50, 40], int16``."""
        return apply_front_end(self.versions[0], self._front_end)

    def batches(self, size: int, rng: np.random.Generator):
        """One epoch in random order: payloads ``[size, 50, 40], float32`` and classes ``[size]``; the remainder is left out."""
        order = rng.permutation(len(self.y))
        for first in range(0, len(order) - size + 1, size):
            rows = order[first:first + size]
            x = self.versions[rng.integers(len(self.versions), size=size), rows].astype(np.float32)
            yield apply_front_end(self._vary(x, rng), self._front_end).astype(np.float32), self.y[rows]

    def _vary(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        a, n = self._augment, len(x)
        steps = np.arange(FRAMES)
        # Both ends of a recording are background, so what leaves one end may come in at the other.
        shift = rng.integers(-a.shift_frames, a.shift_frames + 1, size=(n, 1))
        x = x[np.arange(n)[:, None], (steps + shift) % FRAMES]
        noise = self.noise[rng.integers(len(self.noise), size=n)].astype(np.float32)
        level = np.where(rng.random(n) < a.noise_chance, rng.uniform(a.noise_level[0], a.noise_level[1], size=n), -1000.0)
        # Powers add; both are in octaves after the division.
        x = 8.0 * np.logaddexp2(x / 8.0, np.maximum(noise + level[:, None, None], -64.0).astype(np.float32) / 8.0)
        tilt = rng.uniform(-a.tilt, a.tilt, size=(n, 1, 1)) * np.linspace(-1.0, 1.0, BANDS)
        x = x + tilt + rng.uniform(a.gain[0], a.gain[1], size=(n, 1, 1))
        for count, width, axis in ((a.band_masks, a.band_mask, 2), (1, a.frame_mask, 1)):
            for _ in range(count):
                length = rng.integers(0, width + 1, size=(n, 1))
                first = rng.integers(0, x.shape[axis], size=(n, 1))
                along = np.arange(x.shape[axis])
                hidden = (along >= first) & (along < first + length)
                x = np.where(np.expand_dims(hidden, 3 - axis), 0.0, x)
        return np.clip(np.round(x), 0, 255).astype(np.uint8)


def load_training_set(folder: Path, config: TrainConfig) -> TrainingSet:
    """The train split at every speed, with the synthetic voices.

    Raises FileFormatError (a file) or ToolError (soundfile or espeak-ng is missing).
    """
    split = load_split(folder, "train")
    clips = _recordings(folder, "train")
    spoken, classes = spoken_clips(split.words, config.voices)
    clips += spoken
    versions = np.stack([np.stack([log_mel(centre(_at_speed(c, speed))) for c in clips]) for speed in config.augment.speeds])
    noise = split.x[split.y == split.words.index("_silence_")]
    return TrainingSet(versions, np.concatenate([split.y, classes]), split.words, noise, config.augment, config.front_end)
