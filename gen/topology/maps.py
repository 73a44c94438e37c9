"""Skip connections between maps: the identity, a 1x1 projection, and the concatenation of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...spec.arithmetic import bits_signed
from ...spec.convolution import Conv
from ...spec.errors import NetworkError
from ...spec.network import Kind, Population, Projection
from ._typed import typed

__all__ = ["concatenated_maps", "map_skip", "projected_skip"]


@typed
def map_skip(source: Population, target: Population, shape: Sequence[int], *, weight: Any = 1, stride: Sequence[int] = (1, 1), delay: int = 0,
             shift: int = 0, matrix: str = "") -> Projection:
    """A projection of each channel of a map onto the same channel of another: a skip by sum, stored as one weight per channel.

    Parameters
    ----------
    shape : channels, height and width of the map of ``source``.
    weight : -128..127, one for all or ``[channels]``; as the identity ``weight << shift`` is 1.0 in the scale of the target's weights.
    stride : in y and in x: of the places that are taken. Left as it is, the maps are of the same size.
    matrix : name of the weights, where several projections share them.

    Raises NetworkError where the maps do not fit the populations.
    """
    channels = shape[0] if shape else 0
    conv = Conv(shape=cast("tuple[int, int, int]", tuple(shape)), out_channels=channels, kernel=(1, 1), stride=cast("tuple[int, int]", tuple(stride)),
                groups=channels)
    given = np.asarray(weight)
    if given.shape not in ((), (shape[0],)) or given.dtype.kind not in "iu" or given.min() < -128 or given.max() > 127:
        raise NetworkError(f"Projection {source.name} -> {target.name}: weight must be an integer of -128 to 127, or one per channel ({shape[0]}), "
                           f"not {weight!r}; a larger one takes a shift")
    weights = np.broadcast_to(given, (shape[0],)).reshape(-1, 1, 1, 1)
    return _fitting(source, target, Projection(
        source=source.name, target=target.name, weights=weights, kind=Kind.CONV, conv=conv, delay=delay, shift=shift, matrix=matrix,
        weight_bits=max(2, bits_signed(min(0, int(given.min())), max(0, int(given.max()))))))


@typed
def projected_skip(source: Population, target: Population, shape: Sequence[int], weights: np.ndarray, *, stride: Sequence[int] = (1, 1),
                   **fields: Any) -> Projection:
    """A 1x1 convolution: a skip by sum where the number of channels, or with a stride the size of the map, changes.

    Parameters
    ----------
    shape : channels, height and width of the map of ``source``.
    weights : ``[target channels, source channels]``.
    fields : of the projection: ``weight_bits``, ``codebook``, ``shift``, ``delay``, ``matrix``.

    Raises NetworkError where the maps do not fit the populations.
    """
    given = np.asarray(weights)
    if given.ndim != 2:
        raise NetworkError(f"Projection {source.name} -> {target.name}: a 1x1 projection needs weights [target channels, source channels], not of "
                           f"shape {list(given.shape)}")
    conv = Conv(shape=cast("tuple[int, int, int]", tuple(shape)), out_channels=given.shape[0], kernel=(1, 1),
                stride=cast("tuple[int, int]", tuple(stride)))
    return _fitting(source, target, Projection(source=source.name, target=target.name, weights=given[:, :, None, None], kind=Kind.CONV, conv=conv,
                                               **fields))


@typed
def concatenated_maps(sources: Sequence[Population], target: Population, conv: Conv, weights: np.ndarray, *, channels: Sequence[int],
                      delays: Sequence[int] | None = None, **fields: Any) -> tuple[Projection, ...]:
    """The projections of a convolution over the concatenated channels of several maps, one per source.

    Parameters
    ----------
    sources : in the order of their channels; all maps have the height and width of ``conv.shape``.
    conv : the whole convolution, of one group, over all channels.
    weights : ``[target channels, all source channels, kernel height, kernel width]``.
    channels : of each source; they add up to those of ``conv``.
    delays : one per source; default 0.
    fields : of every projection: ``weight_bits``, ``codebook``, ``shift``.

    Raises NetworkError where the channels, the weights or the maps do not fit.
    """
    where = f"Projection {', '.join(p.name for p in sources)} -> {target.name}"
    given, delays = np.asarray(weights), [0] * len(sources) if delays is None else list(delays)
    if not len(sources) == len(channels) == len(delays):
        raise NetworkError(f"{where}: {len(channels)} numbers of channels and {len(delays)} delays for {len(sources)} sources; give one per source")
    if conv.groups != 1 or sum(channels) != conv.shape[0] or min(channels, default=0) < 1 or given.shape != conv.weights_shape:
        raise NetworkError(f"{where}: channels {list(channels)} and weights {list(given.shape)} do not make the {conv.shape[0]} channels and the "
                           f"weights {list(conv.weights_shape)} of a convolution of one group; mend them")
    parts = np.split(given, np.cumsum(channels)[:-1], axis=1)
    return tuple(_fitting(p, target, Projection(source=p.name, target=target.name, weights=part, kind=Kind.CONV, delay=delay,
                                                conv=replace(conv, shape=(n, *conv.shape[1:])), **fields))
                 for p, part, n, delay in zip(sources, parts, channels, delays))


def _fitting(source: Population, target: Population, projection: Projection) -> Projection:
    """The projection itself; NetworkError unless its maps are as large as the populations."""
    if projection.shape != (target.size, source.size) and projection.conv is not None:
        maps = list(projection.conv.shape), list(projection.conv.out_shape)
        raise NetworkError(f"Projection {source.name} -> {target.name}: its maps are {maps[0]} and {maps[1]} (channels, height, width), and the "
                           f"populations have {source.size} and {target.size} neurons; mend the shape or the stride")
    return projection
