"""Lanes of tiles whose weights are in single-port memories: there are few of those, each of a fixed size."""

from __future__ import annotations

from ..spec.errors import CapacityError
from ..spec.network import Kind, Network
from ..spec.tile import SPRAM_DEPTH, SPRAM_WIDTH
from .lists import list_axons
from .partition import Partition, TilePart
from .weight_formats import unshifted_formats

__all__ = ["check_spram", "spram_lanes"]

_MOST_LANES = 64


def check_spram(network: Network) -> None:
    """Refuse a network whose weights single-port memories cannot hold: raises CapacityError."""
    scattered = next((p for p in network.projections if p.kind is not Kind.DENSE), None)
    if scattered is not None:
        remedy = "build for another board" if scattered.kind is Kind.CONV else "build with --storage dense, or for another board"
        raise CapacityError(f"Projection {scattered.source} -> {scattered.target} is stored {scattered.kind.value}, which needs memories that can be "
                            f"read at once or two at a time; this device has block RAM and single-port RAM alone: {remedy}")


def spram_lanes(network: Network, parts: Partition) -> list[int]:
    """Lanes of each tile: those with which its weights take the fewest memories; of these with the fewest rows that are not full; the fewest."""
    return [_fewest(network, part) for part in parts.tiles]


def _fewest(network: Network, part: TilePart) -> int:
    choices = range(1, min(_MOST_LANES, max(s.size for s in part.slices)) + 1)
    return min(choices, key=lambda lanes: _cost(network, part, lanes))


def _cost(network: Network, part: TilePart, lanes: int) -> tuple[int, int, int]:
    """(memories, places of neurons, lanes) of a tile with so many lanes."""
    rows = [-(-s.size // lanes) for s in part.slices]
    depth = sum(n * sum(list_axons(network, {}, s)[:2]) for n, s in zip(rows, part.slices))
    width = lanes * unshifted_formats(network, part.slices).bits
    return -(-width // SPRAM_WIDTH) * -(-depth // SPRAM_DEPTH), sum(rows) * lanes, lanes
