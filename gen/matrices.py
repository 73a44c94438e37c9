"""Which populations read the same weights: those whose projections into port ``i`` name the same matrices, in the same order."""

from __future__ import annotations

from ..spec.network import Kind, Network, Port
from .updates import extra_shift

__all__ = ["matrices_of"]


def matrices_of(network: Network, population: str) -> tuple[tuple[str, int], ...] | None:
    """(matrix, left shift of its stored weights) of each dense projection into port ``i``; None where one has no name, or there is none.

    Slices of populations for which this is equal, and which are equally large, store their weights once if they are on one tile.
    """
    projections = [p for p in network.incoming(population, Port.CURRENT) if p.kind is Kind.DENSE]
    if not projections or not all(p.matrix for p in projections):
        return None
    return tuple((p.matrix, extra_shift(network, p)) for p in projections)
