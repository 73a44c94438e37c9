"""The plan of a convolution's walk on a tile: where an event's window of weights and of target rows begins, and in what steps it goes on.

Words of weights: P output channels each, for block b of P channels, input channel i of a group, kernel position (ky, kx) at
``((b * inputs + i) * kernel height + ky) * kernel width + kx``. Rows: P output channels at one place of the map, block b and place p in row
``b * positions + p``. So a step from one kernel position to the next is a constant in both, and only the start is the event's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .convolution import Conv

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
    """A convolution onto a slice of its target: ``channels`` output channels from ``first`` on; ``axon`` is the first of its axons in their list,
    one per neuron of the source map. ``matrix`` names its stored weights, where others of the same name and channels read the same words: (name, left
    shift), or None."""

    conv: Conv
    axon: int
    first: int
    channels: int
    matrix: tuple[str, int] | None = field(default=None, compare=False)  # a chip takes other names for the same weights

    @property
    def axons(self) -> int:
        """Input lines: neurons of the source map."""
        return self.conv.source_size

    @cached_property
    def _group_sizes(self) -> tuple[int, int]:
        """Output and input channels of a group."""
        return self.conv.out_channels // self.conv.groups, self.conv.shape[0] // self.conv.groups

    def fits(self, lanes: int) -> bool:
        """Whether so many lanes can work on it: every row full, and no word across the border of a group, or all of a word's groups whole."""
        own, _ = self._group_sizes
        if self.conv.groups == 1:
            return self.conv.positions == 1 or self.channels % lanes == 0
        return self.channels % lanes == 0 and self.first % lanes == 0 and (own % lanes == 0 or lanes % own == 0)

    def words(self, lanes: int) -> int:
        """Words of weights."""
        return -(-self.channels // lanes) * self._group_sizes[1] * self.conv.kernel[0] * self.conv.kernel[1]

    def steps(self, lanes: int) -> Steps:
        """The constants of the walk."""
        own, inputs = self._group_sizes
        (y, x), (height, width) = self.conv.axes, self.conv.kernel
        return Steps((x.kernel_step, -x.target_step), (y.kernel_step * width, -y.target_step * self.conv.out_shape[2]),
                     (inputs * height * width, self.conv.positions), own if own < lanes and self.conv.groups > 1 else lanes)

    def pointers(self, lanes: int) -> Pointer:
        """The window of each axon, its ``first`` word counted from the first of this convolution."""
        own, inputs = self._group_sizes
        y, x = self.conv.axes
        channel, sy, sx = (a.reshape(-1) for a in np.indices(self.conv.shape))
        group = channel // inputs
        low = np.maximum(group * own - self.first, 0)  # its output channels within the slice
        high = np.minimum((group + 1) * own - self.first, self.channels)
        block, blocks = low // lanes, -(-high // lanes) - low // lanes
        reached = (high > low) & (y.count[sy] > 0) & (x.count[sx] > 0)
        word = ((block * inputs + channel % inputs) * self.conv.kernel[0] + y.first[sy]) * self.conv.kernel[1] + x.first[sx]
        row = block * self.conv.positions + y.target[sy] * self.conv.out_shape[2] + x.target[sx]
        found = (word, x.count[sx], row, y.count[sy] - 1, blocks - 1, low % lanes // self.steps(lanes).part_lanes)
        return Pointer(*(np.where(reached, values, 0) for values in found))

    def cycles(self, lanes: int) -> np.ndarray:
        """Words of each axon's window: cycles that its walk takes, but at least 1; ``[axons], int64``."""
        p = self.pointers(lanes)
        return p.count * (p.lines + 1) * (p.blocks + 1)

    @cached_property
    def synapses(self) -> np.ndarray:
        """Synapses of each axon onto the slice; ``[axons], int64``."""
        own, inputs = self._group_sizes
        group = np.arange(self.conv.shape[0]) // inputs
        reached = np.minimum((group + 1) * own, self.first + self.channels) - np.maximum(group * own, self.first)
        return self.conv.reach * np.repeat(np.maximum(reached, 0), self.conv.shape[1] * self.conv.shape[2])
