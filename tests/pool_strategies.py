"""Random networks of maps with max pools between them, and what their pools must be, in plain NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from spikeloom.gen.topology import MaxPool, max_pool
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

__all__ = ["max_pools", "pooled", "pooled_networks"]


def _conv(draw, shape: tuple[int, int, int], channels: int) -> Conv:
    """Any convolution that leaves a map of at least one place."""
    kernel = draw(st.integers(1, min(3, shape[1]))), draw(st.integers(1, min(3, shape[2])))
    return Conv(shape=shape, out_channels=channels, kernel=kernel, padding=tuple(draw(st.integers(0, 1)) for _ in range(4)),
                stride=(draw(st.sampled_from((1, 1, 2))), draw(st.sampled_from((1, 1, 2)))))


@st.composite
def max_pools(draw, source: Population, name: str, shape: tuple[int, int, int]) -> MaxPool:
    """A max pool of a map: windows that overlap, leave rows out, or lie beyond the border; now or some timesteps later."""
    padding = tuple(draw(st.integers(0, 1)) for _ in range(4))
    kernel = (draw(st.integers(1, min(3, shape[1] + padding[0] + padding[1]))), draw(st.integers(1, min(3, shape[2] + padding[2] + padding[3]))))
    stride = draw(st.one_of(st.none(), st.tuples(st.integers(1, 3), st.integers(1, 3))))
    return max_pool(source, name=name, shape=shape, kernel=kernel, stride=stride, padding=padding, delay=draw(st.sampled_from((0, 0, 0, 1, 2))))


@st.composite
def pooled_networks(draw) -> Network:
    """An input, a map of spikes, its pool, perhaps a pool of that or of the input, and a map that listens to the pools; perhaps a loop."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(2, 4))
    x = Population(name="x", size=int(np.prod(shape)), model=Model.INPUT)

    def spiking(name: str, size: int, **fields) -> Population:
        model = draw(st.sampled_from((Model.LIF, Model.IF)))
        return Population(name=name, size=size, model=model, decay=Decay(shift_a=2) if model is Model.LIF else Decay(), v_bits=12,
                          reset=draw(st.sampled_from((Reset.SUBTRACT, Reset.ZERO))), theta=rng.integers(2, 12, size), **fields)

    def led(source: Population, target: Population, conv: Conv, delay: int = 0) -> Projection:
        return Projection(source=source.name, target=target.name, weights=rng.integers(-3, 7, conv.weights_shape), weight_bits=4, kind=Kind.CONV,
                          conv=conv, delay=delay)

    first = _conv(draw, shape, draw(st.integers(1, 5)))
    a = spiking("a", first.target_size, output=draw(st.booleans()))
    pools = [draw(max_pools(a, "m", first.out_shape))]
    second = draw(st.sampled_from(("none", "of the pool", "of the input")))
    if second == "of the pool":
        pools.append(draw(max_pools(pools[0].population, "n", pools[0].projection.conv.out_shape)))
    elif second == "of the input":
        pools.append(draw(max_pools(x, "n", shape)))
    after = _conv(draw, pools[0].projection.conv.out_shape, draw(st.integers(1, 5)))
    y = spiking("y", after.target_size, readout=Readout.COUNT)
    projections = [led(x, a, first), *(pool.projection for pool in pools), led(pools[0].population, y, after)]
    for n in (pool.population for pool in pools[1:]):
        projections.append(Projection(source="n", target="y", weights=rng.integers(-3, 7, (y.size, n.size)), weight_bits=4))
    if draw(st.booleans()):
        m = pools[0].population
        projections.append(Projection(source="m", target="a", weights=rng.integers(-2, 3, (a.size, m.size)), weight_bits=3, delay=1))
    return Network(name="pooled", populations=(x, a, *(pool.population for pool in pools), y), projections=tuple(projections))


def pooled(projection: Projection, spikes: np.ndarray) -> np.ndarray:
    """``[T, pool's size]``: the largest of each window of ``spikes`` ``[T, source's size]``, the projection's delay later."""
    conv, delay = projection.conv, projection.delay
    (top, bottom, left, right), (ky, kx), (sy, sx) = conv.padding, conv.kernel, conv.stride
    late = np.concatenate([np.zeros((delay, spikes.shape[1]), spikes.dtype), spikes])[:len(spikes)]
    maps = np.pad(late.reshape(-1, *conv.shape), ((0, 0), (0, 0), (top, bottom), (left, right)))
    channels, height, width = conv.out_shape
    out = np.zeros((len(spikes), channels, height, width), spikes.dtype)
    for y in range(height):
        for k in range(width):
            out[:, :, y, k] = maps[:, :, y * sy:y * sy + ky, k * sx:k * sx + kx].max(axis=(2, 3))
    return out.reshape(len(spikes), -1)
