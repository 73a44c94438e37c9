"""Skip connections: by sum (the same neurons get a second projection) and by concatenation (one matrix over several sources)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...spec.arithmetic import bits_signed
from ...spec.errors import NetworkError
from ...spec.network import Kind, Population, Projection
from ._typed import typed

__all__ = ["concatenated", "one_to_one"]


@typed
def one_to_one(source: Population, target: Population, *, weight: Any = 1, kind: Kind = Kind.SPARSE, delay: int = 0, shift: int = 0) -> Projection:
    """A projection of each neuron of ``source`` to the neuron of the same number of ``target``.

    As a skip by sum it is the identity: ``weight << shift`` is then 1.0 in the scale of the target's weights.

    Parameters
    ----------
    weight : -128..127, one for all or ``[size]``.
    kind : sparse: one synapse per neuron is stored; dense: the zeros as well, in the narrowest format.

    Raises NetworkError if the populations are not of the same size.
    """
    where = f"Projection {source.name} -> {target.name}"
    if source.size != target.size:
        raise NetworkError(f"{where}: one to one needs populations of the same size, not {source.size} and {target.size}; use a matrix of weights")
    given = np.asarray(weight)
    if given.shape not in ((), (source.size,)):
        raise NetworkError(f"{where}: weight must be one number, or one per neuron ({source.size}), not of shape {list(given.shape)}")
    diagonal = np.broadcast_to(given, (source.size,))
    if diagonal.dtype.kind not in "iu" or diagonal.min() < -128 or diagonal.max() > 127:
        raise NetworkError(f"{where}: weights must be integers of 8 bits, -128 to 127; a larger one takes a shift")
    bits = max(2, bits_signed(min(0, int(diagonal.min())), max(0, int(diagonal.max()))))
    values = sorted({0, *diagonal.tolist()})
    narrower = kind is Kind.DENSE and 2 <= len(values) <= 16 and (len(values) - 1).bit_length() < bits
    return Projection(source=source.name, target=target.name, weights=np.diag(diagonal.astype(np.int64)), weight_bits=bits,
                      codebook=tuple(values) if narrower else None, kind=kind, delay=delay, shift=shift)


@typed
def concatenated(sources: Sequence[Population], target: Population, weights: np.ndarray, *, delays: Sequence[int] | None = None,
                 **fields: Any) -> tuple[Projection, ...]:
    """The projections of a matrix over the concatenation of several populations, one per source.

    A layer that sees a skip by concatenation has one matrix, ``[target size, sum of the sources' sizes]``; a projection has one source.

    Parameters
    ----------
    sources : in the order of the columns.
    delays : one per source; default 0.
    fields : of every projection: ``weight_bits``, ``codebook``, ``shift``, ``port``, ``kind``.

    Raises NetworkError if the matrix does not have these columns.
    """
    where = f"Projection {', '.join(p.name for p in sources)} -> {target.name}"
    sizes, weights = [p.size for p in sources], np.asarray(weights)
    if weights.ndim != 2 or weights.shape != (target.size, sum(sizes)):
        raise NetworkError(f"{where}: the concatenation needs weights of shape [{target.size}, {' + '.join(map(str, sizes))}], "
                           f"not {list(weights.shape)}; a column per source neuron, sources in their order")
    delays = [0] * len(sizes) if delays is None else list(delays)
    if len(delays) != len(sizes):
        raise NetworkError(f"{where}: {len(delays)} delays for {len(sizes)} sources; give one per source, or none")
    columns = np.split(weights, np.cumsum(sizes)[:-1], axis=1)
    return tuple(Projection(source=p.name, target=target.name, weights=part, delay=delay, **fields)
                 for p, part, delay in zip(sources, columns, delays, strict=True))
