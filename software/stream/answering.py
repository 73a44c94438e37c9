"""Which population of a network answers, and what its answers are called."""

from __future__ import annotations

from ...spec.errors import NetworkError
from ...spec.network import Network, Population, Readout

__all__ = ["answering", "answers"]


def answering(network: Network) -> Population:
    """The population whose readouts answer; NetworkError if there is none."""
    read = [p for p in network.populations if p.readout is not Readout.NONE]
    if not read:
        raise NetworkError(f"No population of network {network.name!r} has a readout, so it spots nothing")
    return read[-1]


def answers(network: Network) -> tuple[str, ...]:
    """The labels of :func:`answering`; their numbers where it has none."""
    of = answering(network)
    return of.labels or tuple(str(k) for k in range(of.n_readouts))
