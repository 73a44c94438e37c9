"""The chip of a capacity: a plan whose groups, axons, inputs and outputs are the most that a network may have which is loaded into it."""

from __future__ import annotations

from ..spec.arithmetic import Decay, bits_signed, bits_unsigned
from ..spec.capacity import FRACTION_BITS, Capacity, TileCapacity
from ..spec.chip import ChipSpec, Endpoint, FabricSpec, FlitSpec, InputSpec, KeySpec, OutputSpec, SwitchSpec
from ..spec.errors import CapacityError
from ..spec.neuron import Readout
from ..spec.tile import AxonEntry, GroupSpec, ParameterSpec, TileSpec
from ..spec.update import UpdateSpec

__all__ = ["overlay_chip"]

MAX_ACCUMULATOR_BITS = 48
_BETA = ParameterSpec(name="beta", bits=FRACTION_BITS + 1, signed=False)


def _tile(tile: TileCapacity, number: int, keys: int, key: int, levels: int, readable: bool) -> TileSpec:
    """Parameters of every neuron in memory: thresholds and biases of any size, and the factor of its decay."""
    update = UpdateSpec(decay=Decay(factor=1 << FRACTION_BITS, fraction_bits=FRACTION_BITS), rounding=tile.rounding, reset=tile.reset,
                        v_bits=tile.v_bits, input_shift=tile.shift, v_init=0, values=tile.values, beta_each=True)
    most = max(abs(tile.payload_min), abs(tile.payload_max)) * tile.axons << (tile.weight_bits - 1)
    bits = bits_signed(-most, most)
    if bits > MAX_ACCUMULATOR_BITS:
        raise CapacityError(f"Tile {number} of the overlay: {tile.axons} axons with weights of {tile.weight_bits} bits and payloads "
                            f"{tile.payload_min}..{tile.payload_max} need accumulators of {bits} bits, and a tile has {MAX_ACCUMULATOR_BITS} at most")
    group = GroupSpec(population=f"tile_{number}", first=0, size=tile.neurons, key=key, level=levels, axons=tile.axons, update=update)
    return TileSpec(lanes=tile.lanes, update_lanes=tile.update_lanes, slots=tile.slots, groups=(group,),
                    entries={k: (AxonEntry(0, 0, 0),) * tile.entries for k in range(keys)},
                    payload_min=tile.payload_min, payload_max=tile.payload_max,
                    weight_bits=tile.weight_bits, accumulator_bits=bits, theta_bits=tile.v_bits - 1, bias_bits=tile.v_bits, constant_parameters=False,
                    parameters=(_BETA,), readable=readable, loadable=True, weight_words=tile.words)


def _star(inputs: int, tiles: int) -> FabricSpec:
    """Every link that a route may take: from the host to all tiles, from a tile to all tiles and the host."""
    ports = (Endpoint("host"), *(Endpoint("tile", t) for t in range(tiles)))
    everywhere = (1 << (tiles + 1)) - 1
    routes = ({k: everywhere - 1 for k in range(inputs)}, *({inputs + t: everywhere} for t in range(tiles)))
    return FabricSpec(kind="star", width=1, height=1, switches=(SwitchSpec(inputs=ports, outputs=ports, routes=routes, buffered=False),))


def overlay_chip(capacity: Capacity, *, readable: bool = False, name: str = "chip") -> ChipSpec:
    """The plan of an overlay.

    Parameters
    ----------
    readable : every memory can be read over the configuration port.
    name : of the Verilog module.

    Raises CapacityError for a capacity that no tile can have.
    """
    n_inputs, n_tiles = len(capacity.inputs), len(capacity.tiles)
    keys = n_inputs + n_tiles
    values, widest = any(t.values for t in capacity.tiles), max(t.v_bits for t in capacity.tiles)
    low, high = min(i.payload_min for i in capacity.inputs), max(i.payload_max for i in capacity.inputs)
    if values:
        low, high = min(low, -(1 << (widest - 1))), max(high, (1 << (widest - 1)) - 1)
    is_signed = values or low < 0
    payload_bits = 0 if (low, high) == (1, 1) else bits_signed(min(low, 1), max(high, 1)) if is_signed else bits_unsigned(max(high, 1))
    neurons = max([capacity.output_size, *(i.size for i in capacity.inputs), *(t.neurons for t in capacity.tiles)])
    flit = FlitSpec(key_bits=bits_unsigned(keys - 1), neuron_bits=bits_unsigned(neurons - 1), payload_bits=payload_bits, payload_signed=is_signed,
                    time_bits=bits_unsigned(max(t.slots for t in capacity.tiles) - 1))
    specs = [KeySpec(population=f"input_{k}", first=0, size=i.size, origin=Endpoint("host")) for k, i in enumerate(capacity.inputs)]
    specs += [KeySpec(population=f"tile_{k}", first=0, size=t.neurons, origin=Endpoint("tile", k)) for k, t in enumerate(capacity.tiles)]
    outputs = tuple(OutputSpec(population=f"output_{k}", size=capacity.output_size, level=capacity.levels, base=0, value_bits=widest,
                               readout=Readout.SUM if values else Readout.COUNT, keys=tuple(range(n_inputs, keys))) for k in range(capacity.outputs))
    return ChipSpec(
        name=name, network_digest="", period=capacity.period, keys=tuple(specs), outputs=outputs, flit=flit, fabric=_star(n_inputs, n_tiles),
        tiles=tuple(_tile(t, k, keys, n_inputs + k, capacity.levels, readable) for k, t in enumerate(capacity.tiles)),
        inputs=tuple(InputSpec(population=f"input_{k}", size=i.size, key=k, payload_min=i.payload_min, payload_max=i.payload_max)
                     for k, i in enumerate(capacity.inputs)),
        writable=True, counters=False, capacity=capacity)
