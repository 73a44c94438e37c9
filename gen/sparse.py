"""What is scattered: existing synapses of sparse axons, spread over the lanes of their neurons, and windows of convolutions."""

from __future__ import annotations

import numpy as np

from ..spec.network import Network
from ..spec.runs import axon_neurons
from ..spec.tile import SPARSE, SparseSpec, places
from ..spec.window import WindowSpec
from .lists import Sources, places_of, projections_of, runs_of, window_of
from .slices import Slice
from .updates import extra_shift
from .weight_formats import plain_bits

__all__ = ["sparse_spec", "sparse_synapses", "windows_of"]


def windows_of(network: Network, s: Slice, sources: Sources) -> tuple[WindowSpec, ...]:
    """The convolutions onto a slice, in the order of the network's projections. Its neurons are whole channels, or rows of them."""
    axon, windows = 0, []
    for p in projections_of(network, s.population, SPARSE):
        runs = runs_of(network, sources, s, p)
        if p.conv is not None:
            windows.append(window_of(s, p, axon, runs, (p.matrix, extra_shift(network, p)) if p.matrix else None))
        axon += sum(run.span for run in runs)
    return tuple(windows)


def sparse_synapses(network: Network, s: Slice, sources: Sources) -> list[tuple[int, np.ndarray]]:
    """First axon and stored weights, ``[axons, size], int64``, of each of a slice's sparse projections; 0 where there is no synapse."""
    axon, blocks = 0, []
    for p in projections_of(network, s.population, SPARSE):
        runs = runs_of(network, sources, s, p)
        if p.conv is None:
            driven = axon_neurons(runs)
            blocks.append((axon, np.where(driven[:, None] >= 0, p.rows(s.neurons).T[driven], 0) << extra_shift(network, p)))
        axon += sum(run.span for run in runs)
    return blocks


def sparse_spec(network: Network, s: Slice, lanes: int, sources: Sources) -> SparseSpec | None:
    """What a slice's scattered axons take on a tile of so many lanes; None if it has none."""
    projections = projections_of(network, s.population, SPARSE)
    if not projections:
        return None
    windows = {w.axon: w for w in windows_of(network, s, sources)}
    synapses_of = dict(sparse_synapses(network, s, sources))
    axon = 0
    words: list[int] = []
    synapses: list[int] = []
    for p in projections:
        if p.conv is not None:
            words += np.maximum(windows[axon].cycles(lanes), 1).tolist()
            synapses += windows[axon].synapses.tolist()
            axon += windows[axon].axons
        else:
            exists = synapses_of[axon] != 0
            lane = places(s.size, places_of(network, s), lanes) % lanes
            words += np.stack([exists[:, lane == k].sum(axis=1) for k in range(lanes)]).max(axis=0).tolist()
            synapses += exists.sum(axis=1).tolist()
            axon += len(exists)
    return SparseSpec(words=tuple(words), synapses=tuple(synapses), windows=tuple(windows.values()),
                      weight_bits=max((plain_bits(network, p) for p in projections if p.conv is None), default=0))
