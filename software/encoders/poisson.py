"""Random spikes whose rate follows a feature (Bernoulli trials, the discrete form of a Poisson train)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from .settings import FRACTION, fixed, whole, within

__all__ = ["Poisson"]


@dataclass(frozen=True)
class Poisson:
    """In each timestep a spike with probability min(|value - offset| * rate, most), of the value's sign.

    One xorshift generator of 32 bits per channel (shifts 13, 17, 5: Marsaglia 2003) is compared, by its upper 16 bits, with the probability in
    2**-16: a few gates each in hardware. Their seeds come from ``seed`` and from the values of the clip itself, so a clip gives the same spikes
    in whatever set, order and machine it is encoded.

    Parameters
    ----------
    rate : probability of a spike per octave or deviation; to 2**-8.
    offset : the value that is never sent.
    steps : timesteps per frame, each with the frame's probability.
    most : largest probability.
    positive : negative values send nothing.
    seed : 0..2**32 - 1.
    """

    rate: float
    offset: float = 0.0
    steps: int = 1
    most: float = 1.0
    positive: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        within("rate", self.rate, 1 / 256, 256)
        within("offset", self.offset, -64, 64)
        whole("steps", self.steps, 1, 4096)
        within("most", self.most, 0, 1)
        whole("positive", int(self.positive) if isinstance(self.positive, bool) else self.positive, 0, 1)
        whole("seed", self.seed, 0, (1 << 32) - 1)

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Timesteps and channels."""
        return frames * self.steps, bands

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload."""
        return 1 if self.positive else -1, 1

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probability of a spike in 2**-16, negative where the spike is, ``[frames, bands], int64``."""
        x = values - fixed(self.offset)
        p = np.minimum(np.abs(x) * fixed(self.rate, 8) >> 8, fixed(self.most))
        return np.where(x < 0, 0 if self.positive else -p, p)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` in 2**-16 to ``[frames * steps, bands], int16``: -1, 0 and 1."""
        p = np.repeat(self.probabilities(values), self.steps, axis=0)
        state = _seeds(self.seed, values)
        spikes = np.zeros(p.shape, dtype=np.int16)
        for t, now in enumerate(p):
            state ^= state << np.uint32(13)
            state ^= state >> np.uint32(17)
            state ^= state << np.uint32(5)
            spikes[t] = (state >> np.uint32(32 - FRACTION) < np.abs(now)) * np.sign(now)
        return spikes


def _seeds(seed: int, values: np.ndarray) -> np.ndarray:
    """A state per channel, ``[bands], uint32``, never 0, from which a xorshift generator would not move."""
    digest = hashlib.sha256(seed.to_bytes(4, "little") + np.ascontiguousarray(values, dtype="<i8").tobytes()).digest()
    words = hashlib.shake_128(digest).digest(4 * values.shape[1])
    return np.maximum(np.frombuffer(words, dtype="<u4"), 1).astype(np.uint32)
