"""Bits of weight memory that a chip does not need because populations of a tile share weights."""

from __future__ import annotations

from dataclasses import replace

from ..spec.chip import ChipSpec
from ..spec.tile import GroupSpec, TileSpec

__all__ = ["saved_bits"]


def saved_bits(chip: ChipSpec) -> int:
    """Bits of weights, sparse words and pointers that the tiles would hold more if each list had its own, at the same widths."""
    return sum(_bits(_apart(tile), tile) - _bits(tile, tile) for tile in chip.tiles)


def _apart(tile: TileSpec) -> TileSpec:
    """The tile with each list's weights by themselves."""
    return replace(tile, shared=(), groups=tuple(_unnamed(group) for group in tile.groups))


def _unnamed(group: GroupSpec) -> GroupSpec:
    if group.sparse is None:
        return group
    return replace(group, sparse=replace(group.sparse, windows=tuple(replace(w, matrix=None) for w in group.sparse.windows)))


def _bits(tile: TileSpec, widths: TileSpec) -> int:
    sparse = widths.lanes * (widths.row_bits + widths.sparse_weight_bits) if widths.has_words else 0
    pointers = sum(widths.pointer_bits) if widths.has_sparse else 0
    return tile.weight_depth * widths.lanes * widths.weight_bits + tile.sparse_depth * sparse + tile.pointer_depth * pointers
