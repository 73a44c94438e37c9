"""A picture given once to neurons that hold their current is the picture in every timestep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.held import hold_current
from spikeloom.sim.golden import run
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

CONV = Conv(shape=(1, 6, 5), out_channels=3, kernel=(3, 2), stride=(2, 1), padding=(1, 1, 0, 1))


def network(**fields) -> Network:
    rng = np.random.default_rng(0)
    size = CONV.target_size
    each = np.repeat([100, 200, 250], CONV.positions)
    h = Population(name="h", size=size, model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), beta=each, theta=rng.integers(300, 500, size),
                   bias=rng.integers(-30, 60, size), v_bits=14, guard_bits=2, reset=Reset.SUBTRACT, **fields)
    return Network(name="n", populations=(
        Population(name="x", size=30, model=Model.INPUT, payload_min=-7, payload_max=7), h,
        Population(name="y", size=2, model=Model.LI, decay=Decay(shift_a=3), readout=Readout.LAST)), projections=(
        Projection(source="x", target="h", weights=rng.integers(-8, 8, (3, 1, 3, 2)), kind=Kind.CONV, conv=CONV),
        Projection(source="h", target="y", weights=rng.integers(-8, 8, (2, size)))))


def pictures(once: bool) -> np.ndarray:
    x = np.random.default_rng(1).integers(-7, 8, (20, 1, 30)).repeat(9, axis=1)
    x[:, once:] *= not once
    return x


def test_every_potential_is_the_same_and_the_synapses_work_once():
    before, after = network(), hold_current(network(), "h")
    a, b = run(before, pictures(False), record=True), run(after, pictures(True), record=True)
    for name in ("h", "y"):
        assert np.array_equal(a.potentials[name], b.potentials[name])
    assert 0.05 < a.spikes["h"].mean() < 0.9 and not b.saturations["h"]
    assert np.array_equal(a.counters["h"].sops, 9 * b.counters["h"].sops) and np.array_equal(a.counters["y"].sops, b.counters["y"].sops)
    # A picture that is given only once to neurons that hold nothing is another thing.
    assert not np.array_equal(run(before, pictures(True), record=True).potentials["h"], b.potentials["h"])


def test_the_current_has_the_bits_that_the_largest_picture_needs():
    after = hold_current(network(), "h")
    weights = after.projections[0].weights.reshape(3, -1)
    most = 4 * max(7 * int(abs(weights).sum(axis=1).max()), 1)
    assert after.population("h").i_bits == most.bit_length() + 1


def test_what_is_not_driven_by_a_picture_is_refused():
    for change, text in (("y", "h -> y"), ("h", "x -> h")):
        net = network()
        if change == "h":
            net = replace(net, projections=(replace(net.projections[0], delay=1), net.projections[1]))
        with pytest.raises(NetworkError, match=text):
            hold_current(net, change)
