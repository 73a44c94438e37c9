"""Maps of convolutions on tiles: in which pieces a population is cut, and how many lanes can work on a slice."""

from __future__ import annotations

from collections.abc import Iterable

from ..spec.network import Network
from .lists import positions_of
from .slices import Slice
from .sparse import windows_of

__all__ = ["cut_unit", "fitting_lanes", "pieces_of"]


def pieces_of(network: Network, population: str) -> int:
    """Into how many slices a population can be cut at most: single neurons, or single channels of a map."""
    return network.population(population).size // positions_of(network, population)


def fitting_lanes(network: Network, slices: Iterable[Slice], most: int) -> int:
    """The largest number of lanes, ``most`` at most, that can work on all of some slices.

    Lanes divide the channels of a map (P channels of a place are one row), and its groups' channels, or these divide the lanes.
    """
    windows = [w for s in slices for w in windows_of(network, s)]
    return next(lanes for lanes in range(most, 0, -1) if all(w.fits(lanes) for w in windows))


def cut_unit(network: Network, population: str, lanes: int, count: int) -> int:
    """Neurons of which the slices of a population are multiples, so that tiles of up to so many lanes can work on ``count`` of them."""
    size, positions = network.population(population).size, positions_of(network, population)
    whole = Slice(population=population, first=0, size=size)
    if windows_of(network, whole):
        lanes = min(lanes, size // positions // count)
        return fitting_lanes(network, [whole], max(lanes, 1)) * positions
    return lanes if -(-size // lanes) >= count else 1
