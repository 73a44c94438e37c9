"""Direct encoding: the same graded values in every timestep, so that the first layer makes the spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graded import Graded
from .settings import whole

__all__ = ["Direct"]


@dataclass(frozen=True)
class Direct(Graded):
    """Graded payloads, repeated.

    Parameters
    ----------
    repeat : timesteps that show the same values.
    image : the whole clip is one picture, channel = frame * bands + band, shown in all timesteps; otherwise each frame is repeated in its turn,
        channel = band.
    """

    repeat: int = 1
    image: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("repeat", self.repeat, 1, 4096)
        whole("image", int(self.image) if isinstance(self.image, bool) else self.image, 0, 1)

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Timesteps and channels."""
        return (self.repeat, frames * bands) if self.image else (frames * self.repeat, bands)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` in 2**-16 to ``[T, C], int16``."""
        payloads = super().encode(values)
        return np.tile(payloads.reshape(1, -1), (self.repeat, 1)) if self.image else np.repeat(payloads, self.repeat, axis=0)
