"""How a tile stores the weights of its lists: as they are or as indices, in how many bits, and which lists share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..spec.arithmetic import bits_signed
from ..spec.network import Kind, Network, Projection
from ..spec.runs import joined
from ..spec.tile import MAIN, SIDE, SPARSE
from .lists import Sources, projections_of, runs_of
from .slices import Slice
from .updates import extra_shift

__all__ = ["WeightFormats", "codebook_values", "plain_bits", "unshifted_formats", "weight_formats"]

MAX_ENTRIES = 16


@dataclass(frozen=True, kw_only=True)
class WeightFormats:
    """``bits`` of a stored weight or index; ``codebooks``, ``shared`` and ``shifts`` as in :class:`~spikeloom.spec.tile.TileSpec`."""

    bits: int
    codebooks: tuple[tuple[int, ...], ...]
    shared: tuple[int, ...]
    shifts: tuple[tuple[tuple[int, int], ...], ...] = ()


def plain_bits(network: Network, p: Projection) -> int:
    """Bits of a projection's stored weights without a codebook."""
    width = p.weight_bits if p.codebook is None else bits_signed(min(p.codebook), max(p.codebook))
    return width + extra_shift(network, p)


def codebook_values(network: Network, projections: Sequence[Projection]) -> tuple[int, ...] | None:
    """All stored weights that a list can have, ascending, or None where they are more than a codebook holds."""
    values: set[int] = set()
    for p in projections:
        if p.codebook is None and p.weight_bits > 4:
            return None
        own = range(-(1 << p.weight_bits >> 1), 1 << p.weight_bits >> 1) if p.codebook is None else p.codebook
        values |= {v << extra_shift(network, p) for v in own}
    return tuple(sorted(values)) if 2 <= len(values) <= MAX_ENTRIES else None


def unshifted_formats(network: Network, slices: Sequence[Slice]) -> WeightFormats:
    """Weights stored as the network has them, and shifted when they are read: the narrowest word where projections of a list differ in their shifts.

    For tiles without scattered projections. Weights of a codebook are stored as what they stand for.
    """
    bits, shifts = 1, []
    for s in slices:
        for port in (MAIN, SIDE):
            projections, base, listed = projections_of(network, s.population, port), 0, list[tuple[int, int]]()
            if not projections and port == SIDE:
                continue
            for p in projections:
                shift = extra_shift(network, p)
                bits = max(bits, plain_bits(network, p) - shift)
                if not listed or listed[-1][1] != shift:
                    listed.append((base, shift))
                base += network.population(p.source).size
            shifts.append(tuple(listed) or ((0, 0),))
    return WeightFormats(bits=bits, codebooks=(), shared=(), shifts=tuple(shifts) if any(s for listed in shifts for _, s in listed) else ())


def weight_formats(network: Network, slices: Sequence[Slice], sources: Sources = MappingProxyType({})) -> WeightFormats:
    """The narrowest word for the lists of some slices: a list takes a codebook where its weights would make the word wider. Lists share their storage
    where they are for the same weights, and hear the same slices of their ``sources``."""
    plain: list[int] = []
    books: list[tuple[int, ...]] = []
    owners: list[tuple] = []
    for s in slices:
        for port in (MAIN, SIDE):
            projections = projections_of(network, s.population, port)
            if not projections and port == SIDE:
                continue
            values = codebook_values(network, projections) if projections else None
            plain.append(max((plain_bits(network, p) for p in projections), default=1))
            books.append(values or ())
            named = bool(projections) and all(p.matrix for p in projections)
            owners.append((s.cut, *((p.matrix, extra_shift(network, p), joined(runs_of(network, sources, s, p))) for p in projections))
                          if named else (len(owners),))
        scattered = projections_of(network, s.population, SPARSE)
        if scattered:  # the weights of sparse projections lie elsewhere
            convolutions = [p for p in scattered if p.kind is Kind.CONV]
            plain.append(max((plain_bits(network, p) for p in convolutions), default=1))
            books.append((codebook_values(network, convolutions) if convolutions else None) or ())
            owners.append((SPARSE, s.cut, *((p.matrix, extra_shift(network, p), p.conv, joined(runs_of(network, sources, s, p)))
                                            for p in scattered)) if all(p.matrix for p in scattered) else (len(owners),))
    bits = max(min(width, (len(book) - 1).bit_length()) if book else width for width, book in zip(plain, books))
    codebooks = tuple(book if width > bits else () for width, book in zip(plain, books))
    shared = tuple(owners.index(owner) for owner in owners)
    return WeightFormats(bits=bits, codebooks=codebooks if any(codebooks) else (), shared=shared if len(set(shared)) < len(shared) else ())
