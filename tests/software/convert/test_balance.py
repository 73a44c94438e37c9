"""Conversion of ReLU networks: rates against activations, the two methods against each other, thresholds against their definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.float_layers import convolution, fully_connected, spread
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.sim import golden
from spikeloom.software.convert.activations import activations
from spikeloom.software.convert.balance import convert
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Port, Readout, Reset


def relu_network(seed: int = 0, shared: bool = False) -> FloatNetwork:
    """Graded 1 x 6 x 6 maps, two convolutions (or one, twice), an average pool, five values."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0, 0.35, (4, 4, 3, 3))
    a = convolution("x", "a", rng.normal(0, 0.1, (4, 1, 3, 3)), (1, 6, 6), padding=1)
    b = convolution("a", "b", w, (4, 6, 6), padding=1, matrix="w" if shared else "")
    c = convolution("b", "c", w if shared else rng.normal(0, 0.35, (4, 4, 3, 3)), (4, 6, 6), padding=1, matrix="w" if shared else "")
    y = fully_connected("c", "y", rng.normal(0, 0.4, (5, 36)), (4, 6, 6), pool=2, average=True)
    layers = [FloatPopulation(name=name, size=144, model=Model.IF, bias=spread(rng.normal(0.05, 0.1, 4), (4, 6, 6))) for name in "abc"]
    return FloatNetwork(name="relu", projections=(a, b, c, y), populations=(
        FloatPopulation(name="x", size=36, model=Model.INPUT, payload_max=15), *layers,
        FloatPopulation(name="y", size=5, model=Model.LI, bias=rng.normal(0, 0.1, 5), readout=Readout.LAST)))


def pictures(n: int = 20, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (n, 36))


def repeated(x: np.ndarray, steps: int) -> np.ndarray:
    return np.repeat(x[:, None], steps, axis=1)


def test_activations_are_those_of_the_layers_written_out():
    net, x = relu_network(), pictures().astype(np.float32)
    a, b, c, y = net.projections
    z = activations(net, x)
    za = a.apply(x) + np.asarray(net.population("a").bias)
    zb = b.apply(np.maximum(za, 0)) + np.asarray(net.population("b").bias)
    zc = c.apply(np.maximum(zb, 0)) + np.asarray(net.population("c").bias)
    np.testing.assert_allclose(z["y"], y.apply(np.maximum(zc, 0)) + np.asarray(net.population("y").bias), rtol=1e-4, atol=1e-5)
    assert (zc < 0).mean() > 0.1 and set(z) == {"a", "b", "c", "y"}


@pytest.mark.parametrize("method", ["balance", "normalize"])
def test_rates_come_close_to_activations_as_one_over_the_timesteps(method):
    net, x = relu_network(), pictures()
    snn = convert(net, x, method=method)
    worth, z = snn.metadata["conversion"]["lambda"], activations(net, x)
    errors = []
    for steps in (16, 128):
        result = run_float(snn, repeated(x, steps), record=True)
        rates = {name: result.spikes[name].mean(axis=1) for name in "abc"}
        assert abs(rates["a"] - np.maximum(z["a"], 0) / worth["a"]).max() <= 0.5 / steps + 1e-4  # the first layer counts to the nearest spike
        errors.append(max(abs(rates[name] - np.maximum(z[name], 0) / worth[name]).mean() for name in "bc"))
        unit = worth["c"] if method == "balance" else 1.0
        value = result.readouts["y"] / steps * unit
        assert abs(value - z["y"]).max() < 20 * abs(z["y"]).max() / steps
    assert errors[1] < 0.25 * errors[0] and errors[1] < 0.01


def test_the_two_methods_are_the_same_network():
    net, x = relu_network(1), pictures()
    ours, theirs = (run_float(convert(net, x, method=method), repeated(x, 40), record=True) for method in ("balance", "normalize"))
    for name in "abc":
        assert (ours.spikes[name] == theirs.spikes[name]).mean() > 0.999  # float32 rounds differently
        assert ours.spikes[name].any()


def test_thresholds_are_the_ratio_of_the_largest_values():
    net, x = relu_network(2), pictures()
    z = activations(net, x)
    snn = convert(net, x, start=0.25)
    largest = {name: z[name].max() for name in "abc"}
    for name, before in (("a", 1.0), ("b", largest["a"]), ("c", largest["b"])):
        p = snn.population(name)
        assert np.allclose(p.threshold, largest[name] / before) and np.allclose(p.v_init, 0.25 * p.threshold)
        assert np.allclose(p.bias, net.population(name).bias / before)
        assert (p.model, p.reset, p.beta, p.strict) == (Model.IF, Reset.SUBTRACT, 1.0, False)
    assert all(np.array_equal(q.weights, r.weights) for q, r in zip(snn.projections, net.projections, strict=True))
    lower = convert(net, x, percentile=90.0).metadata["conversion"]["lambda"]
    assert all(lower[name] == pytest.approx(np.percentile(z[name][z[name] > 0], 90.0)) and lower[name] < largest[name] for name in "abc")
    assert (np.asarray(convert(net, x, method="normalize").population("b").threshold) == 1).all()


def test_by_spikes_thresholds_are_what_the_spikes_of_the_layers_before_give():
    """Algorithm 1 of the thesis, layer by layer: with Poisson events, and with pictures."""
    net, x = relu_network(3), pictures(6)
    events = (np.random.default_rng(1).random((6, 50, 36)) < x[:, None] / 15).astype(int)
    for examples, value in ((x, 1.0), (events, 15.0)):
        snn = convert(net, examples, by="spikes", steps=50, input_value=value)
        result = run_float(snn, repeated(x, 50) if examples is x else events, record=True)
        held = {"x": repeated(x, 50) if examples is x else events, **result.spikes}
        for q in snn.projections[:3]:
            p = snn.population(q.target)
            sums = q.apply(held[q.source].reshape(-1, q.shape[1]).astype(np.float32)) + np.asarray(p.bias)
            assert np.asarray(p.threshold)[0] == pytest.approx(sums.max(), rel=1e-4)


def test_poisson_events_give_the_rates_of_their_mean():
    net, x = relu_network(4), pictures(4)
    events = (np.random.default_rng(2).random((4, 2500, 36)) < x[:, None] / 15).astype(int)
    net = replace(net, populations=tuple(replace(p, payload_max=1) if p.name == "x" else p for p in net.populations))
    snn = convert(net, x / 15, input_value=15.0)
    rate = run_float(snn, events, record=True).spikes["b"].mean(axis=1)
    assert abs(rate - np.maximum(activations(net, x)["b"], 0) / snn.metadata["conversion"]["lambda"]["b"]).mean() < 0.02


def test_passes_that_share_a_matrix_get_thresholds_of_their_own():
    net, x = relu_network(5, shared=True), pictures()
    snn = convert(net, x)
    assert [q.matrix for q in snn.projections] == ["", "w", "w", ""]
    assert np.asarray(snn.population("b").threshold)[0] != pytest.approx(np.asarray(snn.population("c").threshold)[0])
    network = quantize(snn, weight_bits=8, clips=Clips.from_dense(repeated(x, 20))).network
    assert np.array_equal(network.projections[1].weights, network.projections[2].weights)
    assert [q.matrix for q in convert(net, x, method="normalize").projections] == [""] * 4


def test_integers_answer_as_the_relu_network():
    net, x = relu_network(6), pictures(60)
    wanted = activations(net, x)["y"].argmax(axis=1)
    snn = convert(net, x)
    network = quantize(snn, weight_bits=8, clips=Clips.from_dense(repeated(x, 64))).network
    answers = golden.run(network, repeated(x, 64)).answers
    assert (answers == wanted).mean() > 0.9 and len(set(wanted)) > 1
    assert (golden.run(network, repeated(x, 1)).answers == wanted).mean() < 0.9  # one timestep is too few: the check can fail


def test_layers_that_meet_need_normalization():
    net, x = relu_network(7), pictures()
    skip = replace(net, projections=(*net.projections, convolution("a", "c", np.eye(4).reshape(4, 4, 1, 1) * 0.5, (4, 6, 6))))
    with pytest.raises(NetworkError, match="Population 'c': spikes of its sources stand for different activations .b .*, a .*use the method "
                                           "'normalize'"):
        convert(skip, x)
    snn, z = convert(skip, x, method="normalize"), activations(skip, x)
    rate = run_float(snn, repeated(x, 200), record=True).spikes["c"].mean(axis=1)
    assert abs(rate - np.maximum(z["c"], 0) / snn.metadata["conversion"]["lambda"]["c"]).mean() < 0.01


@pytest.mark.parametrize(("change", "text"), [
    ({"method": "both"}, "method must be one of balance, normalize, not 'both'"), ({"by": "luck"}, "by must be one of"),
    ({"percentile": 0}, "percentile must be above 0"), ({"start": 1}, "start must be 0 thresholds"), ({"steps": 0}, "steps must be 1 to"),
    ({"input_value": 0.0}, "input_value must be above 0"), ({"x": np.zeros((0, 36))}, "at least one, not of shape .0, 36."),
    ({"x": np.zeros((2, 35))}, "x has shape .2, 35., and must be .N, 36."), ({"x": np.full((2, 36), -1e3)}, "it is never above 0 on 2 examples")])
def test_what_cannot_be_converted_is_said(change, text):
    x = change.pop("x", pictures())
    net = relu_network()
    if "never" in text:
        first = replace(net.projections[0], weights=abs(net.projections[0].weights))
        net = replace(net, projections=(first, *net.projections[1:]))
    with pytest.raises(NetworkError, match=text):
        convert(net, x, **change)


@pytest.mark.parametrize(("projection", "text"), [
    (FloatProjection(source="c", target="a", weights=np.zeros((144, 144)), delay=1), "c->a: conversion takes a network without delays"),
    (FloatProjection(source="a", target="b", weights=np.zeros((144, 144)), port=Port.BLOCK), "lead to port 'i'")])
def test_only_feed_forward_networks_are_converted(projection, text):
    net = relu_network()
    net = replace(net, projections=(*net.projections, projection),
                  populations=tuple(replace(p, inhibition=1) if p.name == "b" else p for p in net.populations))
    with pytest.raises(NetworkError, match=text):
        convert(net, pictures())
