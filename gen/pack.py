"""Fills the memories of a planned chip with the weights and parameters of a network."""

from __future__ import annotations

import numpy as np

from ..spec.chip import ChipSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.image import MemoryImage, TileImage, table_layout
from ..spec.network import Model, Network
from .plan import extra_shift, sum_bounds

__all__ = ["pack"]

REMEDY = "the chip was planned for another network; plan one for this."


def _stored_weights(network: Network, population: str, first: int, size: int) -> np.ndarray:
    """``[axons, size], int64``: the stored weights of a slice, axons in the order of the network's projections."""
    blocks = [p.weights[first:first + size].T.astype(np.int64) << extra_shift(network, p) for p in network.incoming(population)]
    return np.concatenate(blocks)


def _fits(values: np.ndarray, low: int, high: int, what: str) -> None:
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise CapacityError(f"{what} {values.min()}..{values.max()} do not fit the chip, which holds {low}..{high}: {REMEDY}")


def _pack_tile(network: Network, chip: ChipSpec, tile: TileSpec, index: int) -> TileImage:
    limit = 1 << (tile.weight_bits - 1)
    weights = np.zeros((tile.weight_depth, tile.lanes), dtype=np.int16 if tile.weight_bits <= 16 else np.int32)
    theta = np.full((tile.n_updates, tile.update_lanes), (1 << tile.theta_bits) - 1, dtype=np.int64)
    bias = np.zeros((tile.n_updates, tile.update_lanes), dtype=np.int64)
    for number, group in enumerate(tile.groups):
        where = f"Tile {index}, population {group.population!r}:"
        population = network.population(group.population)
        stored = _stored_weights(network, group.population, group.first, group.size)
        if stored.shape != (group.axons, group.size):
            raise CapacityError(f"{where} has {stored.shape[0]} axons and {stored.shape[1]} neurons here, the chip has "
                                f"{group.axons} and {group.size}: {REMEDY}")
        _fits(stored, -limit, limit - 1, f"{where} weights")
        rows = tile.rows(number)
        padded = np.zeros((group.axons, rows * tile.lanes), dtype=np.int64)
        padded[:, :group.size] = stored
        base = tile.weight_base(number)
        by_row = padded.reshape(group.axons, rows, tile.lanes).transpose(1, 0, 2)
        weights[base:base + rows * group.axons] = by_row.reshape(-1, tile.lanes)

        base = tile.update_base(number)
        cut = slice(group.first, group.first + group.size)
        biases = np.asarray(population.bias)[cut]
        _fits(biases, -(1 << tile.bias_bits >> 1), (1 << tile.bias_bits >> 1) - 1 if tile.bias_bits else 0, f"{where} biases")
        bias[base:base + rows * tile.beats].reshape(-1)[:group.size] = biases
        # An LI neuron has no threshold: its places hold 0, whatever the network says.
        thetas = np.zeros(group.size, np.int64) if population.model is Model.LI else np.asarray(population.theta)[cut]
        _fits(thetas, 0, (1 << tile.theta_bits) - 1, f"{where} thresholds")
        theta[base:base + rows * tile.beats].reshape(-1)[:group.size] = thetas
    sums = 1 << (tile.accumulator_bits - 1)
    _fits(np.array(sum_bounds(network, tile.groups)), -sums, sums - 1, f"Tile {index}: sums of weights")
    layout = table_layout(tile, len(chip.keys))
    table = np.zeros(layout.depth, dtype=np.int64)
    for key, listed in tile.entries.items():
        for i, entry in enumerate(listed):
            table[key * layout.stride + i] = layout.pack(entry.group, entry.base, entry.delay, last=i == len(listed) - 1)
    return TileImage(weights=weights, theta=theta, bias=bias, table=table)


def pack(chip: ChipSpec, network: Network) -> MemoryImage:
    """The memory image of a network on a chip that was planned for it, or for one with the same graph and sizes.

    Neuron (row, lane) of a group is ``row * P + lane``; in the update, neuron (update, lane) is ``update * U + lane``, which is the
    same order because U divides P. Raises CapacityError where the network does not fit the chip's formats.
    """
    tiles = tuple(_pack_tile(network, chip, tile, t) for t, tile in enumerate(chip.tiles))
    return MemoryImage(network_digest=network.digest, tiles=tiles)
