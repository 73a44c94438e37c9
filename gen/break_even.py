"""How many synapses must be missing for sparse storage to be the smaller one, where they are missing at random."""

from __future__ import annotations

import numpy as np

from ..spec.arithmetic import bits_unsigned

__all__ = ["break_even", "expected_words"]

STEPS = 40  # halvings of the interval: far below one synapse of any matrix


def _log_choose(n: int) -> np.ndarray:
    """``[n + 1]``: logarithms of the binomial coefficients."""
    log = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return log[-1] - log - log[::-1]


def _cumulative(n: int, density: float) -> np.ndarray:
    """``[n + 1]``: probability that at most k of n synapses exist."""
    if density <= 0 or density >= 1:
        return np.array([float(density <= 0)] * n + [1.0])
    k = np.arange(n + 1)
    return np.minimum(np.cumsum(np.exp(_log_choose(n) + k * np.log(density) + (n - k) * np.log1p(-density))), 1.0)


def expected_words(size: int, lanes: int, density: float) -> float:
    """Mean number of words that an axon takes: the largest number of its synapses in one of P lanes.

    Neuron i is in lane i modulo P. Each of ``size`` synapses exists with probability ``density``, independently of the others: the mean of a
    maximum of independent binomial numbers, the sum over k of 1 - P(all lanes have at most k).
    """
    rows, full = -(-size // lanes), size % lanes or lanes  # lanes with a neuron in the last row
    below = _cumulative(rows, density) ** full
    if rows > 1 and lanes > full:
        shorter = _cumulative(rows - 1, density) ** (lanes - full)
        below = below * np.concatenate([shorter, [1.0]])
    return float((1.0 - below[:-1]).sum())


def break_even(*, size: int, axons: int, lanes: int, dense_bits: int, sparse_bits: int) -> float:
    """The density below which sparse storage of random synapses is smaller than dense storage, on average.

    Parameters
    ----------
    size, axons : neurons of the target (on one tile) and of the source.
    lanes : P.
    dense_bits : bits of a weight, or index, in dense storage.
    sparse_bits : bits of a synapse, its row and its weight.

    Dense storage takes ``rows * axons`` words of P weights; sparse storage ``expected_words`` per axon, each of P synapses, and a pointer
    {first word, number of words} per axon.
    """
    rows = -(-size // lanes)
    available = rows * lanes * dense_bits  # per axon

    def needed(density: float) -> float:
        words = expected_words(size, lanes, density)
        pointer = bits_unsigned(max(round(axons * words) - 1, 0)) + bits_unsigned(rows)
        return words * lanes * sparse_bits + pointer

    if needed(1.0) <= available:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if needed(middle) <= available else (low, middle)
    return low
