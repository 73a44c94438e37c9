"""The float simulation: every model against the printed equations of float_models.py, every reset, mode and readout against the golden model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_layers import MODELS, clips_for, random_layer
from float_models import run_layer
from layers_in_float import of_layer

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Port, Projection, Readout, Refractory, Reset


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_computes_the_printed_equations(name):
    layer = random_layer(name, 5, inputs=40, size=24)
    layer = replace(layer, v_init=np.linspace(-0.5, 0.9, 24), theta=np.round(np.linspace(0.7, 1.3, 24) * 16) / 16)
    x = clips_for(layer, 6, clips=6, steps=40)
    ours, printed = run_float(of_layer(layer), x, record=True, batch=4), run_layer(layer, x)
    np.testing.assert_array_equal(ours.spikes["y"], printed.spikes)
    np.testing.assert_array_equal(ours.readouts["y"], printed.spikes.sum(axis=1))
    assert 0.02 < ours.rates["y"] == printed.spikes.mean() < 0.5
    np.testing.assert_allclose(ours.v_high["y"], np.maximum(printed.v.max(axis=(0, 1)), layer.v_init), atol=1e-4)
    np.testing.assert_allclose(ours.v_low["y"], np.minimum(printed.v.min(axis=(0, 1)), layer.v_init), atol=1e-4)
    if "y" in ours.i_high:
        np.testing.assert_allclose(ours.i_high["y"], np.maximum(printed.i.max(axis=(0, 1)), 0), atol=1e-4)
        np.testing.assert_allclose(ours.i_low["y"], np.minimum(printed.i.min(axis=(0, 1)), 0), atol=1e-4)
    if "y" in ours.a_high:
        np.testing.assert_allclose(ours.a_high["y"], (printed.threshold - layer.theta).max(axis=(0, 1)), atol=1e-4)


FIELDS = [
    *({"reset": reset} for reset in Reset), *({"reset": reset, "refractory": 2, "refractory_mode": Refractory.INTEGRATE} for reset in Reset),
    {"reset": Reset.ZERO, "v_floor": -3}, {"reset": Reset.SUBTRACT, "max_spikes": 3, "refractory": 1}, {"reset": Reset.SUBTRACT, "inhibition": 2},
    {"reset": Reset.SUBTRACT, "readout": Readout.FIRST}, {"reset": Reset.SUBTRACT, "readout": Readout.VOTE, "classes": [0, 2, -1, 1, 1, 0]},
    {"model": Model.LI, "readout": Readout.LAST}, {"model": Model.LI, "readout": Readout.SUM}, {"model": Model.CUBALI, "readout": Readout.MAX}]


@pytest.mark.parametrize("fields", FIELDS, ids=lambda f: "-".join(str(getattr(v, "value", v)) for v in f.values()))
def test_whole_numbers_without_leak_are_computed_as_by_the_golden_model(fields):
    """Nothing is rounded where weights are whole and beta is 0 or 1: float and integers must agree on every spike and value."""
    rng = np.random.default_rng(2)
    model = fields.get("model", Model.LIF)
    common = {"name": "y", "size": 6, "readout": Readout.COUNT, **fields, "model": model}
    spikes = model is Model.LIF
    values = {"bias": rng.integers(-1, 2, 6), "v_init": rng.integers(-2, 5, 6)}
    if "classes" in fields:
        common["classes"] = np.array(fields["classes"])
    links = [("x", "y", rng.integers(-4, 6, (6, 5)), 0, Port.CURRENT)]
    if spikes:
        links.append(("y", "y", rng.integers(-3, 3, (6, 6)), 2, Port.CURRENT))
    if "inhibition" in fields:
        links.append(("y", "y", rng.integers(-1, 2, (6, 6)), 1, Port.BLOCK))
    theta = rng.integers(4, 12, 6)
    integer = Network(name="n", populations=(
        Population(name="x", size=5, model=Model.INPUT, payload_min=-2, payload_max=2),
        Population(**{"decay": Decay(factor=8, fraction_bits=3), **common, **values, **({"theta": theta} if spikes else {}),
                      **({"current_decay": Decay(factor=0, fraction_bits=1)} if model is Model.CUBALI else {})})),
        projections=tuple(Projection(source=s, target=t, weights=w, delay=d, port=port) for s, t, w, d, port in links))
    floats = FloatNetwork(name="n", populations=(
        FloatPopulation(name="x", size=5, model=Model.INPUT, payload_min=-2, payload_max=2),
        FloatPopulation(**{**common, **values, **({"alpha": 0.0} if model is Model.CUBALI else {}), "threshold": theta, "strict": False})),
        projections=tuple(FloatProjection(source=s, target=t, weights=w, delay=d, port=port) for s, t, w, d, port in links))
    x = rng.integers(-2, 3, (8, 25, 5)) * (rng.random((8, 25, 5)) < 0.5)
    ours, exact = run_float(floats, x, record=True), golden.run(integer, x, record=True)
    np.testing.assert_array_equal(ours.readouts["y"], exact.readouts["y"])
    np.testing.assert_array_equal(ours.answers, exact.answers)
    if spikes:
        np.testing.assert_array_equal(ours.spikes["y"], exact.spikes["y"])
        assert 20 < exact.spikes["y"].sum() < exact.spikes["y"].size
    np.testing.assert_array_equal(ours.v_low["y"], np.minimum(exact.potentials["y"].min(axis=(0, 1)), values["v_init"]))


def test_a_strict_threshold_of_several_spikes_counts_the_thresholds_below_v():
    net = FloatNetwork(name="n", populations=(
        FloatPopulation(name="x", size=1, model=Model.INPUT),
        FloatPopulation(name="y", size=2, model=Model.IF, max_spikes=3, threshold=[1.0, 1.5], reset=Reset.NONE, readout=Readout.COUNT)),
        projections=(FloatProjection(source="x", target="y", weights=[[1.0], [1.0]]),))
    assert run_float(net, np.ones((1, 5, 1)), record=True).spikes["y"][0].T.tolist() == [[0, 1, 2, 3, 3], [0, 1, 1, 2, 3]]


@pytest.mark.parametrize(("fields", "text"), [
    ({"model": Model.LIF, "alpha": 0.5}, "Population 'a': alpha means nothing to the model lif"),
    ({"model": Model.SPIKGRU, "beta": 0.5}, "beta means nothing to the model spikgru"),
    ({"model": Model.CUBALIF, "jump": 1.0}, "jump means nothing to the model cubalif"),
    ({"model": Model.LI, "max_spikes": 2}, "max_spikes means nothing to the model li"),
    ({"model": Model.ALIF, "rho": [0.5, 0.6]}, "rho must be one number"),
    ({"model": Model.ALIF, "jump": -1.0}, "jumps must be at least 0"),
    ({"model": Model.LIF, "beta": [0.5, 1.5]}, "beta must be 0 to 1, not 1.5"),
    ({"model": Model.LIF, "beta": [0.5]}, r"beta must have one entry per neuron \(2\)"),
    ({"model": Model.LIF, "v_floor": 1.0}, "v_floor must be at most 0"),
    ({"model": Model.LIF, "readout": Readout.VOTE}, "classes of neurons and the readout 'vote' go together"),
])
def test_a_parameter_that_is_wrong_or_means_nothing_is_refused(fields, text):
    with pytest.raises(NetworkError, match=text):
        FloatPopulation(name="a", size=2, **fields)


def test_a_port_that_the_target_does_not_have_is_refused():
    populations = (FloatPopulation(name="a", size=1, model=Model.INPUT), FloatPopulation(name="b", size=1, model=Model.LIF))
    for port, text in ((Port.GATE, "use SPIKGRU, or port 'i'"), (Port.BLOCK, "needs a target with an inhibition")):
        with pytest.raises(NetworkError, match=text):
            FloatNetwork(name="n", populations=populations, projections=(FloatProjection(source="a", target="b", weights=[[1]], port=port),))
