"""Fills the memories of a planned chip with the weights and parameters of a network."""

from __future__ import annotations

import numpy as np

from ..spec.chip import ChipSpec, GroupSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.image import MemoryImage, TileImage, table_layout
from ..spec.network import Model, Network
from ..spec.runs import axon_neurons
from ..spec.tile import SPARSE
from .lists import Sources, projections_of, runs_of
from .partition import Slice
from .plan import sum_bounds
from .sparse import sparse_spec, sparse_synapses
from .updates import extra_shift

__all__ = ["pack"]

WORDS = {"theta": "thresholds", "bias": "biases", "gate_bias": "biases of the gate", "v_init": "initial potentials"}
REMEDY = "the chip was planned for another network; plan one for this."


def _slice_of(group: GroupSpec) -> Slice:
    return Slice(population=group.population, first=group.first, size=group.size, run=group.positions if group.pitch else 0, pitch=group.pitch)


def _sources(chip: ChipSpec) -> dict[str, tuple[Slice, ...]]:
    """The slices of each population that something listens to, as the keys of a chip have them."""
    found: dict[str, list[Slice]] = {}
    for key in chip.keys:
        found.setdefault(key.population, []).append(Slice(population=key.population, first=key.first, size=key.size, run=key.run, pitch=key.pitch))
    return {name: tuple(sorted(slices, key=lambda s: s.first)) for name, slices in found.items()}


def _stored_weights(network: Network, sources: Sources, s: Slice, port: int) -> np.ndarray:
    """``[axons, size], int64``: the stored weights of a slice's list, axons in the order of the network's projections; 0 for one of no neuron."""
    blocks = [np.zeros((0, s.size), dtype=np.int64)]
    for p in projections_of(network, s.population, port):
        driven = axon_neurons(runs_of(network, sources, s, p))
        blocks.append(np.where(driven[:, None] >= 0, p.rows(s.neurons).T[driven], 0) << extra_shift(network, p))
    return np.concatenate(blocks)


def _fits(values: np.ndarray, low: int, high: int, what: str) -> None:
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise CapacityError(f"{what} {values.min()}..{values.max()} do not fit the chip, which holds {low}..{high}: {REMEDY}")


class _Words:
    """The weight words of a tile; lists that share some each write them."""

    def __init__(self, tile: TileSpec) -> None:
        self.array: np.ndarray = np.zeros((tile.weight_depth, tile.lanes), dtype=np.int16 if tile.weight_bits <= 16 else np.int32)
        self._written: np.ndarray = np.zeros(tile.weight_depth, dtype=bool)

    def put(self, base: int, words: np.ndarray, where: str) -> None:
        """Write ``words`` ``[n, lanes]``; CapacityError where others were written there."""
        own = slice(base, base + len(words))
        if (self.array[own] != words)[self._written[own]].any():
            raise CapacityError(f"{where} has other weights here than a population with which it shares them on the chip: {REMEDY}")
        self.array[own], self._written[own] = words, True


def _pack_list(network: Network, sources: Sources, tile: TileSpec, number: int, weights: _Words, where: str) -> None:
    """Write the weights of one event list, or their indices, into the tile's."""
    index, port = tile.lists[number]
    group, axons = tile.groups[index], tile.list_axons(number)
    stored = _stored_weights(network, sources, _slice_of(group), port)
    if stored.shape != (axons, group.size):
        raise CapacityError(f"{where} has {stored.shape[0]} axons and {stored.shape[1]} neurons here, the chip has "
                            f"{axons} and {group.size}: {REMEDY}")
    padded = np.zeros((axons, tile.rows(index) * tile.lanes), dtype=np.int64)
    padded[:, tile.places(index)] = _encoded(tile, number, stored, where)
    by_row = padded.reshape(axons, tile.rows(index), tile.lanes).transpose(1, 0, 2)
    weights.put(tile.weight_base(number), by_row.reshape(-1, tile.lanes), where)


def _encoded(tile: TileSpec, number: int, stored: np.ndarray, where: str) -> np.ndarray:
    """Weights of a list as the memory holds them: themselves, or their indices."""
    book = np.array(tile.codebook(number), dtype=np.int64)
    if len(book):
        places = np.searchsorted(book, stored).clip(0, len(book) - 1)
        if (book[places] != stored).any():
            raise CapacityError(f"{where} has weights that are not among the {len(book)} of the chip's codebook: {REMEDY}")
        return places
    limit = 1 << (tile.weight_bits - 1)
    if tile.shifts:
        shifts = tile.axon_shifts(number)[:, None]
        if (stored & (1 << shifts) - 1).any():
            raise CapacityError(f"{where} has weights that are not shifted as those that the chip was planned for: {REMEDY}")
        stored = stored >> shifts
    _fits(stored, -limit, limit - 1, f"{where} weights")
    return stored


def _pack_windows(network: Network, tile: TileSpec, index: int, weights: _Words, pointers: np.ndarray, where: str) -> None:
    """Write the kernels of a group's convolutions, and where each of their axons' windows begins."""
    group = tile.groups[index]
    number = tile.list_of(index, SPARSE)
    convolutions = [p for p in projections_of(network, group.population, SPARSE) if p.conv is not None]
    for k, (window, p) in enumerate(zip(group.sparse.windows if group.sparse else (), convolutions, strict=True)):
        word = tile.window_base(number, k)
        own = p.weights[window.first:window.first + window.channels].astype(np.int64) << extra_shift(network, p)
        own = _encoded(tile, number, own, where)
        padded = np.pad(own, ((0, -window.channels % tile.lanes), (0, 0), (0, 0), (0, 0)))
        words = padded.reshape(-1, tile.lanes, *own.shape[1:]).transpose(0, 2, 3, 4, 1).reshape(-1, tile.lanes)
        weights.put(word, words, where)
        found = window.pointers(tile.lanes)._asdict() | {"walk": np.full(window.axons, tile.walks.index(window.steps(tile.lanes)))}
        found["first"] = np.where(found["count"] > 0, found["first"] + word, 0)
        rows = slice(tile.pointer_base(index) + window.axon, tile.pointer_base(index) + window.axon + window.axons)
        pointers[rows] = np.stack([found[name] for name in tile.pointer_fields], axis=1)


def _pack_sparse(network: Network, sources: Sources, tile: TileSpec, index: int, sparse: np.ndarray, pointers: np.ndarray, where: str) -> None:
    """Write the existing synapses of a group's sparse axons, lane by lane, and where each axon's begin."""
    group = tile.groups[index]
    if group.sparse is None:
        return
    if sparse_spec(network, _slice_of(group), tile.lanes, sources) != group.sparse:
        raise CapacityError(f"{where} has other synapses here than the sparse memory of the chip has room for: {REMEDY}")
    limit = 1 << tile.sparse_weight_bits >> 1
    word, places = tile.sparse_base(index), tile.places(index)
    for first, stored in sparse_synapses(network, _slice_of(group), sources):
        _fits(stored, -limit, limit - 1, f"{where} weights")
        by_place = np.zeros((len(stored), tile.rows(index) * tile.lanes), dtype=np.int64)
        by_place[:, places] = stored
        for axon, weights in enumerate(by_place, first):
            pointers[tile.pointer_base(index) + axon, :2] = word, group.sparse.words[axon]
            for lane in range(tile.lanes):
                rows = np.flatnonzero(weights[lane::tile.lanes])
                sparse[word:word + len(rows), lane, 0] = rows
                sparse[word:word + len(rows), lane, 1] = weights[lane::tile.lanes][rows]
            word += group.sparse.words[axon]


def _pack_tile(network: Network, chip: ChipSpec, sources: Sources, tile: TileSpec, index: int) -> TileImage:
    weights = _Words(tile)
    parameters = {f.name: np.zeros((tile.n_updates, tile.update_lanes), dtype=np.int64) for f in tile.fields}
    parameters["theta"][:] = (1 << tile.theta_bits) - 1
    sparse = np.zeros((tile.sparse_depth, tile.lanes, 2), dtype=np.int32)
    pointers = np.zeros((tile.pointer_depth, len(tile.pointer_fields) if tile.has_sparse else 2), dtype=np.int64)
    for number, group in enumerate(tile.groups):
        where = f"Tile {index}, population {group.population!r}:"
        held = sparse.copy() if tile.shares(number, SPARSE) else None
        _pack_sparse(network, sources, tile, number, sparse, pointers, where)
        if held is not None and (held != sparse).any():
            raise CapacityError(f"{where} has other weights here than a population with which it shares them on the chip: {REMEDY}")
        if group.sparse is not None and group.sparse.windows:
            _pack_windows(network, tile, number, weights, pointers, where)
    for number in (k for k, (_, port) in enumerate(tile.lists) if port != SPARSE):
        _pack_list(network, sources, tile, number, weights, f"Tile {index}, population {tile.groups[tile.lists[number][0]].population!r}:")
    for number, group in enumerate(tile.groups):
        population = network.population(group.population)
        base, cut = tile.update_base(number), group.neurons
        for f in tile.fields:
            values = getattr(population, f.name)
            if f.name == "theta" and not population.spikes:
                values = np.zeros(population.size, np.int64)  # a neuron that does not fire has no threshold, whatever the network says
            elif values is None:  # the decay's factor is that of all, and known to the datapath
                continue
            own = np.asarray(values)[cut]
            high = (1 << f.bits >> f.signed) - 1 if f.bits else 0
            _fits(own, -high - 1 if f.signed and f.bits else 0, high,
                  f"Tile {index}, population {group.population!r}: {WORDS.get(f.name, f.name)}")
            parameters[f.name][base:base + tile.rows(number) * tile.beats].reshape(-1)[tile.places(number)] = own
    sums = 1 << (tile.accumulator_bits - 1)
    _fits(np.array(sum_bounds(network, tile.groups)), -sums, sums - 1, f"Tile {index}: sums of weights")
    layout = table_layout(tile, len(chip.keys))
    table = np.zeros(layout.depth, dtype=np.int64)
    for key, listed in tile.entries.items():
        for i, entry in enumerate(listed):
            table[key * layout.stride + i] = layout.pack(tile.list_of(entry.group, entry.port), entry.base, entry.delay, last=i == len(listed) - 1)
    return TileImage(weights=weights.array, theta=parameters.pop("theta"), bias=parameters.pop("bias"), table=table, parameters=parameters,
                     sparse=sparse, pointers=pointers)


def pack(chip: ChipSpec, network: Network) -> MemoryImage:
    """The memory image of a network on a chip that was planned for it, or for one with the same graph and sizes.

    Neuron (row, lane) of a group is ``row * P + lane``; in the update, neuron (update, lane) is ``update * U + lane``, which is the
    same order because U divides P. Raises CapacityError where the network does not fit the chip's formats.
    """
    sources = _sources(chip)
    sizes = {i.population: i.size for i in chip.inputs}
    for group in (g for tile in chip.tiles for g in tile.groups):
        sizes[group.population] = sizes.get(group.population, 0) + group.size
    for p in network.populations:
        if sizes.get(p.name, 0) != p.size and (p.model is Model.INPUT or sizes.get(p.name, 0) > p.size):  # fewer on its tiles: the check sees that
            raise CapacityError(f"Population {p.name!r} has {p.size} neurons, and the chip {sizes.get(p.name, 0)} of it: {REMEDY}")
    tiles = tuple(_pack_tile(network, chip, sources, tile, t) for t, tile in enumerate(chip.tiles))
    return MemoryImage(network_digest=network.digest, tiles=tiles)
