"""Recordings of words to train on: log-mel features with classes and speakers, and how they are varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.compact import compact_features
from ..features import apply_front_end

__all__ = ["Augment", "Words", "load_words"]


@dataclass(frozen=True, eq=False)
class Words:
    """Features ``x [N, 50, 40], uint8`` (see :mod:`spikeloom.software.features`), classes ``y [N], int64``, names of the classes, ``speaker [N]``."""

    x: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]
    speaker: np.ndarray

    def payloads(self, front_end: Mapping) -> np.ndarray:
        """What the network gets, ``[N, 50, 40], int16``."""
        return apply_front_end(self.x, front_end)


def load_words(folder: Path, split: str) -> Words:
    """Read ``SPLIT_logmel40x50.npz`` (:func:`~spikeloom.software.data.compact.compact_features`); raises FileFormatError, which names the file."""
    x, y, labels, speaker = compact_features(folder, split)
    return Words(x, y, labels, np.array(speaker))


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How clips are varied before the front end. Levels in steps of a feature (1/8 octave of power, 0.376 dB); every draw is uniform.

    Parameters
    ----------
    shift : frames that a clip moves, at most; its first or last frame fills the gap.
    stretch : share by which it gets longer or shorter, at most.
    warp : share by which the mel axis is scaled, at most: longer and shorter vocal tracts; one band up or down comes on top.
    gain, tilt : levels that are added to all bands, and at the outer bands with opposite signs, at most.
    noise : share of the clips that get a steady, coloured noise of 20 to 110.
    masks, mask_bands, mask_frames : how many stripes of bands, and of frames, hold no events, and how wide they are at most.
    """

    shift: int
    stretch: float
    warp: float
    gain: float
    tilt: float
    noise: float
    masks: int
    mask_bands: int
    mask_frames: int

    def vary(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Varied features of ``x [n, T, C]``, uint8; stripes are for :meth:`mask`, after the front end."""
        n, steps, bands = x.shape
        rate, place = rng.uniform(1 - self.stretch, 1 + self.stretch, (n, 1)), rng.uniform(-self.shift, self.shift, (n, 1))
        out = _at(x.astype(np.float32), (np.arange(steps) - steps / 2) * rate + steps / 2 + place)
        scale, up = rng.uniform(1 - self.warp, 1 + self.warp, (n, 1)), rng.uniform(-1, 1, (n, 1))
        out = _at(out.swapaxes(1, 2), np.arange(bands) * scale + up).swapaxes(1, 2)
        line = np.linspace(-1, 1, bands, dtype=np.float32)
        noisy = rng.random((n, 1, 1)) < self.noise
        colour = rng.uniform(20, 110, (n, 1, 1)) + rng.uniform(-20, 20, (n, 1, 1)) * line + rng.normal(0, 4, (n, 1, bands))
        noise = (colour + rng.normal(0, 4, x.shape)).astype(np.float32)
        # Powers add; both are in octaves after the division.
        out = np.where(noisy, 8 * np.logaddexp2(out / 8, noise / 8), out)
        out += rng.uniform(-self.gain, self.gain, (n, 1, 1)) + rng.uniform(-self.tilt, self.tilt, (n, 1, 1)) * line
        return np.clip(np.rint(out), 0, 255).astype(np.uint8)

    def mask(self, payloads: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Payloads ``[n, T, C]`` with the stripes set to 0, no event."""
        n = len(payloads)
        for axis, width in ((2, self.mask_bands), (1, self.mask_frames)):
            along = np.arange(payloads.shape[axis])
            for _ in range(self.masks):
                length, first = rng.integers(0, width + 1, (n, 1)), rng.integers(0, len(along), (n, 1))
                payloads = np.where(np.expand_dims((along >= first) & (along < first + length), 3 - axis), 0, payloads)
        return payloads


def _at(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows ``[n, k, C]`` of ``x [n, T, C]`` at fractional ``places [n, k]``, by linear interpolation; beyond the ends, the ends."""
    places = np.clip(places, 0, x.shape[1] - 1)
    low = np.minimum(places.astype(np.int64), x.shape[1] - 2)
    share = (places - low).astype(np.float32)[:, :, None]
    clip = np.arange(len(x))[:, None]
    return x[clip, low] * (1 - share) + x[clip, low + 1] * share
