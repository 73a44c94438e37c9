"""Mean and variance normalisation of features, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...spec.errors import NetworkError
from .settings import FRACTION, fixed, within

__all__ = ["Normalise", "fit"]


@dataclass(frozen=True)
class Normalise:
    """Subtracts a mean and divides by a standard deviation: octaves become deviations, both in 2**-16.

    Parameters
    ----------
    per : ``none``: the features stay as they are; ``clip``: mean and deviation of all values of the clip; ``band``: of each band over the clip;
        ``set``: those given, measured on a training set by :func:`fit` (a stream can be normalised by these alone).
    mean, deviation : in octaves, one number or one per band; for ``set``.
    least : smallest deviation in octaves, so that silence is not blown up to noise.
    """

    per: str = "none"
    mean: float | Sequence[float] = 0.0
    deviation: float | Sequence[float] = 1.0
    least: float = 0.125

    def __post_init__(self) -> None:
        if self.per not in ("none", "clip", "band", "set"):
            raise NetworkError(f"per must be none, clip, band or set, not {str(self.per)[:40]!r}")
        within("least", self.least, 2.0**-8, 64)
        for name, low, high in (("mean", -64, 64), ("deviation", 2.0**-8, 64)):
            value = getattr(self, name)
            values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
            if not 1 <= len(values) <= 256:
                raise NetworkError(f"{name} must be one number, or one per band")
            for one in values:
                within(name, one, low, high)
            object.__setattr__(self, name, values)  # hashable, whatever JSON gave

    def apply(self, x: np.ndarray) -> np.ndarray:
        """``[frames, bands], int64`` to the same shape; NetworkError where the given numbers are not one per band."""
        if self.per == "none":
            return x
        if self.per == "set":
            mean, deviation = (np.array([fixed(v) for v in values], dtype=np.int64) for values in (self.mean, self.deviation))  # type: ignore[union-attr]
            if any(len(v) not in (1, x.shape[1]) for v in (mean, deviation)):
                raise NetworkError(f"mean and deviation must be one number or {x.shape[1]}, one per band, not {len(mean)} and {len(deviation)}")
            return _ratio(x - mean, deviation)
        axis = None if self.per == "clip" else 0
        n = x.size if axis is None else len(x)
        d = x - x.sum(axis=axis, keepdims=True) // n
        return _ratio(d, np.maximum(_root((d * d).sum(axis=axis, keepdims=True) // n), fixed(self.least)))


def fit(features: np.ndarray) -> dict:
    """The ``normalise`` entry for features ``[N, frames, bands]`` of a training set: mean and deviation of each band."""
    x = np.asarray(features, dtype=np.float64).reshape(-1, features.shape[-1]) / (1 << FRACTION)
    return {"per": "set", "mean": [round(float(v), 4) for v in x.mean(axis=0)],
            "deviation": [round(max(float(v), 0.125), 4) for v in x.std(axis=0)]}


def _ratio(x: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """x / deviation in 2**-16, to the nearest."""
    return ((x << (FRACTION + 1)) + deviation) // (2 * deviation)


def _root(x: np.ndarray) -> np.ndarray:
    """floor(sqrt(x)) of integers below 2**62."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root -= root * root > x
    return root + ((root + 1) * (root + 1) <= x)
