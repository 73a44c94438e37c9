"""Readouts, answers and confidences of the golden model at their limits, and its bounds."""

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.sim._bounds import state_dtype
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Gain, Model, Network, Population, Port, Projection, Readout, Reset


def _one(model=Model.IF, *, size=1, weight=0, **fields):
    """One input of -1 and 1, driving every neuron of a population by ``weight``."""
    return Network(name="one", populations=(
        Population(name="x", size=1, model=Model.INPUT, payload_min=-1, payload_max=1), Population(name="y", size=size, model=model, **fields)),
        projections=(Projection(source="x", target="y", weights=np.full((size, 1), weight)),))


def _values(readout, values, **fields):
    """Readouts of a network whose population is read as these values after one timestep."""
    if readout in (Readout.LAST, Readout.MAX, Readout.SUM):
        return golden.run(_one(Model.LI, size=len(values), bias=values, readout=readout), np.zeros((1, 1, 1), dtype=np.int8))
    return golden.run(_one(size=len(values), theta=1, bias=values, readout=readout, **fields), np.zeros((1, 1, 1), dtype=np.int8))


def test_a_spike_count_saturates_at_65535():
    result = golden.run(_one(theta=1, bias=1, readout=Readout.COUNT), np.zeros((1, 66000, 1), dtype=np.int8))
    assert (result.readouts["y"].item(), result.spike_counts["y"].item()) == (65535, 66000)


def test_the_spikes_of_many_timesteps_of_255_are_counted_exactly():
    n_steps = 69_999  # 255 of each: an odd number beyond 2**24
    result = golden.run(_one(theta=1, bias=255, max_spikes=255, readout=Readout.COUNT), np.zeros((1, n_steps, 1), dtype=np.int8))
    assert (result.readouts["y"].item(), result.spike_counts["y"].item()) == (65535, 255 * n_steps)
    assert result.counters["y"].spikes.item() == n_steps


def test_a_first_spike_later_than_65534_says_65534():
    network = _one(theta=1, weight=1, readout=Readout.FIRST)
    for late, want in ((65533, 65533), (65534, 65534), (65535, 65534), (65999, 65534)):
        x = np.zeros((1, 66000, 1), dtype=np.int8)
        x[0, late] = 1
        assert golden.run(network, x).readouts["y"].item() == want
    assert golden.run(network, x * 0).readouts["y"].item() == 65535


def test_a_vote_adds_the_spikes_of_a_class_and_saturates():
    network = _one(size=5, theta=1, bias=[1, 1, 0, 1, 1], readout=Readout.VOTE, classes=[2, 0, 0, 2, -1])
    result = golden.run(network, np.zeros((2, 3, 1), dtype=np.int8))
    assert result.readouts["y"].tolist() == [[3, 0, 6]] * 2 and result.answers.tolist() == [2, 2] and result.confidences.tolist() == [3, 3]
    assert golden.run(network, np.zeros((1, 40_000, 1), dtype=np.int8)).readouts["y"].tolist() == [[40_000, 0, 65535]]


def test_a_sum_saturates_in_every_step_and_comes_back():
    network = _one(Model.LI, weight=1, decay=Decay(factor=0, fraction_bits=1), v_bits=2, readout=Readout.SUM)
    x = np.ones((1, (1 << 17) + 40, 1), dtype=np.int8)
    x[0, -10:] = -1
    assert golden.run(network, x).readouts["y"].item() == (1 << 17) - 1 - 10


@pytest.mark.parametrize("readout, values, answer, confidence", [
    (Readout.COUNT, [0, 1, 1, 0], 1, 0), (Readout.COUNT, [0, 0, 0], 0, 0), (Readout.COUNT, [0, 0, 1], 2, 1),
    (Readout.FIRST, [0, 1, 0], 1, 65535), (Readout.FIRST, [0, 1, 1], 1, 0), (Readout.FIRST, [0, 0], 0, 0), (Readout.LAST, [-5, -9], 0, 4),
    (Readout.LAST, [-5], 0, 0), (Readout.MAX, [3, 30, 12], 1, 18), (Readout.SUM, [7, -300, 7], 0, 0)])
def test_the_best_readout_answers_and_its_distance_from_the_second_is_the_confidence(readout, values, answer, confidence):
    result = _values(readout, values)
    assert (result.answers.tolist(), result.confidences.tolist()) == ([answer], [confidence])
    assert result.answers.dtype == result.confidences.dtype == np.int64


def test_the_last_population_with_a_readout_answers_and_without_one_nobody_does():
    populations = (Population(name="x", size=1, model=Model.INPUT), *(
        Population(name=name, size=2, model=Model.IF, theta=1, bias=bias, readout=readout, output=True)
        for name, bias, readout in (("a", [1, 0], Readout.COUNT), ("b", [0, 1], Readout.COUNT), ("c", [1, 0], Readout.NONE))))
    projections = tuple(Projection(source="x", target=name, weights=np.zeros((2, 1), int)) for name in "abc")
    network = Network(name="three", populations=populations, projections=projections)
    x = np.zeros((1, 3, 1), dtype=np.int8)
    assert (golden.run(network, x).answers.item(), golden.run(network, x).confidences.item()) == (1, 3)
    silent = golden.run(_one(theta=1, output=True), x)
    assert silent.answers is None and silent.confidences is None


def test_sums_that_need_more_than_62_bits_are_refused():
    weights = np.full((1, 1 << 16), 127)
    network = Network(name="vast", populations=(
        Population(name="x", size=1 << 16, model=Model.INPUT, payload_max=255),
        Population(name="y", size=1, model=Model.IF, guard_bits=12, output=True)),
        projections=tuple(Projection(source="x", target="y", weights=weights, shift=12, delay=k % 64) for k in range(160)))
    with pytest.raises(NetworkError, match=r"Population 'y': its synaptic sums of 0\.\.\d+ shifted left by 12 guard bits need more than 62 bits"):
        golden.run(network, np.zeros((1, 1, 1 << 16), dtype=np.int8))


@pytest.mark.parametrize("fields, wide", [
    (dict(model=Model.SPIKGRU, v_bits=23, i_bits=16, gate_table=[0, 255]), False),
    (dict(model=Model.SPIKGRU, v_bits=24, theta=1 << 22, i_bits=16, gate_table=[0, 255]), True),
    (dict(model=Model.SPIKGRU, v_bits=16, i_bits=24, gate_table=[0, 255]), True),
    (dict(model=Model.SPIKGRU, gate_table=[0, 255], gate_bias=(1 << 31) - 1), True),
    (dict(model=Model.CUBALIF, i_bits=21, current_decay=Decay(factor=4000, fraction_bits=12)), True),
    (dict(model=Model.CUBALIF, i_bits=20, current_decay=Decay(factor=4000, fraction_bits=12)), False),
    (dict(model=Model.CUBALIF, v_bits=12, i_bits=20, gain=Gain.COMPLEMENT, decay=Decay(factor=1, fraction_bits=12)), True),
    (dict(model=Model.ALIF, a_bits=30), True), (dict(model=Model.ALIF, a_bits=20, jump=9), False),
    (dict(model=Model.LIF, v_bits=16, theta=1 << 14, max_spikes=255, reset=Reset.SUBTRACT), False)])
def test_the_integers_are_as_wide_as_the_widest_intermediate_value(fields, wide):
    population = Population(name="y", size=1, **fields)
    assert state_dtype(population, {port: (-100, 100) for port in (Port.CURRENT, Port.GATE)}) is (np.int64 if wide else np.int32)
