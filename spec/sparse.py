"""What is scattered onto a group, and the pointers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arithmetic import bits_unsigned
from .window import Steps, WindowSpec

__all__ = ["SparseSpec", "pointer_fields", "walks_of"]


@dataclass(frozen=True, kw_only=True)
class SparseSpec:
    """What is scattered onto a group: per axon its words of P synapses, one per lane at most, and how many synapses exist.

    Sparse synapses lie in the lane of their neuron, so an axon takes as many words as its fullest lane has synapses; ``weight_bits`` is the width
    of such a weight (0 where there are none). ``windows`` are convolutions: their axons' words are those of the window, and lie with those of dense
    projections, once.
    """

    words: tuple[int, ...]
    synapses: tuple[int, ...]
    weight_bits: int
    windows: tuple[WindowSpec, ...] = ()

    @property
    def stored_words(self) -> int:
        """Words of sparse synapses."""
        return sum(self.words) - sum(sum(self.words[w.axon:w.axon + w.axons]) for w in self.windows)

    @property
    def has_words(self) -> bool:
        """Whether any of its axons has sparse synapses."""
        return len(self.words) > sum(w.axons for w in self.windows)


def walks_of(scattered: Sequence[SparseSpec], lanes: int) -> tuple[Steps | None, ...]:
    """:attr:`~.tile_storage.TileStorage.walks` of a tile with these scattered lists."""
    found: list[Steps | None] = [None] * any(s.has_words for s in scattered)
    return tuple(dict.fromkeys(found + [w.steps(lanes) for s in scattered for w in s.windows]))


def pointer_fields(scattered: Sequence[SparseSpec], lanes: int, row_bits: int, sparse_depth: int, weight_depth: int) -> dict[str, int]:
    """:attr:`~.tile_storage.TileStorage.pointer_fields` of a tile with these scattered lists and memories."""
    windows = [w.pointers(lanes) for s in scattered for w in s.windows]

    def widest(name: str) -> int:
        return max((int(getattr(p, name).max()) for p in windows), default=0)

    # A memory has bits, even if no synapse exists.
    count = max(max((max(s.words) for s in scattered if s.has_words), default=0), widest("count"), 1)
    bits = {"first": bits_unsigned(max(sparse_depth, weight_depth if windows else 1) - 1), "count": bits_unsigned(count)}
    if windows:
        bits |= {"row": row_bits, **{name: bits_unsigned(widest(name)) for name in ("lines", "blocks", "part")},
                 "walk": bits_unsigned(len(walks_of(scattered, lanes)) - 1)}
    return bits
