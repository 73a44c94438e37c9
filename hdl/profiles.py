"""The different updates of a tile, and the choice between what is theirs."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import *

from ..spec.tile import TileSpec
from ..spec.update import UpdateSpec

__all__ = ["Profiles"]


class Profiles:
    """The distinct updates of a tile's groups, in their order; each has a datapath where it differs."""

    def __init__(self, tile: TileSpec) -> None:
        self._tile = tile
        self.all: tuple[UpdateSpec, ...] = tuple(dict.fromkeys(g.update for g in tile.groups))

    def __iter__(self):
        return iter(self.all)

    def choose(self, values: Sequence, group):
        """Of one value per profile that of the group's: no multiplexer where all are the same."""
        numbers = {value for value in values if isinstance(value, int)}
        if all(value is values[0] for value in values) or (len(numbers) == 1 and all(isinstance(value, int) for value in values)):
            return values[0]
        return Array(values[self.all.index(g.update)] for g in self._tile.groups)[group]
