"""Graded events: a feature, rounded to a signed payload, once per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .settings import FRACTION, fixed, whole, within

__all__ = ["Graded"]


@dataclass(frozen=True)
class Graded:
    """Timestep = frame, channel = band, payload = round((value - offset) * steps), clipped to ``bits`` bits.

    Parameters
    ----------
    bits : of a payload, two's complement, 2..9.
    steps : payload steps per octave, or per deviation of normalised features; to 1/256.
    offset : the value that gives payload 0, which is no event.
    positive : negative payloads are left out, as by a rectifier.
    """

    bits: int
    steps: float
    offset: float = 0.0
    positive: bool = False

    def __post_init__(self) -> None:
        whole("bits", self.bits, 2, 9)
        within("steps", self.steps, 1 / 256, 256)
        within("offset", self.offset, -64, 64)
        whole("positive", int(self.positive) if isinstance(self.positive, bool) else self.positive, 0, 1)

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Timesteps and channels."""
        return frames, bands

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload."""
        return (1 if self.positive else -(1 << (self.bits - 1))), (1 << (self.bits - 1)) - 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` in 2**-16 to ``[frames, bands], int16``."""
        scaled = (values - fixed(self.offset)) * fixed(self.steps, 8)
        n = FRACTION + 8
        low, high = self.payload_range
        return np.clip((scaled + (1 << (n - 1))) >> n, min(low, 0), high).astype(np.int16)
