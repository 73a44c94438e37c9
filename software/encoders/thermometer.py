"""Thermometer code: one channel per level, and a spike where the feature reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...spec.errors import NetworkError
from .settings import fixed, within

__all__ = ["Thermometer"]


@dataclass(frozen=True)
class Thermometer:
    """Timestep = frame, channel = band * levels + level; a spike where value >= level.

    Parameters
    ----------
    levels : ascending, in octaves or deviations, 1 to 64 of them.
    """

    levels: Sequence[float]

    def __post_init__(self) -> None:
        if not isinstance(self.levels, (list, tuple)) or not 1 <= len(self.levels) <= 64:
            raise NetworkError("levels must be a list of 1 to 64 numbers")
        for level in self.levels:
            within("levels", level, -64, 64)
        if any(a >= b for a, b in zip(self.levels, self.levels[1:])):
            raise NetworkError("levels must ascend")
        object.__setattr__(self, "levels", tuple(self.levels))

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Timesteps and channels."""
        return frames, bands * len(self.levels)

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload."""
        return 1, 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` in 2**-16 to ``[frames, bands * levels], int16``: 0 and 1."""
        levels = np.array([fixed(v) for v in self.levels], dtype=np.int64)
        return (values[:, :, None] >= levels).reshape(len(values), -1).astype(np.int16)
