"""The 8x8 digits of scikit-learn in three splits that are fixed and disjoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....spec.clips import Clips
from ....spec.errors import ToolError

__all__ = ["LARGEST", "SHAPE", "Digits", "load_digits", "shifted"]

SHAPE, LARGEST = (1, 8, 8), 16  # channels, height, width; pixels are 0..16
SPLITS = {"train": (0, 1000), "val": (1000, 1197), "test": (1197, 1797)}
SEED = 1797  # of the order; the file's is by writer
LICENCE = "CC BY 4.0, E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, as bundled with scikit-learn"


@dataclass(frozen=True, eq=False)
class Digits:
    """Pixels ``x [N, 64], int16`` of 0..16, row by row, and classes ``y [N], int64``."""

    x: np.ndarray
    y: np.ndarray

    def clips(self, steps: int) -> Clips:
        """Direct encoding: every picture in each of ``steps`` timesteps, its pixels as payloads."""
        return Clips.from_dense(np.repeat(self.x[:, None], steps, axis=1), self.y, tuple("0123456789"))


def load_digits() -> dict[str, Digits]:
    """``train`` (1,000), ``val`` (197) and ``test`` (600): one fixed permutation, cut. Raises ToolError where scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits as bundled
    except ImportError:
        raise ToolError("The digits are those of scikit-learn, which is not installed: pip install 'spikeloom[train]', or make venv-train.") from None
    data = bundled()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    x, y = data.data[order].astype(np.int16), data.target[order].astype(np.int64)
    return {name: Digits(x[first:last], y[first:last]) for name, (first, last) in SPLITS.items()}


def shifted(x: np.ndarray, rng: np.random.Generator, most: int) -> np.ndarray:
    """Pictures ``[n, 64]`` moved by up to ``most`` pixels each way, each by its own draw; zeros come in."""
    maps = np.pad(x.reshape(-1, *SHAPE[1:]), ((0, 0), (most, most), (most, most)))
    out = np.empty((len(x), *SHAPE[1:]), x.dtype)
    for k, (dy, dx) in enumerate(rng.integers(0, 2 * most + 1, (len(x), 2))):
        out[k] = maps[k, dy:dy + SHAPE[1], dx:dx + SHAPE[2]]
    return out.reshape(len(x), -1)
