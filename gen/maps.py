"""Maps of convolutions on tiles: in which pieces a population is cut, and how many lanes can work on a slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..spec.network import Network
from .lists import places_of, positions_of
from .slices import Slice
from .sparse import windows_of

__all__ = ["cut_unit", "cuts_of", "fewest_lanes", "fitting_lanes", "map_slices", "pieces_of", "rows_of"]


def rows_of(network: Network, population: str) -> int:
    """Rows of a population's map, 1 where no convolution leads to it."""
    return next((p.conv.out_shape[1] for p in network.incoming(population) if p.conv is not None), 1)


def pieces_of(network: Network, population: str) -> int:
    """Into how many slices a population can be cut at most: single neurons, or single rows of single channels of a map."""
    return network.population(population).size // positions_of(network, population) * rows_of(network, population)


def fitting_lanes(network: Network, slices: Iterable[Slice], most: int) -> int:
    """The largest number of lanes, ``most`` at most, that can work on all of some slices.

    A word of weights is P output channels of one group; or, where a group has fewer, of several whole groups.
    """
    windows = [w for s in slices for w in windows_of(network, s, {}) if w.conv.groups > 1]
    return next(lanes for lanes in range(most, 0, -1) if all(w.fits(lanes) for w in windows))


def fewest_lanes(network: Network, slices: Sequence[Slice], most: int) -> int:
    """Where there are maps: the fewest lanes that take no more cycles than ``most`` do, a multiple of 4 above 4 (update lanes divide them)."""
    if not any(windows_of(network, s, {}) for s in slices):
        return most
    channels = [s.size // places_of(network, s) for s in slices]

    def rows(lanes: int) -> list[int]:
        return [-(-n // lanes) for n in channels]

    return next(lanes for lanes in range(1, most + 1) if lanes == most or (
        rows(lanes) == rows(most) and (lanes <= 4 or lanes % 4 == 0) and fitting_lanes(network, slices, lanes) == lanes))


def cut_unit(network: Network, population: str, lanes: int, count: int) -> int:
    """Neurons of which the slices of a population are multiples, so that tiles of up to so many lanes can work on ``count`` of them."""
    size, positions = network.population(population).size, positions_of(network, population)
    windows = windows_of(network, Slice(population=population, first=0, size=size), {})
    if not windows:
        return lanes if -(-size // lanes) >= count else 1
    channels = size // positions
    if all(w.conv.groups == 1 for w in windows):  # cut anywhere: the fullest slice has as many rows as with any unit
        return positions
    lanes = next(n for n in range(max(min(lanes, channels // count), 1), 0, -1) if channels % n == 0 and all(w.fits(n) for w in windows))
    return lanes * positions


def cuts_of(network: Network, population: str, count: int) -> list[int]:
    """Ways to cut a map into so many slices: in how many parts its channels, each of which is then cut by rows; the fewest cuts of rows first."""
    rows = rows_of(network, population)
    possible = [n for n in range(pieces_of(network, population) // rows, 0, -1) if n <= count <= n * rows]
    return [n for n in possible if count % n == 0] or possible


def map_slices(network: Network, population: str, by_channels: list[Slice], count: int) -> list[Slice]:
    """Slices of whole channels, each cut into nearly equal parts of its rows, so that there are ``count``."""
    rows, positions = rows_of(network, population), positions_of(network, population)
    width, slices = positions // rows, []
    for number, s in enumerate(by_channels):
        parts, top = count // len(by_channels) + (number < count % len(by_channels)), 0
        for part in range(parts):
            run = (rows // parts + (part < rows % parts)) * width
            slices.append(s if parts == 1 else
                          Slice(population=population, first=s.first + top, size=s.size // positions * run, run=run, pitch=positions))
            top += run
    return slices
