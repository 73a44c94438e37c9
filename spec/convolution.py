"""The geometry of a convolution: which neuron of a source map reaches which neuron of a target map, through which weight.

Maps are [channel, y, x], neuron ``(channel * height + y) * width + x``, as PyTorch and NIR flatten them; a sequence is a map of height 1.
What it computes is docs/numerics.md, "Convolution".
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .errors import NetworkError

__all__ = ["Axis", "Conv"]

_LIMIT = 1 << 16  # of every number: maps have no more neurons
_PADDED = 1 << 22  # neurons of the padded source map: what a sum over it may take
_LENGTHS = {"shape": 3, "kernel": 2, "stride": 2, "padding": 4, "dilation": 2, "pool": 2}


class Axis(NamedTuple):
    """One direction of a map: for each source coordinate the kernel positions that have a target.

    They are ``first + j * kernel_step``, j = 0 .. count - 1, and their targets ``target - j * target_step``. The arrays are ``[size], int64``; a
    coordinate with a ``count`` of 0 reaches nothing.
    """

    first: np.ndarray
    target: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # hides tuple.count, which nobody calls on one
    kernel_step: int
    target_step: int


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution (without flipping: what deep learning calls one) in two dimensions; in one, with height and kernel height 1.

    Parameters
    ----------
    shape : channels, height and width of the source map.
    out_channels : channels of the target map.
    kernel : height and width of the kernel.
    stride : in y and in x.
    padding : top, bottom, left, right: rows and columns of zeros around the map. (Only at one side: causal.)
    dilation : distance of the kernel's taps, in y and in x.
    groups : into how many parts both maps' channels are cut, each of which reaches only its own; as many as channels: depthwise.
    pool : height and width of blocks of the source map that are summed beforehand (rows and columns left over are dropped); 1, 1: none.

    Raises NetworkError, which begins with the name of the field, where one is no such number, or nothing is left of the target map.
    """

    shape: tuple[int, int, int]
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pool: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            value = getattr(self, name)
            least = 0 if name == "padding" else 1
            if not isinstance(value, tuple | list) or len(value) != length or not all(_is_integer(n, least) for n in value):
                raise NetworkError(f"{name} must be {length} integers of {least} to {_LIMIT}, not {value!r}")
            object.__setattr__(self, name, tuple(int(n) for n in value))
        for name in ("out_channels", "groups"):
            if not _is_integer(getattr(self, name), 1):
                raise NetworkError(f"{name} must be an integer of 1 to {_LIMIT}, not {getattr(self, name)!r}")
            object.__setattr__(self, name, int(getattr(self, name)))
        if self.shape[0] % self.groups or self.out_channels % self.groups:
            raise NetworkError(f"groups must divide the channels of both maps, {self.shape[0]} and {self.out_channels}, and {self.groups} does not")
        if min(self.pooled) < 1:
            raise NetworkError(f"pool {list(self.pool)} is larger than the map {list(self.shape[1:])}: nothing is left of it")
        padded = self.shape[0] * (self.pooled[0] + sum(self.padding[:2])) * (self.pooled[1] + sum(self.padding[2:]))
        if padded > _PADDED:
            raise NetworkError(f"padding {list(self.padding)} makes a map of {padded} neurons; at most {_PADDED} are possible: pad less")
        if min(self.out_shape[1:]) < 1:
            reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel)]
            raise NetworkError(f"kernel {list(self.kernel)} reaches over {reach} neurons, more than the padded map has; use more padding, or a "
                               "smaller kernel")

    @cached_property
    def pooled(self) -> tuple[int, int]:
        """Height and width of the source map after the pool."""
        return self.shape[1] // self.pool[0], self.shape[2] // self.pool[1]

    @cached_property
    def out_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the target map."""
        (top, bottom, left, right), (height, width) = self.padding, self.pooled
        size = [(n + more - d * (k - 1) - 1) // s + 1 for n, more, d, k, s in
                zip((height, width), (top + bottom, left + right), self.dilation, self.kernel, self.stride)]
        return self.out_channels, size[0], size[1]

    @property
    def positions(self) -> int:
        """Places of the target map: its height times its width."""
        return self.out_shape[1] * self.out_shape[2]

    @property
    def source_size(self) -> int:
        """Neurons of the source map."""
        return math.prod(self.shape)

    @property
    def target_size(self) -> int:
        """Neurons of the target map."""
        return math.prod(self.out_shape)

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights: out channels, in channels of a group, kernel height, kernel width."""
        return self.out_channels, self.shape[0] // self.groups, *self.kernel

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """Kernel positions and targets of each source coordinate, in y and in x."""
        return _axis(self, 0), _axis(self, 1)

    @cached_property
    def reach(self) -> np.ndarray:
        """Kernel positions that have a target, of each neuron of the source map; ``[source size], int64``."""
        y, x = self.axes
        return np.tile(np.outer(y.count, x.count).reshape(-1), self.shape[0])

    @property
    def fan_out(self) -> np.ndarray:
        """Synapses of each neuron of the source map; ``[source size], int64``."""
        return self.reach * (self.out_channels // self.groups)

    def apply(self, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The sums of the target map, ``[n, target size]``, for payloads ``x`` ``[n, source size]``; in the dtype of both."""
        n, (top, bottom, left, right) = len(x), self.padding
        maps = self._pool(x.reshape(n, *self.shape))
        maps = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
        _, height, width = self.out_shape
        # Taps first, and whole: only a matrix that lies together is multiplied by BLAS (in floating point).
        taps = np.ascontiguousarray(weights.reshape(self.groups, -1, *self.weights_shape[1:]).transpose(3, 4, 0, 1, 2))
        total = np.zeros((n, self.groups, self.out_channels // self.groups, height * width), dtype=np.result_type(weights, x))
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                first_y, first_x = ky * self.dilation[0], kx * self.dilation[1]
                seen = maps[:, :, first_y:first_y + self.stride[0] * (height - 1) + 1:self.stride[0],
                            first_x:first_x + self.stride[1] * (width - 1) + 1:self.stride[1]]
                total += np.matmul(taps[ky, kx], seen.reshape(n, self.groups, -1, height * width))
        return total.reshape(n, self.target_size)

    def _pool(self, maps: np.ndarray) -> np.ndarray:
        """``[n, channels, height, width]`` with each block summed."""
        if self.pool == (1, 1):
            return maps
        (height, width), (py, px) = self.pooled, self.pool
        return maps[:, :, :height * py, :width * px].reshape(*maps.shape[:2], height, py, width, px).sum(axis=(3, 5), dtype=maps.dtype)

    def matrix(self, weights: np.ndarray, first: int = 0, channels: int | None = None) -> np.ndarray:
        """The same as ``[target, source]`` weights, of all target channels or some; large: for small maps, tests and checks."""
        stop = self.out_channels if channels is None else first + channels
        y, x = self.axes
        out = np.zeros((stop - first, *self.out_shape[1:], *self.shape), dtype=weights.dtype)
        own, into = self.out_channels // self.groups, self.shape[0] // self.groups
        for c in range(first, stop):
            inputs = slice(c // own * into, (c // own + 1) * into)
            for sy, sx in np.argwhere(np.outer(y.count, x.count)):
                for jy in range(y.count[sy]):
                    for jx in range(x.count[sx]):
                        ky, kx = y.first[sy] + jy * y.kernel_step, x.first[sx] + jx * x.kernel_step
                        out[c - first, y.target[sy] - jy * y.target_step, x.target[sx] - jx * x.target_step, inputs, sy, sx] = weights[c, :, ky, kx]
        return out.reshape((stop - first) * self.positions, self.source_size)

    def header(self) -> dict[str, Any]:
        """Its fields as JSON values; those that have their default are left out."""
        defaults = {f.name: f.default for f in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value != defaults[name]}


def _is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= int(value) <= _LIMIT


def _axis(conv: Conv, axis: int) -> Axis:
    """Of one direction: a source coordinate is ``target * stride + k * dilation - padding`` for its kernel positions k; they are evenly spaced."""
    stride, dilation, before = conv.stride[axis], conv.dilation[axis], conv.padding[2 * axis]
    common = math.gcd(stride, dilation)
    first, target, count = (np.zeros(conv.shape[1 + axis], dtype=np.int64) for _ in range(3))
    taps = np.arange(conv.kernel[axis])
    for coordinate in range(conv.pooled[axis] * conv.pool[axis]):
        at = coordinate // conv.pool[axis] + before - taps * dilation
        found = np.flatnonzero((at % stride == 0) & (at >= 0) & (at // stride < conv.out_shape[1 + axis]))
        if len(found):
            first[coordinate], target[coordinate], count[coordinate] = found[0], at[found[0]] // stride, len(found)
    return Axis(first, target, count, stride // common, dilation // common)
