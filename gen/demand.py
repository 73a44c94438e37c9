"""What a slice takes of a tile: neurons, axons, and words of weights, which slices that read the same weights take once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from ..spec.network import Network
from ..spec.tile import MAIN, SPARSE
from .lists import list_axons, projections_of
from .maps import fitting_lanes
from .slices import Slice
from .sparse import sparse_spec
from .updates import extra_shift
from .weight_formats import codebook_values

__all__ = ["Demand", "demand_of", "matrices_of", "total_demand"]


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Of one slice. ``words`` are of weights that are its own, ``shared`` those that slices with the same key read as well, by key; ``work`` is
    in proportion to the clock cycles that an event of every axon takes."""

    neurons: int
    axons: int
    work: int
    words: int
    shared: Mapping[Hashable, int]

    @property
    def lists(self) -> tuple[Hashable, ...]:
        """Key of its scattered list, where another slice can have the same, pointers included; else nothing."""
        return tuple(key for key in self.shared if isinstance(key, tuple) and key[0] == SPARSE)

    def shares(self, other: Demand) -> bool:
        """Whether both read the same weights, or some of them."""
        return not self.shared.keys().isdisjoint(other.shared)


def matrices_of(network: Network, population: str) -> tuple[tuple[str, int], ...] | None:
    """(matrix, left shift of its stored weights) of each dense projection into port ``i``; None where one has no name, or there is none.

    Slices of populations for which this is equal, and which are equally large, store their weights once if they are on one tile.
    """
    projections = projections_of(network, population, MAIN)
    if not projections or not all(p.matrix for p in projections):
        return None
    return tuple((p.matrix, extra_shift(network, p)) for p in projections)


def demand_of(network: Network, s: Slice, lanes: int) -> Demand:
    """What a slice takes of a tile of so many lanes: a word per row and axon of a dense list, those of its sparse axons, and of its kernels."""
    lanes = fitting_lanes(network, [s], lanes)
    rows = -(-s.size // lanes)
    main, side, sparse = list_axons(network, s.population)
    spec = sparse_spec(network, s, lanes)
    matrices, own, shared = matrices_of(network, s.population), rows * side, dict[Hashable, int]()
    if matrices:
        shared[MAIN, s.first, s.size, matrices] = rows * main
    else:
        own += rows * main
    if spec is not None:
        scattered = projections_of(network, s.population, SPARSE)
        book = codebook_values(network, [p for p in scattered if p.conv is not None])
        for window in spec.windows:
            if window.matrix is not None:  # twice in a list: stored once
                shared[window.matrix, window.first, window.channels, book] = window.words(lanes)
            else:
                own += window.words(lanes)
        if all(p.matrix for p in scattered):
            shared[SPARSE, s.first, s.size, tuple((p.matrix, extra_shift(network, p), p.conv) for p in scattered)] = spec.stored_words
        else:
            own += spec.stored_words
    return Demand(neurons=s.size, axons=main + side + sparse, work=s.size * (main + side) + lanes * (sum(spec.words) if spec else 0), words=own,
                  shared=shared)


def total_demand(demands: Iterable[Demand]) -> tuple[int, int, int]:
    """(neurons, axons, words) of slices on one tile."""
    neurons, axons, words, shared = 0, 0, 0, dict[Hashable, int]()
    for d in demands:
        neurons, axons, words = neurons + d.neurons, axons + d.axons, words + d.words
        shared |= d.shared
    return neurons, axons, words + sum(shared.values())
