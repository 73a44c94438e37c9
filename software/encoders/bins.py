"""Recorded spikes, counted in bins of time and groups of channels: the front end of spike data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...spec.errors import NetworkError
from .settings import build, whole

__all__ = ["Bins", "bins"]


@dataclass(frozen=True)
class Bins:
    """Payload = spikes of a group of neighbouring channels in a bin of time, at most ``most``; later spikes are left out.

    Parameters
    ----------
    steps : timesteps.
    step_us : length of one, microseconds.
    channels : groups, of equal size; must divide the channels of the recording.
    most : largest payload, 1..255; 1 keeps only that there was a spike.
    """

    steps: int
    step_us: int
    channels: int
    most: int = 1

    def __post_init__(self) -> None:
        whole("steps", self.steps, 1, 1 << 14)
        whole("step_us", self.step_us, 1, 10_000_000)
        whole("channels", self.channels, 1, 1 << 14)
        whole("most", self.most, 1, 255)

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload."""
        return 1, self.most

    def encode(self, time_us: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
        """Spikes ``[n]`` of ``units`` channels to ``[steps, channels], int16``; NetworkError if the groups do not divide the channels."""
        if units % self.channels:
            raise NetworkError(f"channels must divide the {units} channels of the recording, and {self.channels} does not")
        step = time_us // self.step_us
        kept = (step >= 0) & (step < self.steps)
        place = step[kept] * self.channels + unit[kept] // (units // self.channels)
        counts = np.bincount(place, minlength=self.steps * self.channels)
        return np.minimum(counts, self.most).astype(np.int16).reshape(self.steps, self.channels)


def bins(config: Any) -> Bins:
    """From a description ``{"kind": "bins", "steps": 100, "step_us": 10000, "channels": 140}``; NetworkError if it is another."""
    kind = config.get("kind") if isinstance(config, dict) else None
    if kind != "bins":
        raise NetworkError(f"A spike data set needs a front end of kind bins, not {str(kind)[:40]!r}")
    return build(Bins, config, "Front end of kind bins")
