"""Max pooling of spikes: an OR over each window, which is a neuron with a threshold of 1 that remembers nothing.

Of events with payload 1 the largest of a window is 1 exactly where their sum is at least 1. So a pool is a population like any other: depthwise,
weights of 1 bit that are all 1 (one word per kernel position and P channels, whatever the map's size), no state. It works one phase after its source,
in the same timestep. What it costs is its neurons' updates; what it saves is everything behind it: a tile that listens has pointers and places in its
event queue for the pooled map alone, and gets one event per window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...spec.arithmetic import bits_signed
from ...spec.convolution import Conv
from ...spec.errors import NetworkError
from ...spec.network import Kind, Model, Population, Projection, Reset

__all__ = ["MaxPool", "max_pool"]


class MaxPool(NamedTuple):
    """A pooled map, and what leads to it."""

    population: Population
    projection: Projection


def max_pool(source: Population, *, name: str, shape: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int] | None = None,
             padding: tuple[int, int, int, int] = (0, 0, 0, 0), delay: int = 0) -> MaxPool:
    """The largest payload of each window of a map of spikes, in the timestep of the spikes (``delay`` timesteps later).

    Parameters
    ----------
    source : whose events have payload 1 only.
    name : of the pooled population, of ``[channels, height', width']`` neurons in the order of any map.
    shape : channels, height and width of the source.
    kernel, stride : of the windows, in y and x; the stride is the kernel unless given. Rows and columns that fill no window are dropped.
    padding : top, bottom, left, right: rows and columns without spikes.

    Raises NetworkError where a source may send another payload than 1, or the geometry is none.
    """
    if source.payload_range != (1, 1):
        low, high = source.payload_range
        raise NetworkError(f"Population {name!r}: a max pool is an OR of spikes, and {source.name!r} sends payloads of {low} to {high}; pool a "
                           "population that sends 1 alone, or use a sum pool (Conv.pool)")
    geometry = Conv(shape=shape, out_channels=shape[0], kernel=kernel, stride=stride or kernel, padding=padding, groups=shape[0])
    if geometry.source_size != source.size:
        raise NetworkError(f"Population {name!r}: a map of {list(shape)} has {geometry.source_size} neurons, and {source.name!r} {source.size}; "
                           "mend the shape")
    population = Population(name=name, size=geometry.target_size, model=Model.IF, theta=1, reset=Reset.ZERO,
                            v_bits=bits_signed(0, kernel[0] * kernel[1]))
    return MaxPool(population, Projection(source=source.name, target=name, weights=np.ones(geometry.weights_shape, dtype=np.int64), weight_bits=1,
                                          kind=Kind.CONV, conv=geometry, delay=delay))
