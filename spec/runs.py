"""Neurons that a tile owns, or a key stands for: of a population one after the other, or of a map the same rows of several channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Run", "axon_neurons", "joined"]


class Run(NamedTuple):
    """``size`` neurons of a population from ``first`` on; of a map that is cut by rows runs of ``run`` neurons, ``pitch`` apart (0: one run).

    ``apart`` is how far apart the runs are in the numbers by which flits know the neurons (0: one follows the other).
    """

    first: int
    size: int
    run: int = 0
    pitch: int = 0
    apart: int = 0

    @property
    def neurons(self) -> np.ndarray:
        """Number of each neuron in the population, ``[size], int64``, ascending."""
        return self.first + _spread(self.size, self.run, self.pitch)

    @property
    def numbers(self) -> np.ndarray:
        """Number of each neuron in flits, ``[size], int64``, ascending."""
        return _spread(self.size, self.run, self.apart)

    @property
    def span(self) -> int:
        """Numbers that flits may have: as many axons as a list needs for it."""
        return int(self.numbers[-1]) + 1


def _spread(size: int, run: int, pitch: int) -> np.ndarray:
    number = np.arange(size)
    return number // run * pitch + number % run if run and pitch else number


def joined(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The same axons with as few runs as possible: equal where the same neurons come in the same order, however a population is cut."""
    found: list[Run] = []
    for run in runs:
        if found and not found[-1].run and not run.run and found[-1].first + found[-1].size == run.first:
            run = Run(found[-1].first, found.pop().size + run.size)
        found.append(run)
    return tuple(found)


def axon_neurons(runs: tuple[Run, ...]) -> np.ndarray:
    """The neuron that drives each axon of a list's part, in the order of these runs; -1 where a flit's number stands for none. ``[axons], int64``."""
    parts = []
    for run in runs:
        axons = np.full(run.span, -1, dtype=np.int64)
        axons[run.numbers] = run.neurons
        parts.append(axons)
    return np.concatenate(parts)
