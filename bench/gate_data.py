"""Clips of the network that gate_table.py measures: spoken words of ../shared/data/asc (see its README) as signed log-mel payloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikeloom.spec.arithmetic import Rounding, round_shift

__all__ = ["DATA", "INPUT_SHIFT", "load"]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "asc"
INPUT_SHIFT = 7  # a payload p of 8 bits counts as p / 2**7


def load(split: str, mean: np.ndarray | None = None, payload_bits: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Payloads ``[N, 50, 40], int16``, classes ``[N], int64``, and the mean of each channel that was taken off: that of this split unless given."""
    with np.load(DATA / f"{split}_logmel40x50.npz") as data:
        x, y = data["x"].astype(np.int16), data["y"].astype(np.int64)
    if mean is None:
        mean = np.rint(x.mean(axis=(0, 1))).astype(np.int16)
    half = 1 << (payload_bits - 1)
    return np.clip(round_shift(x - mean, 8 - payload_bits, Rounding.NEAREST), -half, half - 1), y, mean
