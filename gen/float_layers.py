"""Layers as deep learning writes them, as projections of a float network: convolutions, pools, fully connected layers behind a map.

A sum over blocks of the source map is part of a convolution (:class:`~spikeloom.spec.convolution.Conv`, ``pool``), so no pool is a layer of its
own. An average is that sum with the weights divided by the block's size, and since the quantizer's scale is divided with them, the integer weights
stay as they were and theta, bias and v_init are multiplied instead: nothing is rounded (to the bit where the size is a power of two; for others
float32 divides, and the search of the scale may end elsewhere, on a grid as fine). Maps are flattened channel by channel, then row by row, as
PyTorch's and NIR's Flatten do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..spec.convolution import Conv
from ..spec.errors import NetworkError
from .float_projection import FloatProjection

__all__ = ["convolution", "fully_connected", "geometry", "pooled", "spread"]

Size = int | Sequence[int]


def convolution(source: str, target: str, weights: np.ndarray, shape: Sequence[int], *, stride: Size = 1, padding: Size | str = 0, dilation: Size = 1,
                groups: int = 1, pool: Size = 1, average: bool = False, delay: int = 0, matrix: str = "") -> FloatProjection:
    """A convolution as PyTorch's ``conv2d`` and ``conv1d`` have it.

    Parameters
    ----------
    weights : ``[out channels, in channels of a group, height, width]``; of one dimension without the height.
    shape : channels, height and width of the source map; of a sequence channels and length.
    stride, dilation : one number, or one for each dimension.
    padding : the same, on both sides; or top, bottom, left, right; ``"same"`` (stride 1) or ``"valid"``.
    pool : height and width of blocks that are summed, or with ``average`` averaged, before the convolution.

    Raises NetworkError for what is no convolution, naming the projection.
    """
    weights = np.asarray(weights)
    try:
        conv = geometry(weights.shape, shape, stride=stride, padding=padding, dilation=dilation, groups=groups, pool=pool)
    except NetworkError as error:
        raise NetworkError(f"Projection {source} -> {target}: {error}") from None
    weights = weights if weights.ndim == 4 else weights[:, :, None]
    size = conv.pool[0] * conv.pool[1] if average else 1
    return FloatProjection(source=source, target=target, weights=weights / size, conv=conv, delay=delay, matrix=matrix)


def geometry(weights: Sequence[int], shape: Sequence[int], *, stride: Size = 1, padding: Size | str = 0, dilation: Size = 1, groups: int = 1,
             pool: Size = 1) -> Conv:
    """The geometry of :func:`convolution`, of the shape of its weights. Raises NetworkError that names no projection."""
    sizes, dimensions = [int(n) for n in shape], len(weights) - 2
    if dimensions not in (1, 2) or len(sizes) != dimensions + 1:
        raise NetworkError(f"weights of shape {list(weights)} and a map {sizes} are no convolution in one or two dimensions: weights are [out, in, "
                           "kernel ...], the map [channels, ...]")
    if dimensions == 1:
        sizes = [sizes[0], 1, sizes[1]]
    kernel = (weights[2], weights[3]) if dimensions == 2 else (1, weights[2])
    steps, taps, blocks = (_pair(value, dimensions, name) for value, name in ((stride, "stride"), (dilation, "dilation"), (pool, "pool")))
    conv = Conv(shape=(sizes[0], sizes[1], sizes[2]), out_channels=weights[0], kernel=kernel, stride=steps, dilation=taps, groups=groups, pool=blocks,
                padding=_sides(padding, kernel, steps, taps, dimensions))
    if conv.weights_shape[1] != weights[1]:
        raise NetworkError(f"weights of shape {list(weights)} take {weights[1]} channels of a group, and the map has {conv.weights_shape[1]}")
    return conv


def pooled(source: str, target: str, shape: Sequence[int], *, pool: Size, average: bool = False, weight: float = 1.0,
           delay: int = 0) -> FloatProjection:
    """A pool with neurons right behind it: each takes the sum, or the average, over its block of the source map, times ``weight``."""
    channels = int(shape[0])
    one = np.full((channels, 1, *(1,) * (len(shape) - 1)), weight)
    return convolution(source, target, one, shape, groups=channels, pool=pool, average=average, delay=delay)


def fully_connected(source: str, target: str, weights: np.ndarray, shape: Sequence[int], *, pool: Size = 1, average: bool = False,
                    delay: int = 0) -> FloatProjection:
    """A fully connected layer behind a flattened map, with a pool before the Flatten where one is given.

    ``weights`` are ``[outputs, channels * height * width of the pooled map]``: a convolution whose kernel is the whole map, so that they are stored
    once per pooled neuron.
    """
    shape = (shape[0], 1, shape[1]) if len(shape) == 2 else tuple(int(n) for n in shape)
    blocks = _pair(pool, 1 if shape[1] == 1 and np.size(pool) == 1 else 2, "pool")
    height, width = shape[1] // max(blocks[0], 1), shape[2] // max(blocks[1], 1)
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != shape[0] * height * width:
        raise NetworkError(f"Projection {source} -> {target}: weights of shape {list(weights.shape)} do not fit a map of {shape[0]} channels of "
                           f"{height} x {width} behind the pool: they must be [outputs, {shape[0] * height * width}]")
    if blocks == (1, 1):  # nothing to share: a matrix
        return FloatProjection(source=source, target=target, weights=weights, delay=delay)
    return convolution(source, target, weights.reshape(len(weights), shape[0], height, width), shape, pool=blocks, average=average, delay=delay)


def spread(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Values per channel (a bias, a threshold) as one per neuron of a map, ``[channels * places]``."""
    return np.repeat(np.asarray(values), int(np.prod(shape[1:])))


def _pair(value: Size, dimensions: int, name: str) -> tuple[int, int]:
    """One number or one per dimension, as height and width."""
    numbers = [value] * dimensions if isinstance(value, int | np.integer) else list(value)
    if len(numbers) != dimensions:
        raise NetworkError(f"{name} must be one number, or {dimensions} of them, not {value!r}")
    return (1, int(numbers[0])) if dimensions == 1 else (int(numbers[0]), int(numbers[1]))


def _sides(padding: Size | str, kernel: Sequence[int], stride: tuple[int, int], dilation: tuple[int, int],
           dimensions: int) -> tuple[int, int, int, int]:
    """Padding at the top, bottom, left and right."""
    if isinstance(padding, str):
        if padding not in ("same", "valid") or (padding == "same" and stride != (1, 1)):
            raise NetworkError(f"padding must be numbers, 'valid', or with stride 1 'same', not {padding!r}")
        if padding == "valid":
            return 0, 0, 0, 0
        (top, left), (y, x) = [[d * (k - 1) // 2 for k, d in zip(kernel, dilation)], [d * (k - 1) for k, d in zip(kernel, dilation)]]
        return top, y - top, left, x - left  # of an odd sum the larger half comes last, as in PyTorch
    if not isinstance(padding, int | np.integer) and len(padding) == 4:
        top, bottom, left, right = (int(n) for n in padding)
        return top, bottom, left, right
    y, x = _pair(padding, dimensions, "padding")
    return (0, 0, x, x) if dimensions == 1 else (y, y, x, x)
