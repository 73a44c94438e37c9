"""Where the cycles of a chip go, summed up for reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.chip import ChipSpec
from .cycles import HOST, NETWORK, CycleReport

__all__ = ["CycleBounds", "bounds"]


@dataclass(frozen=True, kw_only=True)
class CycleBounds:
    """Cycles of all clips of a :class:`~spikeloom.sim.cycles.CycleReport`, and the work done in them.

    Parameters
    ----------
    clips, cycles : how many clips took how many cycles in all.
    lanes : synapse lanes of all tiles, the most SOPs that a cycle can do.
    sops, updates, events, hops : work of all tiles (synaptic operations, neuron updates, axon events, flits over links).
    least_cycles : the slowest tile's synaptic operations over its lanes: no schedule of these tiles takes less.
    phases : phases of all clips by what they waited for: ``"tile 0"``, ..., ``"host"``, ``"network"``.
    waited : cycles of those phases, by the same names; they add up to ``cycles``.
    overhead : cycles beyond the walk of the slowest tile of each phase: pipeline, last update, last flit, barrier.
    tile_busy, tile_walk, tile_use : per tile, fraction of all cycles in which it is busy, walks rows, and works (SOPs per cycle
        and lane).
    """

    clips: int
    cycles: int
    lanes: int
    sops: int
    updates: int
    events: int
    hops: int
    least_cycles: int
    phases: dict[str, int]
    waited: dict[str, int]
    overhead: int
    tile_busy: tuple[float, ...]
    tile_walk: tuple[float, ...]
    tile_use: tuple[float, ...]

    @property
    def sops_per_cycle(self) -> float:
        """Synaptic operations per clock cycle."""
        return self.sops / max(self.cycles, 1)

    @property
    def sops_per_cycle_and_lane(self) -> float:
        """Fraction of the synapse lanes' time that is used."""
        return self.sops_per_cycle / self.lanes


def bounds(chip: ChipSpec, report: CycleReport) -> CycleBounds:
    """Sum up a cycle report of ``chip``."""
    names = {**{k: f"tile {k}" for k in range(len(chip.tiles))}, HOST: "host", NETWORK: "network"}
    lanes = np.array([tile.lanes for tile in chip.tiles])
    cycles = int(report.cycles.sum())
    sops = report.sops.sum(axis=0)
    waited = {name: int(report.cycles[report.bound == code].sum()) for code, name in names.items()}

    def share(values: np.ndarray) -> tuple[float, ...]:
        return tuple((values / max(cycles, 1)).tolist())

    return CycleBounds(
        clips=len(report.cycles), cycles=cycles, lanes=int(lanes.sum()), sops=int(sops.sum()), updates=int(report.updates.sum()),
        events=int(report.events.sum()), hops=int(report.hops.sum()), least_cycles=int((-(-sops // lanes)).max()),
        phases={name: int((report.bound == code).sum()) for code, name in names.items()}, waited=waited,
        overhead=cycles - int(report.slowest_walk.sum()), tile_busy=share(report.busy.sum(axis=0)),
        tile_walk=share(report.walk.sum(axis=0)), tile_use=share(sops / lanes))
