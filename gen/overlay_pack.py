"""The memory image of a network on an overlay: the memories of the tiles, and the settings that say what shape it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..spec.capacity import FRACTION_BITS
from ..spec.chip import ChipSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.image import MemoryImage, TileImage, table_layout
from ..spec.network import Network, Population
from ..spec.settings import OPERATIONS, pack_settings
from .check import check_chip
from .identity import memory_sizes
from .overlay_fit import Loaded
from .pack import pack

__all__ = ["config_payloads", "decay_factors", "overlay_image", "settings_of"]

_OF_TILE = ("used", "listens", "values", "level", "key", "routes", "rows", "axons", "full", "rest", "shift", "limit")


def decay_factors(p: Population) -> np.ndarray:
    """Factors of a population's decays in 1 / 2**12, ``[size], int64``: those of fewer bits shifted up, which rounds as before; 1 without a decay."""
    given = (1 << FRACTION_BITS) if p.decay.factor is None else p.decay.factor if p.beta is None else p.beta
    shift = 0 if p.decay.factor is None else FRACTION_BITS - (p.decay.fraction_bits or 0)
    return np.broadcast_to(np.asarray(given, dtype=np.int64) << shift, (p.size,))


def overlay_image(overlay: ChipSpec, loaded: Loaded) -> MemoryImage:
    """All memories and settings of an overlay that holds a network. The image of the plan alone is checked against the network on the way.

    Raises CapacityError where sums or parameters do not fit the overlay's widths.
    """
    image = pack(loaded.chip, loaded.network)
    check_chip(loaded.chip, image, loaded.network)
    tiles = [_empty(overlay, tile) for tile in overlay.tiles]
    for number, where in enumerate(loaded.places):
        tiles[where] = _padded(overlay, overlay.tiles[where], loaded, number, image.tiles[number])
    return MemoryImage(network_digest=loaded.network.digest, tiles=tuple(tiles), settings=settings_of(overlay, loaded))


def _empty(overlay: ChipSpec, tile: TileSpec) -> TileImage:
    """A tile that nothing is on: no weights, thresholds that cannot be reached, a table whose entries all end at once."""
    shape, layout = (tile.n_updates, tile.update_lanes), table_layout(tile, len(overlay.keys))
    return TileImage(weights=np.zeros((tile.weight_depth, tile.lanes), dtype=np.int16),
                     theta=np.full(shape, (1 << tile.theta_bits) - 1, dtype=np.int64), bias=np.zeros(shape, dtype=np.int64),
                     table=np.full(layout.depth, layout.pack(0, 0, 0, last=True), dtype=np.int64),
                     parameters={f.name: np.zeros(shape, dtype=np.int64) for f in tile.parameters})


def _padded(overlay: ChipSpec, tile: TileSpec, loaded: Loaded, number: int, image: TileImage) -> TileImage:
    """A tile of the plan's image in the overlay's tile: the same words from address 0 on, and the overlay's own axon table and factors."""
    plan, empty, layout = loaded.chip.tiles[number], _empty(overlay, tile), table_layout(tile, len(overlay.keys))
    held = {name: getattr(empty, name).copy() for name in ("weights", "theta", "bias", "table")}
    held["weights"][:plan.weight_depth] = image.weights
    held["theta"][:plan.n_updates], held["bias"][:plan.n_updates] = image.theta, image.bias
    for key, listed in plan.entries.items():
        for i, entry in enumerate(listed):
            held["table"][key * layout.stride + i] = layout.pack(0, entry.base, entry.delay, last=i == len(listed) - 1)
    group = plan.groups[0]
    beta = empty.parameters["beta"].copy()
    beta.reshape(-1)[plan.places(0)] = decay_factors(loaded.network.population(group.population))[group.first:group.first + group.size]
    return replace(empty, **held, parameters={"beta": beta})


def config_payloads(overlay: ChipSpec, image: MemoryImage) -> np.ndarray:
    """Payloads of the configuration port that write an image, ``[n], uint64``: {tile, memory, address, data, last}, lowest first."""
    out: list[int] = []
    for number, tile in enumerate(overlay.tiles):
        words = [*image.tiles[number].words(tile), (), image.settings]  # the states are not written
        for memory, size in enumerate(memory_sizes(overlay, tile)):
            parts = -(-size[1] // 32) if size else 0
            for address, word in enumerate(words[memory] if parts else ()):
                place = number | memory << 8 | address << 11
                out += [place | (word >> (32 * k) & 0xFFFFFFFF) << 31 | int(k == parts - 1) << 63 for k in range(parts)]
    return np.array(out, dtype=np.uint64)


def settings_of(overlay: ChipSpec, loaded: Loaded) -> tuple[int, ...]:
    """Words of the settings of an overlay that holds a network (:mod:`~spikeloom.spec.settings`)."""
    capacity, chip, network = overlay.capacity, loaded.chip, loaded.network
    assert capacity is not None
    readers = [o for o in chip.outputs if o.n_values]
    tiles: list[dict[str, int]] = [_tile_settings(chip, network, loaded.places.index(k), loaded.places) if k in loaded.places
                                   else dict.fromkeys(_OF_TILE, 0) for k in range(len(capacity.tiles))]
    inputs: list[dict[str, int]] = [dict.fromkeys(("exists", "used", "last", "base", "key", "low", "high", "routes"), 0) for _ in capacity.inputs]
    outputs: list[dict[str, int]] = [dict.fromkeys(("spikes", "operation", "level", "base", "end", "limit"), 0) for _ in range(capacity.outputs)]
    keys: list[dict[str, int]] = [dict.fromkeys(("output", "first", "place"), 0) for _ in overlay.keys]
    base = 0
    for k, i in enumerate(chip.inputs):
        inputs[k] = {"exists": 1, "used": int(i.key is not None), "last": i.size - 1, "base": base, "key": i.key or 0, "low": i.payload_min,
                     "high": i.payload_max, "routes": 0 if i.key is None else _routes(chip, i.key, loaded.places)}
        base += i.size
    for k, o in enumerate(chip.outputs):
        outputs[k] = {"spikes": int(not o.values), "operation": OPERATIONS.index(o.readout.value), "level": o.level - 1, "base": o.base,
                      "end": o.base + o.n_values, "limit": network.population(o.population).v_max if o.values else 0}
        for key in o.keys:
            first = chip.keys[key].first
            keys[key] = {"output": k, "first": first, "place": o.base + first if o.n_values else 0}
    values: dict[str, Any] = {
        "period": chip.period - 1, "drain": (1 << (chip.levels - 1)) - 1, "readouts": chip.n_readouts, "tiles": tiles, "inputs": inputs,
        "outputs": outputs, "keys": keys, "answer": {"smallest": int(bool(readers) and readers[-1].readout.value == "first"),
                                                     "single": int(bool(readers) and readers[-1].n_values == 1)}}
    try:
        return pack_settings(overlay, values)
    except ValueError as error:
        raise CapacityError(f"Network {network.name!r} does not fit the overlay: {error}") from None


def _tile_settings(chip: ChipSpec, network: Network, number: int, places: tuple[int, ...]) -> dict[str, int]:
    tile = chip.tiles[number]
    group = tile.groups[0]
    full, rest = divmod(group.size, tile.update_lanes)
    return {"used": 1, "listens": int(group.key is not None), "values": int(group.update.values), "level": group.level - 1, "key": group.key or 0,
            "routes": 0 if group.key is None else _routes(chip, group.key, places), "rows": tile.rows(0) - 1, "axons": group.axons, "full": full,
            "rest": rest, "shift": group.update.input_shift, "limit": network.population(group.population).v_max}


def _routes(chip: ChipSpec, key: int, places: tuple[int, ...]) -> int:
    """Outputs of the overlay's switch that the plan's sends a key to: bit 0 is the host, bit k + 1 tile k."""
    (switch,) = chip.fabric.switches
    mask = next(table[key] for table in switch.routes if key in table)
    return mask & 1 | sum(1 << (places[t] + 1) for t in range(len(places)) if mask >> (t + 1) & 1)
