"""Event lists of a group: which projections' events each holds, from which slices of their sources, and how many axons that is."""

from __future__ import annotations

from collections.abc import Mapping

from ..spec.network import Kind, Network, Port, Projection
from ..spec.runs import Run
from ..spec.tile import MAIN, SIDE, SPARSE
from ..spec.window import WindowSpec
from .slices import Slice

__all__ = ["PORTS", "Sources", "heard", "list_axons", "places_of", "port_of", "positions_of", "projections_of", "runs_of", "window_of"]

PORTS = (MAIN, SIDE, SPARSE)
Sources = Mapping[str, tuple[Slice, ...]]  # population -> its slices, by ascending neuron; one that is not in it is one slice


def port_of(projection: Projection) -> int:
    """Which list of its target holds a projection's events. A population has a gate or can be blocked, not both: one list serves either."""
    if projection.port is not Port.CURRENT:
        return SIDE
    return MAIN if projection.kind is Kind.DENSE else SPARSE


def projections_of(network: Network, population: str, port: int) -> tuple[Projection, ...]:
    """Projections into a list of a population, in the network's order."""
    return tuple(p for p in network.incoming(population) if port_of(p) == port)


def positions_of(network: Network, population: str) -> int:
    """Places of a population's map, 1 where no convolution leads to it: its neuron is ``channel * positions + place``."""
    return next((p.conv.positions for p in network.incoming(population) if p.conv is not None), 1)


def places_of(network: Network, s: Slice) -> int:
    """Places of a slice's part of its map, 1 where it has none."""
    return s.run or positions_of(network, s.population)


def heard(network: Network, sources: Sources, s: Slice, p: Projection) -> tuple[Slice, ...]:
    """The slices of a projection's source that a slice of its target has axons for: of a convolution those that reach it, at least one."""
    slices = sources.get(p.source) or (Slice(population=p.source, first=0, size=network.population(p.source).size),)
    if p.conv is None or len(slices) == 1:
        return slices
    reach = window_of(s, p, axon=0, runs=()).reach
    return tuple(part for part in slices if reach[part.neurons].any()) or slices[:1]


def runs_of(network: Network, sources: Sources, s: Slice, p: Projection) -> tuple[Run, ...]:
    """Those slices as the axons of a list know them: what leaves the chip keeps the numbers that its neurons have in the population."""
    apart = network.population(p.source).output
    return tuple(Run(*part.cut, apart=part.pitch if apart else 0) for part in heard(network, sources, s, p))


def window_of(s: Slice, p: Projection, axon: int, runs: tuple[Run, ...], matrix: tuple[str, int] | None = None) -> WindowSpec:
    """A convolution onto a slice, whole channels of its map or some rows of them. Without ``runs`` its axons are all neurons of the source."""
    assert p.conv is not None
    width, positions = p.conv.out_shape[2], p.conv.positions
    return WindowSpec(conv=p.conv, axon=axon, first=s.first // positions, channels=s.size // (s.run or positions),
                      top=s.first % positions // width, rows=(s.run or positions) // width, runs=runs, matrix=matrix)


def list_axons(network: Network, sources: Sources, s: Slice) -> tuple[int, ...]:
    """Axons of each list of a slice: of each of its projections those of the slices that it hears; 0 where there is no list."""
    return tuple(sum(run.span for p in projections_of(network, s.population, port) for run in runs_of(network, sources, s, p)) for port in PORTS)
