"""Faults of weight memories: the same network with the weights that a faulty memory gives.

After Dampfhoffer (thesis, 2023, chapter 5, non-volatile memories): errors are in what is read, and nothing else. Two kinds:

* ``ber=P``: every stored bit is the other one with probability P. Of 1 bit weights that is the sign. Of a codebook the bits of the index
  flip; one past the end reads as the last entry, as in the hardware.
* ``levels=L,sigma=S``: a weight is one of L conductance levels, equidistant, read through thresholds half way between them, with gaussian
  noise of S level distances: P(read j | level k) = Phi((j - k + 0.5) / S) - Phi((j - k - 0.5) / S), where what lies beyond the lowest and the
  highest level is read as those. A weight of more values than L is kept in several such cells, the most significant bits in the first; the
  thesis has one cell of 8 levels for -4..3.

A faulty network is a network: what packs, simulates or emits a network does so with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from ..spec.errors import NetworkError
from ..spec.network import Kind, Network, Projection

__all__ = ["Fault", "faulty"]


@dataclass(frozen=True)
class Fault:
    """A kind of fault and its strength: ``ber``, or ``levels`` (a power of two) and ``sigma``; NetworkError if it is neither or both.

    Parameters
    ----------
    ber : probability that a stored bit is wrong, 0..1; None for the other kind.
    levels : levels of a cell, 2..256; 0 for the other kind.
    sigma : deviation of a read level, in distances of levels, 0..100.
    """

    ber: float | None = None
    levels: int = 0
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if (self.ber is None) == (self.levels == 0):
            raise NetworkError("A fault is either ber=P or levels=L,sigma=S")
        if self.ber is not None and not 0 <= self.ber <= 1:
            raise NetworkError(f"ber is a probability, 0 to 1, not {self.ber}")
        if self.levels and (not 2 <= self.levels <= 256 or self.levels & (self.levels - 1)):
            raise NetworkError(f"levels must be a power of two of 2 to 256, not {self.levels}")
        if not 0 <= self.sigma <= 100:
            raise NetworkError(f"sigma must be 0 to 100 distances of levels, not {self.sigma}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From ``ber=1e-2`` or ``levels=8,sigma=0.4``."""
        parts = dict(re.findall(r"(?:^|,)(ber|levels|sigma)=([0-9.eE+-]+)(?=,|$)", text))
        if text.count("=") != len(parts) or set(parts) not in ({"ber"}, {"levels", "sigma"}):
            raise NetworkError(f"A fault is ber=P or levels=L,sigma=S, for instance ber=1e-2 or levels=8,sigma=0.4, not {text[:60]!r}")
        try:
            if "ber" in parts:
                return cls(ber=float(parts["ber"]))
            return cls(levels=int(parts["levels"]), sigma=float(parts["sigma"]))
        except ValueError:
            raise NetworkError(f"{text[:60]!r} holds what is no number") from None

    def __str__(self) -> str:
        return f"ber={self.ber:g}" if self.ber is not None else f"levels={self.levels},sigma={self.sigma:g}"


def faulty(network: Network, fault: Fault, rng: np.random.Generator, *, shared: bool = True) -> Network:
    """The network with every stored weight read once through the fault.

    Parameters
    ----------
    shared : projections that share a matrix share its faults, as they share its storage (static errors); False: each reads it on its own.

    Weights of 0 of a sparse projection are not stored and stay 0. (A stored weight that is read as 0 is then a synapse less: the values are
    right, but :func:`spikeloom.gen.pack.pack` refuses it, since the sparse memory has no room for another number of synapses.)
    """
    read: dict[str, np.ndarray] = {}
    projections = []
    for p in network.projections:
        weights = read.get(p.matrix) if p.matrix and shared else None
        if weights is None:
            weights = _read(p, fault, rng)
            if p.matrix and shared:
                read[p.matrix] = weights
        # Unshared reads of one matrix differ, and so can no longer be called one.
        projections.append(replace(p, weights=weights, matrix=p.matrix if shared else ""))
    return replace(network, projections=tuple(projections))


def _read(p: Projection, fault: Fault, rng: np.random.Generator) -> np.ndarray:
    """The weights of a projection as they are read, ``[target, source]``."""
    stored = p.weights.astype(np.int64) if p.codebook is None else np.searchsorted(p.codebook, p.weights)
    if fault.ber is not None:
        read = stored ^ _flips(stored.shape, p.weight_bits, fault.ber, rng)
        if p.codebook is None:  # the sign bit flips with the others
            top = 1 << (p.weight_bits - 1)
            read = ((read & (2 * top - 1)) ^ top) - top
    else:
        values = len(p.codebook) if p.codebook is not None else 1 << p.weight_bits
        low = 0 if p.codebook is not None else -(values >> 1)
        read = _levels(stored - low, values, fault, rng) + low
    if p.codebook is not None:
        read = np.asarray(p.codebook)[np.minimum(read, len(p.codebook) - 1)]
    return np.where(p.weights != 0, read, 0) if p.kind is Kind.SPARSE else read


def _flips(shape: tuple[int, ...], bits: int, ber: float, rng: np.random.Generator) -> np.ndarray:
    """Masks of flipped bits, ``shape`` of int64: how many flip is binomial, and which then equally likely; fast where few do."""
    n = int(np.prod(shape)) * bits
    weight, bit = np.divmod(rng.choice(n, size=int(rng.binomial(n, ber)), replace=False, shuffle=False), bits)
    masks = np.zeros(shape, dtype=np.int64)
    np.add.at(masks.reshape(-1), weight, 1 << bit)  # no bit occurs twice
    return masks


def _levels(index: np.ndarray, values: int, fault: Fault, rng: np.random.Generator) -> np.ndarray:
    """Indices 0..values-1 as they are read from cells of ``fault.levels`` levels."""
    if values <= fault.levels:
        return _confused(index, values, fault.sigma, rng)
    width = fault.levels.bit_length() - 1
    read = np.zeros_like(index)
    for low in range(0, (values - 1).bit_length(), width):
        digits = min(fault.levels, ((values - 1) >> low) + 1)  # the first cell may have levels to spare
        read |= _confused(index >> low & (fault.levels - 1), digits, fault.sigma, rng) << low
    return read


def _confused(level: np.ndarray, levels: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Levels as they are read: gaussian noise, thresholds half way, nothing beyond the ends."""
    return np.clip(np.floor(level + sigma * rng.standard_normal(level.shape) + 0.5), 0, levels - 1).astype(np.int64)
