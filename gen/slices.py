"""A slice: what a population is cut into, and what tiles own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.runs import Run

__all__ = ["Slice"]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Neurons ``first`` .. ``first + size - 1`` of a population; of a map that is cut by rows runs of ``run`` neurons, ``pitch`` apart: the same
    rows of several channels (0: one run)."""

    population: str
    first: int
    size: int
    run: int = 0
    pitch: int = 0

    @property
    def cut(self) -> tuple[int, int, int, int]:
        """Which neurons it is, whatever the population."""
        return self.first, self.size, self.run, self.pitch

    @property
    def neurons(self) -> np.ndarray:
        """Numbers of its neurons in the population, ``[size], int64``, ascending."""
        return Run(*self.cut).neurons
