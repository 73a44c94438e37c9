"""Delta events: a spike where a feature has moved by more than a threshold since the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .settings import fixed, within

__all__ = ["Delta"]

NATURAL = 1.4426950408889634  # octaves of one unit of the natural logarithm


@dataclass(frozen=True)
class Delta:
    """Per band a reference, at first the first value rounded to a multiple of the threshold; in each further frame an event +1 if the value
    exceeds it by more than the threshold, which it then goes up by, -1 if it is below by more, which it then goes down by.

    The first frame sends nothing and is no timestep. Channel = band. With the features of :data:`spikeloom.software.encoders.presets.NEUROBENCH`
    these are the events of NeuroBench's keyword network (speech2spikes; ../shared/truth/README.md).

    Parameters
    ----------
    threshold : in octaves, or deviations of normalised features; the default is 1 of the natural logarithm.
    """

    threshold: float = NATURAL

    def __post_init__(self) -> None:
        within("threshold", self.threshold, 2.0**-8, 64)

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Timesteps and channels."""
        return frames - 1, bands

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload."""
        return -1, 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` in 2**-16 to ``[frames - 1, bands], int16``: -1, 0 and 1."""
        return self.move(values[1:], self.reference(values[0]))[0]

    def reference(self, first: np.ndarray) -> np.ndarray:
        """Where the reference of each band starts, ``[bands], int64``, from the first frame of it."""
        step = fixed(self.threshold)
        return (first + step // 2) // step * step

    def move(self, values: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Events of further frames, ``[frames, bands], int16``, and where the references are then."""
        step = fixed(self.threshold)
        events = np.zeros(values.shape, dtype=np.int16)
        for t, value in enumerate(values):
            moved = (value - reference > step).astype(np.int64) - (value - reference < -step)
            reference = reference + step * moved
            events[t] = moved
        return events, reference
