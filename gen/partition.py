"""First pass: which neurons go to which tile.

A population that is larger than a tile is cut into slices of nearly equal size, whole rows of P neurons where possible;
small populations may share a tile, and populations that share their weights do. The result says nothing yet about where on the chip a tile is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..spec.errors import CapacityError
from ..spec.network import Model, Network
from ..spec.tile import SPARSE
from ..spec.update import UpdateSpec
from .demand import Demand, demand_of, total_demand
from .lists import list_axons, positions_of
from .maps import cut_unit, fitting_lanes, pieces_of
from .slices import Slice
from .updates import update_of

__all__ = ["DEFAULT_LANES", "Partition", "Slice", "TileLimits", "TilePart", "partition"]

DEFAULT_LANES = 16
_POINTER_BITS = 32  # of a scattered axon, about
SHARE_SLACK = 1.25  # how much busier a tile may get so that populations with the same update share its datapath


@dataclass(frozen=True, kw_only=True)
class TileLimits:
    """Largest tile: neurons, axons (input lines, summed over its groups) and words of the weight memory."""

    neurons: int = 4096
    axons: int = 1 << 16
    weight_words: int = 1 << 20


@dataclass(frozen=True, kw_only=True)
class TilePart:
    """What one tile gets: P = ``lanes``, U = ``update_lanes`` and the slices it owns, in working order."""

    lanes: int
    update_lanes: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The tiles of a chip, in the order of their first neuron in the network."""

    tiles: tuple[TilePart, ...]

    def slices_of(self, population: str) -> tuple[tuple[int, Slice], ...]:
        """(tile, slice) of every slice of a population, by ascending neuron."""
        found = [(t, s) for t, tile in enumerate(self.tiles) for s in tile.slices if s.population == population]
        return tuple(sorted(found, key=lambda item: item[1].first))


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _power_of_two_divisor(lanes: int, limit: int) -> int:
    """Largest power of two that divides ``lanes`` and is at most ``limit`` (1 if limit is less)."""
    divisor = 1
    while 2 * divisor <= limit and lanes % (2 * divisor) == 0:
        divisor *= 2
    return divisor


def _cut(population: str, size: int, count: int, unit: int) -> list[Slice]:
    """``count`` nearly equal slices, multiples of ``unit`` but the last."""
    units, first, slices = _ceil(size, unit), 0, []
    for index in range(count):
        part = min((units // count + (index < units % count)) * unit, size - first)
        slices.append(Slice(population=population, first=first, size=part))
        first += part
    return slices


def _least_slices(network: Network, name: str, unit: int, limits: TileLimits) -> int:
    """Tiles that a population needs at least; CapacityError if not even one row of it fits into a tile."""
    size, (main, side, sparse) = network.population(name).size, list_axons(network, name)
    positions = positions_of(network, name)
    axons, words, row = main + side + sparse, main + side, min(unit, size)
    if axons > limits.axons:
        raise CapacityError(f"Population {name!r} needs {axons} axons (neurons of its sources), a tile has {limits.axons}. "
                            "Its neurons can be split over tiles, its fan-in cannot: use fewer or smaller sources.")
    if positions > 1:
        return _least_maps(network, name, unit, limits)
    if row <= limits.neurons and words <= limits.weight_words:
        rows = _ceil(size, row)
        count = _ceil(rows, min(limits.neurons // row, limits.weight_words // max(words, 1)))
        # How many words sparse axons take, only their weights tell: at most one per row.
        sure = _ceil(rows, count) * (words + sparse) <= limits.weight_words
        while not sure and count <= rows and any(_words(network, s, unit) > limits.weight_words for s in _slices(network, name, count, unit)):
            count += 1
        if count <= rows:
            return count
        words = max(_words(network, s, unit) for s in _slices(network, name, rows, unit))
    raise CapacityError(f"One row of population {name!r} needs {row} neurons and {words} weight words, and a tile has "
                        f"{limits.neurons} neurons and {limits.weight_words} words. Use fewer lanes or a smaller fan-in.")


def _slices(network: Network, name: str, count: int, unit: int) -> list[Slice]:
    return _cut(name, network.population(name).size, count, cut_unit(network, name, unit, count))


def _least_maps(network: Network, name: str, unit: int, limits: TileLimits) -> int:
    """The same of a map, whose slices are whole channels."""
    pieces, size = pieces_of(network, name), network.population(name).size
    for count in range(_ceil(size, limits.neurons), pieces + 1):
        slices = _slices(network, name, count, unit)
        largest = max(slices, key=lambda s: s.size)
        if largest.size <= limits.neurons and _words(network, largest, unit) <= limits.weight_words:
            return count
    words = _words(network, Slice(population=name, first=0, size=size // pieces), unit)
    raise CapacityError(f"One channel of population {name!r} needs {size // pieces} neurons and {words} weight words, and a tile has "
                        f"{limits.neurons} neurons and {limits.weight_words} words. Use a smaller map, or a smaller fan-in.")


def _words(network: Network, s: Slice, unit: int) -> int:
    return total_demand([demand_of(network, s, unit)])[2]


def _gathered(slices: Sequence[Slice], demands: Mapping[Slice, Demand], limits: TileLimits) -> list[list[Slice]]:
    """A tile for each slice, but one for slices that read the same weights, as many as fit: what they share is then stored once."""
    parts: list[list[Slice]] = []
    for s in slices:
        same = [part for part in parts if any(demands[s].shares(demands[other]) for other in part)]
        room = next((part for part in same if _fits([*part, s], demands, limits)), None)
        if room is None:
            room = []
            parts.append(room)
        room.append(s)
    return parts


def _cut_alike(network: Network, counts: dict[str, int], unit: int, limits: TileLimits) -> None:
    """More slices, where needed, of populations that share weights, so that a tile has room for the same slice of each, and so their weights once."""
    whole = {name: demand_of(network, Slice(population=name, first=0, size=network.population(name).size), unit) for name in counts}
    families: list[list[str]] = []
    for name in counts:
        if whole[name].shared:
            alike = [f for f in families if any(whole[name].shares(whole[other]) for other in f)]
            families = [f for f in families if f not in alike] + [[*(n for f in alike for n in f), name]]
    for found in families:
        shapes = [(network.population(name).size, pieces_of(network, name)) for name in found]
        room, family = limits.axons, []
        for name, shape in sorted(zip(found, shapes), key=lambda pair: whole[pair[0]].axons):
            # A slice has all axons of its population, however small it is: the one with the most is left out where there are too many.
            if shape == max(shapes, key=shapes.count) and whole[name].axons <= room:
                room -= whole[name].axons
                family.append(name)
        if len(family) < 2:
            continue
        least = max(*(counts[name] for name in family), _ceil(sum(whole[name].neurons for name in family), limits.neurons))
        # No more tiles than they take apart, and less memory: what a finer cut adds are pointers, which each tile has of all its axons.
        for count in range(least, min(pieces_of(network, family[0]), sum(counts[name] for name in family)) + 1):
            tiles = list(zip(*(_slices(network, name, count, unit) for name in family)))
            demands = {s: demand_of(network, s, unit) for listed in tiles for s in listed}
            if all(_fits(listed, demands, limits) for listed in tiles):
                apart = [[s] for name in family for s in _slices(network, name, counts[name], unit)]
                if _memory(network, tiles, unit) < _memory(network, apart, unit):
                    counts.update(dict.fromkeys(family, count))
                break


def _memory(network: Network, tiles: Iterable[Sequence[Slice]], unit: int) -> int:
    """Bits of weights and of pointers of tiles with these slices, about."""
    total = 0
    for slices in tiles:
        lanes, demands = fitting_lanes(network, slices, unit), {s: demand_of(network, s, unit) for s in slices}
        bits = max(p.weight_bits for s in slices for p in network.incoming(s.population))
        pointers = {next((key for key in demands[s].lists), s): list_axons(network, s.population)[SPARSE] for s in slices}
        total += total_demand(demands.values())[2] * lanes * bits + sum(pointers.values()) * _POINTER_BITS
    return total


def _fits(slices: Sequence[Slice], demands: Mapping[Slice, Demand], limits: TileLimits) -> bool:
    return all(n <= limit for n, limit in zip(total_demand(demands[s] for s in slices), (limits.neurons, limits.axons, limits.weight_words)))


def _share(network: Network, slices: Sequence[Slice], demands: Mapping[Slice, Demand], tiles: int, limits: TileLimits) -> list[list[Slice]]:
    """Spread slices over fewer tiles: most work first, onto the least busy tile, or one of the same weights or update if about as busy."""

    def work(s: Slice) -> int:
        return demands[s].work

    def update(s: Slice) -> UpdateSpec:
        return update_of(network, network.population(s.population))

    shared: list[list[Slice]] = [[] for _ in range(tiles)]
    for s in sorted(slices, key=work, reverse=True):
        room = [t for t in shared if _fits([*t, s], demands, limits)]
        if not room:
            neurons, axons, words = total_demand(demands[o] for o in slices)
            raise CapacityError(f"The network does not fit on {tiles} tiles: it needs {neurons} neurons, {axons} axons and {words} "
                                f"weight words in all, and a tile has {limits.neurons}, {limits.axons} and {limits.weight_words}. "
                                f"{len(slices)} tiles are enough.")
        loads = {id(t): sum(map(work, t)) + work(s) for t in room}
        least = min(loads.values())
        near = [t for t in room if not t and loads[id(t)] == least] or [t for t in room if loads[id(t)] <= SHARE_SLACK * least]
        min(near, key=lambda t: (not any(demands[o].shares(demands[s]) for o in t), all(update(o) != update(s) for o in t),
                                 loads[id(t)])).append(s)
    return shared


def _per_tile(value: int | Sequence[int] | None, tiles: int, what: str) -> list[int | None]:
    """One value per tile, from a single number or one per tile; CapacityError if their number is wrong or one is below 1."""
    if value is None or isinstance(value, int):
        values: list[int | None] = [value] * tiles
    else:
        values = list(value)
    if len(values) != tiles:
        raise CapacityError(f"{what} are given for {len(values)} tiles, but the network is on {tiles}: "
                            "give one number, or one per tile.")
    if any(v is not None and v < 1 for v in values):
        raise CapacityError(f"{what} must be at least 1, not {min(v for v in values if v is not None)}.")
    return values


def _lanes(network: Network, slices: Sequence[Slice], lanes: int, exact: bool, update_lanes: int | None) -> tuple[int, int]:
    """(P, U) of a tile. A tile with fewer neurons than lanes gets fewer lanes, as does one whose maps' channels they do not divide; P / U stays
    near the events of a timestep."""
    largest = max(s.size for s in slices)
    small = largest < lanes and not exact
    if small:  # odd only where one update lane is enough anyway
        lanes = largest if largest <= DEFAULT_LANES else min(lanes, largest + largest % 2)
    fitting = fitting_lanes(network, slices, lanes)
    if exact and fitting < lanes:
        raise CapacityError(f"{lanes} lanes are asked for on the tile of {', '.join(s.population for s in slices)}, whose maps' channels (and those "
                            f"of their groups) they do not divide: use {fitting}.")
    small, lanes = small or fitting < lanes, fitting
    if update_lanes is None:
        return lanes, _power_of_two_divisor(lanes, lanes // (DEFAULT_LANES if small else 4))
    if update_lanes & (update_lanes - 1) or (not small and lanes % update_lanes):
        raise CapacityError(f"Update lanes must be a power of two that divides the lanes, not {update_lanes} of {lanes}.")
    return lanes, _power_of_two_divisor(lanes, update_lanes)


def partition(network: Network, *, lanes: int | Sequence[int] | None = None, update_lanes: int | Sequence[int] | None = None,
              tiles: int | None = None, limits: TileLimits | None = None) -> Partition:
    """Spread the populations of a network over tiles.

    Parameters
    ----------
    lanes : P, or one per tile (then taken as it is); default 16, and never more than the largest slice of a tile.
    update_lanes : U, or one per tile; default the largest power of two that divides P and is at most P / 4.
    tiles : number of tiles. Default: one per population that is not an input, more for populations larger than a tile, and one for all populations
        that share weights, cut into as many slices as it takes for the same slice of each to fit: the weights are then stored once, and the
        populations take turns. A number wins over that: so many tiles, with about the same work each.
    limits : the largest tile.

    Raises
    ------
    CapacityError : the network does not fit, or lanes and tiles contradict each other.
    """
    limits = limits or TileLimits()
    names = [p.name for p in network.populations if p.model is not Model.INPUT]
    if tiles is None and not isinstance(lanes, int | None):
        tiles = len(lanes)
    unit = min(DEFAULT_LANES if lanes is None else lanes if isinstance(lanes, int) else max(lanes, default=0), limits.neurons)
    if unit < 1:
        raise CapacityError(f"Lanes must be at least 1, not {unit}.")
    counts = {name: _least_slices(network, name, unit, limits) for name in names}
    sizes, pieces = {name: network.population(name).size for name in names}, {name: pieces_of(network, name) for name in names}
    if tiles is None:
        _cut_alike(network, counts, unit, limits)
    most = sum(pieces.values())
    if tiles is not None and not 1 <= tiles <= most:
        channels = "" if pieces == sizes else ", those of a map counted as one per channel"
        raise CapacityError(f"{tiles} tiles are asked for, and the network has {most} neurons{channels}: use 1 to {most} tiles.")
    if tiles is not None and sum(counts.values()) < tiles:  # cut the slices with the most work
        work = {n: demand_of(network, Slice(population=n, first=0, size=sizes[n]), unit).work for n in names}
        while sum(counts.values()) < tiles:
            counts[max((n for n in names if counts[n] < pieces[n]), key=lambda n: work[n] / counts[n])] += 1
    slices = [s for name in names for s in _slices(network, name, counts[name], unit)]
    demands = {s: demand_of(network, s, unit) for s in slices}
    parts = _gathered(slices, demands, limits) if tiles is None else [[s] for s in slices]
    if tiles is not None and tiles < len(slices):
        parts = [sorted(part, key=slices.index) for part in _share(network, slices, demands, tiles, limits)]
        parts.sort(key=lambda part: slices.index(part[0]))
    result = []
    for part, p, u in zip(parts, _per_tile(lanes, len(parts), "Lanes"), _per_tile(update_lanes, len(parts), "Update lanes")):
        width, updates = _lanes(network, part, p or DEFAULT_LANES, not isinstance(lanes, int | None), u)
        result.append(TilePart(lanes=width, update_lanes=updates, slices=tuple(part)))
    return _checked(network, Partition(tiles=tuple(result)))


def _checked(network: Network, result: Partition) -> Partition:
    """The partition itself; AssertionError unless every neuron is on exactly one tile."""
    for population in network.populations:
        first = 0
        for _, s in result.slices_of(population.name):
            assert s.first == first and s.size > 0, f"slices of {population.name} overlap or leave a gap at neuron {first}"
            first += s.size
        assert first == (0 if population.model is Model.INPUT else population.size), f"{population.name} is not covered"
    return result
