"""Event lists of a group: which projections' events each holds, and how many axons that is."""

from __future__ import annotations

from ..spec.network import Kind, Network, Port, Projection
from ..spec.tile import MAIN, SIDE, SPARSE

__all__ = ["PORTS", "list_axons", "port_of", "positions_of", "projections_of"]

PORTS = (MAIN, SIDE, SPARSE)


def port_of(projection: Projection) -> int:
    """Which list of its target holds a projection's events. A population has a gate or can be blocked, not both: one list serves either."""
    if projection.port is not Port.CURRENT:
        return SIDE
    return MAIN if projection.kind is Kind.DENSE else SPARSE


def projections_of(network: Network, population: str, port: int) -> tuple[Projection, ...]:
    """Projections into a list of a population, in the network's order."""
    return tuple(p for p in network.incoming(population) if port_of(p) == port)


def list_axons(network: Network, population: str) -> tuple[int, ...]:
    """Axons of each list of a population: one per neuron of the source of each of its projections; 0 where there is no list."""
    return tuple(sum(network.population(p.source).size for p in projections_of(network, population, port)) for port in PORTS)


def positions_of(network: Network, population: str) -> int:
    """Places of a population's map, 1 where no convolution leads to it: its neuron is ``channel * positions + place``."""
    return next((p.conv.positions for p in network.incoming(population) if p.conv is not None), 1)
