"""The weight memories of a tile: where the words of each list and window lie, and the pointers to those that are scattered."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np

from .arithmetic import bits_signed, bits_unsigned
from .axon import SPARSE
from .group import GroupSpec
from .sparse import pointer_fields, walks_of
from .tile_shape import TileShape
from .window import Steps

__all__ = ["SPRAM_DEPTH", "SPRAM_WIDTH", "TileStorage"]

SPRAM_WIDTH, SPRAM_DEPTH = 16, 16384  # of an SB_SPRAM256KA


class TileStorage(TileShape):
    """The weights of a tile: bases, depths and widths."""

    @cached_property
    def walks(self) -> tuple[Steps | None, ...]:
        """The different ways to go through an axon's words: None one after the other (sparse synapses), and the steps of windows."""
        return walks_of([g.sparse for g in self.groups if g.sparse], self.lanes)

    @property
    def row_bits(self) -> int:
        """Width of the row of a synapse that is stored by itself."""
        return bits_unsigned(max(self.rows(g) for g in range(len(self.groups))) - 1)

    @property
    def sparse_weight_bits(self) -> int:
        """Width of a weight that is stored by itself; 0 if none is."""
        return max((g.sparse.weight_bits for g in self.groups if g.sparse), default=0)

    def sparse_base(self, group: int) -> int:
        """Address of the first sparse word of a group; its axons' words follow each other, those of windows left out."""
        return sum(g.sparse.stored_words for _, g in self._scattered(group) if g.sparse)

    def pointer_base(self, group: int) -> int:
        """Address of the pointer of a group's first scattered axon."""
        return sum(len(g.sparse.words) for _, g in self._scattered(group) if g.sparse)

    def _scattered(self, group: int) -> list[tuple[int, GroupSpec]]:
        """Groups whose scattered lists have storage of their own, before the one that holds that of ``group``."""
        found = [(k, g) for k, g in enumerate(self.groups) if g.sparse is not None]
        if self.shared:
            owner = {k: self.lists[self.shared[self.list_of(k, SPARSE)]][0] for k, _ in found}
            found, group = [(k, g) for k, g in found if owner[k] == k], owner.get(group, group)
        return [(k, g) for k, g in found if k < group]

    @property
    def sparse_depth(self) -> int:
        """Words of the sparse weight memory, each P of {row, weight}."""
        return self.sparse_base(len(self.groups))

    @property
    def pointer_depth(self) -> int:
        """Pointers to words: one per scattered axon."""
        return self.pointer_base(len(self.groups))

    @cached_property
    def pointer_fields(self) -> dict[str, int]:
        """Widths of a pointer's fields, lowest first: the first word and the number of words; where there are windows, those of a line, and the row
        of the first, lines and blocks (less 1), part of the lanes, and which of the ``walks`` it is."""
        return pointer_fields([g.sparse for g in self.groups if g.sparse], self.lanes, self.row_bits, self.sparse_depth, self.weight_depth)

    @property
    def pointer_bits(self) -> tuple[int, ...]:
        """The widths alone."""
        return tuple(self.pointer_fields.values())

    def weight_base(self, number: int) -> int:
        """Address of the first weight word of a list; the word of (row, axon) follows at row * axons + axon. Of a scattered list it is that of its
        first window (:meth:`window_base`)."""
        return self._weights[0][number]

    def window_base(self, number: int, window: int) -> int:
        """Address of the first weight word of a window of a scattered list (:mod:`.window`)."""
        return self._weights[1][number, window]

    @cached_property
    def _weights(self) -> tuple[list[int], dict[tuple[int, int], int], int]:
        """First words of lists and of windows, and all words: list after list, what is shared where it comes first."""
        bases: list[int] = []
        windows: dict[tuple[int, int], int] = {}
        kernels: dict[Hashable, int] = {}
        end = 0
        for number, (group, port) in enumerate(self.lists):
            owner, sparse = self.shared[number] if self.shared else number, self.groups[group].sparse
            bases.append(end if owner == number else bases[owner])
            if owner == number and port != SPARSE:
                end += self.rows(group) * self.list_axons(number)
            for k, window in enumerate(sparse.windows if sparse and port == SPARSE else ()):
                same = (window.matrix, window.first, window.channels, self.codebook(number)) if window.matrix else (number, k)
                if owner != number:
                    windows[number, k] = windows[owner, k]
                elif same in kernels:
                    windows[number, k] = kernels[same]
                else:
                    windows[number, k] = kernels[same] = end
                    end += window.words(self.lanes)
            if (number, 0) in windows:
                bases[number] = windows[number, 0]
        return bases, windows, end

    @property
    def weight_depth(self) -> int:
        """Words of the weight memory, each ``lanes * weight_bits`` wide."""
        return self._weights[2] if self.weight_words is None else self.weight_words

    def codebook(self, number: int) -> tuple[int, ...]:
        """What the indices of a list stand for; empty where its weights are stored as they are."""
        return self.codebooks[number] if self.codebooks else ()

    def axon_shifts(self, number: int) -> np.ndarray:
        """How far the stored weights of each axon of a list are shifted when they are read; ``[axons], int64``."""
        shifts = np.zeros(self.list_axons(number), dtype=np.int64)
        for first, shift in self.shifts[number] if self.shifts else ():
            shifts[first:] = shift
        return shifts

    @property
    def value_weight_bits(self) -> int:
        """Width of a weight as it is accumulated."""
        if self.shifts:
            return self.weight_bits + max(shift for listed in self.shifts for _, shift in listed)
        plain = any(not self.codebook(k) for k in range(len(self.lists)))
        return max([bits_signed(min(book), max(book)) for book in self.codebooks if book] + [self.weight_bits] * plain)

    @property
    def sprams(self) -> int:
        """Single-port memories that its weights take."""
        return -(-self.lanes * self.weight_bits // SPRAM_WIDTH) * -(-self.weight_depth // SPRAM_DEPTH) if self.memories == "spram" else 0
