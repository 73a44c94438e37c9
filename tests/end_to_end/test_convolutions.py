"""Convolutions on chips: every value, spike, counter and clock cycle, split over tiles, and what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.storage import choose_storage
from spikeloom.hdl import encoder, scatter, synapse_lanes, tile
from spikeloom.sim import cycles
from spikeloom.sim.golden import run
from spikeloom.spec.archive import load_network, save_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import CapacityError, FileFormatError, MismatchError, NetworkError
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from ..hdl.mutant import mutant
from .chip_bench import play, prove
from .host_items import config_image
from .test_memory_readback import read_all, words_of

FIRST = Conv(shape=(2, 6, 5), out_channels=8, kernel=(3, 3), padding=(1, 1, 1, 1), stride=(2, 1))
DEPTH = Conv(shape=(8, 3, 5), out_channels=8, kernel=(2, 2), groups=8, padding=(0, 1, 1, 0))
POINT = Conv(shape=(8, 3, 5), out_channels=8, kernel=(1, 1))
PAYLOADS = {"unit": (1, 1), "sign": (-1, 1), "graded": (-4, 7)}


def layers(kind="unit", sparse=True, book=None):
    """Plain, then depthwise and 1 x 1 in a loop, then all of it to a few neurons; a sparse projection beside one convolution."""
    rng = np.random.default_rng(3)
    low, high = PAYLOADS[kind]
    plain = {"model": Model.LIF, "decay": Decay(shift_a=3), "reset": Reset.SUBTRACT, "v_bits": 14}
    populations = (
        Population(name="x", size=FIRST.source_size, model=Model.INPUT, payload_min=low, payload_max=high),
        Population(name="a", size=FIRST.target_size, theta=rng.integers(5, 30, FIRST.target_size), **plain),
        Population(name="b", size=DEPTH.target_size, theta=9, bias=rng.integers(-2, 3, DEPTH.target_size), output=True, **plain),
        Population(name="y", size=5, theta=20, readout=Readout.COUNT, **plain))

    def of(conv, bits=4):
        if book:
            return {"kind": Kind.CONV, "conv": conv, "codebook": book, "weights": rng.choice(book, conv.weights_shape)}
        return {"kind": Kind.CONV, "conv": conv, "weight_bits": bits, "weights": rng.integers(-(1 << bits - 1), 1 << bits - 1, conv.weights_shape)}

    whole = Conv(shape=(8, 3, 5), out_channels=5, kernel=(1, 3), pool=(3, 1), stride=(1, 3))  # 1 x 1 of what is left
    projections = [Projection(source="x", target="a", **of(FIRST)), Projection(source="a", target="b", **of(DEPTH, 5)),
                   Projection(source="b", target="a", delay=1, shift=1, **of(POINT, 3)), Projection(source="b", target="y", **of(whole))]
    if sparse:
        weights = rng.integers(-8, 8, (FIRST.target_size, FIRST.source_size)) * (rng.random((FIRST.target_size, FIRST.source_size)) < 0.1)
        projections.append(Projection(source="x", target="a", weights=weights, weight_bits=4, kind=Kind.SPARSE, delay=2))
        projections.append(Projection(source="y", target="b", weights=rng.integers(-4, 4, (DEPTH.target_size, 5)), weight_bits=3, delay=1))
    return Network(name="maps", populations=populations, projections=tuple(projections))


def clip(network, steps=7, density=0.25, seed=0):
    rng = np.random.default_rng(seed)
    (x,) = network.inputs
    payloads = rng.choice([p for p in range(x.payload_min, x.payload_max + 1) if p], (steps, x.size))
    return payloads * (rng.random((steps, x.size)) < density)


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("options", [{"lanes": 4}, {"lanes": 8, "tiles": 1, "update_lanes": 2}, {"lanes": 2, "tiles": 7, "fabric": "mesh"}])
def test_convolutions_equal_the_models(kind, options):
    network = layers(kind)
    chip = plan(network, counters=True, **options)
    check_chip(chip, pack(chip, network), network)
    seen = prove(network, chip, clip(network))
    assert len(seen.spikes) > 30 and any(run(network, clip(network)[None]).spike_counts["y"][0])


@pytest.mark.parametrize("sparse", [False, True])
def test_convolutions_with_codebooks_equal_the_models(sparse):
    network = layers("sign", sparse, book=(-9, 0, 3, 4))
    chip = plan(network, lanes=4, writable=False)
    assert sparse or [t.weight_bits for t in chip.tiles] == [3, 2, 2]  # 4 values, and 4 that are shifted
    prove(network, chip, clip(network))


def test_a_map_over_several_tiles_is_cut_into_channels_and_each_weight_is_stored_once():
    network = layers(sparse=False)
    chip = plan(network, lanes=2, tiles=9)
    for name in ("a", "b"):
        slices = [g for t in chip.tiles for g in t.groups if g.population == name]
        assert len(slices) > 1 and all(g.first % 15 == 0 and g.size % 15 == 0 and not g.pitch for g in slices)
    for t in chip.tiles:
        assert all(w.fits(t.lanes) for g in t.groups if g.sparse for w in g.sparse.windows)
    stored = sum(t.weight_depth * t.lanes for t in chip.tiles)
    weights = sum(p.weights.size for p in network.projections)
    assert weights <= stored <= weights + 2 * sum(t.lanes for t in chip.tiles) * 24  # y has 5 neurons, and rows of 2
    single = plan(layers(sparse=False), lanes=8, tiles=1)
    one = {w.conv: w.words(single.tiles[0].lanes) for g in single.tiles[0].groups if g.sparse for w in g.sparse.windows}
    assert one[FIRST] * single.tiles[0].lanes == np.prod(FIRST.weights_shape) and one[DEPTH] * single.tiles[0].lanes == np.prod(DEPTH.weights_shape)


def test_the_walk_takes_a_cycle_per_word_of_output_channels_and_kernel_position_that_has_a_target():
    conv = Conv(shape=(4, 9, 8), out_channels=32, kernel=(3, 3), padding=(1, 1, 1, 1))
    x = Population(name="x", size=conv.source_size, model=Model.INPUT)
    h = Population(name="h", size=conv.target_size, model=Model.IF, theta=100, v_bits=12, reset=Reset.SUBTRACT, output=True)
    network = Network(name="n", populations=(x, h), projections=(Projection(
        source="x", target="h", weights=np.random.default_rng(1).integers(-8, 8, conv.weights_shape), weight_bits=4, kind=Kind.CONV, conv=conv),))
    chip, events = plan(network, lanes=16, update_lanes=16), clip(network, steps=6, density=0.1)
    seen = prove(network, chip, events)
    positions = (events != 0) @ conv.reach  # of the kernel that have a target, of all events of a timestep
    assert positions.min() > 150 and conv.reach.min() == 4 and conv.reach.max() == 9
    words = np.ceil(32 / 16) * positions
    report = cycles.cycles_of(chip, network, events[None])
    updates = chip.tiles[0].rows(0) * chip.tiles[0].beats
    walk = report.walk.sum() - len(events) * updates
    assert abs(walk - words.sum()) <= 0.05 * words.sum() and walk == words.sum() + 3 * len(events)
    # And the measured phases hold nothing else but the update of every neuron, and the pipeline.
    assert seen.phases[1:7] == [int(w) + 3 + updates + 5 + 1 + 2 + 1 + max(0, seen.phases[k + 1] - int(w) - updates - 12)
                                for k, w in enumerate(words)]


def test_storage_leaves_convolutions_as_they_are_and_counts_them():
    network, choices = choose_storage(layers(), lanes=4)
    assert [p.kind for p in network.projections].count(Kind.CONV) == 4
    of = [c for c in choices if c.kind is Kind.CONV]
    assert len(of) == 4 and all(c.sparse_bits is None and c.break_even is None and c.dense_bits > 0 for c in of)
    chip = plan(network, lanes=4)
    tiles = [t for t in chip.tiles if t.has_windows]
    pointers = sum(sum(t.pointer_bits) * len(g.sparse.words) for t in tiles for g in t.groups if g.sparse)
    kernels = sum(w.words(t.lanes) * t.lanes * t.weight_bits for t in tiles for g in t.groups if g.sparse for w in g.sparse.windows)
    sparse = sum(c.sparse_bits for c in choices if c.kind is Kind.SPARSE)
    assert sum(c.dense_bits for c in of) + sparse >= kernels + pointers


def test_a_file_holds_a_convolution(tmp_path):
    network = layers()
    save_network(network, tmp_path / "n.npz")
    loaded = load_network(tmp_path / "n.npz")
    assert loaded.digest == network.digest and loaded.projections[0].conv == FIRST and loaded.projections[0].weights.shape == (8, 2, 3, 3)


@pytest.mark.parametrize("change, error, text", [
    ({"shape": [2, 6]}, NetworkError, "Projection x -> a: conv: shape must be 3 integers"), ({"bias": 1}, FileFormatError, "unknown field 'bias'"),
    ({"stride": 2}, FileFormatError, "field 'stride' must be list"), ({"kernel": [200, 200], "padding": [200] * 4, "out_channels": 60000},
                                                                        FileFormatError, "more than the 67108864 that are possible"),
    ({"kernel": [3, 2], "padding": [1, 1, 1, 0]}, FileFormatError, "must be int8 of shape [8, 2, 3, 2]")])
def test_a_file_with_a_wrong_geometry_is_refused(change, error, text, tmp_path, monkeypatch):
    monkeypatch.setattr(Conv, "header", lambda self: {**HEADER(self), **(change if self == FIRST else {})})
    save_network(layers(), tmp_path / "n.npz")
    with pytest.raises(error) as caught:
        load_network(tmp_path / "n.npz")
    assert text in str(caught.value), str(caught.value)


HEADER = Conv.header


def test_the_check_sees_a_pointer_and_a_kernel_that_are_wrong():
    network = layers()
    chip = plan(network, lanes=4)
    image = pack(chip, network)
    check_chip(chip, image, network)
    t = next(k for k, spec in enumerate(chip.tiles) if any(g.population == "a" for g in spec.groups))
    spec = chip.tiles[t]
    field = list(spec.pointer_fields).index
    for array, place, worth in (("pointers", (7, field("row")), 1), ("pointers", (7, field("count")), -1), ("pointers", (7, field("first")), 1),
                                ("pointers", (7, field("walk")), -1), ("weights", (20, 1), 1)):
        changed = {name: getattr(image.tiles[t], name).copy() for name in ("weights", "theta", "bias", "table", "sparse", "pointers")}
        changed[array][place] += worth
        tiles = [*image.tiles]
        tiles[t] = type(image.tiles[t])(**changed, parameters=image.tiles[t].parameters)
        with pytest.raises(MismatchError):
            check_chip(chip, MemoryImage(network_digest=network.digest, tiles=tuple(tiles)), network)


def test_lanes_need_not_divide_the_channels_but_a_word_of_groups_has_whole_groups():
    network = layers(sparse=False)
    assert [t.lanes for t in plan(network, lanes=6).tiles] == [4, 4, 5]  # 8 channels are two rows of 6, and of 4
    assert [t.lanes for t in plan(network, lanes=[6, 7, 3]).tiles] == [6, 7, 3]
    grouped = Conv(shape=(8, 3, 5), out_channels=8, kernel=(2, 2), groups=2, padding=(0, 1, 1, 0))
    projections = [replace(p, conv=grouped, weights=np.tile(p.weights, (1, 4, 1, 1))) if p.conv == DEPTH else p for p in network.projections]
    with pytest.raises(CapacityError, match=r"6 lanes are asked for on the tile of b, and a word of their weights would hold a part of .* use 4"):
        plan(replace(network, projections=tuple(projections)), lanes=[8, 6, 5])
    with pytest.raises(CapacityError, match=r"54 tiles are asked for, .* has 53 neurons, those of a map counted as one per channel and row"):
        plan(network, tiles=54)


@pytest.mark.parametrize("sparse", [False, True])
def test_every_word_of_a_chip_with_convolutions_can_be_written_and_read_back(sparse):
    network = layers(sparse=sparse)
    chip = plan(network, lanes=4, readable=True)
    image = pack(chip, network)
    (seen,) = play(chip, image, [*config_image(chip, image), *read_all(chip)], max_cycles=60_000)
    assert seen.words == words_of(chip, image) and len(seen.words) > 300


@pytest.mark.parametrize("owner, name, old, new", [
    (encoder.Encoder, "_first", "u * apart - n + 1", "u * apart"), (encoder.Encoder, "_first", "1 - (beats - 1) * u * apart", "1"),
    (encoder.Encoder, "elaborate", "k * (g.apart or g.positions) for", "k for"),
    (scatter.Scatter, "elaborate", "head.part == lane // lanes", "head.part == lane % 2"),
    (scatter.Scatter, "elaborate", "head.walk != 0", "head.walk != 1"),
    (scatter.Scatter, "elaborate", "tile.has_windows and tile.has_words:  #", "False:  #"),
    (scatter.Scatter, "elaborate", "else put & self.put_lanes[lane]", "else put"),
    (scatter.Scatter, "_observe", "amount.eq(most)", "amount.eq(tile.lanes)"),
    (synapse_lanes.SynapseLanes, "elaborate", "-term, term) if tile", "term, term) if tile"),
    (tile.Tile, "_connect_scatter", "lanes.row.eq(scatter.window_row)", "lanes.row.eq(row)"),
    (tile.Tile, "_connect_scatter", "lanes.event.payload.eq(scatter.payload)", "lanes.event.payload.eq(0)")])
def test_changed_hardware_is_seen(owner, name, old, new, monkeypatch):
    monkeypatch.setattr(owner, name, mutant(owner, name, old, new))
    network = layers("sign" if "-term" in old else "graded")
    with pytest.raises(AssertionError):
        prove(network, plan(network, lanes=4, update_lanes=2, counters=True), clip(network, steps=4))
