"""The golden model against the printed equations in float64 (tests/float_models.py); docs/numerics.md has the whole table."""

from functools import cache

import numpy as np
import pytest
from float_layers import GATE_STEP, MODELS, STEP, agreement, clips_for, random_layer, tabulated, to_network
from float_models import FloatLayer, run_layer

from spikeloom.spec.network import Reset

# Least fraction of neuron-steps that fire alike with the same past, by bits of the state; the table of the documentation, with a margin of some
# four times the difference that was measured. At 24 bits one of the 38,400 decisions may be so near to the threshold that it falls the other way.
BOUND = {8: 0.93, 12: 0.995, 16: 0.9992, 24: 1 - 1.5 / 38_400}


@cache
def case(name: str, bits: int, exact: bool = True, weight_bits: int = 8):
    """Layer (its gate that of the integer table), network and clips of a model."""
    layer = random_layer(name, seed=3, exact=exact)
    steps = {"step": STEP, "gate_step": GATE_STEP} if exact else {}
    network = to_network(layer, v_bits=bits, weight_bits=weight_bits, **steps)
    if layer.model == "spikgru" and exact:
        layer = tabulated(layer, network)
    return layer, network, clips_for(layer, seed=4, clips=10, steps=60)


@pytest.mark.parametrize("name", MODELS)
def test_agreement_grows_with_the_bits_of_the_state(name):
    found = {}
    for bits, bound in BOUND.items():
        layer, network, x = case(name, bits)
        found[bits] = agreement(network, layer, x)
        assert found[bits].forced >= bound and found[bits].saturations == 0
    assert found[8].forced < found[12].forced < found[16].forced <= found[24].forced
    assert found[8].free < found[16].free <= found[24].free and found[24].clips >= 0.9
    assert 0.03 < run_layer(layer, x).spikes.mean() < 0.2  # neither silent nor saturated: the comparison says something


@pytest.mark.parametrize("name", MODELS)
def test_agreement_grows_with_the_bits_of_a_weight(name):
    found = []
    for bits in (2, 4, 6, 8):
        layer, network, x = case(name, 16, exact=False, weight_bits=bits)
        found.append(agreement(network, layer, x).forced)
    assert found == sorted(found) and found[-1] > 0.99 > 0.9 > found[0]


def test_the_table_of_the_gate_costs_little():
    exact = random_layer("SpikGRU", seed=3)
    _, network, x = case("SpikGRU", 24)
    assert exact.gate is not tabulated(exact, network).gate
    assert 0.999 < agreement(network, exact, x).forced < BOUND[24]


def reset_before_decay(layer: FloatLayer, v, i, drive, gate, s):
    return layer.beta * (v - layer.theta * s) + drive, i


def gated_reset(layer: FloatLayer, v, i, drive, gate, s):
    i, z = layer.alpha * i + drive, layer.gate(gate)
    return z * (v - layer.theta * s) + (1 - z) * i, i


def gate_the_other_way(layer: FloatLayer, v, i, drive, gate, s):
    i, z = layer.alpha * i + drive, layer.gate(gate)
    return (1 - z) * v + z * i - layer.theta * s, i


def current_of_the_step_before(layer: FloatLayer, v, i, drive, gate, s):
    return layer.beta * v + (1 - layer.beta) * i - layer.theta * s, layer.alpha * i + drive


def gain_of_alpha(layer: FloatLayer, v, i, drive, gate, s):
    i = layer.alpha * i + drive
    return layer.beta * v + (1 - layer.alpha) * i - layer.theta * s, i


@pytest.mark.parametrize(("name", "wrong"), [
    ("LIF", reset_before_decay), ("ALIF", reset_before_decay), ("LIF, up to 7 spikes", reset_before_decay), ("LIF, refractory 3", reset_before_decay),
    ("SpikGRU", gated_reset), ("SpikGRU", gate_the_other_way), ("Cuba-LIF, gain 1 - beta", current_of_the_step_before),
    ("Cuba-LIF, gain 1 - beta", gain_of_alpha), ("Cuba-LIF, gain 1", gain_of_alpha)])
def test_a_wrong_equation_is_seen(name, wrong):
    layer, network, x = case(name, 24)
    found = agreement(network, layer, x, step=wrong)
    assert found.forced < BOUND[16] and found.clips == 0


def zero(layer: FloatLayer, v, i, drive, gate, s):
    return layer.beta * np.where(s > 0, 0.0, v) + drive, i


def zero_after(layer: FloatLayer, v, i, drive, gate, s):
    return np.where(s > 0, 0.0, layer.beta * v + drive), i


def gated_zero(layer: FloatLayer, v, i, drive, gate, s):
    i, z = layer.alpha * i + drive, layer.gate(gate)
    return z * np.where(s > 0, 0.0, v) + (1 - z) * i, i


@pytest.mark.parametrize(("name", "reset", "step"), [
    ("LIF", Reset.SUBTRACT_BEFORE_DECAY, reset_before_decay), ("LIF", Reset.ZERO, zero), ("LIF", Reset.ZERO_AFTER, zero_after),
    ("SpikGRU", Reset.SUBTRACT_BEFORE_DECAY, gated_reset), ("SpikGRU", Reset.ZERO, gated_zero)])
def test_another_reset_is_the_equation_that_the_contract_gives_it(name, reset, step):
    layer, _, x = case(name, 24)
    network = to_network(random_layer(name, seed=3), v_bits=24, step=STEP, gate_step=GATE_STEP, reset=reset)
    assert agreement(network, layer, x, step=step).forced >= BOUND[24]
    assert agreement(network, layer, x).forced < BOUND[16]


@pytest.mark.parametrize("change", [{"jump": 0.5}, {"rho": 0.9}, {"delay": 1}, {"theta": 1.05}])
def test_a_wrong_parameter_is_seen(change):
    layer, network, x = case("ALIF", 24)
    wrong = FloatLayer(**{**vars(layer), **change})
    assert agreement(network, wrong, x).forced < BOUND[16]


def test_weights_that_are_finer_than_the_state_are_refused():
    with pytest.raises(ValueError, match="A weight step of 0.0625 is finer than a state of 7 bits"):
        to_network(random_layer("LIF", seed=3), v_bits=7, step=STEP)


def test_forcing_its_own_spikes_changes_nothing():
    layer, _, x = case("LIF, refractory 3, held", 16)
    own = run_layer(layer, x)
    forced = run_layer(layer, x, forced=own.spikes)
    assert np.array_equal(own.spikes, forced.spikes) and np.array_equal(own.v, forced.v)
