"""Quantization of every model: against the float network spike by spike, against the colleague's converter in float_layers.py, and by its parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_layers import MODELS, clips_for, random_layer
from float_layers import agreement as agreement_with
from float_models import run_layer
from layers_in_float import of_layer

from spikeloom.gen import quantize_weights
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.gen.quantize_decay import choose_decays
from spikeloom.gen.quantize_gate import quantize_gate
from spikeloom.sim import golden
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.gate import GATE_RANGE
from spikeloom.spec.network import Gain, Model, Port, Readout, Refractory, Reset


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_at_8_bits_decides_as_the_printed_equations(name):
    """Each decision on the same past (teacher forcing): the fraction that differs is that of 8 bit weights in docs/numerics.md, or less."""
    layer = random_layer(name, 3, inputs=20, size=32, exact=False)
    x = clips_for(layer, 4, clips=6, steps=60)
    result = quantize(of_layer(layer), weight_bits=8, clips=Clips.from_dense(x))
    found = agreement_with(result.network, layer, x)
    assert found.forced > 0.993 and found.saturations < 1
    (entry,) = result.report.comparison.layers
    assert entry.rate_integer == pytest.approx(entry.rate_float, rel=0.1) and entry.agreement > 0.88
    np.testing.assert_array_equal(run_layer(layer, x).spikes.sum(), round(entry.rate_float * x.shape[0] * x.shape[1] * 32))


@pytest.mark.parametrize("name", list(MODELS))
def test_without_clips_the_bound_holds_for_the_worst_events(name):
    layer = random_layer(name, 3, inputs=20, size=8, exact=False)
    net = of_layer(layer)
    net = replace(net, populations=(replace(net.populations[0], payload_min=-1), net.populations[1]))
    result = quantize(net)
    (report,) = result.report.populations
    weights = result.network.projections[0].weights.astype(int)
    worst = np.concatenate([np.broadcast_to(s * np.sign(weights)[:, None], (8, 120, 20)) for s in (1, -1)])
    saturations = golden.run(result.network, worst).saturations["y"]
    assert saturations == 0 if report.proven else report.v_bits_from.startswith("cut") or report.i_bits_from.startswith("cut")
    if name in ("LIF", "Cuba-LIF, gain 1 - beta"):
        assert report.proven and "no events can exceed" in str(result)


def test_all_other_fields_come_through():
    net = FloatNetwork(name="n", populations=(
        FloatPopulation(name="x", size=2, model=Model.INPUT),
        FloatPopulation(name="a", size=3, model=Model.LIF, beta=[0.5, 0.75, 1.0], max_spikes=3, refractory=2, inhibition=4,
                        refractory_mode=Refractory.FIRE, v_init=[0.5, -0.25, 0.0], v_floor=-2.0, reset=Reset.ZERO, readout=Readout.VOTE,
                        classes=[0, 1, -1], labels=("p", "q")),
        FloatPopulation(name="b", size=3, model=Model.CUBALIF, alpha=0.5, beta=0.75, gain=Gain.COMPLEMENT, readout=Readout.FIRST, v_floor=0.0),
        FloatPopulation(name="c", size=3, model=Model.CUBALI, alpha=[0.5, 0.25, 0.125], beta=0.5, readout=Readout.SUM)),
        projections=(FloatProjection(source="x", target="a", weights=np.eye(3, 2)),
                     FloatProjection(source="b", target="a", weights=np.eye(3), delay=3),
                     FloatProjection(source="b", target="a", weights=1e-3 * np.eye(3), delay=1, port=Port.BLOCK),
                     FloatProjection(source="a", target="b", weights=np.eye(3)), FloatProjection(source="b", target="c", weights=np.eye(3))))
    a, b, c = quantize(net).network.populations[1:]
    assert (a.max_spikes, a.refractory, a.refractory_mode, a.inhibition, a.reset) == (3, 2, Refractory.FIRE, 4, Reset.ZERO)
    assert a.beta.tolist() == [128, 192, 256] and a.decay.fraction_bits == 8
    one = a.theta[0] - 1  # a threshold of 1.0, strict
    np.testing.assert_allclose(a.v_init / one, [0.5, -0.25, 0.0], atol=0.01)
    assert a.v_floor / one == pytest.approx(-2, abs=0.01) and a.labels == ("p", "q") and a.classes.tolist() == [0, 1, -1]
    assert (b.current_decay.beta, b.decay.beta, b.gain, b.v_floor, b.readout) == (0.5, 0.75, Gain.COMPLEMENT, 0, Readout.FIRST)
    assert c.alpha.tolist() == [128, 64, 32] and c.readout is Readout.SUM and c.reset is Reset.NONE
    block = quantize(net).network.projections[2]
    assert block.port is Port.BLOCK and (block.weights > 0).sum() == 3 and block.delay == 1


def test_jump_and_rho_of_an_alif_are_in_units_of_its_thresholds():
    net = of_layer(replace(random_layer("ALIF", 1, inputs=5, size=6), jump=0.5))
    p = quantize(net).network.population("y")
    np.testing.assert_allclose(p.jump / p.theta, 0.5, atol=0.02)
    assert p.adaptation_decay.beta == pytest.approx(243 / 256, abs=1e-3)
    assert (1 << p.a_bits) > p.jump.max() / (1 - p.adaptation_decay.beta)  # a neuron that fires in every step


def test_the_table_of_a_gate_spans_what_the_sigmoid_needs_at_any_bits():
    rng = np.random.default_rng(0)
    p = FloatPopulation(name="g", size=16, model=Model.SPIKGRU, gate_bias=rng.normal(0, 2, 16))
    w, u = rng.normal(0, 1e-3, (16, 10)), rng.normal(0, 0.5, (16, 16))
    for bits in (8, 4, 2, 1):
        gate = quantize_gate(p, [FloatProjection(source="x", target="g", weights=w, port=Port.GATE),
                                 FloatProjection(source="g", target="g", weights=u, delay=1, port=Port.GATE)], [bits, bits])
        assert GATE_RANGE / 1.5 < gate.reach < GATE_RANGE * 1.5
        assert gate.fields["gate_table"].size == 64 and gate.shifts[1] - gate.shifts[0] in (7, 8, 9, 10)
        np.testing.assert_allclose(gate.fields["gate_bias"] * gate.unit, p.gate_bias, atol=1 / 32)
    alone = quantize_gate(p, [], [])
    np.testing.assert_allclose(alone.fields["gate_bias"] * alone.unit, p.gate_bias, atol=1 / 32)


def graded(payload: int = 255) -> tuple[FloatNetwork, Clips]:
    """A SpikGRU layer behind 8 bit inputs, and clips for it."""
    rng = np.random.default_rng(0)
    size, inputs = 24, 10
    ports = ((Port.CURRENT, 1.5), (Port.GATE, 2.0))
    projections = [q for port, s in ports for q in (
        FloatProjection(source="x", target="g", weights=rng.normal(0.6 / payload, s / payload, (size, inputs)), port=port),
        FloatProjection(source="g", target="g", weights=rng.normal(0, 0.3, (size, size)), delay=1, port=port))]
    net = FloatNetwork(name="n", projections=tuple(projections), populations=(
        FloatPopulation(name="x", size=inputs, model=Model.INPUT, payload_min=1, payload_max=payload),
        FloatPopulation(name="g", size=size, model=Model.SPIKGRU, alpha=rng.uniform(0.6, 0.9, size), strict=False, readout=Readout.COUNT)))
    x = rng.integers(0, payload + 1, (12, 30, inputs)) * (rng.random((12, 30, inputs)) < 0.3)
    return net, Clips.from_dense(x)


def test_graded_inputs_take_a_wide_state_or_cost_weight_bits_and_the_report_says_which():
    net, clips = graded()
    wide = quantize(net, clips=clips).report
    assert wide.populations[0].v_bits > 18 and any("more than one multiplier" in n and "payload of x" in n for n in wide.notes)
    assert all(q.used_bits >= 7 for q in wide.projections)
    narrow = quantize(net, clips=clips, v_bits=12, i_bits=12).report
    (p,), x = narrow.populations, narrow.projections[0]
    assert (p.v_bits, p.i_bits, p.guard_bits, p.limited) == (12, 12, 0, True) and x.used_bits < 6
    assert any(f"{x.used_bits} of 8 bits from x" in n and "fewer payload bits" in n for n in narrow.notes)
    (layer,) = narrow.comparison.layers
    assert layer.saturations < 0.06 and layer.rate_integer == pytest.approx(layer.rate_float, rel=0.1)  # what the weights paid for


def test_given_guard_bits_too_the_format_is_kept_and_saturates():
    net, clips = graded()
    report = quantize(net, clips=clips, v_bits=15, i_bits=15, guard_bits=0).report
    assert not report.populations[0].limited and report.projections[0].used_bits == 8
    assert report.comparison.layers[0].saturations > 0.05
    assert any("of its updates saturate in 15 bits of v and 15 of i" in line for line in report.comparison.warnings)
    assert "\n! layer g: " in report.text()


def test_factors_are_per_neuron_and_shifts_report_the_worst():
    betas = np.array([0.8, 0.9, 0.95])
    choice = choose_decays(betas)
    assert choice.factors is not None and np.abs(choice.of_each(3) - betas).max() < 2.0**-9 and abs(choice.gain_error) <= 0.005
    shifts = choose_decays(betas, "shift")
    gains = [(1 - b) / (1 - shifts.decay.beta) - 1 for b in betas]
    assert shifts.factors is None and abs(shifts.gain_error) == pytest.approx(max(abs(g) for g in gains))
    assert choose_decays(np.full(4, np.float32(0.9))).beta == 0.9
    assert choose_decays(np.array([0.5, 1.0])).factors.tolist() == [128, 256]


def test_a_pair_of_shifts_for_different_decays_is_noted():
    net = of_layer(random_layer("Cuba-LIF, gain 1", 2, inputs=5, size=8))
    report = quantize(net, decay="shift").report
    assert any("alpha" in n and "in one pair of shifts for all neurons" in n for n in report.notes)
    assert not any("shifts" in n for n in quantize(net).report.notes)


def test_a_layer_that_goes_silent_is_told_loudly(monkeypatch):
    """One weight a hundred times the others: with one scale per layer and 2 bits these become 0."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.01, 0.02, (6, 30))
    w[0, 0] = 2.0
    net = FloatNetwork(name="n", populations=(
        FloatPopulation(name="x", size=30, model=Model.INPUT),
        FloatPopulation(name="hidden2", size=6, model=Model.LIF, beta=0.95, threshold=0.5, output=True)),
        projections=(FloatProjection(source="x", target="hidden2", weights=w),))
    clips = Clips.from_dense(((rng.random((10, 50, 30)) < 0.1) & (np.arange(30) > 0)).astype(int))
    # Without clipping: the search of the scale saves the many and clips the one.
    monkeypatch.setattr(quantize_weights, "CLIP_FRACTIONS", np.array([1.0]))
    monkeypatch.setattr(quantize_weights, "MORE_FRACTIONS", np.array([]))
    report = quantize(net, weight_bits=2, scale="layer", clips=clips).report
    (line,) = report.comparison.warnings
    assert line.startswith("layer hidden2: 0.0") and "in integers" in line and "its thresholds are" in line
    assert "% of the weights from x became 0 in 2 bits" in line and f"\n! {line}" in report.text()
    assert quantize(net, clips=clips).report.comparison.warnings == ()


def test_a_population_without_a_drive_is_refused():
    net = of_layer(random_layer("SpikGRU", 2, inputs=5, size=8))
    net = replace(net, projections=tuple(q for q in net.projections if q.port is Port.GATE))
    with pytest.raises(NetworkError, match="Population 'y': no projection leads to it at port 'i'"):
        quantize(net)


def test_float_answers_agree_with_integer_answers_of_value_readouts():
    layer = random_layer("SpikGRU", 3, inputs=20, size=32, exact=False)
    net = of_layer(layer)
    rng = np.random.default_rng(1)
    read = FloatPopulation(name="o", size=4, model=Model.LI, beta=rng.uniform(0.8, 0.95, 4), readout=Readout.MAX)
    net = replace(net, populations=(*net.populations, read),
                  projections=(*net.projections, FloatProjection(source="y", target="o", weights=rng.normal(0, 1, (4, 32)))))
    x = clips_for(layer, 4, clips=60, steps=40)
    c = quantize(net, clips=Clips.from_dense(x)).report.comparison
    assert c.agreement > 0.85 and run_float(net, x).answers.shape == (60,)
    assert [entry.name for entry in c.layers] == ["y", "o"] and c.layers[1].rate_float is None
