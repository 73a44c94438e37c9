"""Bits of weight memory of a tile, and what each projection has of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from ..spec.arithmetic import bits_unsigned
from ..spec.network import Network
from ..spec.tile import MAIN, SIDE, SPARSE, pointer_fields
from .lists import list_axons, positions_of, projections_of
from .partition import TilePart
from .slices import Slice
from .sparse import sparse_spec, windows_of
from .weight_formats import WeightFormats, weight_formats

__all__ = ["TileBits", "tile_bits"]


@dataclass(frozen=True, kw_only=True)
class TileBits:
    """Weight memory of one tile.

    Parameters
    ----------
    lanes : P.
    sizes : neurons of each population that it has.
    weight_bits : width of a weight, or index, in dense storage.
    synapse_bits : width of a synapse in sparse storage, row and weight; 0 where there is none.
    dense_bits, sparse_bits : by number of the projection, what it takes of either memory; pointers are part of the sparse one.
    total : bits of all of them, and of the accumulators of sparse axons.
    """

    lanes: int
    sizes: Mapping[str, int]
    weight_bits: int
    synapse_bits: int
    dense_bits: Mapping[int, int]
    sparse_bits: Mapping[int, int]
    total: int


def tile_bits(network: Network, part: TilePart, accumulator_bits: int) -> TileBits:
    """What the projections into a tile's slices take, as :mod:`.plan` and :mod:`.pack` lay it out."""
    number = {id(p): k for k, p in enumerate(network.projections)}
    formats = weight_formats(network, part.slices)
    sizes: dict[str, int] = {}
    dense: dict[int, int] = {}
    sparse: dict[int, int] = {}
    specs = [sparse_spec(network, s, part.lanes) for s in part.slices]
    rows = [-(-s.size // (part.lanes * n)) * n for s, n in ((s, positions_of(network, s.population)) for s in part.slices)]
    owners = _scattered_owners(network, part, formats.shared)
    depth = sum(spec.stored_words for spec, own in zip(specs, owners) if spec and own)
    row_bits = bits_unsigned(max(rows) - 1)
    synapse_bits = row_bits + max((spec.weight_bits for spec in specs if spec and spec.has_words), default=-row_bits)
    kernels = _Kernels(network, part, formats)
    weight_depth = _weight_depth(network, part, formats.shared) + sum(kernels.words.values())
    pointer_bits = sum(pointer_fields([spec for spec in specs if spec], part.lanes, row_bits, depth, weight_depth).values())
    list_number = 0
    for s, spec, n in zip(part.slices, specs, rows):
        sizes[s.population] = sizes.get(s.population, 0) + s.size
        for port in (MAIN, SIDE, SPARSE):
            projections = projections_of(network, s.population, port)
            if not projections and port != MAIN:
                continue
            first, owner = 0, not formats.shared or formats.shared[list_number] == list_number
            for p in projections:
                axons, k = p.shape[1], number[id(p)]
                if port == SPARSE and spec and p.conv is not None:
                    words = kernels.words.get((s, first), 0)
                    dense[k] = dense.get(k, 0) + words * part.lanes * formats.bits + axons * pointer_bits * owner
                    first += axons
                elif port == SPARSE and spec:
                    words = sum(spec.words[first:first + axons])
                    sparse[k] = sparse.get(k, 0) + (words * part.lanes * synapse_bits + axons * pointer_bits) * owner
                    first += axons
                else:
                    dense[k] = dense.get(k, 0) + (n * axons * part.lanes * formats.bits if owner else 0)
            list_number += 1
    accumulators = (1 << row_bits) * part.lanes * accumulator_bits if any(specs) else 0
    return TileBits(lanes=part.lanes, sizes=sizes, weight_bits=formats.bits, synapse_bits=synapse_bits, dense_bits=dense, sparse_bits=sparse,
                    total=sum(dense.values()) + sum(sparse.values()) + accumulators)


class _Kernels:
    """Weight words of the convolutions of a tile, by slice and first axon, where they are stored: those that read another's are left out."""

    def __init__(self, network: Network, part: TilePart, formats: WeightFormats) -> None:
        self.words: dict[tuple[Slice, int], int] = {}
        seen: set[Hashable] = set()
        for s, number in _lists(network, part, SPARSE):
            book = formats.codebooks[number] if formats.codebooks else ()
            for window in windows_of(network, s):
                same = (window.matrix, window.first, window.channels, book)
                if window.matrix is None or same not in seen:
                    seen.add(same)
                    self.words[s, window.axon] = window.words(part.lanes)


def _lists(network: Network, part: TilePart, wanted: int) -> list[tuple[Slice, int]]:
    """Slices that have a list of a port, and the number of the list on the tile."""
    found, number = [], 0
    for s in part.slices:
        for port, axons in zip((MAIN, SIDE, SPARSE), list_axons(network, s.population)):
            if axons or port == MAIN:
                found += [(s, number)] if port == wanted else []
                number += 1
    return found


def _scattered_owners(network: Network, part: TilePart, shared: tuple[int, ...]) -> list[bool]:
    """Per slice whether its scattered list has storage of its own."""
    number = dict(_lists(network, part, SPARSE))
    return [s in number and (not shared or shared[number[s]] == number[s]) for s in part.slices]


def _weight_depth(network: Network, part: TilePart, shared: tuple[int, ...]) -> int:
    """Words of the dense lists of a tile."""
    words = 0
    for port in (MAIN, SIDE):
        for s, number in _lists(network, part, port):
            positions = positions_of(network, s.population)
            rows = -(-s.size // (part.lanes * positions)) * positions
            words += rows * list_axons(network, s.population)[port] * (not shared or shared[number] == number)
    return words
