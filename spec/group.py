"""A slice of one population on a tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .runs import Run
from .sparse import SparseSpec
from .update import UpdateSpec

__all__ = ["GroupSpec", "places"]


def places(size: int, positions: int, lanes: int) -> np.ndarray:
    """Where ``size`` neurons of a map with so many positions are on a tile, ``row * lanes + lane``; ``[size], int64``."""
    channel, place = np.divmod(np.arange(size), positions)
    return (channel // lanes * positions + place) * lanes + channel % lanes


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """A slice of one population on a tile: neurons ``first`` .. ``first + size - 1``; of a map that is cut by rows (``pitch`` is not 0) runs of
    ``positions`` neurons, ``pitch`` apart, whose numbers in flits are ``apart`` from each other (0: ``positions``).

    ``key`` is the source key of its events (None if nobody listens), ``level`` the phase of its timestep 0 (sigma),
    ``axons`` the number of its input lines, ``side_axons`` of those into its other port (gate or block; 0 if it has none), ``sparse`` those
    that are scattered (None if there are none);
    ``positions`` are the places of its (part of the) map: neuron ``channel * positions + place`` (1 where no convolution leads to it);
    ``theta``, ``bias``, ``gate_bias`` and ``jump`` are its parameters where the tile keeps them as constants.
    """

    population: str
    first: int
    size: int
    key: int | None
    level: int
    axons: int
    update: UpdateSpec
    side_axons: int = 0
    sparse: SparseSpec | None = None
    theta: int = 0
    bias: int = 0
    gate_bias: int = 0
    jump: int = 0
    positions: int = 1
    pitch: int = 0
    apart: int = 0

    @property
    def neurons(self) -> np.ndarray:
        """Numbers of its neurons in the population, ``[size], int64``, ascending."""
        return Run(self.first, self.size, self.positions if self.pitch else 0, self.pitch).neurons

    @property
    def channels(self) -> int:
        """Channels of its map; neurons where it has none."""
        return self.size // self.positions
