"""Event lists of a group: which ports of a population have one, and how many axons each has."""

from __future__ import annotations

from ..spec.network import Network, Port, Projection

__all__ = ["PORTS", "list_axons", "port_of"]

# By number of the list (spec.tile.MAIN, SIDE): the ports whose events it holds. A population has a gate or can be blocked, not both.
PORTS = ((Port.CURRENT,), (Port.GATE, Port.BLOCK))


def port_of(projection: Projection) -> int:
    """Number of the list that holds a projection's events."""
    return next(number for number, ports in enumerate(PORTS) if projection.port in ports)


def list_axons(network: Network, population: str) -> tuple[int, ...]:
    """Axons of each list of a population: one per neuron of the source of each of its projections; 0 where there is no list."""
    return tuple(sum(network.population(p.source).size for p in network.incoming(population, *ports)) for ports in PORTS)
