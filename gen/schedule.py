"""When each population works: period and levels, by retiming.

Population p handles timestep t in phase ``PI * t + sigma(p)``. For a projection from s to d with delay k, what s sends in
timestep t must be complete before d works on timestep t + k:

    sigma(d) - sigma(s) >= 1 - PI * k

which is feasible for a period PI if and only if no cycle of projections has a positive sum of 1 - PI * k: the smallest PI is
the maximum cycle ratio, rounded up (C. E. Leiserson and J. B. Saxe, "Retiming Synchronous Circuitry", Algorithmica 6, 1991).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..spec.network import Model, Network

__all__ = ["Schedule", "schedule", "slots_of"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """``period`` = PI, phases per timestep; ``level`` = sigma of each population by name, 0 for inputs, at least 1 otherwise."""

    period: int
    level: Mapping[str, int]


def _levels(network: Network, period: int) -> dict[str, int] | None:
    """Smallest levels for a period (longest paths, Bellman-Ford), or None if a cycle makes them grow for ever."""
    level = {p.name: 0 if p.model is Model.INPUT else 1 for p in network.populations}
    for _ in range(len(level) + 1):
        changed = False
        for p in network.projections:
            least = level[p.source] + 1 - period * p.delay
            if least > level[p.target]:
                level[p.target], changed = least, True
        if not changed:
            return level
    return None


def schedule(network: Network) -> Schedule:
    """The smallest period, and for it the smallest levels.

    A cycle of n projections has at least one with a delay (the network's validation), so a period of n is always enough.
    """
    for period in range(1, len(network.populations) + 1):
        level = _levels(network, period)
        if level is not None:
            for p in network.projections:
                assert level[p.target] - level[p.source] >= 1 - period * p.delay
            return Schedule(period=period, level=level)
    raise AssertionError("a network without a cycle of delay 0 has a schedule")


def slots_of(network: Network, plan: Schedule, populations: Iterable[str]) -> int:
    """S, timesteps of events that a tile of these populations must hold: a power of two.

    A slot is read in phase ``PI * u + sigma(d)`` and gets its next timestep's first event in phase
    ``PI * (u + S - k) + sigma(s)`` at the earliest, which must be later: S > k + (sigma(d) - sigma(s)) / PI.
    """
    needed = 1
    for name in populations:
        for p in network.incoming(name):
            needed = max(needed, p.delay + (plan.level[name] - plan.level[p.source]) // plan.period + 1)
    return 1 << (needed - 1).bit_length()
