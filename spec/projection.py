"""All synapses from one population to another: weights, their format, and when and where they act."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from .convolution import Conv
from .errors import NetworkError
from .fields import array_of, check_fields, check_texts
from .neuron import Kind, Port

__all__ = ["Projection"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_OPTIONAL = {"port": Port.CURRENT, "codebook": None, "kind": Kind.DENSE, "matrix": "", "conv": None}  # not in the file where they are this


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """All synapses from one population to another.

    Parameters
    ----------
    source, target : names of populations.
    weights : ``[target size, source size]``, signed integers, stored as int8; of a convolution ``[out channels, in channels of a group, kernel
        height, kernel width]``.
    weight_bits : width of a weight, two's complement, 2..8; 1: weights are -1 and +1. With a codebook it is the width of an index.
    delay : timesteps between the spike and its effect; 0 acts in the same timestep (feed-forward), 1 or more otherwise.
    shift : left shift of the weights into the accumulator, 0..12.
    port : :class:`~spikeloom.spec.neuron.Port`, what the events do at the target.
    codebook : the values that a weight can have, 2 to 16 integers of 8 bits, ascending; None where it can have any.
    kind : :class:`~spikeloom.spec.neuron.Kind`: which synapses exist.
    matrix : projections that give the same name here have the same weights, and share their storage on a tile.
    conv : geometry of a projection of kind ``conv``, None of any other.
    """

    source: str
    target: str
    weights: np.ndarray
    weight_bits: int = 8
    delay: int = 0
    shift: int = 0
    port: Port = Port.CURRENT
    codebook: tuple[int, ...] | None = None
    kind: Kind = Kind.DENSE
    matrix: str = ""
    conv: Conv | None = None

    def __post_init__(self) -> None:
        where = f"Projection {self.source} -> {self.target}"
        check_texts(self, where, ("source", "target", "matrix"))
        weights = array_of(self.weights, f"{where}: weights")
        check_fields(self, where, ("weight_bits", "delay", "shift"), {"port": Port, "kind": Kind})
        if not isinstance(self.conv, Conv) and (self.kind is Kind.CONV or self.conv is not None):
            raise NetworkError(f"{where}: kind 'conv' needs its geometry, a Conv, not {self.conv!r}")
        if self.conv is not None and self.kind is not Kind.CONV:
            raise NetworkError(f"{where}: a geometry is that of kind 'conv', not of {self.kind.value!r}; leave out one of the two")
        if weights.dtype.kind not in "iu" or (weights.ndim != 2 if self.conv is None else weights.shape != self.conv.weights_shape):
            wanted = "a matrix of integers" if self.conv is None else f"integers of shape {list(self.conv.weights_shape)}"
            raise NetworkError(f"{where}: weights must be {wanted}, not {weights.dtype} of shape {list(weights.shape)}; quantize them first")
        if self.codebook is not None:
            object.__setattr__(self, "codebook", _checked_codebook(self.codebook, where))
            object.__setattr__(self, "weight_bits", (len(self.codebook or ()) - 1).bit_length())
        elif self.weight_bits == 1:
            object.__setattr__(self, "codebook", (-1, 1))
        if not 1 <= self.weight_bits <= 8:
            raise NetworkError(f"{where}: weight_bits must be 1 to 8, not {self.weight_bits}")
        if self.codebook is not None:
            known = np.isin(weights, self.codebook)
            if not known.all():
                place = tuple(int(k) for k in np.argwhere(~known)[0])
                which = f"from neuron {place[1]} to neuron {place[0]}" if self.conv is None else f"at {list(place)}"
                raise NetworkError(f"{where}: weight {weights[place]} {which} is no entry of the codebook "
                                   f"({', '.join(map(str, self.codebook))}); {int((~known).sum())} weights are not: "
                                   + ("use a codebook of 16 entries at most that has them" if self.weight_bits > 1 or self.codebook != (-1, 1) else
                                      "with 1 bit all are -1 or 1; use 2 bits or more, or a codebook"))
        limit = 1 << ((8 if self.codebook is not None else self.weight_bits) - 1)
        if weights.size and not -limit <= int(weights.min()) <= int(weights.max()) < limit:
            raise NetworkError(f"{where}: weights {weights.min()}..{weights.max()} do not fit {self.weight_bits} bits "
                               f"({-limit}..{limit - 1}); use more weight_bits (8 at most), or smaller weights and a shift")
        if not 0 <= self.delay <= 63:
            raise NetworkError(f"{where}: delay must be 0 to 63 timesteps, not {self.delay}")
        if not 0 <= self.shift <= 12:
            raise NetworkError(f"{where}: shift must be 0 to 12, not {self.shift}")
        if self.matrix and not _NAME.fullmatch(self.matrix):
            raise NetworkError(f"{where}: the name of a matrix is a letter, then letters, digits and underscores, at most 63 in all; rename it")
        weights = np.array(weights, dtype=np.int8, order="C")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_indices(cls, *, codebook: Sequence[int], indices: np.ndarray, **others: Any) -> Projection:
        """A projection whose weights are given as indices into a codebook, ``[target size, source size]``.

        Raises NetworkError, with the first index that is out of range.
        """
        where = f"Projection {others.get('source')} -> {others.get('target')}"
        book, indices = array_of(codebook, f"{where}: a codebook"), array_of(indices, f"{where}: indices")
        if indices.dtype.kind not in "iu" or indices.ndim != 2:
            raise NetworkError(f"{where}: indices must be a matrix of integers, not {indices.dtype} of shape {list(indices.shape)}; "
                               "give [target size, source size]")
        wrong = np.argwhere((indices < 0) | (indices >= len(book)))
        if len(wrong):
            post, pre = (int(k) for k in wrong[0])
            raise NetworkError(f"{where}: index {indices[post, pre]} from neuron {pre} to neuron {post} is out of range: the codebook has "
                               f"{len(book)} entries, 0 to {len(book) - 1}; mend the index or add entries (16 at most)")
        return cls(codebook=tuple(int(v) for v in book), weights=book[indices], **others)

    @property
    def synapses(self) -> int:
        """How many synapses exist: all of a dense projection, those of other weights than 0 of a sparse one, the kernel's at each place of a map."""
        return int(self.fan_out.sum())

    @cached_property
    def fan_out(self) -> np.ndarray:
        """Synapses of each neuron of the source, ``[source size], int64``."""
        if self.conv is not None:
            return self.conv.fan_out
        if self.kind is Kind.SPARSE:
            return np.count_nonzero(self.weights, axis=0).astype(np.int64)
        return np.full(self.weights.shape[1], self.weights.shape[0], dtype=np.int64)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Neurons of the target, and of the source."""
        return self.weights.shape if self.conv is None else (self.conv.target_size, self.conv.source_size)

    def rows(self, neurons: np.ndarray) -> np.ndarray:
        """Weights to some ``neurons`` of the target, ``[len(neurons), source size], int64``; of a convolution with 0 where there is no synapse:
        large, so for small maps and tests."""
        weights = self.weights.astype(np.int64)
        return (weights if self.conv is None else self.conv.matrix(weights))[neurons]

    def sum_bounds(self, payloads: tuple[int, int], neurons: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest sum that events of payloads in this range give each neuron of the target, or some ``neurons`` of it; ``[size], int64``
        each, before the shift."""
        if self.conv is not None:
            low, high = _map_bounds(self, payloads)
            return low[neurons], high[neurons]
        low, high = _ends(self.weights[neurons], payloads)
        return low.sum(axis=1), high.sum(axis=1)

    def header(self) -> dict:
        """All fields but the weights, as JSON values; those that were added later only where they say something."""
        out: dict = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "weights" or (f.name in _OPTIONAL and value == _OPTIONAL[f.name]):
                continue
            if isinstance(value, Conv):
                value = value.header()
            out[f.name] = value.value if isinstance(value, enum.Enum) else list(value) if isinstance(value, tuple) else value
        return out


def _ends(weights: np.ndarray, payloads: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest product of each weight with a payload of the range, or with none; int64."""
    one, other = (weights.astype(np.int64) * payload for payload in payloads)
    return np.minimum(np.minimum(one, other), 0), np.maximum(np.maximum(one, other), 0)


@lru_cache(maxsize=8)
def _map_bounds(projection: Projection, payloads: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """:meth:`Projection.sum_bounds` of a convolution, whole: every tile of a map asks for a part of it. All input channels of a group may send
    the same, so their weights are added first, and one channel is left."""
    assert projection.conv is not None
    alone = replace(projection.conv, shape=(1, *projection.conv.shape[1:]), groups=1)
    ones = np.ones((1, alone.source_size), dtype=np.int64)
    low, high = (alone.apply(ends.sum(axis=1, keepdims=True), ones)[0] for ends in _ends(projection.weights, payloads))
    return low, high


def _checked_codebook(codebook: Sequence[int], where: str) -> tuple[int, ...]:
    values = array_of(codebook, f"{where}: a codebook")
    if values.dtype.kind not in "iu" or values.ndim != 1 or not 2 <= len(values) <= 16:
        raise NetworkError(f"{where}: a codebook has 2 to 16 integers, not {values.dtype} of shape {list(values.shape)}")
    if int(values.min()) < -128 or int(values.max()) > 127:
        raise NetworkError(f"{where}: entries of a codebook must be -128 to 127, not {values.min()}..{values.max()}")
    if len(set(values.tolist())) != len(values):
        raise NetworkError(f"{where}: an entry of the codebook {values.tolist()} occurs twice; list each value once")
    return tuple(sorted(values.tolist()))
