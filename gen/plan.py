"""The chip of a network: runs the passes before it, and works out every width.

partition -> schedule -> keys -> place -> route -> plan. The weights themselves follow in :mod:`.pack`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..spec.arithmetic import bits_signed, bits_unsigned
from ..spec.chip import AxonEntry, ChipSpec, FlitSpec, GroupSpec, InputSpec, OutputSpec, ParameterSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.network import Model, Network, Population
from ..spec.tile import MAIN, SIDE
from .keys import Keys, assign_keys
from .lists import PORTS, Sources, heard, list_axons, places_of, port_of, projections_of
from .partition import Partition, Slice, TileLimits, TilePart, partition
from .place import place
from .route import route
from .schedule import Schedule, schedule, slots_of
from .sparse import sparse_spec
from .spram import check_spram, spram_lanes
from .updates import extra_shift, update_of
from .weight_formats import unshifted_formats, weight_formats

__all__ = ["parameter_fields", "plan", "plan_entries", "plan_outputs", "sum_bounds"]

MAX_ACCUMULATOR_BITS = 48

def plan_entries(network: Network, keys: Keys, sources: Sources, part: TilePart, tile: int) -> dict[int, tuple[AxonEntry, ...]]:
    """Axon entries by key; the axons of a list are those of its projections, in their order, of each the slices of its source that it hears."""
    entries: dict[int, list[AxonEntry]] = {number: [] for number in range(len(keys.specs)) if tile in keys.tiles[number]}
    for group, s in enumerate(part.slices):
        base = [0] * len(PORTS)
        for p in network.incoming(s.population):
            port = port_of(p)
            for part_of_source in heard(network, sources, s, p):
                number = keys.find(part_of_source)
                assert number is not None
                entries[number].append(AxonEntry(group, base[port], p.delay, port))
                base[port] += keys.specs[number].neurons.span
    return {number: tuple(listed) for number, listed in entries.items()}


def sum_bounds(network: Network, slices: Iterable[Slice | GroupSpec]) -> tuple[int, int]:
    """Smallest and largest accumulator that any events can give any neuron of a tile, in units of stored weights."""
    low, high = 0, 0
    for s in slices:
        for side in (False, True):
            lows = np.zeros(s.size, dtype=np.int64)
            highs = np.zeros(s.size, dtype=np.int64)
            for p in (p for p in network.incoming(s.population) if (port_of(p) == SIDE) == side):
                least, most = p.sum_bounds(network.population(p.source).payload_range, s.neurons)
                lows += least << extra_shift(network, p)
                highs += most << extra_shift(network, p)
            low, high = min(low, int(lows.min())), max(high, int(highs.max()))
    return low, high


def _accumulator_bits(network: Network, slices: Sequence[Slice]) -> int:
    bits = {s.population: bits_signed(*sum_bounds(network, [s])) for s in slices}
    for name, width in bits.items():
        if width > MAX_ACCUMULATOR_BITS:
            raise CapacityError(f"Population {name!r}: its synaptic sums need accumulators of {width} bits, and {MAX_ACCUMULATOR_BITS} is the most "
                                "that a tile has: use smaller shifts, narrower weights or payloads, or a smaller fan-in.")
    return max(bits.values())


def parameter_fields(populations: Sequence[Population], cuts: Sequence[np.ndarray | slice], constants: bool) -> tuple[ParameterSpec, ...]:
    """What the memory holds of each neuron beside theta and bias: what differs, or (gate bias, jump) is not 0 and no constant."""
    fields = []

    def values(name: str) -> list[np.ndarray]:
        found = [(getattr(p, name), cut) for p, cut in zip(populations, cuts)]
        return [np.asarray(value)[cut] for value, cut in found if value is not None]

    for name in ("gate_bias", "jump"):
        low, high = min(int(v.min()) for v in values(name)), max(int(v.max()) for v in values(name))
        if (low or high) and not constants:
            signed = name == "gate_bias"
            fields.append(ParameterSpec(name=name, bits=bits_signed(low, high) if signed else bits_unsigned(high), signed=signed))
    for name in ("beta", "alpha"):
        found = values(name)
        if found:
            fields.append(ParameterSpec(name=name, bits=max(1, bits_unsigned(max(int(v.max()) for v in found))), signed=False))
    if any((p.v_init != p.v_init[0]).any() for p in populations):
        starts = values("v_init")
        bits = bits_signed(min(int(v.min()) for v in starts), max(int(v.max()) for v in starts))
        fields.append(ParameterSpec(name="v_init", bits=bits, signed=True))
    return tuple(fields)


def _tile(network: Network, keys: Keys, sources: Sources, timing: Schedule, part: TilePart, tile: int, writable: bool,
          constants: bool | None, export: bool, readable: bool, memories: str) -> TileSpec:
    populations = [network.population(s.population) for s in part.slices]
    cuts = [s.neurons for s in part.slices]
    # An LI neuron has no threshold.
    held = {"theta": [np.asarray(p.theta)[cut] if p.spikes else np.zeros(1, np.int64) for p, cut in zip(populations, cuts)],
            **{name: [np.asarray(getattr(p, name))[cut] for p, cut in zip(populations, cuts)] for name in ("bias", "gate_bias", "jump")}}
    uniform = all(a.min() == a.max() for arrays in held.values() for a in arrays)
    uniform = uniform and not any(p.beta is not None or p.alpha is not None or (p.v_init != p.v_init[0]).any() for p in populations)
    if constants is None:
        constants = uniform and not writable
    elif constants and not uniform:
        names = ", ".join(p.name for p in populations)
        raise CapacityError(f"Tile {tile} ({names}) has different thresholds, biases or other parameters in one population, which constants "
                            "cannot hold: leave its parameters in memory.")
    low, high = min(int(b.min()) for b in held["bias"]), max(int(b.max()) for b in held["bias"])
    incoming = [p for s in part.slices for p in network.incoming(s.population)]
    payloads = [network.population(p.source).payload_range for p in incoming]
    axons = [list_axons(network, sources, s) for s in part.slices]
    groups = tuple(
        GroupSpec(population=s.population, first=s.first, size=s.size, key=keys.find(s), level=timing.level[s.population],
                  axons=axons[n][MAIN], side_axons=axons[n][SIDE],
                  sparse=sparse_spec(network, s, part.lanes, sources), positions=places_of(network, s), pitch=s.pitch,
                  apart=s.pitch if p.output else 0, update=update_of(network, p),
                  **{name: int(arrays[n][0]) if constants else 0 for name, arrays in held.items()})
        for n, (s, p) in enumerate(zip(part.slices, populations)))
    formats = unshifted_formats(network, part.slices) if memories == "spram" else weight_formats(network, part.slices, sources)
    return TileSpec(
        lanes=part.lanes, update_lanes=part.update_lanes, groups=groups, entries=plan_entries(network, keys, sources, part, tile),
        slots=slots_of(network, timing, [p.name for p in populations]),
        payload_min=min(a for a, _ in payloads), payload_max=max(b for _, b in payloads),
        weight_bits=formats.bits, accumulator_bits=_accumulator_bits(network, part.slices),
        theta_bits=bits_unsigned(max(int(t.max()) for t in held["theta"])),
        bias_bits=0 if low == high == 0 and not writable else bits_signed(low, high), constant_parameters=constants,
        parameters=parameter_fields(populations, cuts, constants), codebooks=formats.codebooks, shared=formats.shared,
        keeps_v=export, readable=readable, memories=memories, shifts=formats.shifts,
        graded_axons=_graded_axons(network, populations) if memories != "distributed" else None)


def _graded_axons(network: Network, populations: Sequence[Population]) -> int:
    """The first axon, in any list, from which on all sources send nothing but payloads of 1."""
    most = 0
    for p in populations:
        for port in (MAIN, SIDE):
            base = 0
            for projection in projections_of(network, p.name, port):
                source = network.population(projection.source)
                base += source.size
                most = max(most, base if source.payload_range != (1, 1) else 0)
    return most


def _flit(network: Network, keys: Keys, tiles: Sequence[TileSpec]) -> FlitSpec:
    """The narrowest flit that holds every event of this chip; a field that is always the same has no bits."""
    low, high, values = 1, 1, False
    for spec in keys.specs:
        p = network.population(spec.population)
        if p.model is not Model.INPUT and not p.spikes:
            low, high, values = min(low, p.v_min), max(high, p.v_max), True
        else:
            smallest, largest = p.payload_range
            low, high = min(low, smallest), max(high, largest)
    signed = values or low < 0
    bits = 0 if (low, high) == (1, 1) else bits_signed(low, high) if signed else bits_unsigned(high)
    return FlitSpec(key_bits=bits_unsigned(len(keys.specs) - 1), neuron_bits=bits_unsigned(max(k.neurons.span for k in keys.specs) - 1),
                    time_bits=bits_unsigned(max(t.slots for t in tiles) - 1), payload_bits=bits, payload_signed=signed)


def plan_outputs(network: Network, keys: Keys, timing: Schedule) -> tuple[OutputSpec, ...]:
    """Output populations, and where their readouts lie."""
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
         counters: bool = False, constant_parameters: bool | None = None, export: bool = False, readable: bool = False,
         memories: str = "distributed", name: str = "chip") -> ChipSpec:
    """Plan a chip for a network.

    Parameters
    ----------
    lanes, update_lanes, tiles, limits : see :func:`~spikeloom.gen.partition.partition`.
    fabric : ``star``, ``mesh``, or ``auto``: a star for up to 8 tiles.
    writable : memories can be written over the configuration port.
    counters : tiles count what they do.
    constant_parameters : thresholds and biases are constants; default: where each group has one of each and nothing is writable.
    export : membrane potentials and currents are kept, and all neuron states can be read over the configuration port.
    readable : every memory can be read over the configuration port, as a host that verifies what it wrote does.
    memories : what the device has: ``distributed`` RAM, ``block`` RAM alone, or block RAM and single-port RAM for weights (``spram``), where lanes
        that are not given are those with which the weights take the fewest of them.
    name : of the Verilog module.

    Raises
    ------
    CapacityError : the network does not fit tiles of these limits, or the options contradict each other.
    """
    if writable and constant_parameters:
        raise CapacityError("Thresholds and biases cannot be both constant and writable: ask for one of the two.")
    if (export or readable) and not writable:
        raise CapacityError("Memories are read over the configuration port, which a chip that is not writable lacks: leave out one "
                            "of the two options.")
    if memories != "distributed":
        check_spram(network)
    parts: Partition = partition(network, lanes=lanes, update_lanes=update_lanes, tiles=tiles, limits=limits)
    if memories == "spram" and lanes is None:
        lanes = spram_lanes(network, parts)
        parts = partition(network, lanes=lanes, update_lanes=[1] * len(lanes), tiles=len(lanes), limits=limits)
    timing = schedule(network)
    keys = assign_keys(network, parts)
    woven = route(keys, place(keys, len(parts.tiles), fabric))
    specs = tuple(_tile(network, keys, parts.sources, timing, part, t, writable, constant_parameters, export, readable, memories)
                  for t, part in enumerate(parts.tiles))
    number = {k.population: n for n, k in enumerate(keys.specs) if k.origin.kind == "host"}
    inputs = tuple(InputSpec(population=p.name, size=p.size, key=number.get(p.name), payload_min=p.payload_min,
                             payload_max=p.payload_max)
                   for p in network.inputs)
    return ChipSpec(name=name, network_digest=network.digest, period=timing.period, tiles=specs, keys=keys.specs, inputs=inputs,
                    outputs=plan_outputs(network, keys, timing), flit=_flit(network, keys, specs), fabric=woven, writable=writable,
                    counters=counters)
