"""Max pooling of spikes: against loops over the definition, against PyTorch, on a chip; and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.topology import max_pool
from spikeloom.sim.golden import run
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from .chip_bench import prove
from .test_convolutions import clip

SHAPE = (3, 6, 5)
CASES = [{"kernel": (2, 2)}, {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 1, 0, 1)}, {"kernel": (1, 5)}]


def pooled(**geometry) -> Network:
    """Spikes, their pool, and a convolution of the pool."""
    x = Population(name="x", size=90, model=Model.INPUT)
    pool = max_pool(x, name="m", shape=SHAPE, **geometry)
    conv = Conv(shape=pool.projection.conv.out_shape, out_channels=4, kernel=(1, 1))
    y = Population(name="y", size=conv.target_size, model=Model.IF, theta=5, v_bits=10, reset=Reset.SUBTRACT, readout=Readout.COUNT)
    weights = np.random.default_rng(0).integers(-2, 8, conv.weights_shape)
    return Network(name="n", populations=(x, pool.population, y), projections=(pool.projection, Projection(
        source="m", target="y", weights=weights, weight_bits=4, kind=Kind.CONV, conv=conv)))


def by_loops(x: np.ndarray, kernel, stride=None, padding=(0, 0, 0, 0)) -> np.ndarray:
    """``[T, size]``: the largest of each window of ``x`` ``[T, source size]``."""
    (top, bottom, left, right), (sy, sx) = padding, stride or kernel
    maps = np.pad(x.reshape(len(x), *SHAPE), ((0, 0), (0, 0), (top, bottom), (left, right)))
    height, width = (maps.shape[2] - kernel[0]) // sy + 1, (maps.shape[3] - kernel[1]) // sx + 1
    return np.stack([maps[:, :, y * sy:y * sy + kernel[0], k * sx:k * sx + kernel[1]].max(axis=(2, 3)) for y in range(height) for k in range(width)],
                    axis=2).reshape(len(x), -1)


def differs(network: Network, geometry: dict) -> bool:
    x = clip(network, steps=12, density=0.15)
    result = run(network, x[None], record=True)
    return not np.array_equal(result.spikes["m"][0], by_loops(x, **geometry))


@pytest.mark.parametrize("geometry", CASES)
def test_a_pool_is_the_largest_of_each_window(geometry):
    network = pooled(**geometry)
    assert not differs(network, geometry) and run(network, clip(network, steps=12, density=0.15)[None]).saturations["m"] == 0
    for change in ({"theta": 2}, {"reset": Reset.SUBTRACT}):  # and the comparison sees another rule
        other = tuple(replace(p, **change) if p.name == "m" else p for p in network.populations)
        assert differs(replace(network, populations=other), geometry)


@pytest.mark.parametrize("geometry", CASES)
def test_a_pool_is_what_pytorch_says(geometry):
    torch = pytest.importorskip("torch", reason="PyTorch is in the extra train")
    network = pooled(**geometry)
    x = clip(network, steps=12, density=0.15)
    top, bottom, left, right = geometry.get("padding", (0, 0, 0, 0))
    maps = torch.nn.functional.pad(torch.tensor(x).reshape(12, *SHAPE).double(), (left, right, top, bottom))
    wanted = torch.nn.functional.max_pool2d(maps, geometry["kernel"], geometry.get("stride"))
    np.testing.assert_array_equal(run(network, x[None], record=True).spikes["m"][0], wanted.reshape(12, -1).numpy())


def test_a_pool_on_a_chip_equals_the_models_and_its_listeners_have_axons_for_the_pooled_map_alone():
    network = pooled(**CASES[1])
    chip = plan(network, lanes=2, tiles=4, counters=True)
    check_chip(chip, pack(chip, network), network)
    assert prove(network, chip, clip(network, steps=6)).spikes
    pool = next(t for t in chip.tiles if any(g.population == "m" for g in t.groups))
    assert pool.weight_bits == 1 and pool.weight_depth == 6 * -(-pool.groups[0].channels // pool.lanes)
    assert all(g.sparse.words and len(g.sparse.words) <= network.population("m").size for t in chip.tiles for g in t.groups if g.population == "y")


@pytest.mark.parametrize("source, shape, text", [
    (Population(name="x", size=90, model=Model.INPUT, payload_max=3), SHAPE, "sends payloads of 1 to 3"),
    (Population(name="x", size=90, model=Model.INPUT), (3, 6, 6), "has 108 neurons, and 'x' 90"),
    (Population(name="x", size=90, model=Model.IF, theta=9, max_spikes=2), SHAPE, "sends payloads of 1 to 2")])
def test_what_is_no_map_of_spikes_is_refused(source, shape, text):
    with pytest.raises(NetworkError) as error:
        max_pool(source, name="m", shape=shape, kernel=(2, 2))
    assert text in str(error.value), str(error.value)
