"""Sparse storage: existing synapses lane by lane, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import chip_verilog
from spikeloom.gen.pack import pack
from spikeloom.gen.partition import Slice
from spikeloom.gen.plan import plan
from spikeloom.gen.sparse import sparse_spec, sparse_synapses
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Kind, Model, Network, Population, Projection
from spikeloom.spec.tile import SPARSE, SparseSpec

# Five neurons, three axons: the second reaches nobody.
WEIGHTS = np.array([[3, 0, 0], [0, 0, 0], [-4, 0, 0], [1, 0, 0], [0, 0, 7]])


def network_of(weights: np.ndarray, *further: Projection, **fields) -> Network:
    fields = {"weight_bits": 4, "kind": Kind.SPARSE, **fields}
    return Network(name="n", populations=(Population(name="x", size=weights.shape[1], model=Model.INPUT),
                                          Population(name="h", size=len(weights), model=Model.IF, output=True)),
                   projections=(Projection(source="x", target="h", weights=weights, **fields), *further))


def of(network: Network, first: int = 0, size: int = 5, lanes: int = 2) -> SparseSpec | None:
    return sparse_spec(network, Slice(population="h", first=first, size=size), lanes, {})


@pytest.mark.parametrize("first, size, lanes, words, synapses", [
    # Neuron n is in lane n % lanes; an axon takes as many words as its fullest lane has synapses.
    (0, 5, 2, (2, 0, 1), (3, 0, 1)), (0, 5, 1, (3, 0, 1), (3, 0, 1)), (0, 5, 8, (1, 0, 1), (3, 0, 1)), (0, 5, 3, (2, 0, 1), (3, 0, 1)),
    # A slice counts its own neurons, from lane 0 on.
    (2, 3, 2, (1, 0, 1), (2, 0, 1)), (1, 1, 2, (0, 0, 0), (0, 0, 0)), (3, 2, 1, (1, 0, 1), (1, 0, 1)),
])
def test_an_axon_takes_as_many_words_as_its_fullest_lane_has_synapses(first: int, size: int, lanes: int, words: tuple, synapses: tuple) -> None:
    assert of(network_of(WEIGHTS), first, size, lanes) == SparseSpec(words=words, synapses=synapses, weight_bits=4)


def test_dense_projections_have_no_sparse_axons() -> None:
    assert of(network_of(WEIGHTS, kind=Kind.DENSE)) is None
    dense = Projection(source="x", target="h", weights=WEIGHTS, weight_bits=4)
    mixed = network_of(WEIGHTS, dense)
    found = of(mixed)
    assert found is not None and found.words == (2, 0, 1)
    tile = plan(mixed, lanes=2).tiles[0]
    assert (tile.groups[0].axons, tile.list_axons(1)) == (3, 3)
    assert tile.entries == {0: (AxonEntry(0, 0, 0, SPARSE), AxonEntry(0, 0, 0))}


def test_sparse_weights_carry_the_shift_that_others_do_not_have() -> None:
    other = Projection(source="x", target="h", weights=WEIGHTS[:, ::-1], weight_bits=3 + 1, shift=1, delay=2, kind=Kind.SPARSE)
    network = network_of(WEIGHTS, other, shift=3)
    blocks = sparse_synapses(network, Slice(population="h", first=0, size=5), {})
    assert [first for first, _ in blocks] == [0, 3]
    assert np.concatenate([held for _, held in blocks]).tolist() == \
        [[12, 0, -16, 4, 0], [0] * 5, [0, 0, 0, 0, 28], [0, 0, 0, 0, 7], [0] * 5, [3, 0, -4, 1, 0]]
    found = of(network)
    assert found is not None and found.weight_bits == 4 + 2 and found.words == (2, 0, 1, 1, 0, 2)
    book = network_of(WEIGHTS, codebook=(-4, 0, 1, 3, 7))
    found = of(book)
    assert found is not None and found.weight_bits == 4  # stored as they are, not as indices, in the width of the values


def test_words_hold_row_and_weight_of_each_lane_and_pointers_lead_to_them() -> None:
    network = network_of(WEIGHTS)
    chip = plan(network, lanes=2, update_lanes=1)
    tile, image = chip.tiles[0], pack(chip, network)
    assert (tile.rows(0), tile.row_bits, tile.sparse_weight_bits, tile.pointer_bits, tile.sparse_depth, tile.pointer_depth) == (3, 2, 4, (2, 2), 3, 3)
    memories = image.tiles[0]
    assert memories.sparse.tolist() == [[[0, 3], [1, 1]], [[1, -4], [0, 0]], [[2, 7], [0, 0]]]
    assert memories.pointers.tolist() == [[0, 2], [2, 0], [2, 1]]
    words = memories.words(tile)
    assert words.sparse == [0b0001_01_0011_00, 0b0000_00_1100_01, 0b0000_00_0111_10]
    assert words.pointers == [0b10_00, 0b00_10, 0b01_10]
    assert words.weights == []
    check_chip(chip, image, network)


def test_groups_have_their_words_and_pointers_one_after_the_other() -> None:
    rng = np.random.default_rng(2)
    names, sizes = ("a", "b", "c"), (5, 9, 1)
    populations = [Population(name="x", size=4, model=Model.INPUT)]
    populations += [Population(name=n, size=k, model=Model.IF, output=True) for n, k in zip(names, sizes)]
    projections = tuple(Projection(source="x", target=n, weights=rng.integers(-8, 8, (k, 4)) * (rng.random((k, 4)) < 0.4), weight_bits=4,
                                   kind=Kind.DENSE if n == "b" else Kind.SPARSE) for n, k in zip(names, sizes))
    network = Network(name="n", populations=tuple(populations), projections=projections)
    chip = plan(network, lanes=2, tiles=1)
    tile, image = chip.tiles[0], pack(chip, network)
    bases = [(tile.sparse_base(g), tile.pointer_base(g)) for g in range(3)]
    counts = [(sum(g.sparse.words), len(g.sparse.words)) if g.sparse else (0, 0) for g in tile.groups]
    assert bases == [(sum(words for words, _ in counts[:g]), sum(axons for _, axons in counts[:g])) for g in range(3)]
    assert image.tiles[0].pointers[:, 0].tolist() == np.cumsum([0, *image.tiles[0].pointers[:-1, 1]]).tolist()
    check_chip(chip, image, network)


def test_an_image_with_sparse_words_is_saved_and_comes_back(tmp_path) -> None:
    network = network_of(WEIGHTS)
    chip = plan(network, lanes=2)
    image = pack(chip, network)
    image.save(tmp_path / "image.npz")
    loaded = MemoryImage.load(tmp_path / "image.npz", chip)
    assert loaded.tiles[0].words(chip.tiles[0]) == image.tiles[0].words(chip.tiles[0])
    check_chip(chip, loaded, network)


def test_other_synapses_do_not_fit_a_sparse_memory_and_other_weights_do() -> None:
    chip = plan(network_of(WEIGHTS), lanes=2)
    other = network_of(-WEIGHTS)
    assert pack(chip, other).tiles[0].sparse[0, 0].tolist() == [0, -3]
    with pytest.raises(CapacityError, match="other synapses"):
        pack(chip, network_of(WEIGHTS + np.eye(5, 3, dtype=int)))


def test_a_projection_without_a_synapse_is_packed_and_has_verilog() -> None:
    network = network_of(WEIGHTS * 0)
    chip = plan(network, lanes=2)
    tile, image = chip.tiles[0], pack(chip, network)
    assert tile.groups[0].sparse == SparseSpec(words=(0, 0, 0), synapses=(0, 0, 0), weight_bits=4)
    assert (tile.sparse_depth, tile.pointer_depth, tile.pointer_bits) == (0, 3, (0, 1))
    check_chip(chip, image, network)
    assert "pointers" in chip_verilog(chip, image)  # yosys fails at a memory without width
