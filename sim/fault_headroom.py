"""What to plan a chip for, so that it holds a network with any faults of its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..spec.arithmetic import bits_signed
from ..spec.errors import NetworkError
from ..spec.network import Kind, Network, Port, Projection

__all__ = ["headroom"]


def headroom(network: Network) -> Network:
    """The network with the lowest, or the highest, weights that its formats have: a chip planned for it has accumulators for any others.

    Whether lowest or highest is decided for each sum (population and port) by what needs more bits; sums that share a matrix decide together.
    Raises NetworkError in the case that neither is enough: projections of one sum that are lopsided in opposite ways.
    """
    projections = list(network.projections)
    for group in _groups(network):
        members = {k for k, p in enumerate(network.projections) if (p.target, p.port) in group}
        tried = [[_filled(p, pick) if k in members else p for k, p in enumerate(projections)] for pick in (0, -1)]
        bits = [max(bits_signed(*replace(network, projections=tuple(t)).sum_bounds(*end)) for end in group) for t in tried]
        if max(bits) < (needed := max(bits_signed(*_worst(network, *end)) for end in group)):
            raise NetworkError(f"Network {network.name!r}: sums of population {min(group)[0]!r} under faults need {needed} bits, and no weights "
                               f"of one kind reach them; give its projections formats of the same kind")
        projections = tried[int(bits[1] > bits[0])]
    return replace(network, projections=tuple(projections))


def _groups(network: Network) -> list[set[tuple[str, Port]]]:
    """Sums (population, port), those together that share a matrix."""
    groups: list[set[tuple[str, Port]]] = []
    for p in network.projections:
        ends = {(p.target, p.port)} | {(q.target, q.port) for q in network.projections if p.matrix and q.matrix == p.matrix}
        ends = ends.union(*(g for g in groups if g & ends))
        groups = [g for g in groups if not g & ends] + [ends]
    return groups


def _extremes(p: Projection) -> tuple[int, int]:
    return (p.codebook[0], p.codebook[-1]) if p.codebook is not None else (-(1 << (p.weight_bits - 1)), (1 << (p.weight_bits - 1)) - 1)


def _filled(p: Projection, pick: int) -> Projection:
    stored = p.weights != 0 if p.kind is Kind.SPARSE else np.ones(p.weights.shape, dtype=bool)
    return replace(p, weights=np.where(stored, _extremes(p)[pick], 0))


def _worst(network: Network, target: str, port: Port) -> tuple[int, int]:
    """Smallest and largest sum of any neuron with any weights of the formats."""
    ends: list[int] = []
    choose: tuple[Callable[..., int], ...] = (min, max)
    for best in choose:
        total = np.zeros(network.population(target).size, dtype=np.int64)
        for p in network.incoming(target, port):
            # How many synapses each neuron has: what weights of 1 add up to.
            one_each = (p.weights != 0).astype(int) if p.kind is Kind.SPARSE else np.ones_like(p.weights)
            count = replace(p, weights=one_each, codebook=None, weight_bits=8).sum_bounds((1, 1))[1]
            total += count * (best(0, *(w * x for w in _extremes(p) for x in network.population(p.source).payload_range)) << p.shift)
        ends.append(int(best(total)))
    return ends[0], ends[1]
