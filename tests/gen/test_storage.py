"""What is stored dense and what sparse: by the memory it takes, without a change of behaviour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.break_even import break_even, expected_words
from spikeloom.gen.plan import plan
from spikeloom.gen.storage import choose_storage, storage_of
from spikeloom.gen.topology import lateral_inhibition, unrolled
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import bits_unsigned
from spikeloom.spec.chip import TileSpec
from spikeloom.spec.network import Kind, Model, Network, Population, Port, Projection


def memory(tile: TileSpec) -> int:
    """Bits that the storage of weights takes of a planned tile."""
    accumulators = (1 << tile.row_bits) * tile.lanes * tile.accumulator_bits if tile.has_sparse else 0
    return (tile.weight_depth * tile.lanes * tile.weight_bits + tile.sparse_depth * tile.lanes * (tile.row_bits + tile.sparse_weight_bits)
            + tile.pointer_depth * sum(tile.pointer_bits) + accumulators)


def layer(weights: np.ndarray, *more: Projection, **fields) -> Network:
    """An input, and a population that it drives with these weights."""
    x, h = Population(name="x", size=weights.shape[1], model=Model.INPUT), Population(name="h", size=len(weights), model=Model.LIF, output=True)
    return Network(name="layer", populations=(x, h), projections=(Projection(source="x", target="h", weights=weights, **fields), *more))


def all_dense(network: Network) -> Network:
    """The network with its sparse projections dense; convolutions stay what they are."""
    return replace(network, projections=tuple(replace(p, kind=Kind.DENSE) if p.kind is Kind.SPARSE else p for p in network.projections))


def scattered(size: int, axons: int, density: float, seed: int = 1, high: int = 128) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(1, high, (size, axons)) * (rng.random((size, axons)) < density)


def kinds(network: Network, **options) -> list[str]:
    return [c.kind.value for c in choose_storage(network, **options)[1]]


def test_what_is_smaller_is_taken() -> None:
    assert kinds(layer(scattered(64, 100, 0.1))) == ["sparse"]
    assert kinds(layer(scattered(64, 100, 0.6))) == ["dense"]
    assert kinds(layer(scattered(64, 100, 0.1), kind=Kind.SPARSE)) == ["sparse"]
    assert kinds(layer(scattered(64, 100, 0.6), kind=Kind.SPARSE)) == ["dense"]


def test_a_network_that_is_stored_best_already_is_the_same_object() -> None:
    network = layer(scattered(64, 100, 0.1), kind=Kind.SPARSE)
    assert choose_storage(network)[0] is network


def test_the_bits_of_a_layer_by_hand() -> None:
    # 6 neurons in 2 rows of 4 lanes, 3 axons: the first reaches neurons 0 and 4, both of lane 0, the second neurons 1 and 2, the third none.
    weights = np.zeros((6, 3), dtype=int)
    weights[[0, 4], 0], weights[[1, 2], 1] = 5, -3
    (choice,) = storage_of(layer(weights, weight_bits=4), lanes=4)
    assert (choice.synapses, choice.existing, choice.dense_bits) == (18, 4, 2 * 3 * 4 * 4)
    # Words: 2, 1 and 0, each of 4 synapses of 1 bit of row and 4 of weight; three pointers of 2 bits (3 words) and 2 bits (2 words at most).
    assert choice.sparse_bits == 3 * 4 * 5 + 3 * 4
    (same,) = storage_of(layer(weights, weight_bits=4, kind=Kind.SPARSE), lanes=4)
    assert same == replace(choice, kind=Kind.SPARSE)


def test_a_few_bits_less_are_not_worth_the_accumulators_of_sparse_axons() -> None:
    network = layer(scattered(8, 4, 0.25, high=8), weight_bits=4)
    (choice,) = storage_of(network)
    assert choice.sparse_bits < choice.dense_bits and kinds(network) == ["dense"]


def test_beside_wide_weights_a_codebook_of_one_bit_takes_their_width() -> None:
    h = Population(name="h", size=64, model=Model.LIF)
    groups = lateral_inhibition(h, weight=5, groups=np.arange(64) // 4)
    assert storage_of(layer(scattered(64, 100, 1.0), groups))[1].dense_bits == 64 * 64 * 8
    assert kinds(layer(scattered(64, 100, 1.0), groups)) == ["dense", "sparse"]
    alone = layer(scattered(64, 100, 1.0), replace(groups, target="h", port=Port.CURRENT))
    assert storage_of(replace(alone, projections=(replace(alone.projections[0], kind=Kind.SPARSE), groups)))[1].dense_bits == 64 * 64


def test_a_sparse_weight_of_a_codebook_is_as_wide_as_its_values() -> None:
    h = Population(name="h", size=64, model=Model.LIF)
    network = layer(scattered(64, 100, 1.0), replace(lateral_inhibition(h, weight=5, groups=np.arange(64) // 4), kind=Kind.SPARSE))
    assert plan(network).tiles[0].sparse_weight_bits == 4  # -5


def test_a_matrix_that_several_passes_share_is_stored_once_either_way() -> None:
    x, c = Population(name="x", size=64, model=Model.INPUT), Population(name="c", size=64, model=Model.LIF, output=True)

    def passes(density: float, n: int) -> Network:
        made = unrolled([(c, Projection(source="x", target="c", weights=scattered(64, 64, density)))], passes=n)
        return Network(name="passes", populations=(x, *made.populations), projections=made.projections)

    assert kinds(passes(0.2, 1)) == ["sparse"] and kinds(passes(0.2, 4)) == ["sparse"] * 4 and kinds(passes(0.01, 2)) == ["sparse"] * 2
    assert [choice.dense_bits for choice in storage_of(passes(0.2, 3))] == [64 * 64 * 8, 0, 0]  # once


def test_only_port_i_can_be_sparse_and_a_matrix_only_where_all_its_projections_can() -> None:
    x = Population(name="x", size=40, model=Model.INPUT)
    gate = {"gate_table": np.arange(16) * 16, "i_bits": 12}
    g = Population(name="g", size=40, model=Model.SPIKGRU, output=True, **gate)
    weights = scattered(40, 40, 0.05)
    ports = [Projection(source="x", target="g", weights=weights, port=port) for port in (Port.CURRENT, Port.GATE)]
    choices = choose_storage(Network(name="gated", populations=(x, g), projections=tuple(ports)))[1]
    assert [(c.kind, c.sparse_bits is None, c.break_even is None) for c in choices] == [(Kind.SPARSE, False, False), (Kind.DENSE, True, True)]
    shared = tuple(replace(p, matrix="w") for p in ports)
    assert kinds(Network(name="gated", populations=(x, g), projections=shared)) == ["dense", "dense"]


@settings(max_examples=60)
@given(st.data())
def test_the_bits_are_those_of_the_planned_chip_and_never_more_than_all_dense(data) -> None:
    network = data.draw(random_networks(max_size=30, sparse=True, shared=True))
    drawn = data.draw(plan_options(network))
    options = {name: drawn[name] for name in ("lanes", "tiles")}

    def total(net: Network) -> int:
        return sum(memory(tile) for tile in plan(net, **options).tiles)

    chosen, choices = choose_storage(network, **options)
    dense = all_dense(network)
    assert total(chosen) <= total(dense)
    assert [c.kind for c in choices] == [p.kind for p in chosen.projections]
    for net, held in ((network, storage_of(network, **options)), (chosen, choices)):
        stored = sum((c.sparse_bits or 0) if c.kind is Kind.SPARSE else c.dense_bits for c in held)
        accumulators = sum((1 << t.row_bits) * t.lanes * t.accumulator_bits for t in plan(net, **options).tiles if t.has_sparse)
        assert stored + accumulators == total(net)


@settings(max_examples=25)
@given(random_networks(max_size=20, sparse=True, shared=True), st.integers(0, 2**31))
def test_only_synaptic_operations_change(network: Network, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [(rng.random(shape := (2, 8, p.size)) < 0.5) * rng.integers(p.payload_min, p.payload_max + 1, shape) for p in network.inputs]
    x = np.concatenate(parts, axis=2)
    chosen, _ = choose_storage(network, lanes=4)
    before, after = golden.run(network, x, record=True), golden.run(chosen, x, record=True)
    for name in before.potentials:
        assert (before.potentials[name] == after.potentials[name]).all()
    for name in before.spikes:
        assert (before.spikes[name] == after.spikes[name]).all()
    for name in before.readouts:
        assert (before.readouts[name] == after.readouts[name]).all()
    for name, counters in before.counters.items():
        assert (counters.events == after.counters[name].events).all() and (counters.spikes == after.counters[name].spikes).all()
    dense = golden.run(all_dense(network), x)
    assert sum(c.sops.sum() for c in after.counters.values()) <= sum(c.sops.sum() for c in dense.counters.values())


@pytest.mark.parametrize("size, lanes, density", [(64, 16, 0.1), (100, 16, 0.3), (7, 16, 0.5), (256, 64, 0.02), (5, 4, 0.5), (33, 1, 0.4)])
def test_the_expected_number_of_words_is_the_mean_over_random_axons(size: int, lanes: int, density: float) -> None:
    exists = np.random.default_rng(3).random((20000, size)) < density
    words = np.pad(exists, ((0, 0), (0, -size % lanes))).reshape(len(exists), -1, lanes).sum(axis=1).max(axis=1)
    assert expected_words(size, lanes, density) == pytest.approx(words.mean(), abs=5 * words.std() / 20000**0.5)


def test_the_expected_number_of_words_at_the_ends() -> None:
    assert expected_words(37, 8, 0.0) == 0 and expected_words(37, 8, 1.0) == 5 and expected_words(1, 16, 0.25) == pytest.approx(0.25)


@pytest.mark.parametrize("size, axons, lanes, bits", [(64, 200, 16, 8), (256, 100, 16, 8), (100, 100, 8, 4), (40, 300, 32, 6)])
def test_around_the_break_even_one_way_or_the_other_is_smaller(size: int, axons: int, lanes: int, bits: int) -> None:
    rows = -(-size // lanes)
    equal = break_even(size=size, axons=axons, lanes=lanes, dense_bits=bits, sparse_bits=bits + bits_unsigned(rows - 1))
    assert 0 < equal < 1
    for density, sparse_is_smaller in ((0.93 * equal, True), (1.07 * equal, False)):
        (choice,) = storage_of(layer(scattered(size, axons, density, high=1 << (bits - 1)), weight_bits=bits), lanes=lanes)
        assert choice.break_even == pytest.approx(equal)
        assert (choice.sparse_bits < choice.dense_bits) == sparse_is_smaller


def test_one_row_has_its_break_even_far_below_one_and_narrow_indices_even_lower() -> None:
    assert break_even(size=256, axons=256, lanes=16, dense_bits=1, sparse_bits=6) < 0.06
    assert break_even(size=16, axons=4, lanes=16, dense_bits=8, sparse_bits=2) == 1.0  # a synapse is narrower than the others' weights
