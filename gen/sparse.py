"""Sparse storage: the existing synapses of an axon, spread over the lanes of their neurons."""

from __future__ import annotations

import numpy as np

from ..spec.network import Network
from ..spec.tile import SPARSE, SparseSpec
from .lists import projections_of
from .slices import Slice
from .updates import extra_shift
from .weight_formats import plain_bits

__all__ = ["sparse_spec", "sparse_synapses"]


def sparse_synapses(network: Network, population: str, first: int, size: int) -> np.ndarray:
    """``[axons, size], int64``: stored weights of a slice's sparse axons, in the order of the network's projections; 0 where there is no synapse."""
    blocks = [p.weights[first:first + size].T.astype(np.int64) << extra_shift(network, p) for p in projections_of(network, population, SPARSE)]
    return np.concatenate(blocks) if blocks else np.zeros((0, size), dtype=np.int64)


def sparse_spec(network: Network, s: Slice, lanes: int) -> SparseSpec | None:
    """What a slice's sparse axons take on a tile of so many lanes; None if it has none."""
    projections = projections_of(network, s.population, SPARSE)
    if not projections:
        return None
    exists = np.concatenate([p.weights[s.first:s.first + s.size].T != 0 for p in projections])
    padded = np.pad(exists, ((0, 0), (0, -s.size % lanes))).reshape(len(exists), -1, lanes)
    return SparseSpec(words=tuple(padded.sum(axis=1).max(axis=1).tolist()), synapses=tuple(exists.sum(axis=1).tolist()),
                      weight_bits=max(plain_bits(network, p) for p in projections))
