"""A convolutional network in floating point becomes a chip: quantized, planned, packed, and equal to the golden and cycle model."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.float_layers import convolution, fully_connected, spread
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.quantize import quantize
from spikeloom.sim.golden import run
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Kind, Model, Readout

from .chip_bench import prove


def network(average: bool) -> FloatNetwork:
    """Graded maps of 2 x 6 x 6, a padded convolution, a grouped one behind a pool, three classes behind another."""
    rng = np.random.default_rng(11)
    a = convolution("x", "a", rng.normal(0.05, 0.3, (4, 2, 3, 3)), (2, 6, 6), padding=1)
    b = convolution("a", "b", rng.normal(0.15, 0.3, (4, 2, 2, 2)), (4, 6, 6), groups=2, padding=(1, 0, 1, 0), pool=2, average=average)
    y = fully_connected("b", "y", rng.normal(0.2, 0.4, (3, 4)), b.conv.out_shape, pool=3, average=average)
    return FloatNetwork(name="deep", projections=(a, b, y), populations=(
        FloatPopulation(name="x", size=72, model=Model.INPUT, payload_max=3),
        FloatPopulation(name="a", size=144, model=Model.LIF, beta=0.9, bias=spread([0.0, 0.1, -0.1, 0.05], (4, 6, 6))),
        FloatPopulation(name="b", size=36, model=Model.LIF, beta=0.8, threshold=spread([0.5, 0.7, 0.6, 0.8], (4, 3, 3))),
        FloatPopulation(name="y", size=3, model=Model.LI, beta=0.95, readout=Readout.MAX)))


@pytest.mark.parametrize(("average", "bits", "lanes"), [(False, 4, 4), (True, 8, 2)])
def test_a_float_network_of_maps_is_equal_on_the_chip(average, bits, lanes):
    rng = np.random.default_rng(12)
    net = network(average)
    x = rng.integers(1, 4, (4, 8, 72)) * (rng.random((4, 8, 72)) < 0.25)
    result = quantize(net, weight_bits=bits, clips=Clips.from_dense(x))
    integers = result.network
    assert all(q.kind is Kind.CONV for q in integers.projections) and not result.report.comparison.warnings
    chip = plan(integers, lanes=lanes, counters=True)
    check_chip(chip, pack(chip, integers), integers)
    prove(integers, chip, x[0])
    exact = run(integers, x)
    assert exact.spike_counts["a"].sum() > 100 and exact.spike_counts["b"].sum() > 20
