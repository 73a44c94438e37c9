"""How much room an overlay gets: what a reference network needs, and others, and what is asked for beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ..spec.arithmetic import Rounding
from ..spec.capacity import Capacity, InputCapacity, TileBounds, TileCapacity
from ..spec.errors import CapacityError
from ..spec.network import Model, Network, Reset
from .overlay_need import HARMLESS, Need, check_supported, need_of
from .schedule import schedule
from .slices import Slice

__all__ = ["PER_TILE", "WHOLE", "capacity_of"]

DEFAULT_LANES = 16
# What can be asked for: of each tile, one number for all or one per tile, and of the whole chip.
PER_TILE = ("neurons", "axons", "synapses", "entries", "slots", "weight_bits", "payload_min", "payload_max", "v_bits", "shift", "values")
WHOLE = ("tiles", "inputs", "outputs", "output_size", "readouts", "levels", "period")
_SPARE_LEVELS = 4  # registers of a bit: cheap, and what a longer network needs first


def _updates(lanes: int) -> int:
    return max(1 << k for k in range(lanes.bit_length()) if lanes % (1 << k) == 0 and (1 << k <= lanes // 4 or k == 0))


def _room(need: Need, lanes: int, reset: Reset, rounding: Rounding) -> TileCapacity:
    """A tile for a slice; whole rows, since a part of one costs as much."""
    neurons = -(-need.neurons // lanes) * lanes
    axons = max(need.axons, 1)
    bounds = {f.name: getattr(need, f.name) for f in fields(TileBounds)}
    return TileCapacity(**{**bounds, "neurons": neurons, "axons": axons}, words=neurons // lanes * axons, lanes=lanes, update_lanes=_updates(lanes),
                        reset=need.reset or (reset if reset in HARMLESS else Reset.NONE), rounding=need.rounding or rounding)


def _joined(a: TileCapacity, b: TileCapacity) -> TileCapacity:
    """A tile with room for what either has room for, but of the words of weights, of which neither needs the product."""
    most = {name: max(getattr(a, name), getattr(b, name)) for name in ("neurons", "axons", "words", "entries", "slots", "weight_bits", "payload_max",
                                                                        "v_bits", "shift", "values")}
    return replace(a, **most, payload_min=min(a.payload_min, b.payload_min))


def _alike(a: TileCapacity, b: TileCapacity) -> bool:
    return a.reset is b.reset and a.rounding is b.rounding


def _cost(tile: TileCapacity) -> int:
    """Bits of its weights and of its waiting events: what makes a tile large."""
    return tile.words * tile.lanes * tile.weight_bits + (tile.slots << (tile.axons - 1).bit_length()) * 16 + tile.values * tile.neurons * tile.v_bits


def _tiles(network: Network, lanes: int) -> list[TileCapacity]:
    """A tile per population."""
    check_supported(network)
    timing = schedule(network)
    populations = [p for p in network.populations if p.model is not Model.INPUT]
    needs = [need_of(network, timing, Slice(population=p.name, first=0, size=p.size)) for p in populations]
    resets = [need.reset for need in needs if need.reset is not None]
    roundings = [need.rounding for need in needs if need.rounding is not None]
    return [_room(need, lanes, resets[0] if resets else Reset.SUBTRACT, roundings[0] if roundings else Rounding.NEAREST) for need in needs]


def _merged(tiles: list[TileCapacity], more: Sequence[TileCapacity]) -> list[TileCapacity]:
    """Tiles with room for either network: each of the second's, the largest first, goes where it adds least."""
    free, tiles = list(range(len(tiles))), list(tiles)
    for tile in sorted(more, key=_cost, reverse=True):
        fitting = [k for k in free if _alike(tiles[k], tile)]
        if fitting:
            best = min(fitting, key=lambda k: (_cost(_joined(tiles[k], tile)) - _cost(tiles[k]), k))
            tiles[best] = _joined(tiles[best], tile)
            free.remove(best)
        else:
            tiles.append(tile)
    return tiles


def _asked(tile: TileCapacity, number: int, wanted: Mapping[str, Sequence[int]]) -> TileCapacity:
    """A tile with at least what was asked for."""
    found: dict[str, Any] = {}
    for name in PER_TILE:
        if name in wanted:
            value = wanted[name][number if len(wanted[name]) > 1 else 0]
            if name == "payload_min":
                found[name] = min(value, tile.payload_min)
            elif name == "synapses":
                found["words"] = max(-(-value // tile.lanes), tile.words)
            elif name == "values":
                found[name] = bool(value) or tile.values
            elif name == "slots":
                found[name] = max(1 << max(value - 1, 0).bit_length(), tile.slots)
            elif name == "neurons":
                found[name] = max(-(-value // tile.lanes) * tile.lanes, tile.neurons)
            else:
                found[name] = max(value, getattr(tile, name))
    wider = replace(tile, **found)
    if "words" not in found and ("neurons" in found or "axons" in found):
        wider = replace(wider, words=max(wider.rows * wider.axons, tile.words))
    return wider


def capacity_of(network: Network, *, also: Sequence[Network] = (), lanes: int | None = None,
                widen: Mapping[str, Sequence[int]] | None = None) -> Capacity:
    """The capacity of an overlay.

    Parameters
    ----------
    network : the reference; each of its populations gets a tile.
    also : further networks for which there must be room.
    lanes : P of every tile; default 16.
    widen : what is asked for beyond that: :data:`PER_TILE` (one value, or one per tile) and :data:`WHOLE`, by name. ``synapses`` are weights of a
        tile; without it a tile with more neurons or axons has room for all of them. ``inputs`` are neurons of each input.

    Raises CapacityError for a network that no overlay can hold, and for an unknown or contradictory wish.
    """
    wanted = {name: list(values) for name, values in (widen or {}).items()}
    for name in wanted:
        if name not in PER_TILE + WHOLE:
            raise CapacityError(f"Capacity {name!r} is not known; there are {', '.join(WHOLE + PER_TILE)}")
        if name in WHOLE and name != "inputs" and len(wanted[name]) > 1:
            raise CapacityError(f"Capacity {name} is of the whole chip, and {len(wanted[name])} numbers are given "
                                f"({'/'.join(map(str, wanted[name]))}): give one")
    lanes = lanes or DEFAULT_LANES
    tiles = _tiles(network, lanes)
    networks = [network, *also]
    for other in also:
        tiles = _merged(tiles, _tiles(other, lanes))
    count = max(wanted.get("tiles", [1])[0], len(tiles))
    spare = tiles[0]
    for tile in tiles[1:]:
        spare = _joined(spare, tile)
    tiles += [spare] * (count - len(tiles))
    for name in PER_TILE:
        if len(wanted.get(name, [0])) not in (1, len(tiles)):
            raise CapacityError(f"Capacity {name} is given for {len(wanted[name])} tiles, and the overlay has {len(tiles)}: give one number, "
                                "or one per tile")
    tiles = [_asked(tile, k, wanted) for k, tile in enumerate(tiles)]
    n_inputs = max(len(n.inputs) for n in networks)
    sizes = [max(n.inputs[k].size for n in networks if len(n.inputs) > k) for k in range(n_inputs)]
    for k, size in enumerate(wanted.get("inputs", [])):
        sizes[k:k + 1] = [max([size, *sizes[k:k + 1]])]
    low = min([t.payload_min for t in tiles] + [i.payload_min for n in networks for i in n.inputs])
    high = max([t.payload_max for t in tiles] + [i.payload_max for n in networks for i in n.inputs])
    timings = [schedule(n) for n in networks]
    levels, period = max(max(t.level.values()) for t in timings), max(t.period for t in timings)

    def most(name: str, least: int) -> int:
        return max(least, *wanted.get(name, [0])[:1])

    output_size = most("output_size", max(p.size for n in networks for p in n.outputs))
    return Capacity(
        tiles=tuple(tiles), inputs=tuple(InputCapacity(size=size, payload_min=low, payload_max=high) for size in sizes),
        outputs=most("outputs", max(len(n.outputs) for n in networks)), output_size=output_size,
        readouts=most("readouts", max([output_size, *(sum(p.n_readouts for p in n.outputs) for n in networks)])),
        levels=most("levels", levels + _SPARE_LEVELS), period=most("period", max(4, period)))
