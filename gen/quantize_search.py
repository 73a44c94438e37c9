"""The bits of each projection, found: the smallest memory whose accuracy on labelled clips stays within a loss against float.

Greedy, from 8 bits down, in passes: the projection with the most synapses first, each is narrowed by one bit; what costs too much is taken back,
and that
projection stays as it is. So at most 7 networks are scored per projection, each within the loss until the end of the search. Nothing is random: the
same clips give the same bits. A loss of clips that bits were chosen on is an optimistic one: choose on a validation set, judge on a test set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .quantize_bits import DEFAULT_BITS

__all__ = ["LEAST_BITS", "Search", "SearchStep", "search_bits"]

LEAST_BITS = 2  # 1 bit has no 0 and is taken only where it is asked for


@dataclass(frozen=True, kw_only=True)
class SearchStep:
    """A network that was scored.

    ``projection`` is the one that was narrowed to ``bits`` ("" for the start at 8 bits), ``memory_bits`` counts weights, state and parameters,
    ``kept`` says
    whether the loss allowed it, ``pareto`` whether no other network that was scored is both as small and as accurate, ``weight_bits`` has all
    projections.
    """

    projection: str
    bits: int
    memory_bits: int
    accuracy: float
    kept: bool
    pareto: bool
    weight_bits: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Search:
    """The steps of a search, in their order, the loss that was allowed in points, and whether 8 bits were within it."""

    max_drop: float
    steps: tuple[SearchStep, ...]
    met: bool

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of each projection of the network that was chosen."""
        return [s for s in self.steps if s.kept][-1].weight_bits


def search_bits(names: Sequence[str], synapses: Sequence[int], evaluate: Callable[[tuple[int, ...]], tuple[float, int]], *, accuracy_float: float,
                max_drop: float, progress: Callable[[int, int], None] | None = None) -> Search:
    """Search the bits of projections.

    Parameters
    ----------
    names, synapses : of each projection.
    evaluate : accuracy and memory in bits of a network, by the bits of each projection.
    accuracy_float : that the loss is measured against, 0..1.
    max_drop : points (hundredths) of accuracy that may be lost.
    progress : called with (networks done or no longer needed, networks at most).
    """
    total, done = 1 + len(names) * (DEFAULT_BITS - LEAST_BITS), 0
    found: list[tuple[str, int, int, float, bool, tuple[int, ...]]] = []

    def tried(bits: tuple[int, ...], name: str, of: int, force: bool = False) -> bool:
        nonlocal done
        accuracy, memory = evaluate(bits)
        # A hair of room: 0.85 - 0.84 in floats is more than one point.
        kept = 100 * (accuracy_float - accuracy) <= max_drop + 1e-9
        found.append((name, of, memory, accuracy, kept or force, bits))
        done += 1
        return kept

    bits = (DEFAULT_BITS,) * len(names)
    met = tried(bits, "", DEFAULT_BITS, force=True)
    order = sorted(range(len(names)), key=lambda k: (-synapses[k], k))
    open_ = set(order) if met else set()
    while open_:
        for k in [k for k in order if k in open_]:
            narrower = (*bits[:k], bits[k] - 1, *bits[k + 1:])
            if tried(narrower, names[k], narrower[k]):
                bits = narrower
            else:
                done += narrower[k] - LEAST_BITS
            if bits[k] != narrower[k] or bits[k] == LEAST_BITS:
                open_.discard(k)
            if progress is not None:
                progress(done, total)
    if progress is not None:
        progress(total, total)
    memory, accuracy = np.array([f[2] for f in found]), np.array([f[3] for f in found])
    return Search(max_drop=max_drop, met=met, steps=tuple(
        SearchStep(projection=name, bits=of, memory_bits=size, accuracy=value, kept=kept, weight_bits=all_bits,
                   pareto=not bool(((memory <= size) & (accuracy >= value) & ((memory < size) | (accuracy > value))).any()))
        for name, of, size, value, kept, all_bits in found))
