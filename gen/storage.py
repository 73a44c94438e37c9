"""Whether a projection's synapses are all stored, or only those that exist: what takes fewer bits on the tiles of the network.

The kind of a projection is all that this pass changes: weights stay, so membranes, spikes and readouts stay. (Synaptic operations are
counted per synapse that exists, so they do not.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..spec.arithmetic import bits_signed
from ..spec.network import Kind, Network, Port, Projection
from .break_even import break_even
from .partition import TileLimits, partition
from .plan import sum_bounds
from .slices import Slice
from .tile_bits import TileBits, tile_bits

__all__ = ["STORAGES", "StorageChoice", "choose_storage", "storage_of"]

STORAGES = ("auto", "dense", "as-given")
ANY_WORDS = TileLimits(weight_words=1 << 62)  # the way that is not taken need not fit: neither does all dense, where sparse does


@dataclass(frozen=True, kw_only=True)
class StorageChoice:
    """How one projection is stored, and what the other way would take.

    Parameters
    ----------
    source, target, port, matrix : of the projection.
    kind : as it is stored.
    synapses, existing : pairs of neurons, and those of them whose weight is not 0.
    dense_bits, sparse_bits : memory of its weights, and of pointers to them; of projections that share a matrix on a tile the first has all.
        ``sparse_bits`` is None where a projection cannot be sparse: at a gate or a block port, or a convolution.
    break_even : share of existing synapses below which sparse storage of random synapses takes fewer bits, or None.
    """

    source: str
    target: str
    port: Port
    matrix: str
    kind: Kind
    synapses: int
    existing: int
    dense_bits: int
    sparse_bits: int | None
    break_even: float | None

    @property
    def density(self) -> float:
        """Share of synapses that exist."""
        return self.existing / self.synapses


def choose_storage(network: Network, *, lanes: int | Sequence[int] | None = None, tiles: int | None = None,
                   storage: str = "auto") -> tuple[Network, tuple[StorageChoice, ...]]:
    """The network with the kind of each projection at port ``i`` that takes the fewest bits, and what each takes; lanes and tiles as of the plan.

    What decides is the memory of all tiles: weights at the width of their tile's widest list, rows and weights of sparse synapses, pointers, and
    the accumulators that a tile has for its sparse axons. So a projection whose own bits are about equal stays dense, and one beside wider
    weights may be sparse above its break-even. Projections that share a matrix have one kind.

    Starting from all dense, each is made sparse, or dense again, while that saves bits, what saves most first. ``storage`` is ``"auto"``, or
    ``"dense"`` for all dense, or ``"as-given"`` to change nothing.
    """
    if storage not in STORAGES:
        raise ValueError(f"Storage must be one of {', '.join(STORAGES)}, not {storage!r}")
    meter = _Meter(lanes, tiles)
    best = network if storage == "as-given" else _with(network, [p.kind if p.kind is Kind.CONV else Kind.DENSE for p in network.projections])
    if storage == "auto":
        best = _smallest(best, meter)
    if all(p.kind is q.kind for p, q in zip(network.projections, best.projections)):
        best = network
    return best, storage_of(best, lanes=lanes, tiles=tiles)


def _smallest(best: Network, meter: _Meter) -> Network:
    """The network whose kinds no single change would make smaller."""
    bits = meter.total(best)
    groups, before = _candidates(best), bits + 1
    while bits < before:
        before = bits
        gains = {group: bits - meter.total(_flipped(best, group)) for group in groups}
        for group in sorted((g for g in groups if gains[g] > 0), key=lambda g: -gains[g]):
            other = _flipped(best, group)
            changed = meter.total(other)  # once more: it depends on what was changed before it
            if changed < bits:
                best, bits = other, changed
    return best


def storage_of(network: Network, *, lanes: int | Sequence[int] | None = None, tiles: int | None = None) -> tuple[StorageChoice, ...]:
    """How the projections of a network are stored as they are, and what each would take stored the other way; in the network's order."""
    meter = _Meter(lanes, tiles)
    held = meter.tiles(network)
    other: dict[int, list[TileBits]] = {}
    for group in _candidates(network):
        flipped = meter.tiles(_flipped(network, group))
        other |= dict.fromkeys(group, flipped)
    choices = []
    for k, p in enumerate(network.projections):
        dense, sparse = (other[k], held) if p.kind is Kind.SPARSE else (held, other.get(k))
        choices.append(StorageChoice(
            source=p.source, target=p.target, port=p.port, matrix=p.matrix, kind=p.kind, synapses=p.weights.size,
            existing=int((p.weights != 0).sum()), dense_bits=sum(t.dense_bits.get(k, 0) for t in dense),
            sparse_bits=None if sparse is None else sum(t.sparse_bits.get(k, 0) for t in sparse),
            break_even=None if sparse is None else _break_even(p, dense, sparse)))
    return tuple(choices)


class _Meter:
    """Measures networks that differ in the kinds of their projections."""

    def __init__(self, lanes: int | Sequence[int] | None, tiles: int | None) -> None:
        self._lanes, self._tiles = lanes, tiles
        self._accumulators: dict[tuple[Slice, ...], int] = {}  # their width is the same, whatever the kinds

    def tiles(self, network: Network) -> list[TileBits]:
        """What each tile of the plan takes."""
        parts = partition(network, lanes=self._lanes, tiles=self._tiles, limits=ANY_WORDS)
        return [tile_bits(network, part, self._accumulator_bits(network, part.slices), parts.sources) for part in parts.tiles]

    def total(self, network: Network) -> int:
        """Bits of all tiles."""
        return sum(t.total for t in self.tiles(network))

    def _accumulator_bits(self, network: Network, slices: tuple[Slice, ...]) -> int:
        if slices not in self._accumulators:
            self._accumulators[slices] = bits_signed(*sum_bounds(network, slices))
        return self._accumulators[slices]


def _break_even(p: Projection, dense: Sequence[TileBits], sparse: Sequence[TileBits]) -> float:
    """Break-even of a projection on the tile that has most of its target's neurons."""
    most = max(sparse, key=lambda t: t.sizes.get(p.target, 0))
    width = next(t.weight_bits for t in dense if p.target in t.sizes)
    return break_even(size=most.sizes[p.target], axons=p.weights.shape[1], lanes=most.lanes, dense_bits=width, sparse_bits=most.synapse_bits)


def _candidates(network: Network) -> list[tuple[int, ...]]:
    """Projections that can be sparse, those that share a matrix together: all of them must be at port ``i``."""
    by_matrix: dict[object, list[int]] = {}
    for k, p in enumerate(network.projections):
        by_matrix.setdefault(p.matrix or k, []).append(k)
    free = [p.port is Port.CURRENT and p.kind is not Kind.CONV for p in network.projections]
    return [tuple(group) for group in by_matrix.values() if all(free[k] for k in group)]


def _with(network: Network, kinds: Iterable[Kind]) -> Network:
    """The network with other kinds."""
    projections = zip(network.projections, kinds, strict=True)
    return replace(network, projections=tuple(p if p.kind is kind else replace(p, kind=kind) for p, kind in projections))


def _flipped(network: Network, group: Sequence[int]) -> Network:
    """The network with the other kind of some projections."""
    other = {Kind.DENSE: Kind.SPARSE, Kind.SPARSE: Kind.DENSE}
    return _with(network, [other[p.kind] if k in group else p.kind for k, p in enumerate(network.projections)])
