"""The plan of a convolution's walk on a tile: where an event's window of weights and of target rows begins, and in what steps it goes on.

Words of weights: P output channels each, for block b of P channels, input channel i of a group, kernel position (ky, kx) at
``((b * inputs + i) * kernel height + ky) * kernel width + kx``. Rows: P output channels at one place of the map, block b and place p in row
``b * positions + p``, places of the slice's rows. So a step from one kernel position to the next is a constant in both, and only the start is
the event's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .convolution import Axis, Conv
from .runs import Run, axon_neurons

__all__ = ["Pointer", "Steps", "WindowSpec"]


class Pointer(NamedTuple):
    """Where the window of an axon begins and how large it is; the arrays are ``[axons], int64``.

    ``count`` words in a line (0: the axon has no target on this tile), ``lines`` + 1 lines in a block, ``blocks`` + 1 blocks; ``part``: which of the
    parts of a word's lanes the weights are in.
    """

    first: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # hides tuple.count, which nobody calls on one
    row: np.ndarray
    lines: np.ndarray
    blocks: np.ndarray
    part: np.ndarray


class Steps(NamedTuple):
    """What is added to the weight address and to the row from one word, line and block of a window to the next; ``part_lanes``: lanes of a part."""

    word: tuple[int, int]
    line: tuple[int, int]
    block: tuple[int, int]
    part_lanes: int


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """A convolution onto a slice of its target.

    Parameters
    ----------
    conv : the whole convolution.
    axon : the first of its axons in their list.
    first, channels : output channels of the slice.
    top, rows : rows of the target map in the slice; 0 rows: all of them.
    runs : the neurons of the source that its axons are for; empty: all, in their order.
    matrix : names its stored weights, where others of the same name and channels read the same words: (name, left shift), or None.
    """

    conv: Conv
    axon: int
    first: int
    channels: int
    top: int = 0
    rows: int = 0
    runs: tuple[Run, ...] = ()
    matrix: tuple[str, int] | None = field(default=None, compare=False)  # a chip takes other names for the same weights

    @cached_property
    def neurons(self) -> np.ndarray:
        """The neuron of the source that drives each axon, -1 for none; ``[axons], int64``."""
        return axon_neurons(self.runs) if self.runs else np.arange(self.conv.source_size)

    @property
    def axons(self) -> int:
        """Input lines."""
        return sum(run.span for run in self.runs) if self.runs else self.conv.source_size

    @property
    def positions(self) -> int:
        """Places of the slice's part of the map."""
        return (self.rows or self.conv.out_shape[1]) * self.conv.out_shape[2]

    @cached_property
    def _group_sizes(self) -> tuple[int, int]:
        """Output and input channels of a group."""
        return self.conv.out_channels // self.conv.groups, self.conv.shape[0] // self.conv.groups

    @cached_property
    def _axes(self) -> tuple[Axis, Axis]:
        """Kernel positions and targets of each source coordinate within the slice; targets in y counted from its first row."""
        y, x = self.conv.axes
        bottom = self.top + (self.rows or self.conv.out_shape[1])
        skipped = np.maximum(-(-(y.target - bottom + 1) // y.target_step), 0)  # targets below the slice: the first ones are the lowest
        count = np.minimum(y.count, (y.target - self.top) // y.target_step + 1) - skipped
        there = count > 0
        first, target = y.first + skipped * y.kernel_step, y.target - skipped * y.target_step - self.top
        return Axis(np.where(there, first, 0), np.where(there, target, 0), np.where(there, count, 0), y.kernel_step, y.target_step), x

    def fits(self, lanes: int) -> bool:
        """Whether so many lanes can work on it: no word across the border of a group, or all of a word's groups whole."""
        own, _ = self._group_sizes
        if self.conv.groups == 1:
            return True
        whole = lanes % own == 0 and self.first % own == 0 and self.channels % own == 0
        return whole or (own % lanes == 0 and self.first % lanes == 0)

    def words(self, lanes: int) -> int:
        """Words of weights."""
        return -(-self.channels // lanes) * self._group_sizes[1] * self.conv.kernel[0] * self.conv.kernel[1]

    def steps(self, lanes: int) -> Steps:
        """The constants of the walk."""
        own, inputs = self._group_sizes
        (y, x), (height, width) = self.conv.axes, self.conv.kernel
        return Steps((x.kernel_step, -x.target_step), (y.kernel_step * width, -y.target_step * self.conv.out_shape[2]),
                     (inputs * height * width, self.positions), own if own < lanes and self.conv.groups > 1 else lanes)

    def _split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channel, row and column of each axon's neuron in the source map (of none: those of the first); ``[axons], int64`` each."""
        _, height, width = self.conv.shape
        line, column = np.divmod(np.maximum(self.neurons, 0), width)
        return line // height, line % height, column

    def pointers(self, lanes: int) -> Pointer:
        """The window of each axon, its ``first`` word counted from the first of this convolution."""
        own, inputs = self._group_sizes
        (y, x), (height, width) = self._axes, self.conv.kernel
        channel, sy, sx = self._split()
        group = np.arange(self.conv.shape[0]) // inputs  # what only a channel decides is worked out once for each
        low = np.maximum(group * own - self.first, 0)  # its output channels within the slice
        high = np.minimum((group + 1) * own - self.first, self.channels)
        block, blocks = low // lanes, -(-high // lanes) - low // lanes
        first = (block * inputs + np.arange(self.conv.shape[0]) % inputs) * height * width
        reached = (self.neurons >= 0) & (high > low)[channel] & (y.count[sy] > 0) & (x.count[sx] > 0)
        word = first[channel] + (y.first * width)[sy] + x.first[sx]
        row = (block * self.positions)[channel] + (y.target * self.conv.out_shape[2])[sy] + x.target[sx]
        part = low % lanes // self.steps(lanes).part_lanes
        found = (word, x.count[sx], row, (y.count - 1)[sy], (blocks - 1)[channel], part[channel])
        return Pointer(*(np.where(reached, values, 0) for values in found))

    def cycles(self, lanes: int) -> np.ndarray:
        """Words of each axon's window: cycles that its walk takes, but at least 1; ``[axons], int64``."""
        if self.conv.groups == 1:
            return self.reach * -(-self.channels // lanes)
        p = self.pointers(lanes)
        return p.count * (p.lines + 1) * (p.blocks + 1)

    @cached_property
    def reach(self) -> np.ndarray:
        """Kernel positions of each axon that have a target on the slice, of any channel; ``[axons], int64``."""
        (y, x), (channel, sy, sx) = self._axes, self._split()
        return np.where((self.neurons >= 0) & (self._reached > 0)[channel], y.count[sy] * x.count[sx], 0)

    @cached_property
    def _reached(self) -> np.ndarray:
        """Output channels on the slice of each channel of the source; ``[channels], int64``."""
        own, inputs = self._group_sizes
        group = np.arange(self.conv.shape[0]) // inputs
        return np.maximum(np.minimum((group + 1) * own, self.first + self.channels) - np.maximum(group * own, self.first), 0)

    @cached_property
    def synapses(self) -> np.ndarray:
        """Synapses of each axon onto the slice; ``[axons], int64``."""
        return self.reach * self._reached[self._split()[0]]
