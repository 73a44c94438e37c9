"""Reads a chip's convolutions back: walks every window as the hardware does, from the packed pointers and words."""

from __future__ import annotations

import numpy as np

from ..spec.chip import TileSpec
from ..spec.errors import MismatchError
from ..spec.window import WindowSpec

__all__ = ["check_window", "window_bounds"]


def _walked(tile: TileSpec, index: int, window: WindowSpec, base: int, pointers: np.ndarray, stored: np.ndarray, payloads: np.ndarray,
            where: str) -> np.ndarray:
    """``[k, size]``: sums of a group's neurons for ``payloads`` ``[k, axons]`` and the weights of ``stored`` ``[k or 1, words of the
    window, P]``, the first of which is word ``base``."""
    group, rows = tile.groups[index], tile.rows(index)
    own = slice(tile.pointer_base(index) + window.axon, tile.pointer_base(index) + window.axon + window.axons)
    field = dict(zip(tile.pointer_fields, pointers[own].T))
    sums = np.zeros((len(payloads), rows, tile.lanes), dtype=np.int64)
    for number, steps in enumerate(tile.walks):
        here = (field["walk"] == number) & (field["count"] > 0)
        if steps is None and here.any():
            raise MismatchError(f"{where}: axon {int(here.argmax())} of a convolution has the pointer of a sparse one")
        if steps is None:
            continue
        # All axons at once, one place of their windows after the other.
        for block, line, word in np.ndindex(*(int(field[name].max()) + more for name, more in (("blocks", 1), ("lines", 1), ("count", 0)))):
            axons = np.flatnonzero(here & (field["blocks"] >= block) & (field["lines"] >= line) & (field["count"] > word))
            address, row = (field[start][axons] + block * steps.block[k] + line * steps.line[k] + word * steps.word[k]
                            for k, start in enumerate(("first", "row")))
            for what, values, low, high in (("word", address, base, base + stored.shape[1]), ("row", row, 0, rows)):
                if len(axons) and not low <= values.min() <= values.max() < high:
                    raise MismatchError(f"{where}: a window reaches {what} {values.min()} to {values.max()}, and there are {low} to {high - 1}")
            lanes = field["part"][axons][:, None] == np.arange(tile.lanes) // steps.part_lanes
            for k, vector in enumerate(payloads):
                np.add.at(sums[k], row, stored[k % len(stored)][address - base] * lanes * vector[axons][:, None])
    channel, place = np.divmod(np.arange(group.size), group.positions)
    return sums[:, channel // tile.lanes * group.positions + place, channel % tile.lanes]


def check_window(tile: TileSpec, index: int, window: WindowSpec, base: int, pointers: np.ndarray, stored: np.ndarray, weights: np.ndarray,
                 where: str) -> None:
    """Compare the sums of walked windows with those of the convolution by definition, ``weights`` in units of ``stored``, for payloads at random: of
    22 bits, so that no two errors cancel. Raises MismatchError."""
    group = tile.groups[index]
    payloads = np.random.default_rng(0).integers(1, 1 << 22, (2, window.axons))
    got = _walked(tile, index, window, base, pointers, stored[None], payloads, where)
    wanted = window.conv.apply(weights, payloads)[:, group.first:group.first + group.size]
    wrong = np.flatnonzero((got != wanted).any(axis=0))
    if len(wrong):
        raise MismatchError(f"{where}: weights to neuron {group.first + int(wrong[0])} differ, or reach another")
    own = slice(tile.pointer_base(index) + window.axon, tile.pointer_base(index) + window.axon + window.axons)
    field = dict(zip(tile.pointer_fields, pointers[own].T))
    words = np.maximum(field["count"] * (field["lines"] + 1) * (field["blocks"] + 1), 1)
    assert group.sparse is not None
    planned = np.array(group.sparse.words[window.axon:window.axon + window.axons])
    if (words != planned).any():
        axon = int((words != planned).argmax())
        raise MismatchError(f"{where}: the window of axon {axon} has {words[axon]} words, and {planned[axon]} are planned")
    if window.synapses.tolist() != list(group.sparse.synapses[window.axon:window.axon + window.axons]):
        raise MismatchError(f"{where}: the synapses of a convolution are counted wrongly")


def window_bounds(tile: TileSpec, index: int, window: WindowSpec, base: int, pointers: np.ndarray, stored: np.ndarray, payloads: tuple[int, int],
                  where: str) -> np.ndarray:
    """Smallest and largest sum that events of payloads in a range give each neuron, ``[2, size], int64``."""
    ends = np.stack([stored * payloads[0], stored * payloads[1], np.zeros_like(stored)])
    return _walked(tile, index, window, base, pointers, np.stack([ends.min(axis=0), ends.max(axis=0)]),
                   np.ones((2, window.axons), dtype=np.int64), where)
