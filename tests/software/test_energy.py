"""Energy of networks: counts per layer, which reduce to the equations of the thesis, ANN equivalents, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.energy import measure as measuring
from spikeloom.software.energy.constants import NM45, NM65
from spikeloom.software.energy.equivalents import WAYS, equivalent
from spikeloom.software.energy.feedforward import Reuse, ann_naive, ann_reuse, ann_reuse_sparse, if_cont, if_inst, lif_cont, lif_inst
from spikeloom.software.energy.measure import measure, spike_reads
from spikeloom.software.energy.operations import operations
from spikeloom.software.energy.recurrent import light_gru_naive, light_gru_reuse, light_gru_reuse_sparse, spikgru
from spikeloom.software.energy.terms import Terms, event_terms, update_terms
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Reset

M, N, T = 40, 30, 25  # inputs, neurons, timesteps of an ideal layer
E_IN, E_HID = 137, 91  # events that arrive from below, and spikes of the layer
MULTIPLY, SHIFTS = Decay(factor=230, fraction_bits=8), Decay(shift_a=3, shift_b=5)
GATE: dict[str, Any] = {"gate_table": np.arange(4) * 64, "gate_bias": 3}


def population(model: Model, **others: Any) -> Population:
    if model in (Model.LI, Model.CUBALI):
        others.setdefault("readout", Readout.MAX)
    return Population(name="p", size=N, model=model, theta=1 if model in (Model.LI, Model.CUBALI) else 100, **others)


def counters(sops: int, spikes: int = 0, multiplied: int = 0) -> Any:
    return SimpleNamespace(sops=np.array([sops]), spikes=np.array([spikes]), multiplied=np.array([multiplied]))


def ideal(p: Population, sops: int, spikes: int = 0, reads: int = 0) -> Terms:
    return update_terms(p, N * T) + event_terms(p, counters(sops, spikes), reads)


@pytest.mark.parametrize("constants", [NM45, NM65])
def test_ideal_layers_without_queues_cost_the_equations_of_chapter_3(constants) -> None:
    """Chapter 3 counts no queues, no resets, no biases: layers without them. Spikes per synapse and inference are events per input."""
    n_syn, spikes = M * N, E_IN / M

    def energy(model: Model, **others: Any) -> float:
        return ideal(population(model, **others), E_IN * N).energy(constants)

    assert energy(Model.IF) == pytest.approx(if_inst(n_syn, spikes, constants))
    assert energy(Model.LIF, decay=MULTIPLY) == pytest.approx(lif_inst(n_syn, spikes, N, T, constants))
    # IF+cont: two multiplications, of the current's decay and gain; LIF with a gain of 1 also has two, of both decays.
    assert energy(Model.CUBALIF, decay=MULTIPLY, current_decay=MULTIPLY) == pytest.approx(if_cont(n_syn, spikes, N, T, constants))
    assert (energy(Model.CUBALIF, decay=MULTIPLY, current_decay=MULTIPLY, gain=Gain.COMPLEMENT)
            == pytest.approx(lif_cont(n_syn, spikes, N, T, constants)))


@pytest.mark.parametrize("constants", [NM45, NM65])
def test_what_has_no_equation_costs_what_follows_from_those_that_there_are(constants) -> None:
    """docs/energy.md: activations are 3.2 with inputs read once; a current that is held is 3.10 without its decay and its gain."""
    n_syn, memory = M * N, constants.memory

    def energy(p: Population, sops: int, multiplied: int = 0, reads: int = 0) -> float:
        return (update_terms(p, N * T) + event_terms(p, counters(sops, multiplied=multiplied), reads)).energy(constants)

    relu = Population(name="p", size=N, model=Model.RELU, theta=100, max_spikes=15)
    assert energy(relu, n_syn, n_syn, M) == pytest.approx(ann_naive(n_syn, constants) - (n_syn - M) * memory)
    assert energy(relu, 0) == 0  # a picture that does not change
    spikes = E_IN / M
    held = population(Model.IF, held=True)
    without = N * T * (memory + 2 * constants.mac - constants.ac)  # W_i, the decay of i, and of the other MAC all but an addition
    assert energy(held, E_IN * N) == pytest.approx(if_cont(n_syn, spikes, N, T, constants) - without)
    held = population(Model.LIF, decay=MULTIPLY, held=True)
    assert energy(held, E_IN * N) == pytest.approx(lif_inst(n_syn, spikes, N, T, constants) + N * T * memory)


@pytest.mark.parametrize("constants", [NM45, NM65])
def test_an_ideal_gated_layer_costs_equation_4_15(constants) -> None:
    p = population(Model.SPIKGRU, reset=Reset.SUBTRACT, current_decay=MULTIPLY, bias=2, **GATE)
    terms = ideal(p, 2 * N * (E_IN + E_HID), E_HID, E_IN + E_HID)  # each event has a row of weights for I and one for Z, and is read once
    want = spikgru(n_in=M, n_hid=N, n_syn_in=M * N, n_syn_hid=N * N, s_in=E_IN / M / T, s_hid=E_HID / N / T, steps=T, constants=constants)
    assert terms.energy(constants) == pytest.approx(want)
    assert (terms + Terms(state_reads=1)).energy(constants) != pytest.approx(want)  # one read more would be seen


@pytest.mark.parametrize("layer, model, rows, others", [
    ("lif", Model.LIF, 1, {"decay": MULTIPLY}),
    ("cubalif", Model.CUBALIF, 1, {"decay": MULTIPLY, "current_decay": MULTIPLY, "gain": Gain.COMPLEMENT}),
    ("spikgru", Model.SPIKGRU, 2, {"current_decay": MULTIPLY, **GATE})])
def test_an_ideal_recurrent_layer_has_the_operations_of_table_4_2(layer, model, rows, others) -> None:
    p = population(model, reset=Reset.SUBTRACT, bias=2, **others)
    terms = ideal(p, rows * N * (E_IN + E_HID), E_HID)
    mac, ac = operations(layer, M, N, E_IN / M / T, E_HID / N / T)
    assert (terms.multiplies, terms.accumulates) == pytest.approx((T * mac, T * ac))


@pytest.mark.parametrize("model, others, mac, ac, reads, writes", [
    (Model.INPUT, {}, 0, 0, 0, 0),
    (Model.IF, {}, 0, 0, 0, 0),
    (Model.IF, {"bias": 1}, 0, 1, 1, 1),
    (Model.LIF, {"decay": SHIFTS}, 0, 2, 1, 1),
    (Model.LIF, {"decay": Decay(shift_a=3), "bias": 1}, 0, 2, 1, 1),
    (Model.LI, {"decay": MULTIPLY, "bias": 1}, 1, 1, 1, 1),
    (Model.CUBALIF, {}, 0, 1, 2, 1),  # v + i
    (Model.CUBALIF, {"decay": SHIFTS, "current_decay": MULTIPLY}, 1, 3, 2, 2),
    (Model.CUBALI, {"decay": SHIFTS, "current_decay": SHIFTS, "gain": Gain.COMPLEMENT, "bias": 1}, 0, 7, 2, 2),
    (Model.CUBALI, {"decay": MULTIPLY, "current_decay": MULTIPLY, "bias": 1}, 2, 1, 2, 2),
    (Model.SPIKGRU, {"gate_table": np.arange(4)}, 2, 0, 3, 1),
    (Model.ALIF, {"decay": MULTIPLY, "adaptation_decay": MULTIPLY, "bias": 1}, 2, 2, 2, 2),
    (Model.ALIF, {}, 0, 1, 2, 1), (Model.RELU, {}, 0, 0, 0, 0), (Model.IF, {"held": True}, 0, 1, 2, 1),
    (Model.IF, {"held": True, "bias": 1}, 0, 2, 2, 1), (Model.LIF, {"held": True, "decay": MULTIPLY}, 1, 0, 2, 1)])
def test_an_update_costs_what_it_changes(model, others, mac, ac, reads, writes) -> None:
    p = Population(name="p", size=N, model=Model.INPUT) if model is Model.INPUT else population(model, **others)
    assert update_terms(p, 1) == Terms(multiplies=mac, accumulates=ac, state_reads=reads, state_writes=writes)


def test_events_of_an_input_are_priced_where_they_arrive() -> None:
    assert event_terms(Population(name="p", size=N, model=Model.INPUT), counters(0, 9), 0) == Terms()


@pytest.mark.parametrize("model, others, ac, mac", [
    (Model.LIF, {"reset": Reset.SUBTRACT}, 1, 0), (Model.LIF, {"reset": Reset.SUBTRACT_BEFORE_DECAY}, 1, 0),
    (Model.LIF, {"reset": Reset.ZERO}, 0, 0), (Model.LIF, {"reset": Reset.SUBTRACT, "max_spikes": 3}, 0, 1),
    (Model.ALIF, {"reset": Reset.SUBTRACT, "jump": 5}, 2, 0)])
def test_a_spike_costs_its_reset_and_a_place_in_the_queue(model, others, ac, mac) -> None:
    assert event_terms(population(model, **others), counters(0, 1), 0) == Terms(accumulates=ac, multiplies=mac, spike_writes=1)


def test_graded_events_are_multiplied() -> None:
    p = population(Model.LIF)
    assert event_terms(p, counters(100, multiplied=60), 4) == Terms(synaptic_reads=100, accumulates=40, multiplies=60, state_reads=100,
                                                                    state_writes=100, spike_reads=4)


def recurrent_network() -> Network:
    rng = np.random.default_rng(7)

    def weights(n: int, m: int) -> np.ndarray:
        return rng.integers(-8, 12, (n, m))

    return Network(name="loops", populations=(
        Population(name="x", size=6, model=Model.INPUT),
        Population(name="h", size=5, model=Model.LIF, decay=MULTIPLY, reset=Reset.SUBTRACT, theta=15, bias=1),
        Population(name="y", size=3, model=Model.LI, decay=MULTIPLY, readout=Readout.LAST)),
        projections=(Projection(source="x", target="h", weights=weights(5, 6)),
                     Projection(source="x", target="h", weights=weights(5, 6), delay=3),
                     Projection(source="h", target="h", weights=weights(5, 5), delay=1),
                     Projection(source="h", target="y", weights=weights(3, 5), delay=2)))


def test_counts_of_a_run_are_those_of_its_recorded_events() -> None:
    network = recurrent_network()
    x = (np.random.default_rng(3).random((4, 20, 6)) < 0.3).astype(np.int8)
    spikes = golden.run(network, x, record=True).spikes["h"]
    assert spikes[:, -2:].any(), "nothing was under way at the end"
    late = x[:, :-3].sum()
    report = measure(network, Clips.from_dense(x))
    h, y = (layer.terms for layer in report.layers)
    assert h.spike_writes * 4 == spikes.sum() and y.spike_writes == 0
    assert h.spike_reads * 4 == x.sum() + late + spikes[:, :-1].sum() and y.spike_reads * 4 == spikes[:, :-2].sum()
    assert h.synaptic_reads * 4 == 5 * (x.sum() + late + spikes[:, :-1].sum()) and y.synaptic_reads * 4 == 3 * spikes[:, :-2].sum()
    assert h.state_reads == h.state_writes == h.synaptic_reads + 20 * 5
    assert h.multiplies == 20 * 5 and h.accumulates == h.synaptic_reads + 20 * 5 + h.spike_writes
    assert report.inputs["x"] == pytest.approx(x.mean())
    assert report.layers[0].spikes_per_neuron_and_step == pytest.approx(spikes.mean()) and report.layers[1].spikes_per_neuron_and_step is None


def test_one_event_at_two_ports_is_read_once() -> None:
    network = recurrent_network()
    result = golden.run(network, np.ones((1, 10, 6), dtype=np.int8))
    again = replace(network, projections=(*network.projections, replace(network.projections[0], shift=1)))
    assert spike_reads(again, "h", result) == spike_reads(network, "h", result)


def test_batches_do_not_matter_and_are_told(monkeypatch) -> None:
    network, rng = recurrent_network(), np.random.default_rng(4)
    clips = Clips.from_dense((rng.random((5, 12, 6)) < 0.4).astype(np.int8))
    whole = measure(network, clips)
    told = []
    monkeypatch.setattr(measuring, "_BATCH_ENTRIES", 2 * 12 * 6)
    assert measure(network, clips, progress=lambda done, total: told.append((done, total))) == whole
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert measure(network, clips, limit=2) == measure(network, clips.take(2)) != whole


def test_the_break_even_is_where_both_energies_meet() -> None:
    network = recurrent_network()
    clips = Clips.from_dense((np.random.default_rng(4).random((5, 12, 6)) < 0.4).astype(np.int8))
    report = measure(network, clips)
    assert report.energy == pytest.approx(sum(layer.shares.total for layer in report.layers))
    n_syn = 2 * 30 + 25 + 15
    assert report.spikes_per_synapse == pytest.approx(sum(layer.sops for layer in report.layers) / n_syn / 12)
    at_rest = sum(update_terms(network.population(name), 12 * size).energy(NM65) for name, size in (("h", 5), ("y", 3)))
    for ann in report.anns:
        assert ann.ratio == pytest.approx(ann.energy / report.energy)
        factor = ann.break_even / report.spikes_per_synapse
        assert at_rest + factor * (report.energy - at_rest) == pytest.approx(ann.energy)


def test_a_silent_network_has_no_ratio() -> None:
    network = Network(name="quiet", populations=(Population(name="x", size=2, model=Model.INPUT),
                                                 Population(name="y", size=2, model=Model.IF, theta=3, readout=Readout.COUNT)),
                      projections=(Projection(source="x", target="y", weights=np.ones((2, 2), dtype=int)),))
    report = measure(network, Clips.from_dense(np.zeros((1, 4, 2), dtype=np.int8)))
    assert report.energy == report.spikes_per_synapse == 0
    assert {(ann.ratio, ann.break_even) for ann in report.anns} == {(None, None)}


def feedforward_network(**others: Any) -> Network:
    return Network(name="ff", populations=(Population(name="x", size=M, model=Model.INPUT),
                                           Population(name="y", size=N, model=Model.LIF, theta=100, readout=Readout.COUNT)),
                   projections=(Projection(source="x", target="y", weights=np.ones((N, M), dtype=int), **others),))


def test_a_feed_forward_layer_becomes_a_layer() -> None:
    network, n = feedforward_network(), M * N
    reuse = Reuse(iact=N, weight=1, psum=M)
    want = {"naive": ann_naive(n, NM65), "ideal reuse": ann_reuse(n, NM65, reuse),
            "reuse and sparsity": ann_reuse_sparse(n, NM65, reuse, skip_weights=True)}
    for static, times in ((True, 1), (False, T)):
        ann = equivalent(network, "y", T, NM65, static=static)
        assert ann.kind == "layer" and ann.energy == {way: pytest.approx(times * e) for way, e in want.items()}
    # By hand: weights fetched once, inputs and sums moved once, four registers and a MAC per synapse.
    assert want["ideal reuse"] == pytest.approx(6 * (n + M + 2 * N) + 5 * n)


def test_only_synapses_that_exist_are_compared() -> None:
    weights = np.eye(N, M, dtype=int)
    network = feedforward_network(kind=Kind.SPARSE)
    network = replace(network, projections=(replace(network.projections[0], weights=weights),))
    assert equivalent(network, "y", 1, NM65).energy["naive"] == ann_naive(N, NM65)


def test_weights_of_a_shared_matrix_are_fetched_once() -> None:
    network = feedforward_network(matrix="w")
    shared = replace(network, projections=(*network.projections, replace(network.projections[0], delay=2)))
    assert equivalent(shared, "y", 1, NM65).energy["ideal reuse"] == pytest.approx(6 * (M * N + 2 * M + 2 * N) + 5 * 2 * M * N)


def test_a_recurrent_layer_becomes_a_light_gru_or_an_rnn() -> None:
    network, n_syn = recurrent_network(), 2 * 30 + 25
    ann = equivalent(network, "h", T, NM65)
    shape: dict[str, Any] = {"n_hid": 5, "n_syn": n_syn, "steps": T, "constants": NM65}
    assert ann.kind == "light-gru"
    # The inputs act twice, at delays 0 and 3.
    assert list(ann.energy.values()) == pytest.approx([light_gru_naive(**shape), light_gru_reuse(n_in=12, **shape),
                                                       light_gru_reuse_sparse(n_in=12, **shape)])
    rnn = equivalent(network, "h", T, NM65, rnn=True)
    assert rnn.kind == "rnn" and rnn.energy["naive"] == pytest.approx(T * ann_naive(n_syn, NM65))
    assert rnn.energy["ideal reuse"] == pytest.approx(T * (6 * (n_syn + 17 + 10) + 5 * n_syn))
    assert equivalent(network, "y", T, NM65, rnn=True).kind == "layer"


def test_a_loop_through_two_populations_is_recurrent_and_inhibition_is_not() -> None:
    network = recurrent_network()
    h2 = replace(network.population("h"), name="g")
    square = np.ones((5, 5), dtype=int)
    through = replace(network, populations=(*network.populations, h2), projections=(
        *(p for p in network.projections if p.source != p.target), Projection(source="h", target="g", weights=square),
        Projection(source="g", target="h", weights=square, delay=1)))
    assert [equivalent(through, name, T, NM65).kind for name in ("h", "g", "y")] == ["light-gru", "light-gru", "layer"]
    for target in ("g", "h"):  # in a loop that needs the inhibition, and in one that is nothing else
        ends = [replace(p, inhibition=2) if p.name == target else p for p in through.populations]
        block = Projection(source="g", target=target, weights=square, delay=1, port=Port.BLOCK)
        ann = equivalent(replace(through, populations=ends, projections=(*through.projections[:-1], block)), "g", T, NM65)
        assert ann.kind == "layer" and ann.energy["naive"] == T * ann_naive(25, NM65)


def gated_network() -> Network:
    rng = np.random.default_rng(9)
    gated = Population(name="h", size=N, model=Model.SPIKGRU, current_decay=MULTIPLY, theta=60, bias=4, reset=Reset.SUBTRACT, readout=Readout.COUNT,
                       gate_shift=4, **GATE)
    w_in, w_hid = rng.integers(-8, 16, (N, M)), rng.integers(-8, 8, (N, N))
    return Network(name="gru", populations=(Population(name="x", size=M, model=Model.INPUT), gated), projections=tuple(
        Projection(source=source, target="h", weights=w, delay=delay, port=port)
        for source, w, delay in (("x", w_in, 0), ("h", w_hid, 1)) for port in (Port.CURRENT, Port.GATE)))


def test_a_run_of_a_gated_layer_costs_equation_4_15() -> None:
    network = gated_network()
    x = (np.random.default_rng(3).random((1, T, M)) < 0.2).astype(np.int8)
    spikes = golden.run(network, x, record=True).spikes["h"]
    waiting = np.count_nonzero(spikes[:, -1])  # fired and queued, but not read within the clip
    assert spikes.any() and not spikes.all()
    want = spikgru(n_in=M, n_hid=N, n_syn_in=M * N, n_syn_hid=N * N, s_in=x.mean(), s_hid=(np.count_nonzero(spikes) - waiting) / N / T, steps=T,
                   constants=NM65)
    assert measure(network, Clips.from_dense(x)).energy == pytest.approx(want + waiting * (NM65.ac + NM65.memory))


def test_a_run_with_graded_inputs_multiplies_them() -> None:
    network = recurrent_network()
    network = replace(network, populations=(replace(network.populations[0], payload_max=3), *network.populations[1:]))
    x = np.random.default_rng(3).integers(0, 4, (1, 20, 6))
    h = measure(network, Clips.from_dense(x)).layers[0].terms
    arrived = np.count_nonzero(x > 1) + np.count_nonzero(x[:, :-3] > 1)  # an event of payload 1 is added
    assert h.multiplies == 5 * arrived + 20 * 5 and h.accumulates + h.multiplies == h.synaptic_reads + 2 * 20 * 5 + h.spike_writes


def test_a_gated_layer_becomes_a_light_gru_of_as_many_weights() -> None:
    network = gated_network()
    ann = equivalent(network, "h", T, NM65, rnn=True)
    shape: dict[str, Any] = {"n_in": M, "n_hid": N, "n_syn": M * N + N * N, "steps": T, "constants": NM65}
    assert ann.kind == "light-gru" and ann.energy["ideal reuse"] == pytest.approx(light_gru_reuse(**shape))
    with pytest.raises(NetworkError, match="Network 'gru': population 'h' is gated"):
        equivalent(network, "h", T, NM65, static=True)


def test_a_population_without_synapses_costs_an_ann_nothing() -> None:
    network = feedforward_network(kind=Kind.SPARSE)
    lonely = replace(network, projections=(replace(network.projections[0], weights=np.zeros((N, M), dtype=int)),))
    assert set(equivalent(lonely, "y", T, NM65).energy.values()) == {0}


def test_what_cannot_be_measured_is_refused_by_name() -> None:
    network = recurrent_network()
    clips = Clips.from_dense(np.zeros((1, 4, 6), dtype=np.int8))
    with pytest.raises(NetworkError, match=r"Network 'loops': population 'h' is recurrent, and one inference.*compare it as a sequence"):
        measure(network, clips, static=True)
    with pytest.raises(NetworkError, match=r"Network 'loops': 0 clips of 4 timesteps hold nothing to measure; give at least one clip"):
        measure(network, clips.take(0))
    with pytest.raises(NetworkError, match="the input has 5 channels"):
        measure(network, Clips.from_dense(np.ones((1, 4, 5), dtype=np.int8)))
    with pytest.raises(ValueError, match="Constants must be one of 45nm, 65nm, not '28nm'"):
        api.energy(network, clips, constants="28nm")


def test_the_command_prices_the_bundled_network(root, capsys) -> None:
    argv = ["energy", str(root / "models/kws-small.npz"), "--input", str(root / "examples/clips/yes.wav")]
    assert main([*argv, "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == "" and list(found) == ["clips", "steps", "static", "constants", "inputs", "layers", "energy", "spikes_per_synapse", "anns"]
    assert (found["clips"], found["steps"], found["static"], found["constants"]["memory"]) == (1, 50, False, 6.0)
    assert [layer["name"] for layer in found["layers"]] == ["hidden", "word"]
    assert found["energy"] == pytest.approx(sum(layer["energy"] for layer in found["layers"]))
    assert [(ann["way"], ann["recurrent"]) for ann in found["anns"]] == [(way, kind) for kind in ("light-gru", "rnn") for way in WAYS]
    network = api.load(root / "models/kws-small.npz")
    sops = api.simulate(network, root / "examples/clips/yes.wav").sops
    assert sum(layer["sops"] for layer in found["layers"]) == sops
    assert found["anns"][3]["energy"] == pytest.approx(50 * ann_naive(86016 + 3072, NM65))
    assert main([*argv, "--constants", "45nm"]) == 0
    text = capsys.readouterr().out
    for words in ("45 nm, 8 bit", "hidden", "spikes/neuron/step", "ideal reuse", "RNN, as many weights", "a sequence", "86,016"):
        assert words in text


def test_a_front_end_of_pictures_is_a_static_input() -> None:
    x = Population(name="x", size=2, model=Model.INPUT, payload_min=-3, payload_max=3)
    y = Population(name="y", size=2, model=Model.LIF, v_bits=12, theta=np.array([5, 5]), readout=Readout.COUNT, output=True)
    q = Projection(source="x", target="y", weights=np.ones((2, 2), np.int8), weight_bits=4)
    network = Network(name="n", populations=(x, y), projections=(q,), metadata={"front_end": {"kind": "log_mel", "picture": 4}})
    clips = Clips.from_dense(np.array([[[1, 2], [0, 0], [0, 0], [0, 0]]]))
    assert api.energy(network, clips).static
    assert not api.energy(replace(network, metadata={"front_end": "none"}), clips).static


def test_the_command_tells_a_static_input(replace_load, tmp_path, capsys) -> None:
    replace_load(feedforward_network())
    np.save(tmp_path / "x.npy", np.ones((2, 5, M), dtype=np.int8))
    assert main(["energy", "net.npz", "--input", str(tmp_path / "x.npy"), "--static"]) == 0
    out = capsys.readouterr().out
    assert "one static input in all timesteps" in out and "equal at spikes/synapse/inference" in out
    assert f"{ann_naive(M * N, NM65):,.0f}" in out


@pytest.fixture
def replace_load(monkeypatch: pytest.MonkeyPatch):
    return lambda network: monkeypatch.setattr(api, "load", lambda path: network)


@pytest.mark.parametrize("options, text", [
    (["--static"], "population 'hidden' is recurrent, and one inference of an ANN on a static input has no earlier timesteps"),
    (["--constants", "28nm"], "argument --constants: invalid choice: '28nm'"),
    (["--limit", "0"], "argument --limit: must be an integer of at least 1"),
    (["--input", "no-such-clips.npz"], "no-such-clips.npz")])
def test_the_command_fails_in_one_paragraph(root, options, text, capsys) -> None:
    assert main(["energy", str(root / "models/kws-small.npz"), "--input", str(root / "examples/clips/yes.wav"), *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("spikeloom: error: ") and err.count("\n") == 1 and text in err
