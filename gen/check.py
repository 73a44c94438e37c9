"""Last pass: read a packed chip back, and compare what it computes with the network.

Everything is worked out anew from the chip's plan and from the packed words, in the other direction than plan and pack: which
neuron a lane is, which axon an event drives, what a weight is worth. Nothing of :mod:`.pack` is used.
"""

from __future__ import annotations

import numpy as np

from ..spec.arithmetic import bits_signed
from ..spec.chip import ChipSpec, GroupSpec, TileSpec
from ..spec.errors import MismatchError
from ..spec.image import MemoryImage, TileImage, table_layout
from ..spec.network import Model, Network
from .keys import Keys
from .route import check_routes

__all__ = ["check_chip"]


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise MismatchError(text)


def _fields(words: list[int], widths: list[int], signed: list[bool]) -> np.ndarray:
    """``[words, fields], int64``: the fields of packed words, lowest first."""
    total = sum(widths)
    n_bytes = -(-total // 8)
    data = np.frombuffer(b"".join(word.to_bytes(n_bytes, "little") for word in words), dtype=np.uint8).reshape(len(words), n_bytes)
    bits = np.unpackbits(data, axis=1, bitorder="little")
    columns, offset = [], 0
    for width, negative in zip(widths, signed):
        worth = np.left_shift(1, np.arange(width, dtype=np.int64))
        if negative and width:
            worth[-1] = -worth[-1]
        columns.append(bits[:, offset:offset + width].astype(np.int64) @ worth)
        offset += width
    return np.stack(columns, axis=1)


def _check_table(chip: ChipSpec, tile: TileSpec, image: TileImage, where: str) -> None:
    """The axon table as the hardware reads it: the entries of a key until one is marked last."""
    layout = table_layout(tile, len(chip.keys))
    words = image.table_words()
    for key in tile.entries:
        entries: list[tuple[int, int, int]] = []
        last = False
        while not last:
            _require(len(entries) < layout.stride, f"{where}: the entries of key {key} have no end")
            *entry, last = layout.unpack(words[key * layout.stride + len(entries)])
            entries.append((entry[0], entry[1], entry[2]))
        planned = [(e.group, e.base, e.delay % tile.slots) for e in tile.entries[key]]
        _require(entries == planned, f"{where}: the axon table has {entries} for key {key}, and the plan {planned}")


def _check_axons(chip: ChipSpec, network: Network, tile: TileSpec, number: int, where: str) -> list[int]:
    """First axon of each projection into a group, after checking that each axon is one source neuron of the right projection."""
    group = tile.groups[number]
    found = sorted((e.base, chip.keys[key].population, chip.keys[key].first, chip.keys[key].size, e.delay)
                   for key, listed in tile.entries.items() for e in listed if e.group == number)
    at, bases = 0, []
    for projection in network.incoming(group.population):
        bases.append(at)
        first, size = 0, network.population(projection.source).size
        while first < size:
            _require(bool(found), f"{where}: nothing drives neuron {first} of {projection.source!r}")
            entry = found.pop(0)
            wanted = (at, projection.source, first, projection.delay)
            got = (entry[0], entry[1], entry[2], entry[4])
            _require(got == wanted, f"{where}: (axon, source, neuron, delay) is {got} instead of {wanted}")
            first, at = first + entry[3], at + entry[3]
        level = _level(chip, projection.source)
        _require(group.level - level >= 1 - chip.period * projection.delay, f"{where}: works before {projection.source!r} is done")
        slots = projection.delay + (group.level - level) // chip.period + 1
        _require(tile.slots >= slots, f"{where}: needs {slots} slots and has {tile.slots}")
    _require(not found and at == group.axons, f"{where}: {at} of {group.axons} axons are used, {len(found)} entries are left over")
    return bases


def _level(chip: ChipSpec, population: str) -> int:
    """Level of a population on a chip: 0 for an input."""
    levels = {g.level for tile in chip.tiles for g in tile.groups if g.population == population}
    _require(len(levels) <= 1, f"Population {population!r}: slices on levels {sorted(levels)}")
    return levels.pop() if levels else 0


def _check_weights(network: Network, tile: TileSpec, number: int, bases: list[int], stored: np.ndarray, where: str) -> None:
    """Every weight, in units of v; and that the accumulator holds the sum of any events."""
    group = tile.groups[number]
    rows, low, high = tile.rows(number), np.zeros(group.size, np.int64), np.zeros(group.size, np.int64)
    words = stored[tile.weight_base(number):][:rows * group.axons].reshape(rows, group.axons, tile.lanes)
    guard = network.population(group.population).guard_bits
    by_axon = words.transpose(1, 0, 2).reshape(group.axons, rows * tile.lanes)  # neuron = row * P + lane
    _require(not by_axon[:, group.size:].any(), f"{where}: a lane without a neuron has a weight")
    for projection, base in zip(network.incoming(group.population), bases):
        source = network.population(projection.source)
        held = by_axon[base:base + source.size, :group.size].T
        wanted = projection.weights[group.first:group.first + group.size].astype(np.int64) << (projection.shift + guard)
        wrong = np.argwhere(held << group.update.input_shift != wanted)
        if len(wrong):
            neuron, axon = wrong[0]
            raise MismatchError(f"{where}: weight from neuron {axon} of {source.name!r} to neuron {group.first + neuron} differs")
        ends = np.stack([held * source.payload_min, held * source.payload_max, held * 0])
        low += ends.min(axis=0).sum(axis=1)
        high += ends.max(axis=0).sum(axis=1)
        for end in (source.payload_min, source.payload_max):
            _require(end == 0 or tile.payload_min <= end <= tile.payload_max, f"{where}: payload {end} is out of the tile's range")
    needed = bits_signed(int(low.min()), int(high.max()))
    _require(tile.accumulator_bits >= needed, f"{where}: sums need {needed} bits, the accumulator has {tile.accumulator_bits}")


def _check_parameters(network: Network, tile: TileSpec, number: int, parameters: np.ndarray | None, where: str) -> None:
    """Thresholds, biases and the constants of the update."""
    group, population = tile.groups[number], network.population(tile.groups[number].population)
    cut = slice(group.first, group.first + group.size)
    if parameters is None:
        theta, bias = np.full(group.size, group.theta), np.full(group.size, group.bias)
    else:
        index = tile.update_base(number) * tile.update_lanes + np.arange(group.size)
        theta, bias = (parameters.reshape(-1, 2)[index, column] for column in (0, 1))
    if population.model is not Model.LI:
        _require(bool((theta == np.asarray(population.theta)[cut]).all()), f"{where}: a threshold differs")
    _require(bool((bias == np.asarray(population.bias)[cut]).all()), f"{where}: a bias differs")
    update, p = group.update, population
    rounding = update.rounding if population.decay.kind != "none" else population.rounding
    got = (update.decay, rounding, update.reset, update.v_bits, update.v_init, update.values)
    wanted = (p.decay, p.rounding, p.reset, p.v_bits, p.v_init, p.model is Model.LI)
    _require(got == wanted, f"{where}: the update is {got} instead of {wanted}")


def _check_keys(chip: ChipSpec, network: Network) -> None:
    """Sources of events: each has one number, and its events reach the tiles that have axons for it, and the host."""
    listening = tuple(tuple(t for t, tile in enumerate(chip.tiles) if key in tile.entries) for key in range(len(chip.keys)))
    outputs = {o.population for o in chip.outputs}
    _require(outputs == {p.name for p in network.outputs}, f"Outputs are {sorted(outputs)}")
    keys = Keys(specs=chip.keys, tiles=listening, to_host=tuple(k.population in outputs for k in chip.keys))
    try:
        check_routes(keys, chip.fabric)
    except AssertionError as error:
        raise MismatchError(f"Fabric: {error}") from error
    for number, key in enumerate(chip.keys):
        _require(key.size <= 1 << chip.flit.neuron_bits and number < 1 << chip.flit.key_bits, f"Key {number} does not fit a flit")
        owners: tuple[GroupSpec, ...] = () if key.origin.kind == "host" else chip.tiles[key.origin.index].groups
        held = [(g.population, g.first, g.size) for g in owners if g.key == number]
        held += [(i.population, 0, i.size) for i in chip.inputs if i.key == number]
        _require(held == [(key.population, key.first, key.size)], f"Key {number} is that of {held}")
    for tile in chip.tiles:
        _require(tile.slots <= 1 << chip.flit.time_bits, f"{tile.slots} slots, and a flit has {chip.flit.time_bits} bits of time")


def check_chip(chip: ChipSpec, image: MemoryImage, network: Network) -> None:
    """Read the chip's memories back and compare with the network: neurons, axons, delays, weights, parameters, keys and routes.

    Raises MismatchError that names the tile and the population, at the first difference.
    """
    _require(image.network_digest == network.digest, "The memory image is that of another network")
    covered = {p.name: np.zeros(p.size, dtype=int) for p in network.populations if p.model is not Model.INPUT}
    _check_keys(chip, network)
    for t, (tile, memories) in enumerate(zip(chip.tiles, image.tiles, strict=True)):
        _check_table(chip, tile, memories, f"Tile {t}")
        stored = _fields(memories.weight_words(tile), [tile.weight_bits] * tile.lanes, [True] * tile.lanes)
        widths, signs = [tile.theta_bits, tile.bias_bits] * tile.update_lanes, [False, True] * tile.update_lanes
        parameters = None if tile.constant_parameters else _fields(memories.parameter_words(tile), widths, signs)
        for number, group in enumerate(tile.groups):
            where = f"Tile {t}, population {group.population!r}, neurons {group.first} to {group.first + group.size - 1}"
            covered[group.population][group.first:group.first + group.size] += 1
            bases = _check_axons(chip, network, tile, number, where)
            _check_weights(network, tile, number, bases, stored, where)
            _check_parameters(network, tile, number, parameters, where)
    for name, times in covered.items():
        wrong = int((times != 1).argmax())
        _require(times[wrong] == 1, f"Population {name!r}: neuron {wrong} is on {times[wrong]} tiles")
