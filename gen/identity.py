"""What a chip says of itself over its host link, and what a network needs of it: the same facts, from the plan alone."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..spec.chip import ChipSpec, TileSpec
from ..spec.image import table_layout
from ..spec.settings import WORD, settings_words

__all__ = ["IDENTITY_FORMAT", "architecture_digest", "identity", "memory_sizes"]

IDENTITY_FORMAT = 1


def architecture_digest(chip: ChipSpec) -> str:
    """SHA-256 of all of a plan but its names and the network it was made for: networks with the same one can take each other's place."""
    parts = asdict(chip)
    for name in ("name", "network_digest"):
        del parts[name]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def memory_sizes(chip: ChipSpec, tile: TileSpec) -> list[tuple[int, int] | None]:
    """Depth and width of a tile's memories, by their numbers on the configuration port; None where it has none."""
    table = table_layout(tile, len(chip.keys))
    sparse = (tile.sparse_depth, tile.lanes * (tile.row_bits + max(tile.sparse_weight_bits, 1))) if tile.has_sparse else None
    pointers = (tile.pointer_depth, sum(tile.pointer_bits)) if tile.has_sparse else None
    parameters = None if tile.constant_parameters else (tile.n_updates, tile.update_lanes * sum(f.bits for f in tile.fields))
    settings = [(settings_words(chip), WORD)] if chip.capacity and tile is chip.tiles[0] else []
    return [(tile.weight_depth, tile.lanes * tile.weight_bits), parameters, (table.depth, table.width), sparse, pointers,
            (tile.n_updates, tile.update_lanes * tile.state_bits), *settings]


def identity(chip: ChipSpec, options: Mapping[str, Any], link: Mapping[str, int]) -> bytes:
    """The answer to IDENTIFY: JSON, the same bytes for the same chip; compressed (zlib) where block RAMs are small and few.

    Parameters
    ----------
    options : those of the plan, and the storage, with which a network of the same shape gives the same plan. An overlay tells its capacity as well.
    link : numbers of the link: clock_hz, baud, depth, places.
    """
    described = {
        "format": IDENTITY_FORMAT, "name": chip.name, "architecture": architecture_digest(chip), "network": chip.network_digest,
        "options": dict(options), "link": dict(link), "reads": chip.reads,
        "inputs": [[i.population, i.size, i.payload_min, i.payload_max] for i in chip.inputs],
        "outputs": [[o.population, o.size, o.readout.value, o.n_values] for o in chip.outputs],
        **({"capacity": chip.capacity.to_json()} if chip.capacity else {}),
        "tiles": [{"lanes": tile.lanes, "update_lanes": tile.update_lanes, "memories": memory_sizes(chip, tile)} for tile in chip.tiles],
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    return text if chip.memories == "distributed" else zlib.compress(text, 9)
