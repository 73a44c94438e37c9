"""The chip of a network: runs the passes before it, and works out every width.

partition -> schedule -> keys -> place -> route -> plan. The weights themselves follow in :mod:`.pack`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..spec.arithmetic import Rounding, bits_signed, bits_unsigned
from ..spec.chip import AxonEntry, ChipSpec, FlitSpec, GroupSpec, InputSpec, OutputSpec, TileSpec, UpdateSpec
from ..spec.errors import CapacityError
from ..spec.network import Model, Network, Population, Projection
from .keys import Keys, assign_keys
from .partition import Partition, Slice, TileLimits, TilePart, axons_of, partition
from .place import place
from .route import route
from .schedule import Schedule, schedule, slots_of

__all__ = ["extra_shift", "payload_range", "plan", "sum_bounds"]


def payload_range(population: Population) -> tuple[int, int]:
    """Smallest and largest payload that its events can have: 0 is never sent, so that 0..1 is a plain spike."""
    low, high = population.payload_min, population.payload_max
    if low == 0:
        low = min(1, high) or 1
    if high == 0:
        high = -1 if low < 0 else 1
    return low, high


def common_shift(network: Network, population: str) -> int:
    """What the shifts of all projections into a population have in common: it is done once, behind the accumulator."""
    return min(p.shift for p in network.incoming(population))


def extra_shift(network: Network, projection: Projection) -> int:
    """Left shift of a projection's weights in the memory, beyond what its target does behind the accumulator."""
    return projection.shift - common_shift(network, projection.target)


def _update(network: Network, p: Population) -> UpdateSpec:
    rounding = Rounding.NEAREST if p.decay.kind == "none" else p.rounding  # nothing is rounded: be equal to others
    return UpdateSpec(decay=p.decay, rounding=rounding, reset=p.reset, v_bits=p.v_bits, v_init=p.v_init, values=p.model is Model.LI,
                      input_shift=p.guard_bits + common_shift(network, p.name))


def _entries(network: Network, keys: Keys, part: TilePart, tile: int) -> dict[int, tuple[AxonEntry, ...]]:
    """Axon entries by key; the axons of a group are its projections' source neurons, in the network's order of projections."""
    entries: dict[int, list[AxonEntry]] = {number: [] for number in range(len(keys.specs)) if tile in keys.tiles[number]}
    for group, s in enumerate(part.slices):
        base = 0
        for p in network.incoming(s.population):
            for number, spec in enumerate(keys.specs):
                if spec.population == p.source:
                    entries[number].append(AxonEntry(group, base + spec.first, p.delay))
            base += network.population(p.source).size
    return {number: tuple(listed) for number, listed in entries.items()}


def sum_bounds(network: Network, slices: Iterable[Slice | GroupSpec]) -> tuple[int, int]:
    """Smallest and largest accumulator that any events can give any neuron of a tile, in units of stored weights."""
    low, high = 0, 0
    for s in slices:
        lows = np.zeros(s.size, dtype=np.int64)
        highs = np.zeros(s.size, dtype=np.int64)
        for p in network.incoming(s.population):
            stored = p.weights[s.first:s.first + s.size].astype(np.int64) << extra_shift(network, p)
            smallest, largest = payload_range(network.population(p.source))
            a, b = stored * smallest, stored * largest
            lows += np.minimum(np.minimum(a, b), 0).sum(axis=1)
            highs += np.maximum(np.maximum(a, b), 0).sum(axis=1)
        low, high = min(low, int(lows.min())), max(high, int(highs.max()))
    return low, high


def _tile(network: Network, keys: Keys, timing: Schedule, part: TilePart, tile: int, writable: bool,
          constants: bool | None) -> TileSpec:
    populations = [network.population(s.population) for s in part.slices]
    cuts = [slice(s.first, s.first + s.size) for s in part.slices]
    # An LI neuron has no threshold.
    thetas = [np.zeros(1, np.int64) if p.model is Model.LI else np.asarray(p.theta)[cut] for p, cut in zip(populations, cuts)]
    biases = [np.asarray(p.bias)[cut] for p, cut in zip(populations, cuts)]
    uniform = all(a.min() == a.max() for a in (*thetas, *biases))
    if constants is None:
        constants = uniform and not writable
    elif constants and not uniform:
        names = ", ".join(p.name for p in populations)
        raise CapacityError(f"Tile {tile} ({names}) has different thresholds or biases in one population, which constants "
                            "cannot hold: leave its parameters in memory.")
    low, high = min(int(b.min()) for b in biases), max(int(b.max()) for b in biases)
    incoming = [p for s in part.slices for p in network.incoming(s.population)]
    payloads = [payload_range(network.population(p.source)) for p in incoming]
    groups = tuple(
        GroupSpec(population=s.population, first=s.first, size=s.size, key=keys.find(s), level=timing.level[s.population],
                  axons=axons_of(network, s.population), update=_update(network, p),
                  theta=int(theta[0]) if constants else 0, bias=int(bias[0]) if constants else 0)
        for s, p, theta, bias in zip(part.slices, populations, thetas, biases))
    return TileSpec(
        lanes=part.lanes, update_lanes=part.update_lanes, groups=groups, entries=_entries(network, keys, part, tile),
        slots=slots_of(network, timing, [p.name for p in populations]),
        payload_min=min(a for a, _ in payloads), payload_max=max(b for _, b in payloads),
        weight_bits=max(p.weight_bits + extra_shift(network, p) for p in incoming),
        accumulator_bits=bits_signed(*sum_bounds(network, part.slices)),
        theta_bits=bits_unsigned(max(int(t.max()) for t in thetas)),
        bias_bits=0 if low == high == 0 and not writable else bits_signed(low, high), constant_parameters=constants)


def _flit(network: Network, keys: Keys, tiles: Sequence[TileSpec]) -> FlitSpec:
    """The narrowest flit that holds every event of this chip; a field that is always the same has no bits."""
    low, high, values = 1, 1, False
    for spec in keys.specs:
        p = network.population(spec.population)
        if p.model is Model.LI:
            low, high, values = min(low, p.v_min), max(high, p.v_max), True
        else:
            smallest, largest = payload_range(p)
            low, high = min(low, smallest), max(high, largest)
    signed = values or low < 0
    bits = 0 if (low, high) == (1, 1) else bits_signed(low, high) if signed else bits_unsigned(high)
    return FlitSpec(key_bits=bits_unsigned(len(keys.specs) - 1), neuron_bits=bits_unsigned(max(k.size for k in keys.specs) - 1),
                    time_bits=bits_unsigned(max(t.slots for t in tiles) - 1), payload_bits=bits, payload_signed=signed)


def _outputs(network: Network, keys: Keys, timing: Schedule) -> tuple[OutputSpec, ...]:
    outputs, base = [], 0
    for p in network.outputs:
        numbers = [n for n, k in enumerate(keys.specs) if k.population == p.name]
        numbers.sort(key=lambda n: keys.specs[n].first)
        outputs.append(OutputSpec(population=p.name, size=p.size, level=timing.level[p.name], readout=p.readout, base=base,
                                  value_bits=p.v_bits, keys=tuple(numbers), max_spikes=p.max_spikes,
                                  classes=() if p.classes is None else tuple(p.classes.tolist())))
        base += outputs[-1].n_values
    return tuple(outputs)


def plan(network: Network, *, lanes: int | Sequence[int] | None = None, update_lanes: int | Sequence[int] | None = None,
         tiles: int | None = None, limits: TileLimits | None = None, fabric: str = "auto", writable: bool = True,
         counters: bool = False, constant_parameters: bool | None = None, name: str = "chip") -> ChipSpec:
    """Plan a chip for a network.

    Parameters
    ----------
    lanes, update_lanes, tiles, limits : see :func:`~spikeloom.gen.partition.partition`.
    fabric : ``star``, ``mesh``, or ``auto``: a star for up to 8 tiles.
    writable : memories can be written over the configuration port.
    counters : tiles count what they do.
    constant_parameters : thresholds and biases are constants; default: where each group has one of each and nothing is writable.
    name : of the Verilog module.

    Raises
    ------
    CapacityError : the network does not fit tiles of these limits, or the options contradict each other.
    """
    if writable and constant_parameters:
        raise CapacityError("Thresholds and biases cannot be both constant and writable: ask for one of the two.")
    parts: Partition = partition(network, lanes=lanes, update_lanes=update_lanes, tiles=tiles, limits=limits)
    timing = schedule(network)
    keys = assign_keys(network, parts)
    woven = route(keys, place(keys, len(parts.tiles), fabric))
    specs = tuple(_tile(network, keys, timing, part, t, writable, constant_parameters) for t, part in enumerate(parts.tiles))
    number = {k.population: n for n, k in enumerate(keys.specs) if k.origin.kind == "host"}
    inputs = tuple(InputSpec(population=p.name, size=p.size, key=number.get(p.name), payload_min=p.payload_min,
                             payload_max=p.payload_max)
                   for p in network.inputs)
    return ChipSpec(name=name, network_digest=network.digest, period=timing.period, tiles=specs, keys=keys.specs, inputs=inputs,
                    outputs=_outputs(network, keys, timing), flit=_flit(network, keys, specs), fabric=woven, writable=writable,
                    counters=counters)
