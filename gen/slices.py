"""A slice: what a population is cut into, and what tiles own."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Slice"]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Neurons ``first`` .. ``first + size - 1`` of a population."""

    population: str
    first: int
    size: int
