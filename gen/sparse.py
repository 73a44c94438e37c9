"""What is scattered: existing synapses of sparse axons, spread over the lanes of their neurons, and windows of convolutions."""

from __future__ import annotations

import numpy as np

from ..spec.network import Network
from ..spec.tile import SPARSE, SparseSpec, places
from ..spec.window import WindowSpec
from .lists import positions_of, projections_of
from .slices import Slice
from .updates import extra_shift
from .weight_formats import plain_bits

__all__ = ["sparse_spec", "sparse_synapses", "windows_of"]


def windows_of(network: Network, s: Slice) -> tuple[WindowSpec, ...]:
    """The convolutions onto a slice, in the order of the network's projections. Its neurons are whole channels."""
    axon, windows = 0, []
    for p in projections_of(network, s.population, SPARSE):
        if p.conv is not None:
            windows.append(WindowSpec(conv=p.conv, axon=axon, first=s.first // p.conv.positions, channels=s.size // p.conv.positions,
                                      matrix=(p.matrix, extra_shift(network, p)) if p.matrix else None))
        axon += p.shape[1]
    return tuple(windows)


def sparse_synapses(network: Network, population: str, first: int, size: int) -> list[tuple[int, np.ndarray]]:
    """First axon and stored weights, ``[axons, size], int64``, of each of a slice's sparse projections; 0 where there is no synapse."""
    axon, blocks = 0, []
    for p in projections_of(network, population, SPARSE):
        if p.conv is None:
            blocks.append((axon, p.rows(first, size).T << extra_shift(network, p)))
        axon += p.shape[1]
    return blocks


def sparse_spec(network: Network, s: Slice, lanes: int) -> SparseSpec | None:
    """What a slice's scattered axons take on a tile of so many lanes; None if it has none."""
    projections = projections_of(network, s.population, SPARSE)
    if not projections:
        return None
    windows = {w.axon: w for w in windows_of(network, s)}
    axon = 0
    words: list[int] = []
    synapses: list[int] = []
    for p in projections:
        if p.conv is not None:
            words += np.maximum(windows[axon].cycles(lanes), 1).tolist()
            synapses += windows[axon].synapses.tolist()
        else:
            exists = p.weights[s.first:s.first + s.size].T != 0
            lane = places(s.size, positions_of(network, s.population), lanes) % lanes
            words += np.stack([exists[:, lane == k].sum(axis=1) for k in range(lanes)]).max(axis=0).tolist()
            synapses += exists.sum(axis=1).tolist()
        axon += p.shape[1]
    return SparseSpec(words=tuple(words), synapses=tuple(synapses), windows=tuple(windows.values()),
                      weight_bits=max((plain_bits(network, p) for p in projections if p.conv is None), default=0))
