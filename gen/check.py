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
from ..spec.network import Gain, Kind, Model, Network, Port, Projection, Refractory
from ..spec.tile import MAIN, SIDE, SPARSE
from .check_windows import check_window, window_bounds
from .keys import Keys
from .route import check_routes

__all__ = ["check_chip"]

NAMES = {"theta": "a threshold", "bias": "a bias", "gate_bias": "a bias of the gate", "jump": "a jump of the threshold",
         "beta": "a factor of the decay", "alpha": "a factor of the current's decay", "v_init": "an initial potential"}


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
        planned = [(tile.lists.index((e.group, e.port)), e.base, e.delay % tile.slots) for e in tile.entries[key]]
        _require(entries == planned, f"{where}: the axon table has {entries} for key {key}, and the plan {planned}")


def _check_axons(chip: ChipSpec, network: Network, tile: TileSpec, number: int, where: str) -> list[tuple[int, np.ndarray]]:
    """Of each projection into a list its first axon, and the neuron that drives each of its axons (-1: none), after checking that each axon is one
    source neuron of the right projection. A convolution may hear a part of its source: :mod:`.check_windows` sees what is missing."""
    index, port = tile.lists[number]
    group = tile.groups[index]
    found = sorted((e.base, key, e.delay) for key, listed in tile.entries.items() for e in listed if (e.group, e.port) == (index, port))
    planned = {w.axon: w.axons for w in group.sparse.windows} if group.sparse and port == SPARSE else {}
    at, driven = 0, []
    for projection in _projections(network, group, port):
        base, size, parts = at, network.population(projection.source).size, [np.zeros(0, dtype=np.int64)]
        heard = np.zeros(size, dtype=int)
        while heard.min() == 0 if projection.conv is None else at < base + planned.get(base, 0):
            first = int(heard.argmin())
            _require(bool(found), f"{where}: nothing drives neuron {first} of {projection.source!r}")
            begin, key, delay = found.pop(0)
            spec, (numbers, neurons) = chip.keys[key], _key_neurons(chip, key)
            first = first if projection.conv is None else int(neurons[0])
            wanted, got = (at, projection.source, first, projection.delay), (begin, spec.population, int(neurons[0]), delay)
            _require(got == wanted, f"{where}: (axon, source, neuron, delay) is {got} instead of {wanted}")
            part = np.full(int(numbers[-1]) + 1, -1)
            part[numbers] = neurons
            heard[neurons] += 1
            at += len(part)
            parts.append(part)
        _require(int(heard.max()) == 1, f"{where}: a neuron of {projection.source!r} drives two axons")
        driven.append((base, np.concatenate(parts)))
        level = _level(chip, projection.source)
        _require(group.level - level >= 1 - chip.period * projection.delay, f"{where}: works before {projection.source!r} is done")
        slots = projection.delay + (group.level - level) // chip.period + 1
        _require(tile.slots >= slots, f"{where}: needs {slots} slots and has {tile.slots}")
    axons = tile.list_axons(number)
    _require(not found and at == axons, f"{where}: {at} of {axons} axons are used, {len(found)} entries are left over")
    return driven


def _key_neurons(chip: ChipSpec, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each neuron of a key its number in flits, and its number in the population: of a map that is cut by rows, run after run."""
    spec = chip.keys[key]
    run, place = np.divmod(np.arange(spec.size), spec.run or spec.size)
    return run * (spec.apart or spec.run) + place, spec.first + run * spec.pitch + place


def _group_neurons(group: GroupSpec) -> np.ndarray:
    """Number of each neuron of a group in its population."""
    channel, place = np.divmod(np.arange(group.size), group.positions)
    return group.first + channel * (group.pitch or group.positions) + place


def _numbers(group: GroupSpec) -> np.ndarray:
    """Number of each neuron of a group in the flits of its tile."""
    channel, place = np.divmod(np.arange(group.size), group.positions)
    return channel * (group.apart or group.positions) + place


def _projections(network: Network, group: GroupSpec, port: int) -> tuple[Projection, ...]:
    """Projections whose events a list holds: those into port ``i``, dense or sparse, or those into any other."""
    own = {MAIN: lambda p: p.port is Port.CURRENT and p.kind is Kind.DENSE, SPARSE: lambda p: p.port is Port.CURRENT and p.kind is not Kind.DENSE,
           SIDE: lambda p: p.port is not Port.CURRENT}
    return tuple(p for p in network.incoming(group.population) if own[port](p))


def _level(chip: ChipSpec, population: str) -> int:
    """Level of a population on a chip: 0 for an input."""
    levels = {g.level for tile in chip.tiles for g in tile.groups if g.population == population}
    _require(len(levels) <= 1, f"Population {population!r}: slices on levels {sorted(levels)}")
    return levels.pop() if levels else 0


def _dense_weights(tile: TileSpec, number: int, stored: np.ndarray, where: str) -> np.ndarray:
    """``[axons, size]``: the weights of a list as its lanes see them."""
    index, _ = tile.lists[number]
    group, axons, rows = tile.groups[index], tile.list_axons(number), tile.rows(tile.lists[number][0])
    words = stored[tile.weight_base(number):][:rows * axons].reshape(rows, axons, tile.lanes)
    by_axon = _decoded(tile, number, words.transpose(1, 0, 2).reshape(axons, rows * tile.lanes))
    _require(bool(tile.codebook(number)) or not _without(tile, index, by_axon).any(), f"{where}: a lane without a neuron has a weight")
    return by_axon[:, _places(tile, group)]


def _places(tile: TileSpec, group: GroupSpec) -> np.ndarray:
    """Of each neuron row * P + lane: a row is P neurons, of a map P channels at one of its places."""
    channel, place = np.divmod(np.arange(group.size), group.positions)
    return (channel // tile.lanes * group.positions + place) * tile.lanes + channel % tile.lanes


def _without(tile: TileSpec, index: int, by_axon: np.ndarray) -> np.ndarray:
    """The columns that belong to no neuron."""
    return np.delete(by_axon, _places(tile, tile.groups[index]), axis=1)


def _decoded(tile: TileSpec, number: int, stored: np.ndarray) -> np.ndarray:
    """Weights of a list from what the memory holds."""
    book = tile.codebook(number)
    if book:
        return np.array(book)[stored & ((1 << tile.weight_bits) - 1)]
    if tile.shifts:
        first, shifts = (np.array(column) for column in zip(*tile.shifts[number]))
        return stored << shifts[np.searchsorted(first, np.arange(len(stored)), side="right") - 1][:, None]
    return stored


def _sparse_weights(tile: TileSpec, index: int, image: TileImage, where: str) -> np.ndarray:
    """``[axons, size]``: the weights of a sparse list, each word's entries added to the neurons that they name."""
    group = tile.groups[index]
    assert group.sparse is not None
    if not group.sparse.has_words:
        return np.zeros((len(group.sparse.words), 0), dtype=np.int64)
    pointers = _pointers(tile, image)
    words = _fields(image.sparse_words(tile), [tile.row_bits, tile.sparse_weight_bits] * tile.lanes, [False, True] * tile.lanes)
    weights = np.zeros((len(group.sparse.words), tile.rows(index) * tile.lanes), dtype=np.int64)
    convolved = {a for w in group.sparse.windows for a in range(w.axon, w.axon + w.axons)}
    for axon in (a for a in range(len(weights)) if a not in convolved):
        first, count, *others = pointers[tile.pointer_base(index) + axon]
        _require(not any(others), f"{where}: the pointer of axon {axon} is that of a convolution")
        _require(count == group.sparse.words[axon], f"{where}: axon {axon} has {count} sparse words, and {group.sparse.words[axon]} are planned")
        _require(first + count <= len(words), f"{where}: axon {axon} has words {first} to {first + count - 1}, and there are {len(words)}")
        for word in words[first:first + count].reshape(count, tile.lanes, 2):
            row = word[:, 0].max()
            _require(row < tile.rows(index), f"{where}: axon {axon} has a weight in row {row}, and there are {tile.rows(index)} rows")
            np.add.at(weights[axon], word[:, 0] * tile.lanes + np.arange(tile.lanes), word[:, 1])
        synapses = int(np.count_nonzero(weights[axon]))
        _require(synapses == group.sparse.synapses[axon], f"{where}: axon {axon} has {synapses} synapses, not {group.sparse.synapses[axon]}")
    _require(not _without(tile, index, weights).any(), f"{where}: a lane without a neuron has a weight")
    return weights[:, _places(tile, group)]


def _pointers(tile: TileSpec, image: TileImage) -> np.ndarray:
    """``[axons, fields]``: pointers of all scattered axons of a tile."""
    return _fields(image.pointer_words(tile), list(tile.pointer_bits), [False] * len(tile.pointer_bits))


def _check_windows(network: Network, tile: TileSpec, number: int, image: TileImage, stored: np.ndarray, driven: list[tuple[int, np.ndarray]],
                   where: str) -> np.ndarray:
    """Convolutions of a list, in units of v. Returns the smallest and the largest sum that any events give each neuron, ``[2, size], int64``."""
    index, port = tile.lists[number]
    group, population = tile.groups[index], network.population(tile.groups[index].population)
    bounds = np.zeros((2, group.size), np.int64)
    planned = group.sparse.windows if group.sparse else ()
    convolutions = [(p, *axons) for p, axons in zip(_projections(network, group, port), driven) if p.conv is not None]
    _require([w.conv for w in planned] == [p.conv for p, *_ in convolutions], f"{where}: the convolutions are not those of the network")
    pointers = _pointers(tile, image) if planned else np.zeros((0, 2), np.int64)
    for k, (window, (p, first, neurons)) in enumerate(zip(planned, convolutions)):
        _require(window.axon == first and window.axons == len(neurons), f"{where}: the axons of a convolution are others'")
        base = tile.window_base(number, k)
        held = _decoded(tile, number, stored[base:base + window.words(tile.lanes)])
        after = p.shift + population.guard_bits - group.update.input_shift
        _require(after >= 0, f"{where}: the sum is shifted further than the weights of {p.source!r} are")
        check_window(tile, index, window, base, pointers, held, p.weights.astype(np.int64) << after, neurons, _group_neurons(group), where)
        payloads = network.population(p.source).payload_range
        bounds += window_bounds(tile, index, window, base, pointers, held, payloads, where)
        _require(tile.payload_min <= payloads[0] and payloads[1] <= tile.payload_max, f"{where}: payloads {payloads} are out of the tile's range")
    return bounds


def _check_weights(network: Network, tile: TileSpec, number: int, driven: list[tuple[int, np.ndarray]], held: np.ndarray, where: str) -> np.ndarray:
    """Every weight, in units of v. Returns the smallest and the largest sum that any events give each neuron, ``[2, size], int64``."""
    index, port = tile.lists[number]
    group, population = tile.groups[index], network.population(tile.groups[index].population)
    low, high = np.zeros(group.size, np.int64), np.zeros(group.size, np.int64)
    # In units of v at port i, of the gate's argument at a gate, and of nothing (only the sign counts) where the neuron is blocked.
    before, after = (0, group.update.side_shift) if port == SIDE else (population.guard_bits, group.update.input_shift)
    for projection, (base, neurons) in zip(_projections(network, group, port), driven):
        source = network.population(projection.source)
        if projection.conv is not None:
            continue
        there, axons = np.flatnonzero(neurons >= 0), held[base:base + len(neurons)]
        own = np.zeros((group.size, source.size), dtype=np.int64)
        own[:, neurons[there]] = axons[there].T
        wanted = projection.weights[_group_neurons(group)].astype(np.int64) << (projection.shift + before)
        if projection.port is Port.BLOCK:
            after = min(p.shift for p in _projections(network, group, port))
        wrong = np.argwhere(own << after != wanted)
        if len(wrong):
            neuron, axon = wrong[0]
            raise MismatchError(f"{where}: weight from neuron {axon} of {source.name!r} to neuron {_group_neurons(group)[neuron]} differs")
        smallest, largest = source.payload_range
        ends = np.stack([own * smallest, own * largest, own * 0])
        low += ends.min(axis=0).sum(axis=1)
        high += ends.max(axis=0).sum(axis=1)
        for end in (smallest, largest):
            _require(tile.payload_min <= end <= tile.payload_max, f"{where}: payload {end} is out of the tile's range")
    return np.stack([low, high])


def _check_sums(tile: TileSpec, bounds: dict[int, np.ndarray], where: str) -> None:
    """The accumulators hold the sum of any events: dense and sparse lists of a port add up, another port has sums of its own."""
    for ports in ((MAIN, SPARSE), (SIDE,)):
        low, high = sum((bounds[port] for port in ports if port in bounds), np.zeros((2, 1), np.int64))
        needed = bits_signed(int(low.min()), int(high.max()))
        _require(tile.accumulator_bits >= needed, f"{where}: sums need {needed} bits, the accumulator has {tile.accumulator_bits}")


def _check_parameters(network: Network, tile: TileSpec, number: int, parameters: np.ndarray | None, where: str) -> None:
    """Thresholds, biases, everything else that a neuron has of its own, and the constants of the update."""
    group, population = tile.groups[number], network.population(tile.groups[number].population)
    cut = _group_neurons(group)
    held: dict[str, np.ndarray] = {}
    if parameters is None:
        held = {name: np.full(group.size, getattr(group, name)) for name in ("theta", "bias", "gate_bias", "jump")}
    else:
        index = tile.update_base(number) * tile.update_lanes + _places(tile, group)
        columns = parameters.reshape(-1, len(tile.fields))[index]
        held = {f.name: column for f, column in zip(tile.fields, columns.T)}
    update, p = group.update, population
    wanted = {"theta": p.theta if p.spikes else None, "bias": p.bias, "gate_bias": p.gate_bias, "jump": p.jump, "beta": p.beta, "alpha": p.alpha,
              "v_init": p.v_init if update.v_init is None else None}
    for name, values in wanted.items():
        if values is not None:
            got = held.get(name, np.zeros(group.size, np.int64))
            _require(bool((got == np.asarray(values)[cut]).all()), f"{where}: {NAMES[name]} differs")
    _require(update.v_init is None or bool((p.v_init == update.v_init).all()), f"{where}: the initial potential differs")
    rounded = p.decay.kind != "none" or p.has_current or p.has_gate or (p.adapts and p.adaptation_decay.kind != "none")
    gate = (tuple(np.asarray(p.gate_table).tolist()), p.gate_shift) if p.has_gate else ((), 0)
    blocked = any(q.port is Port.BLOCK for q in network.incoming(p.name))
    expected = {
        "decay": p.decay, "rounding": p.rounding if rounded else update.rounding, "reset": p.reset, "v_bits": p.v_bits, "values": not p.spikes,
        "beta_each": p.beta is not None, "alpha_each": p.alpha is not None, "current_decay": p.current_decay if p.has_current else None,
        "i_bits": p.i_bits if p.has_current else 0, "complement": p.gain is Gain.COMPLEMENT, "gate_table": gate[0], "gate_shift": gate[1],
        "adaptation_decay": p.adaptation_decay if p.adapts else None, "a_bits": p.a_bits if p.adapts else 0, "max_spikes": p.max_spikes,
        "refractory": p.refractory, "holds": p.refractory > 0 and p.refractory_mode is Refractory.INTEGRATE,
        "inhibition": p.inhibition if blocked else 0, "v_floor": p.v_floor, "held": p.held, "changes": p.model is Model.RELU}
    for name, value in expected.items():
        got = getattr(update, name)
        _require(got == value, f"{where}: the update is wrong, {name} is {got} instead of {value}")


def _check_keys(chip: ChipSpec, network: Network) -> None:
    """Sources of events: each has one number, and its events reach the tiles that have axons for it, and the host."""
    listening = tuple(tuple(t for t, tile in enumerate(chip.tiles) if key in tile.entries) for key in range(len(chip.keys)))
    outputs = {o.population for o in chip.outputs}
    _require(outputs == {p.name for p in network.outputs}, f"Outputs are {sorted(outputs)}")
    for output, p in zip(chip.outputs, network.outputs, strict=True):
        got = (output.population, output.size, output.readout, output.value_bits, output.max_spikes, output.classes)
        wanted = (p.name, p.size, p.readout, p.v_bits, p.max_spikes, () if p.classes is None else tuple(np.asarray(p.classes).tolist()))
        _require(got == wanted, f"Output {output.population!r} (name, size, readout, v_bits, max_spikes, classes): {got} instead of {wanted}")
    keys = Keys(specs=chip.keys, tiles=listening, to_host=tuple(k.population in outputs for k in chip.keys))
    try:
        check_routes(keys, chip.fabric)
    except AssertionError as error:
        raise MismatchError(f"Fabric: {error}") from error
    for number, key in enumerate(chip.keys):
        numbers, neurons = _key_neurons(chip, number)
        _require(int(numbers[-1]) < 1 << chip.flit.neuron_bits and number < 1 << chip.flit.key_bits, f"Key {number} does not fit a flit")
        owners: tuple[GroupSpec, ...] = () if key.origin.kind == "host" else chip.tiles[key.origin.index].groups
        held = [(g.population, _group_neurons(g)) for g in owners if g.key == number]
        held += [(i.population, np.arange(i.size)) for i in chip.inputs if i.key == number]
        _require(len(held) == 1 and held[0][0] == key.population and np.array_equal(held[0][1], neurons),
                 f"Key {number}, of {key.population!r} from neuron {key.first} on, is that of {[(name, int(own[0])) for name, own in held]}")
        sent = [_numbers(g) for g in owners if g.key == number] or [np.arange(key.size)]
        _require(np.array_equal(sent[0], numbers), f"Key {number}: its neurons have other numbers in flits than their tile gives them")
        _require(key.population not in outputs or np.array_equal(key.first + numbers, neurons), f"Key {number}: the host would see other neurons")
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
        widths, signs = [f.bits for f in tile.fields] * tile.update_lanes, [f.signed for f in tile.fields] * tile.update_lanes
        parameters = None if tile.constant_parameters else _fields(memories.parameter_words(tile), widths, signs)
        for number, group in enumerate(tile.groups):
            where = f"Tile {t}, population {group.population!r}, neurons {group.first} to {_group_neurons(group)[-1]}"
            covered[group.population][_group_neurons(group)] += 1
            bounds = {}
            for k, (owner, port) in enumerate(tile.lists):
                if owner == number:
                    here = where + {MAIN: "", SIDE: ", second port", SPARSE: ", sparse"}[port]
                    driven = _check_axons(chip, network, tile, k, here)
                    held = _sparse_weights(tile, number, memories, here) if port == SPARSE else _dense_weights(tile, k, stored, here)
                    bounds[port] = _check_weights(network, tile, k, driven, held, here)
                    if port == SPARSE:
                        bounds[port] += _check_windows(network, tile, k, memories, stored, driven, here)
            _check_sums(tile, bounds, where)
            _check_parameters(network, tile, number, parameters, where)
    for name, times in covered.items():
        wrong = int((times != 1).argmax())
        _require(times[wrong] == 1, f"Population {name!r}: neuron {wrong} is on {times[wrong]} tiles")
