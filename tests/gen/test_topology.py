"""Wiring patterns: their matrices by hand, and what networks of them do."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.gen import topology
from spikeloom.gen.schedule import schedule
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
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Port, Projection, Readout, Reset


def neurons(name: str, size: int, **fields) -> Population:
    return Population(**{"name": name, "size": size, "model": Model.IF, "reset": Reset.SUBTRACT, "theta": 10, "v_bits": 12, **fields})


def competing(population: Population, *projections: Projection, more: tuple[Population, ...] = ()) -> Network:
    """Neurons of a population, each driven by its own input, and what lets them compete."""
    x = Population(name="x", size=population.size, model=Model.INPUT, payload_max=31)
    return Network(name="competing", populations=(x, replace(population, output=True), *more),
                   projections=(one_to_one(x, population), *projections))


def fired(network: Network, drive: list[int], n_steps: int, name: str = "e") -> list[list[int]]:
    """Timesteps of each neuron's spikes under a constant drive."""
    x = np.tile(np.array(drive), (1, n_steps, 1))
    return [np.flatnonzero(row).tolist() for row in golden.run(network, x, record=True).spikes[name][0].T]


def test_lateral_inhibition_is_a_codebook_of_two_values_within_groups():
    p = lateral_inhibition(neurons("e", 5), weight=3, groups=np.array([0, 0, 1, 0, -1]))
    assert p.weights.tolist() == [[0, -3, 0, -3, 0], [-3, 0, 0, -3, 0], [0, 0, 0, 0, 0], [-3, -3, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert (p.source, p.target, p.codebook, p.weight_bits, p.delay, p.port) == ("e", "e", (-3, 0), 1, 1, Port.CURRENT)


def test_neurons_below_group_zero_are_in_no_group_and_one_number_is_one_group():
    assert not lateral_inhibition(neurons("e", 4), weight=1, groups=np.array([-1, -1, 5, 5])).weights[:2].any()
    assert (lateral_inhibition(neurons("e", 3), weight=128).weights == -128 * ~np.eye(3, dtype=bool)).all()


def test_the_strongest_neuron_wins_and_the_others_lose_what_its_spikes_take():
    # By hand: 5 a timestep against 4 and 3, threshold 10. t=1: v = 10, 8, 6, neuron 0 fires. t=2: it takes 6 from the others: 5, 6, 3.
    # t=3: 10, 10, 6: neurons 0 and 1 fire, so both lose 6, and the third 12: t=4: -1, -2, -3; t=6 9, 6, 3; t=7: 14, 10, 6, both fire again.
    network = competing(neurons("e", 3), lateral_inhibition(neurons("e", 3), weight=6))
    assert fired(network, [5, 4, 3], 8) == [[1, 3, 7], [3, 7], []]
    network = competing(neurons("e", 3), lateral_inhibition(neurons("e", 3), weight=8))
    assert fired(network, [5, 4, 3], 40) == [list(range(1, 40, 2)), [], []]  # 8 in two timesteps, all taken away


def test_blocked_neurons_do_not_fire_and_keep_integrating():
    # Neuron 0 fires at t = 1, 3, 5; neuron 1 (4 a timestep) would first fire at t = 2, and is blocked at 2 and 3, then at 4 and 5.
    e = neurons("e", 2, inhibition=2)
    network = competing(e, lateral_blocking(e))
    assert fired(network, [5, 4], 8) == [[1, 3, 5, 7], []]
    x = np.tile(np.array([5, 4]), (1, 8, 1))
    x[:, 4:, 0] = 0  # the winner stops after its spike at t = 3, which blocks at 4 and 5: then neuron 1 gives away what it has saved
    result = golden.run(network, x, record=True)
    assert np.flatnonzero(result.spikes["e"][0, :, 1]).tolist() == [6, 7]
    assert result.potentials["e"][0, :, 1].tolist() == [4, 8, 12, 16, 20, 24, 28, 22]


def test_blocking_has_one_bit_weights_and_needs_an_inhibition():
    p = lateral_blocking(neurons("e", 3, inhibition=4), groups=np.array([1, 1, 0]), delay=2)
    assert (p.weights.tolist(), p.codebook, p.port, p.delay) == ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], (0, 1), Port.BLOCK, 2)
    with pytest.raises(NetworkError, match="'e' has no inhibition; say .*inhibition=1 to 63"):
        lateral_blocking(neurons("e", 3))


@pytest.mark.parametrize("delays, period", [((0, 1), 2), ((1, 0), 2), ((1, 1), 1), ((0, 2), 1), ((2, 3), 1)])
@pytest.mark.parametrize("max_spikes", [1, 3])
def test_pairs_do_what_lateral_inhibition_does(delays, period, max_spikes):
    e = neurons("e", 4, max_spikes=max_spikes)
    pairs = inhibitory_pairs(e, weight=7, drive=5, drive_delay=delays[0], delay=delays[1])
    paired = competing(e, pairs.drive, pairs.inhibition, more=(pairs.population,))
    direct = competing(e, lateral_inhibition(e, weight=7, delay=sum(delays)))
    x = np.random.default_rng(3).integers(0, 32, (6, 30, 4))
    got, want = golden.run(paired, x, record=True), golden.run(direct, x, record=True)
    assert (got.potentials["e"] == want.potentials["e"]).all() and want.spike_counts["e"].min() > 0
    assert (got.spike_counts["e_inhibition"].sum(1) > 0).all() and got.saturations["e_inhibition"] == 0
    assert schedule(paired).period == period


def test_pairs_are_a_sparse_drive_and_a_dense_inhibition_of_all_but_the_partner():
    pairs = inhibitory_pairs(neurons("e", 3), weight=9, name="i")
    assert (pairs.drive.weights.tolist(), pairs.drive.kind, pairs.drive.synapses) == ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], Kind.SPARSE, 3)
    assert (pairs.inhibition.weights.tolist(), pairs.inhibition.weight_bits) == ([[0, -9, -9], [-9, 0, -9], [-9, -9, 0]], 1)
    assert (pairs.drive.source, pairs.drive.target, pairs.inhibition.source, pairs.inhibition.target) == ("e", "i", "i", "e")


def test_a_reservoir_is_sparse_random_and_obeys_dale():
    e = neurons("e", 100)
    projections = reservoir(e, density=0.1, seed=4, excitatory=0.75, weight_bits=5, delays=(1, 3, 7))
    total = sum(p.weights.astype(int) for p in projections)
    assert [p.delay for p in projections] == [1, 3, 7] and all(p.kind is Kind.SPARSE and p.weight_bits == 5 for p in projections)
    assert sum(np.count_nonzero(p.weights) for p in projections) == np.count_nonzero(total)  # a synapse has one delay
    assert not np.diag(total).any() and abs(np.count_nonzero(total) / 9900 - 0.1) < 0.01
    signs = np.sign(total)
    assert ((signs.max(0) == 1) != (signs.min(0) == -1)).all() and (signs.max(0) == 1).sum() == 75
    assert set(abs(total[total != 0]).tolist()) == set(range(1, 16))
    again = reservoir(e, density=0.1, seed=4, excitatory=0.75, weight_bits=5, delays=(1, 3, 7))
    assert all((a.weights == b.weights).all() for a, b in zip(projections, again))
    assert (reservoir(e, density=0.1, seed=5)[0].weights != reservoir(e, density=0.1, seed=6)[0].weights).any()


def test_random_links_between_populations_may_have_any_delay_and_all_synapses():
    (p,) = random_synapses(neurons("a", 3), neurons("b", 4), density=1, seed=1, excitatory=0, weight_bits=2)
    assert (p.weights == -1).all() and (p.delay, p.source, p.target) == (0, "a", "b")
    (p,) = random_synapses(neurons("a", 3), neurons("a", 3), density=1, seed=1, delays=(1,))
    assert p.weights.all()  # also onto themselves


def test_a_delay_that_no_synapse_drew_has_no_projection():
    projections = reservoir(neurons("e", 3), density=0.5, seed=1, delays=range(1, 60))
    assert 1 <= len(projections) <= 6 and all(p.weights.any() for p in projections)


def block(size: int = 3, **fields) -> tuple[Population, Projection]:
    rng = np.random.default_rng(2)
    return neurons("c", size, **fields), Projection(source="x", target="c", weights=rng.integers(-3, 8, (size, size)), weight_bits=4)


def test_an_unrolled_block_has_one_matrix_and_a_population_and_threshold_per_pass():
    made = unrolled([block(readout=Readout.COUNT, labels=("a", "b", "c"))], passes=3, thetas={"c": (4, 6, np.array([7, 8, 9]))})
    assert [(p.name, p.theta.tolist(), p.readout, p.output, p.labels) for p in made.populations] == [
        ("c_1", [4] * 3, Readout.NONE, False, ()), ("c_2", [6] * 3, Readout.NONE, False, ()),
        ("c_3", [7, 8, 9], Readout.COUNT, True, ("a", "b", "c"))]
    assert [(p.source, p.target) for p in made.projections] == [("x", "c_1"), ("c_1", "c_2"), ("c_2", "c_3")]
    assert {(p.matrix, p.delay, p.weight_bits) for p in made.projections} == {("c", 0, 4)}


def test_the_unrolled_block_is_the_chain_of_its_passes():
    population, projection = block(output=True)
    x = Population(name="x", size=3, model=Model.INPUT)
    made = unrolled([(population, projection)], passes=2, thetas={"c": (4, 6)})
    network = Network(name="unrolled", populations=(x, *made.populations), projections=made.projections)
    single = Network(name="single", populations=(x, replace(population, theta=4)), projections=(projection,))
    second = Network(name="second", populations=(x, replace(population, theta=6)), projections=(projection,))
    clip = (np.random.default_rng(1).random((2, 12, 3)) < 0.6).astype(int)
    first = golden.run(single, clip, record=True).spikes["c"]
    assert (golden.run(second, first, record=True).spikes["c"] == golden.run(network, clip, record=True).spikes["c_2"]).all()


def test_a_block_of_two_layers_repeats_both():
    a, b = neurons("a", 4), neurons("b", 3)
    layers = [(a, Projection(source="x", target="a", weights=np.ones((4, 3), dtype=int))),
              (b, Projection(source="a", target="b", weights=np.ones((3, 4), dtype=int), matrix="other", delay=1))]
    made = unrolled(layers, passes=2, thetas={"b": (1, 2)})
    assert [p.name for p in made.populations] == ["a_1", "b_1", "a_2", "b_2"]
    assert [(p.source, p.target, p.matrix, p.delay) for p in made.projections] == [
        ("x", "a_1", "a", 0), ("a_1", "b_1", "other", 1), ("b_1", "a_2", "a", 0), ("a_2", "b_2", "other", 1)]
    assert [int(p.theta[0]) for p in made.populations] == [10, 1, 10, 2]


def test_a_concatenation_is_the_columns_of_its_matrix():
    sources, target = [neurons("a", 2), neurons("b", 3), neurons("c", 1)], neurons("y", 2)
    weights = np.arange(12).reshape(2, 6)
    made = concatenated(sources, target, weights, delays=(0, 2, 5), weight_bits=5, shift=1)
    assert [(p.source, p.delay, p.shift, p.weight_bits) for p in made] == [("a", 0, 1, 5), ("b", 2, 1, 5), ("c", 5, 1, 5)]
    assert (np.concatenate([p.weights for p in made], axis=1) == weights).all()


@pytest.mark.parametrize("weight, kind, bits, codebook", [
    (1, Kind.SPARSE, 2, None), (7, Kind.SPARSE, 4, None), (-8, Kind.SPARSE, 4, None), (64, Kind.DENSE, 1, (0, 64)),
    (np.array([1, 100, -5]), Kind.DENSE, 2, (-5, 0, 1, 100)), (np.array([1, 0, -1]), Kind.DENSE, 2, None)])
def test_one_to_one_is_a_diagonal_in_the_narrowest_format(weight, kind, bits, codebook):
    p = one_to_one(neurons("a", 3), neurons("b", 3), weight=weight, kind=kind, delay=4)
    assert (p.weights == np.diag(np.broadcast_to(weight, 3))).all() and (p.weight_bits, p.codebook, p.kind, p.delay) == (bits, codebook, kind, 4)


@given(st.integers(1, 8), st.integers(1, 127), st.data())
def test_lateral_inhibition_takes_a_weight_per_other_firing_neuron_of_the_group(size, weight, data):
    groups = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size)))
    spikes = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    want = [-weight * sum(int(spikes[j]) for j in range(size) if j != i and groups[j] == groups[i] >= 0) for i in range(size)]
    if max((int((groups == g).sum()) for g in range(4)), default=0) < 2:
        with pytest.raises(NetworkError, match="no group has two neurons.*same number"):
            lateral_inhibition(neurons("e", size), weight=weight, groups=groups)
    else:
        assert (lateral_inhibition(neurons("e", size), weight=weight, groups=groups).weights.astype(int) @ spikes).tolist() == want


E = neurons("e", 3)
READ = Population(name="y", size=3, model=Model.LI, readout=Readout.LAST)
X = Population(name="x", size=3, model=Model.INPUT)


@pytest.mark.parametrize("build, text", [
    (lambda: lateral_inhibition(E, weight=0), "e -> e: the weight of lateral inhibition must be 1 to 128, not 0; .* shift"),
    (lambda: lateral_inhibition(E, weight=1, groups=np.zeros(2, int)), "e -> e: groups must be one number, or an integer per neuron .3., not int64"),
    (lambda: lateral_inhibition(E, weight=1, groups=np.zeros(3)), "groups must be .* not float64"),
    (lambda: lateral_inhibition(E, weight=1, delay=0), "e -> e: .* its delay must be 1 to 63, not 0"),
    (lambda: lateral_inhibition(READ, weight=1), "y -> y: 'y' is li and does not fire.*use a spiking model"),
    (lambda: inhibitory_pairs(E, weight=129), "e_inhibition -> e: the weight of inhibition must be 1 to 128, not 129; .* shift"),
    (lambda: inhibitory_pairs(E, weight=1, drive=0), "e -> e_inhibition: the drive of an inhibitory neuron must be 1 to 127, not 0"),
    (lambda: inhibitory_pairs(E, weight=1, delay=0), "e_inhibition -> e: the loop .* give one of its two projections delay=1"),
    (lambda: inhibitory_pairs(neurons("e", 1), weight=1), "'e' has one neuron.* 2 or more"),
    (lambda: reservoir(E, density=0, seed=1), "e -> e: density must be above 0 and at most 1, not 0"),
    (lambda: reservoir(E, density=1, seed=1, excitatory=2), "excitatory must be 0 to 1, not 2"),
    (lambda: reservoir(E, density=1, seed=1, weight_bits=1), "weight_bits must be 2 to 8, not 1"),
    (lambda: reservoir(E, density=1, seed=1, delays=(0,)), r"delays of a reservoir must be 1 to 63, not \[0\]"),
    (lambda: reservoir(E, density=1, seed=1, delays=()), r"delays must be one or more different timesteps, not \[\]"),
    (lambda: reservoir(E, density=1e-9, seed=1), "no synapse was drawn at density 1e-09; raise it"),
    (lambda: one_to_one(E, neurons("f", 4)), "e -> f: .* same size, not 3 and 4; use a matrix"),
    (lambda: one_to_one(E, E, weight=200), "e -> e: .* -128 to 127; a larger one takes a shift"),
    (lambda: concatenated([E, E], E, np.zeros((3, 5), int)), r"e, e -> e: .* shape \[3, 3 \+ 3\], not \[3, 5\]"),
    (lambda: concatenated([E, E], E, np.zeros((3, 6), int), delays=[1]), "1 delays for 2 sources; give one per source"),
    (lambda: unrolled([block()], passes=0), "1 pass or more .* not 0 of 1"),
    (lambda: unrolled([block(), block()], passes=1), "x -> c: in the block it must lead from 'c' to 'c'; list layers in order"),
    (lambda: unrolled([block()], passes=2, thetas={"c": (1,)}), "'c': 1 thresholds for 2 passes; give one per pass"),
    (lambda: unrolled([block()], passes=2, thetas={"d": (1, 2)}), "'d': thetas .* the block has c; name one"),
    (lambda: unrolled([(neurons("c", 2), Projection(source="x", target="c", weights=np.ones((2, 3), int)))], passes=2),
     "'c': its 2 neurons .* 'c' take 3; make them equal"),
])
def test_wrong_patterns_are_refused_by_name_with_a_remedy(build, text):
    with pytest.raises(NetworkError, match=text):
        build()


@pytest.mark.parametrize("call, text", [
    (lambda p: topology.lateral_inhibition(p, weight="3"), "lateral_inhibition: weight must be an integer, not '3'"),
    (lambda p: topology.lateral_inhibition("p", weight=3), "lateral_inhibition: population must be a Population, not 'p'"),
    (lambda p: topology.lateral_blocking(p, delay=1.0), "lateral_blocking: delay must be an integer, not 1.0"),
    (lambda p: topology.inhibitory_pairs(p, weight=2, name=7), "inhibitory_pairs: name must be a text, not 7"),
    (lambda p: topology.inhibitory_pairs(p, weight=2, kind="sparse"), "inhibitory_pairs: kind must be a Kind, such as Kind.SPARSE, not 'sparse'"),
    (lambda p: topology.reservoir(p, density="x", seed=1), "reservoir: density must be a number, not 'x'"),
    (lambda p: topology.reservoir(p, density=0.5, seed=None), "reservoir: seed must be an integer, not None"),
    (lambda p: topology.reservoir(p, density=0.5, seed=1, delays=2), "reservoir: delays must be integers in a list, not 2"),
    (lambda p: topology.random_synapses(p, p, density=0.5, seed=1, itself=1), "random_synapses: itself must be True or False, not 1"),
    (lambda p: topology.concatenated([p, None], p, np.ones((4, 8))), "concatenated: sources must be Populations in a list"),
    (lambda p: topology.one_to_one(p, p, weight=[1, 2]), "weight must be one number, or one per neuron"),
    (lambda p: topology.unrolled([p], passes=2), "unrolled: block must be pairs of a Population and the Projection into it, in a list"),
    (lambda p: topology.unrolled([], passes="2"), "unrolled: passes must be an integer, not '2'"),
])
def test_wrong_types_are_errors_of_the_project(call, text):
    with pytest.raises(NetworkError, match=re.escape(text)):
        call(Population(name="p", size=4, model=Model.IF))
