"""How the golden model walks a network: groups of populations, float weights and exact dtypes.

A projection's sums over many timesteps are one matrix product, which is fast in floating point and exact as long as every
partial sum stays below 2**24 (float32) or 2**53 (float64). It needs all of the source's spikes beforehand, so populations are
gathered into groups (the strongly connected components of the graph): between groups whole blocks of timesteps are multiplied
at once, and only inside a recurrent group does time go step by step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..spec.convolution import Conv
from ..spec.network import Model, Network, Population, Port
from ._bounds import state_dtype, sum_dtype
from ._neuron_steps import current_offset

__all__ = ["Group", "Layer", "Plan", "PortPlan", "Synapses", "plan"]


@dataclass(frozen=True, eq=False)
class Synapses:
    """One projection: source name, delay, and ``[source size, target size]`` float weights, scaled by 2**(shift + G), G for port ``i``; of a
    convolution its geometry, and the weights in the shape that it has."""

    source: str
    delay: int
    weights: np.ndarray
    conv: Conv | None = None

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """``[n, target size]`` for payloads ``[n, source size]``, in floating point."""
        return rows @ self.weights if self.conv is None else self.conv.apply(self.weights, rows)


@dataclass(frozen=True, eq=False)
class PortPlan:
    """What arrives at one port of a population: a constant, and projections from outside and inside its group."""

    offset: np.ndarray | None  # [size] of the layer's dtype, None where all are 0
    outer: tuple[Synapses, ...]
    inner: tuple[Synapses, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """One population with state: its dtype, whether a plain membrane is all it has, its port ``i``, and the one beside it if there is one."""

    population: Population
    dtype: type
    plain: bool
    ports: tuple[PortPlan, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Populations that depend on one another; ``stepwise`` where they need one another's spikes of earlier timesteps."""

    layers: tuple[Layer, ...]
    stepwise: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is prepared once per network.

    ``history`` gives, per sending population, the timesteps of its events that later timesteps still need.
    """

    groups: tuple[Group, ...]
    history: dict[str, int]


@lru_cache(maxsize=4)
def plan(network: Network) -> Plan:
    """The plan of a network; raises NetworkError if an update needs more than 62 bits."""
    components = _components(network)
    groups = []
    for names in components:
        layers = tuple(_layer(network, name, names) for name in names if network.population(name).model is not Model.INPUT)
        if layers:
            groups.append(Group(layers, stepwise=any(port.inner for layer in layers for port in layer.ports)))
    history = {p.name: max((q.delay for q in network.outgoing(p.name)), default=0) for p in network.populations}
    return Plan(tuple(groups), history)


def _layer(network: Network, name: str, group: tuple[str, ...]) -> Layer:
    p = network.population(name)
    plain = not (p.has_current or p.adapts or p.refractory or p.inhibition or p.max_spikes > 1 or p.changes)
    offsets = {Port.CURRENT: current_offset(p) if plain else p.bias}
    if p.held:  # a current that is held sums up what arrives alone
        offsets[Port.CURRENT] = np.zeros(p.size, dtype=np.int64)
    if p.has_gate:
        offsets[Port.GATE] = p.gate_bias
    elif network.incoming(name, Port.BLOCK):
        offsets[Port.BLOCK] = np.zeros(p.size, dtype=np.int64)
    bounds = {port: network.sum_bounds(name, port) for port in offsets}
    dtype = state_dtype(p, bounds)
    ports = []
    for port, offset in offsets.items():
        real, guard_bits = sum_dtype(bounds[port]), p.guard_bits if port is Port.CURRENT else 0
        synapses: dict[bool, list[Synapses]] = {False: [], True: []}
        for projection in network.incoming(name, port):
            # A power of two scales a float exactly, so the guard shift costs nothing here.
            held = projection.weights.T if projection.conv is None else projection.weights
            weights = np.ascontiguousarray(held.astype(real) * float(1 << (projection.shift + guard_bits)))
            synapses[projection.source in group].append(Synapses(projection.source, projection.delay, weights, projection.conv))
        ports.append(PortPlan(offset.astype(dtype) if offset.any() else None, tuple(synapses[False]), tuple(synapses[True])))
    return Layer(p, dtype, plain, tuple(ports))


def _components(network: Network) -> list[tuple[str, ...]]:
    """Strongly connected components in an order in which every projection between them goes forward; inside, network.order."""
    order = network.order
    index = {name: i for i, name in enumerate(order)}
    reach = np.eye(len(order), dtype=bool)
    for projection in network.projections:
        reach[index[projection.source], index[projection.target]] = True
    for k in range(len(order)):  # Warshall's closure
        reach |= reach[:, k : k + 1] & reach[k]
    mutual = reach & reach.T
    components = {tuple(order[j] for j in np.flatnonzero(row)) for row in mutual}
    # A component that reaches another reaches strictly more of the graph, so descending reach is a topological order.
    return sorted(components, key=lambda names: (-int(reach[index[names[0]]].sum()), index[names[0]]))
