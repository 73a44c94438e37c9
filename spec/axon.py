"""The event lists of a group, and what an arriving event is for a tile."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MAIN", "SIDE", "SPARSE", "AxonEntry"]

# Event lists of a group: port ``i``, its other port (gate or block), and port ``i`` of what is scattered: sparse projections and convolutions.
MAIN, SIDE, SPARSE = range(3)


class AxonEntry(NamedTuple):
    """What an arriving event is for a tile: axon ``base + neuron`` of the list ``port`` of group ``group``, ``delay`` timesteps later."""

    group: int
    base: int
    delay: int
    port: int = MAIN
