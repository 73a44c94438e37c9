"""The plan of a tile: what it owns, its memories and widths, and the cycles of its pipeline. Its parts are handed on here."""

from __future__ import annotations

from .axon import MAIN, SIDE, SPARSE, AxonEntry
from .group import GroupSpec, places
from .parameter import ParameterSpec
from .sparse import SparseSpec, pointer_fields
from .tile_events import TileEvents
from .tile_shape import MEMORIES
from .tile_state import TileState
from .tile_storage import SPRAM_DEPTH, SPRAM_WIDTH

__all__ = ["MAIN", "MEMORIES", "SIDE", "SPARSE", "SPRAM_DEPTH", "SPRAM_WIDTH", "AxonEntry", "GroupSpec", "ParameterSpec", "SparseSpec",
           "TileSpec", "places", "pointer_fields"]


class TileSpec(TileEvents, TileState):
    """One tile: its fields are those of :class:`~.tile_shape.TileShape`."""

    @property
    def front_latency(self) -> int:
        """Cycles from ``start`` to the first event in the accumulators: walk, queue, weight address, memory, register (, product)."""
        return 6 if self.payload_kind == "graded" else 5

    @property
    def check_latency(self) -> int:
        """Cycles from a beat to the comparison of its membranes with their thresholds: 1, and those of the slowest drive."""
        return 1 + max(g.update.drive_latency for g in self.groups)

    @property
    def update_latency(self) -> int:
        """Cycles from a beat to its spikes and membranes: 2 where all models are plain."""
        return self.check_latency + 1 + max(g.update.quotient_latency for g in self.groups)
