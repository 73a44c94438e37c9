"""Why a network takes the period that it takes: the loop of projections that demands it."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.network import Network, Projection
from .schedule import schedule

__all__ = ["PeriodReason", "period_reason"]


@dataclass(frozen=True, kw_only=True)
class PeriodReason:
    """``period`` of a network, and the ``loop`` that demands it: projections, each of which leads to the next; empty where the period is 1."""

    period: int
    loop: tuple[Projection, ...]

    @property
    def delay(self) -> int:
        """Timesteps of delay of the whole loop."""
        return sum(p.delay for p in self.loop)

    @property
    def path(self) -> str:
        """The populations of the loop, as ``a -> b -> a``."""
        return " -> ".join([p.source for p in self.loop] + [p.target for p in self.loop[-1:]])

    def __str__(self) -> str:
        if not self.loop:
            return "1 phase per timestep: no loop demands more"
        n = len(self.loop)
        return (f"{self.period} phases per timestep: the loop {self.path} has {n} projections and a delay of {self.delay} in all, "
                f"and {n} / {self.delay} is rounded up; with a delay of {n} in all it would take 1")


def period_reason(network: Network) -> PeriodReason:
    """The period of a network, and a loop for which one phase less is not enough.

    A period PI is enough for a loop if its projections, each less PI times its delay, add up to 0 or less (see :mod:`.schedule`). Longest paths by
    Bellman-Ford at PI - 1 grow for ever along a loop for which they do not; where they still grow after as many rounds as there are populations,
    the way back leads into such a loop.
    """
    period = schedule(network).period
    if period == 1:
        return PeriodReason(period=1, loop=())
    level = {p.name: 0 for p in network.populations}
    last: dict[str, Projection] = {}
    grown = ""
    for _ in range(len(level) + 1):
        for p in network.projections:
            if level[p.source] + 1 - (period - 1) * p.delay > level[p.target]:
                level[p.target], last[p.target], grown = level[p.source] + 1 - (period - 1) * p.delay, p, p.target
    for _ in range(len(level)):  # from whatever grows to the loop that makes it grow
        grown = last[grown].source
    loop = [last[grown]]
    while loop[0].source != grown:
        loop.insert(0, last[loop[0].source])
    start = min(range(len(loop)), key=lambda k: network.order.index(loop[k].source))
    return PeriodReason(period=period, loop=tuple(loop[start:] + loop[:start]))
