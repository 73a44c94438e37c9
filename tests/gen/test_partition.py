"""Neurons are spread over tiles as asked, and what cannot be is refused with the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.demand import Demand, demand_of
from spikeloom.gen.partition import Slice, TileLimits, partition
from spikeloom.gen.plan import plan
from spikeloom.spec.errors import CapacityError, NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection


def chain(*sizes: int, v_bits: tuple[int, ...] = ()) -> Network:
    bits = dict(enumerate(v_bits))
    populations = [Population(name="x", size=sizes[0], model=Model.INPUT)]
    populations += [Population(name=f"h{k}", size=size, model=Model.LIF, output=True, v_bits=bits.get(k, 16))
                    for k, size in enumerate(sizes[1:])]
    projections = [Projection(source=a.name, target=b.name, weights=np.zeros((b.size, a.size), dtype=int))
                   for a, b in zip(populations, populations[1:])]
    return Network(name="chain", populations=tuple(populations), projections=tuple(projections))


def shape(network: Network, **options) -> list[tuple[int, int, list[tuple[str, int]]]]:
    return [(t.lanes, t.update_lanes, [(s.population, s.size) for s in t.slices]) for t in partition(network, **options).tiles]


def test_by_default_every_population_has_its_own_tile() -> None:
    assert shape(chain(40, 128, 10)) == [(16, 4, [("h0", 128)]), (10, 1, [("h1", 10)])]


def test_lanes_per_tile_are_taken_as_they_are() -> None:
    assert shape(chain(40, 128, 10), lanes=[16, 12], update_lanes=[8, 2]) == [(16, 8, [("h0", 128)]), (12, 2, [("h1", 10)])]


@pytest.mark.parametrize("lanes, updates", [(1, 1), (3, 1), (4, 1), (6, 1), (8, 2), (12, 2), (24, 4), (32, 8), (40, 8), (64, 16)])
def test_update_lanes_are_a_power_of_two_that_divides_the_lanes(lanes: int, updates: int) -> None:
    assert shape(chain(40, 128), lanes=lanes) == [(lanes, updates, [("h0", 128)])]


def test_a_tile_has_no_more_lanes_than_neurons() -> None:
    assert shape(chain(40, 35), lanes=64) == [(36, 2, [("h0", 35)])]
    assert shape(chain(40, 11), lanes=64) == [(11, 1, [("h0", 11)])]


def test_more_tiles_cut_the_largest_population_into_rows() -> None:
    assert shape(chain(40, 100, 10), tiles=4) == [(16, 4, [("h0", 48)]), (16, 4, [("h0", 32)]), (16, 4, [("h0", 20)]),
                                                  (10, 1, [("h1", 10)])]


def test_fewer_tiles_are_shared_by_equal_updates_with_balanced_work() -> None:
    network = chain(20, 64, 32, 64, v_bits=(16, 20, 16))  # work 1280, 2048, 2048
    assert [names for _, _, names in shape(network, tiles=2)] == [[("h0", 64), ("h2", 64)], [("h1", 32)]]
    network = chain(20, 64, 32, 64, v_bits=(16, 16, 20))
    assert [names for _, _, names in shape(network, tiles=2)] == [[("h0", 64), ("h1", 32)], [("h2", 64)]]


def test_a_tile_for_each_neuron_is_possible_and_one_more_is_not() -> None:
    assert len(partition(chain(3, 4, 2), tiles=6).tiles) == 6
    with pytest.raises(CapacityError, match="7 tiles are asked for, and the network has 6 neurons"):
        partition(chain(3, 4, 2), tiles=7)


def test_a_population_larger_than_a_tile_is_split() -> None:
    limits = TileLimits(neurons=64, axons=100, weight_words=1000)
    assert [names for _, _, names in shape(chain(40, 130), limits=limits)] == [[("h0", 48)], [("h0", 48)], [("h0", 34)]]
    limits = TileLimits(neurons=1000, axons=100, weight_words=120)
    assert [names for _, _, names in shape(chain(40, 130), limits=limits)] == [[("h0", 48)], [("h0", 48)], [("h0", 34)]]


@pytest.mark.parametrize("options, text", [
    ({"limits": TileLimits(axons=39)}, "needs 40 axons .* a tile has 39"),
    ({"limits": TileLimits(weight_words=39)}, "40 weight words, and a tile has .* 39 words"),
    ({"tiles": 1, "limits": TileLimits(neurons=130)}, "1 tiles: it needs 138 neurons.* a tile has 130.*2 tiles are enough"),
    ({"tiles": 0}, "0 tiles"), ({"lanes": 0}, "at least 1"), ({"lanes": [4, 0]}, "at least 1"),
    ({"lanes": 12, "update_lanes": 8}, "8 of 12"), ({"update_lanes": 3}, "power of two"),
    ({"update_lanes": [1, 1, 1]}, "given for 3 tiles"),
])
def test_what_does_not_fit_is_refused_with_the_numbers(options: dict, text: str) -> None:
    with pytest.raises(CapacityError, match=text):
        partition(chain(40, 128, 10), **options)


@pytest.mark.parametrize("lanes", [[4], [4, 8], [4, 8, 2, 1]])
def test_a_list_of_lanes_says_how_many_tiles_there_are(lanes: list[int]) -> None:
    assert [p for p, _, _ in shape(chain(40, 128, 10), lanes=lanes)] == lanes


@given(st.data())
def test_every_neuron_is_on_one_tile_and_the_number_of_tiles_is_as_asked(data) -> None:
    network = data.draw(random_networks())
    options = data.draw(plan_options(network))
    tiles = partition(network, **{name: options[name] for name in ("lanes", "update_lanes", "tiles")}).tiles
    assert options["tiles"] in (None, len(tiles))
    seen = sorted((s.population, n) for tile in tiles for s in tile.slices for n in range(s.first, s.first + s.size))
    assert seen == sorted((p.name, n) for p in network.populations if p.model is not Model.INPUT for n in range(p.size))
    for tile in tiles:
        assert tile.lanes % tile.update_lanes == 0
        assert tile.lanes <= max(options["lanes"] or 16, 1)


def passes(*matrices: str, size: int = 40, shifts: tuple[int, ...] = (), kind: Kind = Kind.DENSE) -> Network:
    """A chain of equally large layers whose projections name these matrices ("" for none), and a readout layer of ten neurons."""
    populations = [Population(name="x", size=size, model=Model.INPUT)]
    populations += [Population(name=f"h{k}", size=size, model=Model.LIF, theta=k + 1) for k in range(len(matrices))]
    shift = dict(enumerate(shifts))
    projections = [Projection(source=a.name, target=b.name, weights=np.eye(size, dtype=int), matrix=matrices[k], shift=shift.get(k, 0), kind=kind)
                   for k, (a, b) in enumerate(zip(populations, populations[1:]))]
    last = Population(name="y", size=10, model=Model.LIF, output=True)
    projections.append(Projection(source=populations[-1].name, target="y", weights=np.zeros((10, size), dtype=int)))
    return Network(name="passes", populations=(*populations, last), projections=tuple(projections))


def names(network: Network, **options) -> list[list[str]]:
    return [[s.population for s in tile.slices] for tile in partition(network, **options).tiles]


def test_populations_that_share_a_matrix_share_a_tile_where_they_fit() -> None:
    assert names(passes("w", "w", "w")) == [["h0", "h1", "h2"], ["y"]]
    assert names(passes("w", "v", "w", "v")) == [["h0", "h2"], ["h1", "h3"], ["y"]]
    assert names(passes("w", "", "w")) == [["h0", "h2"], ["h1"], ["y"]]
    assert plan(passes("w", "w", "w")).tiles[0].weight_depth == 3 * 40  # rows of 16 lanes * axons, once


@pytest.mark.parametrize("limits, tiles", [
    (TileLimits(neurons=119), [*[["h0", "h1", "h2"]] * 2, ["y"]]), (TileLimits(neurons=79), [*[["h0", "h1", "h2"]] * 3, ["y"]]),  # cut alike
    (TileLimits(axons=80), [["h0", "h1"], ["h2"], ["y"]]), (TileLimits(axons=119), [["h0", "h1"], ["h2"], ["y"]]),
    (TileLimits(weight_words=120), [["h0", "h1", "h2"], ["y"]]),  # 3 rows of 40 axons are stored once, so all three fit
])
def test_where_they_do_not_fit_they_take_as_few_tiles_as_they_need(limits: TileLimits, tiles: list[list[str]]) -> None:
    assert names(passes("w", "w", "w"), limits=limits) == tiles


def test_slices_of_large_populations_that_share_a_matrix_meet_slice_by_slice() -> None:
    network = passes("w", "w", size=100)
    limits = TileLimits(weight_words=400)  # 4 rows of 100 axons a tile: two slices of either layer
    found = [[(s.population, s.first, s.size) for s in tile.slices] for tile in partition(network, limits=limits).tiles]
    assert found == [[("h0", 0, 64), ("h1", 0, 64)], [("h0", 64, 36), ("h1", 64, 36)], [("y", 0, 10)]]
    assert [tile.weight_depth for tile in plan(network, limits=limits).tiles] == [400, 300, 100]


def test_the_same_matrix_stored_with_another_shift_is_not_the_same_weights() -> None:
    network = passes("w", "w")
    more = Projection(source="x", target="h1", weights=np.zeros((40, 40), dtype=int))  # h1 has weights that nobody shares
    assert names(Network(name="n", populations=network.populations, projections=(*network.projections, more))) == [["h0"], ["h1"], ["y"]]
    assert names(passes("w", "w", kind=Kind.SPARSE)) == [["h0", "h1"], ["y"]]
    with pytest.raises(NetworkError, match="shares the matrix 'w'.*shift.*make them equal"):
        passes("w", "w", shifts=(0, 1))


@pytest.mark.parametrize("tiles", range(1, 9))
def test_the_number_of_tiles_wins_over_the_sharing_of_a_matrix(tiles: int) -> None:
    assert len(names(passes("w", "w", "w"), tiles=tiles)) == tiles
    if tiles == 4:
        assert names(passes("w", "w", "w"), tiles=tiles) == [["h0"], ["h1"], ["h2"], ["y"]]


def test_weights_that_fit_because_they_are_shared_are_not_refused_on_few_tiles() -> None:
    assert names(passes("w", "w", "w"), tiles=2, limits=TileLimits(weight_words=160)) == [["h0", "h2"], ["h1", "y"]]
    with pytest.raises(CapacityError, match="does not fit on 1 tiles"):
        names(passes("w", "w", "w"), tiles=1, limits=TileLimits(weight_words=159))
    assert names(passes("w", "w", "w"), tiles=1, limits=TileLimits(weight_words=160)) == [["h0", "h1", "h2", "y"]]


def sparse(density: float, size: int = 64, seed: int = 1) -> Network:
    """An input of 50 neurons, a population with sparse synapses of some density, and a readout layer."""
    rng = np.random.default_rng(seed)
    x, h, y = (Population(name="x", size=50, model=Model.INPUT), Population(name="h", size=size, model=Model.LIF),
               Population(name="y", size=10, model=Model.LIF, output=True))
    weights = rng.integers(1, 8, (size, 50)) * (rng.random((size, 50)) < density)
    return Network(name="sparse", populations=(x, h, y), projections=(
        Projection(source="x", target="h", weights=weights, kind=Kind.SPARSE), Projection(source="h", target="y", weights=np.ones((10, size), int))))


def test_sparse_axons_take_the_words_of_their_fullest_lane() -> None:
    tile = plan(sparse(0.1)).tiles[0]
    demand = demand_of(sparse(0.1), Slice(population="h", first=0, size=64), 16)
    assert demand == Demand(neurons=64, axons=50, work=16 * tile.sparse_depth, words=tile.sparse_depth, shared={})
    assert 50 < demand.words < 4 * 50  # four rows


def test_a_population_of_sparse_axons_is_split_by_the_words_that_they_take() -> None:
    needed = demand_of(sparse(0.1), Slice(population="h", first=0, size=64), 16).words
    assert len(partition(sparse(0.1), limits=TileLimits(weight_words=needed)).tiles) == 2
    assert len(partition(sparse(0.1), limits=TileLimits(weight_words=needed - 1)).tiles) == 3
    with pytest.raises(CapacityError, match="One row of population 'h' needs 16 neurons and 50 weight words, .* 49 words"):
        partition(sparse(1.0, seed=2), limits=TileLimits(weight_words=49))
