"""The memory image: layout of its words, its file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.errors import CapacityError, FileFormatError
from spikeloom.spec.image import MemoryImage, TableLayout, table_layout
from spikeloom.spec.network import Model, Network, Population, Projection, Reset


def network_of(weights: np.ndarray, theta=9, bias=-2) -> Network:
    target, source = weights.shape
    return Network(name="n", populations=(
        Population(name="x", size=source, model=Model.INPUT),
        Population(name="h", size=target, model=Model.LIF, reset=Reset.SUBTRACT, theta=theta, bias=bias, output=True),
    ), projections=(Projection(source="x", target="h", weights=weights, weight_bits=4),))


@pytest.fixture
def network() -> Network:
    return network_of(np.arange(10).reshape(5, 2) - 5, theta=np.arange(5) + 3, bias=np.array([0, -1, 1, -2, 1]))


def test_words_have_lane_zero_in_the_lowest_bits(network: Network) -> None:
    chip = plan(network, lanes=4, update_lanes=2)
    tile, image = chip.tiles[0], pack(chip, network).tiles[0]
    assert image.weights.dtype == np.int16
    assert image.weights.tolist() == [[-5, -3, -1, 1], [-4, -2, 0, 2], [3, 0, 0, 0], [4, 0, 0, 0]]
    words = image.words(tile)
    assert words.weights == [0x1FDB, 0x20EC, 0x0003, 0x0004]
    assert image.theta.tolist() == [[3, 4], [5, 6], [7, 7], [7, 7]]
    assert image.bias.tolist() == [[0, -1], [1, -2], [1, 0], [0, 0]]
    assert (tile.theta_bits, tile.bias_bits) == (3, 2)
    assert words.parameters == [0b11_100_00_011, 0b10_110_01_101, 0b00_111_01_111, 0b00_111_00_111]
    assert words.axons == [0b1_0_0, 0]  # no bits of group, base 0, delay 0, last; the second key does not come here


def test_a_table_word_is_read_back() -> None:
    layout = TableLayout(list_bits=2, base_bits=5, delay_bits=1, stride=2, depth=4)
    assert layout.width == 9
    assert layout.pack(3, 17, 1, True) == 0b1_1_10001_11
    assert layout.pack(0, 1, 2, False) == 0b0_0_00001_00  # the delay counts modulo the slots
    assert layout.unpack(layout.pack(2, 30, 1, True)) == (2, 30, 1, True)


def test_a_key_with_several_axons_has_its_entries_one_after_the_other() -> None:
    weights = np.ones((3, 2), dtype=int)
    populations = (Population(name="x", size=2, model=Model.INPUT), Population(name="h", size=3, model=Model.IF, output=True))
    network = Network(name="n", populations=populations,
                      projections=tuple(Projection(source="x", target="h", weights=weights, delay=k) for k in (0, 1, 2)))
    chip = plan(network)
    layout = table_layout(chip.tiles[0], len(chip.keys))
    assert (layout.stride, layout.depth) == (3, 6)
    assert [layout.unpack(word) for word in pack(chip, network).tiles[0].table_words()[:3]] == [
        (0, 0, 0, False), (0, 2, 1, False), (0, 4, 2, True)]


def test_wide_shifts_get_wider_arrays() -> None:
    weights = np.full((1, 1), 127)
    populations = (Population(name="x", size=1, model=Model.INPUT), Population(name="h", size=1, model=Model.IF, output=True))
    projections = tuple(Projection(source="x", target="h", weights=weights, shift=s) for s in (0, 12))
    network = Network(name="n", populations=populations, projections=projections)
    image = pack(plan(network), network).tiles[0]
    assert image.weights.dtype == np.int32
    assert image.weights.tolist() == [[127], [127 << 12]]


def test_a_saved_image_is_the_same_bytes_and_comes_back(network: Network, tmp_path: Path) -> None:
    chip = plan(network, lanes=4)
    image = pack(chip, network)
    image.save(tmp_path / "a.npz")
    pack(chip, network).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = MemoryImage.load(tmp_path / "a.npz", chip)
    assert loaded.network_digest == network.digest
    assert [t.words(s) for t, s in zip(loaded.tiles, chip.tiles)] == [t.words(s) for t, s in zip(image.tiles, chip.tiles)]
    assert not loaded.tiles[0].weights.flags.writeable


def test_a_damaged_image_is_refused(network: Network, tmp_path: Path) -> None:
    chip = plan(network, lanes=4)
    path = tmp_path / "image.npz"
    pack(chip, network).save(path)
    whole = path.read_bytes()
    for k in range(0, len(whole), 7):  # truncated anywhere
        path.write_bytes(whole[:k])
        with pytest.raises(FileFormatError, match="image.npz"):
            MemoryImage.load(path, chip)
    rng = np.random.default_rng(0)
    for _ in range(300):  # one byte changed anywhere: refused, or where zip does not look, unchanged
        k = int(rng.integers(len(whole)))
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 1 << int(rng.integers(8))]) + whole[k + 1:])
        try:
            loaded = MemoryImage.load(path, chip)
        except FileFormatError:
            continue
        assert loaded.tiles[0].words(chip.tiles[0]) == pack(chip, network).tiles[0].words(chip.tiles[0])
    with pytest.raises(FileFormatError, match="cannot be read"):
        MemoryImage.load(tmp_path / "absent.npz", chip)


def test_an_image_of_another_chip_is_refused(network: Network, tmp_path: Path) -> None:
    pack(plan(network, lanes=4), network).save(tmp_path / "image.npz")
    with pytest.raises(FileFormatError, match=r"shape \[4, 4\].*shape \[6, 2\]"):
        MemoryImage.load(tmp_path / "image.npz", plan(network, lanes=2))


def test_another_network_of_the_same_graph_fits_a_chip_that_is_wide_enough(network: Network) -> None:
    chip = plan(network, lanes=4)
    other = network_of(network.projections[0].weights[::-1], theta=7, bias=1)
    assert pack(chip, other).tiles[0].weights[0, 0] == 3


@pytest.mark.parametrize("other, text", [
    (network_of(np.eye(5, 2, dtype=int) * 2, theta=1, bias=0), "sums of weights 0..2"),
    (network_of(np.eye(5, 3, dtype=int), theta=1, bias=0), "Population 'x' has 3 neurons, and the chip 2 of it"),
    (network_of(np.eye(5, 2, dtype=int), theta=8, bias=0), "thresholds 8..8"),
    (network_of(np.eye(5, 2, dtype=int), theta=1, bias=2), "biases 2..2"),
])
def test_a_network_that_the_chip_cannot_hold_is_refused(other: Network, text: str) -> None:
    chip = plan(network_of(np.eye(5, 2, dtype=int), theta=7, bias=1), lanes=4)
    with pytest.raises(CapacityError, match=text):
        pack(chip, other)
