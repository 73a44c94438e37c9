"""Quantization: what is exact, what is bounded, and what the report says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.gen.quantize_decay import choose_decay
from spikeloom.gen.quantize_weights import quantize_weights
from spikeloom.sim.golden import simulate
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Readout, Reset


def chain(sizes=(6, 12, 5), seed=0, recurrent=False, scale=1.0, readout=Readout.COUNT, **options) -> FloatNetwork:
    """A random float chain; ``options`` go to every neuron population."""
    rng = np.random.default_rng(seed)
    populations = [FloatPopulation(name="input", size=sizes[0], model=Model.INPUT, payload_min=-1)]
    projections = []
    for i, size in enumerate(sizes[1:], 1):
        last = i == len(sizes) - 1
        spikes = not last or readout is Readout.COUNT
        values = {"beta": 0.9, "bias": rng.normal(0, 0.1, size), **options}
        if not spikes:
            values["reset"] = Reset.NONE
        populations.append(FloatPopulation(name=f"p{i}", size=size, model=Model.LIF if spikes else Model.LI,
                                           readout=readout if last else Readout.NONE, **values))
        projections.append(FloatProjection(source=populations[-2].name, target=f"p{i}",
                                           weights=rng.normal(0, scale, (size, sizes[i - 1]))))
    if recurrent:
        projections.append(FloatProjection(source="p1", target="p1", weights=rng.normal(0, 20 * scale, (sizes[1], sizes[1])), delay=1))
    return FloatNetwork(name="chain", populations=tuple(populations), projections=tuple(projections))


def clips_for(network: FloatNetwork, n=20, steps=30, seed=1, low=-1, high=1) -> Clips:
    rng = np.random.default_rng(seed)
    x = rng.integers(low, high + 1, (n, steps, network.inputs[0].size)) * (rng.random((n, steps, network.inputs[0].size)) < 0.4)
    return Clips.from_dense(x)


def by_hand(net: FloatNetwork, x: np.ndarray) -> dict[str, int]:
    """Spikes per population of one clip ``[T, C]``, neuron by neuron, straight from the equations."""
    order = [p for p in net.populations if p.model is not Model.INPUT]
    v = {p.name: [float(p.v_init)] * p.size for p in order}
    out = {p.name: [[0.0] * p.size] for p in net.populations}  # all steps, after a step of silence
    total = {p.name: 0 for p in order}
    for t in range(len(x)):
        out["input"].append([float(a) for a in x[t]])
        for p in order:
            row = []
            for n in range(p.size):
                current = float(p.bias[n])
                for q in net.incoming(p.name):
                    then = t + 1 - q.delay
                    if then >= 0:
                        current += sum(float(w) * s for w, s in zip(q.weights[n], out[q.source][then], strict=True))
                fired = out[p.name][t][n]
                u, theta = v[p.name][n], float(p.threshold[n])
                u = {Reset.SUBTRACT: p.beta * u + current - theta * fired, Reset.SUBTRACT_BEFORE_DECAY: p.beta * (u - theta * fired) + current,
                     Reset.ZERO: p.beta * u * (1 - fired) + current, Reset.ZERO_AFTER: (p.beta * u + current) * (1 - fired),
                     Reset.NONE: p.beta * u + current}[p.reset]
                v[p.name][n] = u
                row.append(float(u > theta if p.strict else u >= theta))
            out[p.name].append(row)
            total[p.name] += int(sum(row))
    return total


@pytest.mark.parametrize("reset", list(Reset))
def test_float_simulation_equals_the_equations_written_out_for_every_reset(reset):
    net = chain((5, 7, 3), recurrent=True, scale=0.4, reset=reset)
    clips = clips_for(net, n=3, steps=12)
    result = run_float(net, clips.dense(), batch=2)
    for i in range(3):
        assert by_hand(net, clips.dense()[i]) == {name: count[i] for name, count in result.spike_counts.items()}
    assert sum(count.sum() for count in result.spike_counts.values()) > 20


def test_delayed_projection_arrives_as_many_timesteps_later():
    x = np.zeros((1, 6, 1), int)
    x[0, 1, 0] = 1
    for delay in (0, 1, 3):
        net = FloatNetwork(name="n", populations=(
            FloatPopulation(name="i", size=1, model=Model.INPUT),
            FloatPopulation(name="o", size=1, model=Model.LI, beta=0.0, readout=Readout.LAST)),
            projections=(FloatProjection(source="i", target="o", weights=np.ones((1, 1)), delay=delay),))
        assert [run_float(net, x[:, :t + 1]).readouts["o"][0, 0] for t in range(6)] == [float(t == 1 + delay) for t in range(6)]


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO, Reset.ZERO_AFTER, Reset.NONE])
@pytest.mark.parametrize("strict", [True, False])
def test_network_that_is_integer_already_keeps_every_spike(reset, strict):
    """Weights and thresholds on a grid, no leak: nothing is rounded, so every clip must count the same spikes."""
    rng = np.random.default_rng(3)
    w = rng.integers(-8, 8, (9, 6)) / 4
    w[:, 0] = 7 / 4
    net = FloatNetwork(name="exact", populations=(
        FloatPopulation(name="input", size=6, model=Model.INPUT, payload_min=-1),
        FloatPopulation(name="out", size=9, model=Model.LIF, beta=1.0, threshold=rng.integers(3, 20, 9) / 4, bias=rng.integers(-2, 3, 9) / 4,
                        strict=strict, reset=reset, readout=Readout.COUNT)),
        projections=(FloatProjection(source="input", target="out", weights=w),))
    clips = clips_for(net, n=10, steps=15)  # strict subtraction of theta + 1 would drift apart by one unit per spike
    result = quantize(net, weight_bits=4, clips=clips, guard_bits=8)
    assert result.network.population("out").model is Model.IF
    assert result.report.projections[0].largest_error == 0.0
    expected = run_float(net, clips.dense()).readouts["out"]
    assert expected.sum() > 50
    np.testing.assert_array_equal(simulate(result.network, clips).readouts["out"], expected)


def test_strict_threshold_becomes_the_next_integer_and_the_other_the_nearest():
    net = chain((2, 3), threshold=1.0, bias=0.0)
    net = replace(net, projections=(replace(net.projections[0], weights=np.array([[0.5, -1.75], [0.25, 1.5], [-1.75, 1.75]])),))
    population = quantize(net, weight_bits=4, guard_bits=2).network.population("p1")
    np.testing.assert_array_equal(population.theta, [4 * 4 + 1] * 3)  # one unit of the sum is 1/4
    net = replace(net, populations=(net.populations[0], replace(net.populations[1], strict=False)))
    np.testing.assert_array_equal(quantize(net, weight_bits=4, guard_bits=2).network.population("p1").theta, [4 * 4] * 3)


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_fit_their_bits_and_err_by_half_a_step_unless_clipped(bits):
    rng = np.random.default_rng(bits)
    w = rng.standard_t(3, (30, 50))
    q = quantize_weights([w], weight_bits=bits, per_neuron=True, floor=np.full(30, 1e-9))
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    steps = w / q.scale[:, None]
    assert low <= q.weights[0].min() and q.weights[0].max() <= high
    inside = (steps > low - 0.5) & (steps < high + 0.5)
    assert abs(q.weights[0] - steps)[inside].max() <= 0.5
    assert inside.mean() > 0.8
    # The search is at least as good as the scale that clips nothing.
    plain = abs(w).max(axis=1) / high
    error = np.square(np.rint(w / plain[:, None]) * plain[:, None] - w).sum(axis=1)
    assert (np.square(q.weights[0] * q.scale[:, None] - w).sum(axis=1) <= error * (1 + 1e-12)).all()


def test_projections_into_one_population_share_the_scale_and_a_shift_keeps_the_small_ones_fine():
    net = chain((6, 12, 5), recurrent=True)
    result = quantize(net, weight_bits=6)
    small, large = result.network.projections[0], result.network.projections[2]
    ratio = abs(net.projections[2].weights).max() / abs(net.projections[0].weights).max()
    assert small.shift == 0 and 2.0 ** (large.shift - 0.5) <= ratio <= 2.0 ** (large.shift + 0.5) and large.shift > 2
    for p in result.report.projections:
        assert p.relative_error < 0.04
    bias = result.network.population("p1").bias / result.network.population("p1").theta
    np.testing.assert_allclose(bias, net.population("p1").bias, atol=0.02)


@pytest.mark.parametrize("readout", [Readout.LAST, Readout.SUM, Readout.MAX])
def test_neurons_that_are_read_as_values_have_one_scale(readout):
    net = chain((6, 12, 5), readout=readout)
    clips = clips_for(net, n=60)
    report = quantize(net, clips=clips).report
    hidden, out = report.populations
    assert (hidden.scale, out.scale) == ("neuron", "layer") and out.scale_min == out.scale_max and hidden.scale_min < hidden.scale_max
    assert report.comparison is not None and report.comparison.agreement is not None and report.comparison.agreement > 0.9


@pytest.mark.parametrize(("beta", "bits", "factor"), [(0.9, 8, 230), (0.9, 12, 3686), (0.5, 8, 128), (0.9999, 8, 255), (0.0, 8, 0)])
def test_multiplier_is_the_nearest_and_never_one(beta, bits, factor):
    choice = choose_decay(beta, "multiply", bits)
    assert choice.decay.factor == factor
    assert choice.absolute_error == pytest.approx(factor / 2**bits - beta)


@pytest.mark.parametrize(("beta", "shifts"), [(0.875, (3, None)), (0.9, (4, 5)), (0.75, (2, None)), (0.96875, (5, None)), (0.5, (1, None))])
def test_shifts_are_the_nearest_and_one_if_one_is_enough(beta, shifts):
    choice = choose_decay(beta, "shift")
    assert (choice.decay.shift_a, choice.decay.shift_b) == shifts
    grid = [1 - 2.0**-a for a in range(1, 16)] + [1 - 2.0**-a - 2.0**-b for a in range(1, 16) for b in range(1, 16)]
    assert abs(choice.absolute_error) == min(abs(b - beta) for b in grid)


def test_fraction_bits_grow_with_beta_until_the_gain_is_met():
    assert [choose_decay(b).decay.fraction_bits for b in (0.5, 0.9, 0.99)] == [8, 9, 12]
    assert abs(choose_decay(0.9).gain_error) < 0.005
    assert choose_decay(1.0).decay.kind == "none"


def test_membrane_without_clips_holds_the_largest_v_that_events_can_lead_to():
    net = chain((6, 4), scale=0.3)
    result = quantize(net)
    population = result.network.population("p1")
    assert result.report.populations[0].v_bits_from == "bound"
    rows = result.network.projections[0].weights
    worst = np.concatenate([np.broadcast_to(np.sign(rows)[:, None], (4, 100, 6)), np.broadcast_to(-np.sign(rows)[:, None], (4, 100, 6))])
    assert simulate(result.network, Clips.from_dense(worst.astype(int))).saturations["p1"] == 0
    # The same events do saturate a membrane of two bits less: the check can fail.
    narrow = quantize(net, v_bits=population.v_bits - 2, guard_bits=population.guard_bits).network
    assert simulate(narrow, Clips.from_dense(worst.astype(int))).saturations["p1"] > 0


def test_saturations_on_clips_are_reported():
    net = chain((6, 4), scale=3.0, threshold=0.5)
    result = quantize(net, v_bits=11, clips=clips_for(net, steps=100), guard_bits=3)
    assert result.report.comparison is not None and result.report.comparison.saturations["p1"] > 0
    assert "saturates" in str(result)


def test_membrane_of_hundreds_of_thresholds_is_cut_to_one_multiplier():
    rng = np.random.default_rng(0)
    weights = np.concatenate([rng.normal(0, 300, (2, 60)), rng.normal(0, 3, (2, 60))])
    wide = FloatNetwork(name="wide", populations=(FloatPopulation(name="input", size=60, model=Model.INPUT, payload_min=-1),
                                                  FloatPopulation(name="p1", size=4, model=Model.LIF, beta=0.9, readout=Readout.COUNT)),
                        projections=(FloatProjection(source="input", target="p1", weights=weights),))
    report = quantize(wide).report.populations[0]
    assert report.v_bits_from.startswith("cut, bound") and report.v_bits >= np.log2(16 * report.theta_max)


def test_neurons_without_weights_or_with_tiny_ones_stay_within_the_format():
    net = chain((6, 4), bias=np.array([0.0, 0.5, -3.0, 0.0]))
    w = net.projections[0].weights.copy()
    w[0], w[1], w[2] = 0.0, 1e-12, 1e-30
    net = replace(net, projections=(replace(net.projections[0], weights=w),))
    for scale in ("neuron", "layer"):
        population = quantize(net, scale=scale).network.population("p1")
        assert population.v_bits <= 24
        np.testing.assert_allclose(population.bias / population.theta, [0, 0.5, -3, 0], atol=0.03)


def test_input_range_is_widened_to_what_the_clips_send():
    net = chain((6, 4))
    network = quantize(net, clips=clips_for(net, low=-3, high=180)).network
    assert (network.inputs[0].payload_min, network.inputs[0].payload_max) == (-4, 255)
    assert quantize(net, clips=clips_for(net)).network.inputs[0].payload_max == 1


def test_integer_network_answers_as_the_float_network_and_less_so_with_fewer_bits():
    net = chain((20, 40, 8), scale=0.2, bias=0.0)
    clips = replace(clips_for(net, n=200), labels=np.zeros(200, np.int64))
    agreement = {}
    for bits in (8, 2):
        c = quantize(net, weight_bits=bits, clips=clips).report.comparison
        assert c is not None and c.agreement is not None and c.accuracy_float is not None
        agreement[bits] = c.agreement
        if bits == 8:
            assert abs(c.spikes_integer["p1"] / c.spikes_float["p1"] - 1) < 0.02
    assert agreement[8] > 0.9 > agreement[2]


def test_same_input_gives_the_same_network_and_its_report_is_json():
    import json

    net = chain(recurrent=True)
    clips = clips_for(net)
    a, b = quantize(net, weight_bits=5, clips=clips), quantize(net, weight_bits=5, clips=clips)
    assert a.network.digest == b.network.digest
    assert json.loads(json.dumps(a.report.as_json()))["weight_bits_total"] == 5 * (6 * 12 + 12 * 5 + 12 * 12)
    assert "beta 0.9 -> 461/512" in str(a)


@pytest.mark.parametrize(("options", "text"), [
    ({"weight_bits": 9}, "Weight bits must be 1 to 8, not 9"),
    ({"weight_bits": 0}, "Weight bits must be 1 to 8, not 0"),
    ({"scale": "tile"}, "Scale must be neuron or layer, not 'tile'"),
    ({"decay": "table"}, "Decay must be multiply or shift, not 'table'"),
    ({"fraction_bits": 13}, "Fraction bits of a decay must be 8 to 12, not 13"),
])
def test_parameter_out_of_range_is_refused(options, text):
    with pytest.raises(NetworkError, match=text):
        quantize(chain(), **options)


def test_float_network_refuses_what_it_cannot_simulate():
    with pytest.raises(NetworkError, match="beta must be 0 to 1, not nan"):
        FloatPopulation(name="a", size=1, model=Model.LIF, beta=float("nan"))
    with pytest.raises(NetworkError, match="thresholds must be above 0"):
        FloatPopulation(name="a", size=1, model=Model.LIF, threshold=0.0)
    with pytest.raises(NetworkError, match="hold 1 values that are infinite"):
        FloatProjection(source="a", target="b", weights=np.array([[np.inf]]))
    with pytest.raises(NetworkError, match="cycle"):
        net = chain()
        FloatNetwork(name="n", populations=net.populations,
                     projections=(*net.projections, FloatProjection(source="p1", target="p1", weights=np.zeros((12, 12)))))
    with pytest.raises(NetworkError, match="6 input channels"):
        run_float(chain(), np.zeros((1, 2, 7), int))
    with pytest.raises(NetworkError, match="6 input channels, the clips have 2"):
        quantize(chain(), clips=Clips.from_dense(np.ones((1, 2, 2), int)))


@pytest.mark.parametrize("v_bits", [8, 12, 16])
@pytest.mark.parametrize("strict", [True, False])
def test_a_threshold_that_nothing_reaches_fits_a_given_state(v_bits, strict) -> None:
    """Its need is the threshold itself, and a strict theta is one above it."""
    net = FloatNetwork(name="far", populations=(
        FloatPopulation(name="x", size=1, model=Model.INPUT),
        FloatPopulation(name="n", size=1, model=Model.LIF, beta=0.5, threshold=20.0, strict=strict, readout=Readout.COUNT)),
        projections=(FloatProjection(source="x", target="n", weights=np.array([[0.01]])),))
    clips = Clips.from_dense(np.ones((2, 5, 1), np.int64))
    p = quantize(net, v_bits=v_bits, clips=clips).network.population("n")
    assert p.v_bits == v_bits and p.v_max / 2 < p.theta[0] <= p.v_max
