"""What a slice takes of a tile: neurons, axons, and words of weights, which slices that read the same weights take once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from types import MappingProxyType

from ..spec.network import Network
from ..spec.tile import MAIN
from .lists import Sources, list_axons, places_of, projections_of
from .maps import fitting_lanes
from .slices import Slice
from .sparse import sparse_spec
from .updates import extra_shift

__all__ = ["Demand", "demand_of", "matrices_of", "total_demand"]


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Of one slice. ``words`` are of weights that are its own, ``shared_words`` of those that slices with the same ``key`` read as well; ``work`` is
    in proportion to the clock cycles that an event of every axon takes."""

    neurons: int
    axons: int
    work: int
    words: int
    key: Hashable | None
    shared_words: int


def matrices_of(network: Network, population: str) -> tuple[tuple[str, int], ...] | None:
    """(matrix, left shift of its stored weights) of each dense projection into port ``i``; None where one has no name, or there is none.

    Slices of populations for which this is equal, and which are equally large, store their weights once if they are on one tile.
    """
    projections = projections_of(network, population, MAIN)
    if not projections or not all(p.matrix for p in projections):
        return None
    return tuple((p.matrix, extra_shift(network, p)) for p in projections)


def demand_of(network: Network, s: Slice, lanes: int, sources: Sources = MappingProxyType({})) -> Demand:
    """What a slice takes of a tile of so many lanes: a word per row and axon of a dense list, those of its sparse axons, and of its kernels.

    ``sources`` are the slices of populations that are cut already; of the others all neurons count.
    """
    lanes, places = fitting_lanes(network, [s], lanes), places_of(network, s)
    rows = -(-s.size // (lanes * places)) * places
    main, side, sparse = list_axons(network, sources, s)
    spec = sparse_spec(network, s, lanes, sources)
    scattered, stored = (sum(spec.words), spec.stored_words + sum(w.words(lanes) for w in spec.windows)) if spec else (0, 0)
    matrices = matrices_of(network, s.population)
    own = side if matrices else side + main
    return Demand(neurons=s.size, axons=main + side + sparse, work=s.size * (main + side) + lanes * scattered, words=rows * own + stored,
                  key=(s.cut, matrices) if matrices else None, shared_words=rows * main if matrices else 0)


def total_demand(demands: Iterable[Demand]) -> tuple[int, int, int]:
    """(neurons, axons, words) of slices on one tile."""
    neurons, axons, words, keys = 0, 0, 0, set()
    for d in demands:
        neurons, axons, words = neurons + d.neurons, axons + d.axons, words + d.words
        if d.key not in keys:
            words += d.shared_words
        keys.add(d.key)
    return neurons, axons, words
