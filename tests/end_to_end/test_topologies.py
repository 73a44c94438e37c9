"""Every kind of wiring as a small network, on one tile and on several, star and mesh: planned, packed, read back, and equal to the models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.topology import (
    concatenated,
    inhibitory_pairs,
    lateral_blocking,
    lateral_inhibition,
    one_to_one,
    random_synapses,
    reservoir,
    unrolled,
)
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from .chip_bench import Run, prove
from .host_programs import random_clip

MAPPINGS = [{"tiles": 1}, {"tiles": 4, "fabric": "star"}, {"tiles": 5, "fabric": "mesh"}]
on_any_chip = pytest.mark.parametrize("mapping", MAPPINGS, ids=["one tile", "star", "mesh"])


def spikes(name: str, size: int, **fields) -> Population:
    return Population(**{"name": name, "size": size, "model": Model.LIF, "decay": Decay(shift_a=3), "reset": Reset.SUBTRACT, "theta": 9, "v_bits": 10,
                         **fields})


def fully(source: Population, target: Population, seed: int, **fields) -> Projection:
    weights = np.random.default_rng(seed).integers(-3, 8, (target.size, source.size))
    return Projection(source=source.name, target=target.name, weights=weights, weight_bits=4, **fields)


def proven(network: Network, mapping: dict, x: np.ndarray | None = None, period: int = 1, n_steps: int = 10, density: float = 0.4) -> Run:
    """The run of a chip that was planned with a mapping, read back, and found equal to the models; its period is as expected."""
    chip = plan(network, lanes=4, counters=True, **mapping)
    assert chip.period == period and len(chip.tiles) == mapping.get("tiles", len(chip.tiles))
    check_chip(chip, pack(chip, network), network)
    if x is None:
        x = random_clip(network, n_steps, np.random.default_rng(7), density)
        assert sum(int(c.sum()) for c in golden.run(network, x[None]).spike_counts.values()) > 0, "nothing fires: it proves nothing"
    return prove(network, chip, x)


def counts(run: Run, output: int = 0) -> list[int]:
    """Readout values of an output, by neuron."""
    return [value for number, _, value in run.readouts[0] if number == output]


IMAGE, AUDIO = Population(name="image", size=6, model=Model.INPUT, payload_max=15), Population(name="audio", size=5, model=Model.INPUT)


def multimodal() -> Network:
    """Two ensembles with lateral inhibition, sparse links from one to the other, and one output over both."""
    seen, heard = spikes("seen", 7, theta=20), spikes("heard", 6)
    word = spikes("word", 3, readout=Readout.COUNT)
    cross = random_synapses(heard, seen, density=0.3, seed=2, excitatory=1, delays=(1,))
    return Network(name="multimodal", populations=(IMAGE, AUDIO, seen, heard, word), projections=(
        fully(IMAGE, seen, 1), fully(AUDIO, heard, 2), *cross,
        lateral_inhibition(seen, weight=5), lateral_inhibition(heard, weight=3, groups=np.arange(6) % 2),
        *concatenated([seen, heard], word, np.random.default_rng(3).integers(-3, 8, (3, 13)), weight_bits=4)))


@on_any_chip
@pytest.mark.parametrize("silent", ["neither", "image", "audio"])
def test_two_modalities_or_either_alone(mapping, silent):
    network = multimodal()
    x = random_clip(network, 10, np.random.default_rng(1), 0.5)
    x[:, slice(0, 0) if silent == "neither" else slice(0, 6) if silent == "image" else slice(6, 11)] = 0
    run = proven(network, mapping, x)
    assert sum(counts(run)) > 0


X = Population(name="x", size=6, model=Model.INPUT)


@on_any_chip
def test_a_skip_by_sum_adds_to_the_same_membranes(mapping):
    a, b = spikes("a", 6), spikes("b", 6, output=True, model=Model.IF, decay=Decay())
    network = Network(name="skip", populations=(X, a, b), projections=(fully(X, a, 1), fully(a, b, 2), one_to_one(X, b, weight=4)))
    x = random_clip(network, 10, np.random.default_rng(7), 0.5)
    proven(network, mapping, x)
    result = golden.run(network, x[None], record=True)
    v, fired = np.zeros(6, int), np.zeros(6, int)
    for t in range(10):
        v = v + network.projections[1].weights.astype(int) @ result.spikes["a"][0, t] + 4 * x[t] - 9 * fired
        fired = (v >= 9).astype(int)
        assert (v == result.potentials["b"][0, t]).all()


@on_any_chip
def test_a_skip_by_concatenation_is_one_matrix_over_both_layers(mapping):
    a, b, c = spikes("a", 5), spikes("b", 4), spikes("c", 3, readout=Readout.COUNT)
    weights = np.random.default_rng(5).integers(-4, 8, (3, 9))
    network = Network(name="skip", populations=(X, a, b, c),
                      projections=(fully(X, a, 1), fully(a, b, 2), *concatenated([a, b], c, weights, weight_bits=4)))
    x = random_clip(network, 10, np.random.default_rng(7), 0.5)
    proven(network, mapping, x)
    result = golden.run(network, x[None], record=True)
    both = np.concatenate([result.spikes["a"], result.spikes["b"]], axis=2)[0].astype(int)
    v, fired = np.zeros(3, int), np.zeros(3, int)
    for t in range(10):
        v = Decay(shift_a=3).apply(v, network.population("c").rounding) + weights @ both[t] - 9 * fired
        fired = (v >= 9).astype(int)
        assert (v == result.potentials["c"][0, t]).all()


# Hops of a loop, the delay of the one that leads back, and the period by hand: the smallest PI with hops - PI * delay <= 0.
LOOPS = [(1, 1, 1), (2, 1, 2), (3, 1, 3), (3, 2, 2), (2, 2, 1), (3, 3, 1)]


def loop(hops: int, delay: int) -> Network:
    layers = [spikes(f"p{k}", 5 + k, output=k == 0) for k in range(hops)]
    forward = [fully(a, b, k, delay=0) for k, (a, b) in enumerate(zip([X, *layers], layers))]
    return Network(name="loop", populations=(X, *layers), projections=(*forward, fully(layers[-1], layers[0], 9, delay=delay)))


@on_any_chip
@pytest.mark.parametrize("hops, delay, period", LOOPS)
def test_a_backward_connection_takes_the_smallest_period_that_suffices(hops, delay, period, mapping):
    proven(loop(hops, delay), mapping, period=period, n_steps=8)


@on_any_chip
def test_two_loops_take_the_period_of_the_slower(mapping):
    a, b, c = spikes("a", 5), spikes("b", 5), spikes("c", 5, output=True)
    network = Network(name="loops", populations=(X, a, b, c), projections=(
        fully(X, a, 1), fully(a, b, 2), fully(b, c, 3), fully(b, a, 4, delay=1), fully(c, a, 5, delay=2), fully(c, c, 6, delay=1)))
    proven(network, mapping, period=2, n_steps=8)


@on_any_chip
def test_delays_of_63_timesteps(mapping):
    a = spikes("a", 5, output=True, theta=4)
    network = Network(name="late", populations=(X, a), projections=(fully(X, a, 1, delay=63), fully(a, a, 2, delay=63)))
    x = random_clip(network, 140, np.random.default_rng(7), 0.2)
    run = proven(network, mapping, x)
    fired = {t for _, _, t, _ in run.spikes}
    assert min(fired) >= 63 and max(fired) >= 126


def compete(e: Population, *projections: Projection, more: tuple[Population, ...] = ()) -> tuple[Network, np.ndarray]:
    """Neurons of one population each of which has its own input, and a clip that drives the third most."""
    x = Population(name="x", size=e.size, model=Model.INPUT, payload_max=15)
    network = Network(name="competition", populations=(x, replace(e, readout=Readout.COUNT), *more),
                      projections=(one_to_one(x, e), *projections))
    return network, np.tile(np.array([5, 5, 9, 7, 8, 5]), (14, 1))


E = spikes("e", 6, model=Model.IF, decay=Decay(), theta=18)


@on_any_chip
def test_the_winner_takes_all_by_lateral_inhibition(mapping):
    network, x = compete(E, lateral_inhibition(E, weight=16))
    assert counts(proven(network, mapping, x)) == [0, 0, 7, 0, 0, 0]  # 9 a timestep, threshold 18: every other timestep


@on_any_chip
def test_the_winners_of_two_groups_take_all_of_their_groups(mapping):
    network, x = compete(E, lateral_inhibition(E, weight=32, groups=np.array([0, 0, 1, 1, 0, 0])))
    # The winner of the first group gets 14 * 8 = 112 and fires at 18, 36, ... 108: 6 times; that of the second 7 times, at 18, 36, ... 126.
    assert counts(proven(network, mapping, x)) == [0, 0, 7, 0, 6, 0]


@on_any_chip
def test_the_winner_takes_all_by_blocking(mapping):
    e = replace(E, inhibition=2)
    network, x = compete(e, lateral_blocking(e))
    assert counts(proven(network, mapping, x)) == [0, 0, 7, 0, 0, 0]


@on_any_chip
@pytest.mark.parametrize("delays, period", [((0, 1), 2), ((1, 1), 1)])
def test_the_winner_takes_all_by_inhibitory_pairs(delays, period, mapping):
    pairs = inhibitory_pairs(E, weight=16, drive_delay=delays[0], delay=delays[1])
    network, x = compete(E, pairs.drive, pairs.inhibition, more=(pairs.population,))
    run = proven(network, mapping, x, period=period)
    # As lateral inhibition with the delay of both projections: two timesteps are enough for the second strongest to fire as well.
    direct, _ = compete(E, lateral_inhibition(E, weight=16, delay=sum(delays)))
    assert counts(run) == golden.run(direct, x[None]).readouts["e"][0].tolist()
    assert sum(delays) > 1 or counts(run) == [0, 0, 7, 0, 0, 0]


@on_any_chip
@pytest.mark.parametrize("kind", [Kind.DENSE, Kind.SPARSE])
def test_a_reservoir_and_its_readout(kind, mapping):
    liquid = spikes("liquid", 14, theta=7, refractory=1)
    y = Population(name="y", size=3, model=Model.LI, decay=Decay(shift_a=2), v_bits=12, readout=Readout.LAST)
    network = Network(name="liquid", populations=(X, liquid, y), projections=(
        *random_synapses(X, liquid, density=0.4, seed=1, excitatory=1, kind=kind),
        *reservoir(liquid, density=0.25, seed=5, delays=(1, 2, 5), kind=kind), fully(liquid, y, 3)))
    assert len(network.incoming("liquid")) == 4
    proven(network, mapping, n_steps=14)


def residual(passes: int = 3) -> Network:
    """A backward-residual block of three passes over one matrix, with a threshold each."""
    c = spikes("c", 6, readout=Readout.COUNT)
    made = unrolled([(c, fully(X, c, 4))], passes=passes, thetas={"c": (6, 8, 11)})
    return Network(name="residual", populations=(X, *made.populations), projections=made.projections)


def test_a_shared_matrix_is_stored_once_on_one_tile():
    for options in ({}, {"tiles": 1}):
        tile, = plan(residual(), lanes=4, **options).tiles
        assert (len(tile.groups), tile.weight_depth) == (3, 2 * 6)  # two rows of four lanes, six axons, once for three passes
    separate = replace(residual(), projections=tuple(replace(p, matrix="") for p in residual().projections))
    assert plan(separate, lanes=4, tiles=1).tiles[0].weight_depth == 3 * 2 * 6
    assert [tile.weight_depth for tile in plan(residual(), lanes=4, tiles=3).tiles] == [12, 12, 12]


@pytest.mark.parametrize("mapping", [{}, *MAPPINGS[:1], {"tiles": 2, "fabric": "star"}, *MAPPINGS[1:]], ids=["default", "one", "two", "star", "mesh"])
def test_passes_that_share_a_matrix_have_their_own_states_and_thresholds(mapping):
    run = proven(residual(), mapping, n_steps=12, density=0.6)
    assert sum(counts(run)) > 0


@on_any_chip
def test_a_matrix_is_shared_by_a_loop_through_its_passes(mapping):
    """The second pass leads back to the first: a loop through weights that are stored once."""
    network = residual()
    back = fully(network.population("c_3"), network.population("c_1"), 8, delay=1, matrix="b")
    projections = (*network.projections, back, *(replace(back, source=p.source, target=p.target, delay=1) for p in network.projections[1:]))
    network = Network(name="loop", populations=network.populations, projections=projections)
    if mapping["tiles"] == 1:
        assert plan(network, lanes=4, tiles=1).tiles[0].weight_depth == 2 * 12  # both matrices, once each
    proven(network, mapping, period=3, n_steps=8)
