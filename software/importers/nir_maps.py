"""Convolutions and pools of a NIR graph: the shape of their maps, which few writers say, and their geometry and weights.

A pool whose stride is its kernel, without padding, is a sum over blocks in front of a convolution of 1 x 1 (docs/numerics.md, "Convolution"), so it
becomes part of what follows it. Any other pool is a depthwise convolution with weights of 1. An average divides the weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...gen.float_layers import geometry
from ...spec.convolution import Conv
from ...spec.errors import NetworkError
from .nir_file import RawNode

if TYPE_CHECKING:
    from .nir_flat import FlatGraph

__all__ = ["MAPS", "behind", "find_maps", "is_pool", "weights_of"]

MAPS = ("Conv1d", "Conv2d", "SumPool2d", "AvgPool2d")
Shape = tuple[int, int, int]


def find_maps(flat: FlatGraph) -> dict[str, Conv]:
    """The geometry of each convolution and pool; FileFormatError, which names the node, where nothing says the shape of its map or it cannot be one.

    A shape comes from the node itself, or along the edges from Inputs, neurons and nodes before it.
    """
    found: dict[str, Conv] = {}
    known: dict[str, Shape] = {}  # what a node gives
    work = []
    for name, node in flat.nodes.items():
        own = _told(node)
        if node.kind not in MAPS and own is not None:
            known[name] = own
            work.append(name)
        elif node.kind in MAPS and (shape := _said(node)) is not None:
            found[name] = _geometry(flat, name, shape)
            known[name] = found[name].out_shape
            work.append(name)
    while work:
        name = work.pop()
        for other in flat.after(name):
            if other in known or flat.nodes[other].kind in ("Linear", "Affine"):
                continue
            shape = known[name]
            if flat.nodes[other].kind in MAPS:
                found[other] = _geometry(flat, other, shape)
                shape = found[other].out_shape
            known[other] = shape
            work.append(other)
    for name, node in flat.nodes.items():
        if node.kind in MAPS and name not in found:
            raise flat.error(name, "needs the shape of its map, and neither it nor a node before it says one; give the Input the shape [channels, "
                                   "height, "
                                   "width], or a convolution its input_shape")
    return found


def weights_of(flat: FlatGraph, name: str, node: RawNode) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a convolution or pool in the contract's four dimensions, and its bias per value of the target map, ``[target size]``."""
    conv = flat.maps[name]
    if node.kind in ("Conv1d", "Conv2d"):
        w = _numbers(flat, name, "weight").astype(np.float64)
        bias = _numbers(flat, name, "bias").astype(np.float64).reshape(-1) if "bias" in node.values else np.zeros(1)
        if bias.size not in (1, conv.out_channels):
            raise flat.error(name, f"has {conv.out_channels} output channels and {bias.size} values of bias")
        return w.reshape(conv.weights_shape), np.repeat(np.broadcast_to(bias, (conv.out_channels,)), conv.positions)
    part = 1.0 if node.kind == "SumPool2d" else 1.0 / math.prod(_pair(flat, name, "kernel_size"))
    return np.full(conv.weights_shape, part), np.zeros(conv.target_size)


def is_pool(conv: Conv) -> bool:
    """Whether it only sums over blocks (or does nothing), with a factor for each channel."""
    plain = conv.kernel == (1, 1) and conv.stride == (1, 1) and not any(conv.padding)
    return plain and conv.groups == conv.shape[0] == conv.out_channels


def behind(first: Conv, factors: np.ndarray, second: Conv, weights: np.ndarray) -> tuple[Conv, np.ndarray]:
    """A convolution behind a pool (:func:`is_pool`) as one: ``factors`` are of the pool's channels, ``weights`` of the convolution."""
    own, into = second.out_channels // second.groups, second.shape[0] // second.groups
    channels = np.arange(second.out_channels)[:, None] // own * into + np.arange(into)
    conv = Conv(shape=first.shape, out_channels=second.out_channels, kernel=second.kernel, stride=second.stride, padding=second.padding,
                dilation=second.dilation, groups=second.groups, pool=(first.pool[0] * second.pool[0], first.pool[1] * second.pool[1]))
    return conv, weights * factors.reshape(-1)[channels][:, :, None, None]


def _told(node: RawNode) -> Shape | None:
    """The map that an Input, Output, Flatten or neuron says it has."""
    if "shape" in node.values:
        shape = node.values["shape"]
        return _map(shape.reshape(-1).tolist()) if shape.dtype.kind in "iu" else None
    sizes = [v.shape for v in node.values.values() if v.ndim in (2, 3)] if node.kind not in ("Linear", "Affine") else []
    return _map(list(sizes[0])) if sizes else None


def _said(node: RawNode) -> Shape | None:
    """The source map of a convolution that says it."""
    size, weight = node.values.get("input_shape"), node.values.get("weight")
    if size is None or weight is None or size.dtype.kind not in "iu" or weight.ndim < 3:
        return None
    groups = node.values.get("groups", np.ones(1, np.int64)).reshape(-1)
    if groups.dtype.kind not in "iu" or groups.size != 1 or not 1 <= int(groups[0]) <= 1 << 16:
        return None
    return _map([weight.shape[1] * int(groups[0]), *size.reshape(-1).tolist()])


def _map(sizes: list[Any]) -> Shape | None:
    """Channels, height and width; a sequence has height 1; a list of values is no map."""
    numbers = [int(n) for n in sizes]
    if len(numbers) not in (2, 3) or min(numbers) < 1:
        return None
    return (numbers[0], 1, numbers[1]) if len(numbers) == 2 else (numbers[0], numbers[1], numbers[2])


def _geometry(flat: FlatGraph, name: str, shape: Shape) -> Conv:
    """The geometry of a node for its source map."""
    node = flat.nodes[name]
    try:
        if node.kind in ("SumPool2d", "AvgPool2d"):
            kernel, stride, padding = (_pair(flat, name, key) for key in ("kernel_size", "stride", "padding"))
            if kernel == stride and not any(padding):
                return Conv(shape=shape, out_channels=shape[0], kernel=(1, 1), groups=shape[0], pool=kernel)
            return geometry((shape[0], 1, *kernel), shape, stride=stride, padding=padding, groups=shape[0])
        size = _numbers(flat, name, "weight").shape
        dimensions = 1 if node.kind == "Conv1d" else 2
        if len(size) != dimensions + 2:
            raise flat.error(name, f"needs weights of {dimensions + 2} dimensions [out, in, kernel ...], and has shape {list(size)}")
        if dimensions == 1 and shape[1] != 1:
            raise flat.error(name, f"has one dimension, and its map is {list(shape)} (channels, height, width); use Conv2d")
        said = node.values.get("padding", np.zeros(1, np.int64))
        text = said.dtype.kind in "US" and said.size == 1
        sides = str(said.reshape(-1)[0]) if text else _counts(flat, name, "padding", dimensions, 0)
        strides, dilations = (_counts(flat, name, key, dimensions, 1) for key in ("stride", "dilation"))
        groups = _counts(flat, name, "groups", 1, 1)[0]
        return geometry(size, shape if dimensions == 2 else (shape[0], shape[2]), stride=strides, padding=sides, dilation=dilations, groups=groups)
    except NetworkError as error:
        raise flat.error(name, f"is no convolution of a map {list(shape)} (channels, height, width): {error}") from None


def _pair(flat: FlatGraph, name: str, key: str) -> tuple[int, int]:
    """Height and width."""
    height, width = _counts(flat, name, key, 2, 0 if key == "padding" else 1)
    return height, width


def _counts(flat: FlatGraph, name: str, key: str, n: int, default: int) -> list[int]:
    """``n`` whole numbers, or one for all; the default where the node has none."""
    values = flat.nodes[name].values.get(key, np.full(1, default)).reshape(-1)
    if values.dtype.kind not in "iuf" or values.size not in (1, n) or not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise flat.error(name, f"needs {n} whole number{'s' * (n > 1)} as {key}")
    return [int(v) for v in np.broadcast_to(values, (n,))]


def _numbers(flat: FlatGraph, name: str, key: str) -> np.ndarray:
    values = flat.nodes[name].values.get(key)
    if values is None or values.dtype.kind not in "iufb" or not np.isfinite(values).all():
        raise flat.error(name, f"has no {key}, or one with values that are infinite or no numbers")
    return values
