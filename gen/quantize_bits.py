"""Bits of a weight, projection by projection: what a caller may give, and what the projections are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec.errors import NetworkError
from .float_network import FloatNetwork

__all__ = ["DEFAULT_BITS", "projection_names", "resolve_bits", "tied_bits"]

DEFAULT_BITS = 8


def projection_names(net: FloatNetwork) -> tuple[str, ...]:
    """A name of each projection: ``source->target``, with ``.z`` or ``.block`` for those ports, where need be ``@delay`` or ``#index``."""
    names = [q.name for q in net.projections]
    names = [n if names.count(n) == 1 else f"{n}@{q.delay}" for n, q in zip(names, net.projections, strict=True)]
    return tuple(n if names.count(n) == 1 else f"{n}#{k}" for k, n in enumerate(names))


def tied_bits(net: FloatNetwork, bits: tuple[int, ...]) -> tuple[int, ...]:
    """Bits with which projections that share a matrix agree: the fewest of any of them."""
    fewest: dict[str, int] = {}
    for q, n in zip(net.projections, bits, strict=True):
        fewest[q.matrix] = min(n, fewest.get(q.matrix, n))
    return tuple(fewest[q.matrix] if q.matrix else n for q, n in zip(net.projections, bits, strict=True))


def resolve_bits(net: FloatNetwork, weight_bits: int | Mapping[Any, int]) -> tuple[int, ...]:
    """Bits of each projection of the network, from one number or a mapping.

    Keys of a mapping are names of :func:`projection_names`, ``source->target`` for all projections from one population to another, indices into
    ``net.projections``, or ``*`` for all that no other key names (8 bits without it); of several keys that fit the more exact one counts.

    Raises NetworkError for bits that are not 1 to 8 and for a key that names no projection.
    """
    mapping: Mapping[Any, int] = weight_bits if isinstance(weight_bits, Mapping) else {"*": weight_bits}
    for key, bits in mapping.items():
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
            of = "" if key == "*" else f" of {key}"
            raise NetworkError(f"Weight bits{of} must be 1 to 8, not {bits}")
    names = projection_names(net)
    out: list[int] = []
    used: set[Any] = {"*"}
    for k, (name, q) in enumerate(zip(names, net.projections, strict=True)):
        keys: list[Any] = [key for key in (k, name, q.name, f"{q.source}->{q.target}", "*") if key in mapping]
        used.update(keys)
        out.append(mapping[keys[0]] if keys else DEFAULT_BITS)
    unknown = [key for key in mapping if key not in used]
    if unknown:
        raise NetworkError(f"Weight bits: {unknown[0]!r} is no projection of {net.name!r}; there are {', '.join(names)}, the indices 0 to "
                           f"{len(names) - 1}, and * for the others")
    return tuple(out)
