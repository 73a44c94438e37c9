"""Maps that are cut by rows: every value, spike, counter and cycle; which tiles an event goes to; and what the check sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.partition import TileLimits
from spikeloom.gen.plan import plan
from spikeloom.gen.topology import max_pool
from spikeloom.hdl import encoder, scatter, update
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import CapacityError, MismatchError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from ..hdl.mutant import mutant
from .chip_bench import prove
from .test_convolutions import clip

FIRST = Conv(shape=(2, 8, 4), out_channels=6, kernel=(3, 3), padding=(1, 1, 1, 1))
NEXT = Conv(shape=(6, 8, 4), out_channels=5, kernel=(3, 3), padding=(1, 1, 1, 1), stride=(2, 1))


def tall(outputs: bool = False) -> Network:
    """Two maps of 8 and of 4 rows, then a dense layer that reads the second one flattened; with ``outputs`` the maps leave the chip, one as votes."""
    rng = np.random.default_rng(5)
    plain = {"model": Model.LIF, "decay": Decay(shift_a=2), "reset": Reset.SUBTRACT, "v_bits": 12}
    votes = {"readout": Readout.VOTE, "classes": rng.integers(-1, 4, NEXT.target_size)} if outputs else {}
    populations = (
        Population(name="x", size=FIRST.source_size, model=Model.INPUT),
        Population(name="a", size=FIRST.target_size, theta=rng.integers(4, 20, FIRST.target_size), output=outputs, **plain),
        Population(name="b", size=NEXT.target_size, theta=rng.integers(4, 20, NEXT.target_size), bias=rng.integers(-1, 3, NEXT.target_size),
                   **votes, **plain),
        Population(name="y", size=3, theta=20, readout=Readout.COUNT, **plain))

    def of(conv: Conv) -> dict:
        return {"kind": Kind.CONV, "conv": conv, "weight_bits": 4, "weights": rng.integers(-8, 8, conv.weights_shape)}

    own = Conv(shape=NEXT.out_shape, out_channels=5, kernel=(3, 1), padding=(1, 1, 0, 0))
    projections = (
        Projection(source="x", target="a", **of(FIRST)), Projection(source="a", target="b", **of(NEXT)),
        Projection(source="b", target="b", delay=1, **of(own)),
        Projection(source="b", target="y", weight_bits=4, weights=rng.integers(-8, 8, (3, NEXT.target_size))))
    return Network(name="tall", populations=populations, projections=projections)


LIMITS = TileLimits(neurons=50)
ROWS = {"lanes": 6, "tiles": 12, "fabric": "star"}
BLOCKS = {"lanes": [4] * 12, "update_lanes": [2] * 12, "fabric": "star"}  # 4 lanes for 6 channels: two rows of each place
PARTS = {"lanes": [4] * 7, "update_lanes": [2] * 7, "limits": LIMITS}  # 4 lanes for maps of 3 channels: a lane of each row is empty


@pytest.mark.parametrize("outputs", [False, True])
@pytest.mark.parametrize("options", [PARTS, ROWS])
def test_a_map_cut_by_rows_equals_the_models(outputs, options):
    network = tall(outputs)
    chip = plan(network, counters=True, **options)
    check_chip(chip, pack(chip, network), network)
    assert any(g.pitch for t in chip.tiles for g in t.groups)
    assert len(prove(network, chip, clip(network, steps=5)).spikes) > (50 if outputs else 0)


def test_a_tile_hears_the_rows_that_reach_it_and_both_tiles_an_event_in_their_overlap():
    chip = plan(tall(), **ROWS)
    parts = [g for tile in chip.tiles for g in tile.groups if g.population == "a"]
    assert [(g.first, g.size, g.positions, g.pitch) for g in parts] == [(first, 48, 8, 32) for first in (0, 8, 16, 24)]  # 2 of 8 rows, all 6 channels
    hears = {g.first: {chip.keys[k].first for k in tile.entries if chip.keys[k].population == "a"}
             for tile in chip.tiles for g in tile.groups if g.population == "b"}
    # A row of b reads three of a: rows -1 to 1, 1 to 3, 3 to 5 and 5 to 7; two channels are on tiles of their own, their first two rows together.
    assert hears == {0: {0}, 4: {0, 8}, 8: {8, 16}, 12: {16, 24}, 48: {0, 8}, 56: {8, 16}, 60: {16, 24}}
    first = next(tile for tile in chip.tiles if tile.groups[0].population == "b")
    assert first.pointer_depth == 48 + 12 + 12 + 16  # of a those rows; of b itself two rows of three channels, and of the other two


@pytest.mark.parametrize("size, by_rows", [(16, True), (2, False)])
def test_what_costs_less_is_taken(size, by_rows):
    """64 channels of 16 x 16: in channels each tile has a pointer to every neuron of the source. Of 2 x 2: in rows each tile has every weight."""
    conv = Conv(shape=(64, size, size), out_channels=64, kernel=(3, 3), padding=(1, 1, 1, 1))
    x = Population(name="x", size=conv.source_size, model=Model.INPUT)
    a, b = (Population(name=name, size=conv.source_size, model=Model.IF, theta=9, v_bits=14, output=name == "b") for name in "ab")
    projections = [Projection(source=source, target=target, weights=np.ones(conv.weights_shape, dtype=int), weight_bits=4, kind=Kind.CONV, conv=conv)
                   for source, target in ("xa", "ab")]
    chip = plan(Network(name="n", populations=(x, a, b), projections=tuple(projections)), limits=TileLimits(neurons=conv.source_size // 4))
    assert [bool(g.pitch) for t in chip.tiles for g in t.groups if g.population == "b"] == [by_rows] * 4


def test_a_row_that_does_not_fit_a_tile_is_refused():
    with pytest.raises(CapacityError, match=r"One row of one channel of population 'a' needs 4 neurons, 64 axons and 18 weight words, and a .* 3 "):
        plan(tall(), limits=TileLimits(neurons=3))


@pytest.mark.parametrize("fabric", ["star", "mesh"])
def test_rows_that_no_window_reaches_send_nothing(fabric):
    """A pool that leaves out what is behind its last window: the tiles of those rows have no key."""
    conv = Conv(shape=(1, 6, 2), out_channels=1, kernel=(1, 1))
    x = Population(name="x", size=12, model=Model.INPUT)
    a = Population(name="a", size=12, model=Model.IF, theta=1, v_bits=4, reset=Reset.ZERO)
    pool = max_pool(a, name="m", shape=(1, 6, 2), kernel=(2, 2), stride=(5, 2))
    m = replace(pool.population, output=True)
    network = Network(name="n", populations=(x, a, m), projections=(pool.projection, Projection(
        source="x", target="a", weights=np.ones(conv.weights_shape, dtype=int), weight_bits=2, kind=Kind.CONV, conv=conv)))
    chip = plan(network, limits=TileLimits(neurons=4), fabric=fabric, counters=True)
    check_chip(chip, pack(chip, network), network)
    assert sorted((g.first, g.key is None) for t in chip.tiles for g in t.groups if g.population == "a") == [(0, False), (4, True), (8, True)]
    assert prove(network, chip, clip(network, steps=4)).spikes


@pytest.mark.parametrize("change", [{"apart": 31}, {"pitch": 31}, {"first": 1}])
def test_the_check_sees_rows_that_are_others(change):
    network = tall(outputs=True)
    chip = plan(network, lanes=4, limits=LIMITS)
    image = pack(chip, network)
    number = next(k for k, key in enumerate(chip.keys) if key.pitch)
    keys = [*chip.keys]
    keys[number] = replace(keys[number], **change)
    with pytest.raises(MismatchError):
        check_chip(replace(chip, keys=tuple(keys)), image, network)


def test_the_check_sees_an_event_that_a_tile_does_not_get():
    network = tall()
    chip = plan(network, **ROWS)
    tile = next(t for t, tile in enumerate(chip.tiles) if any(g.population == "b" for g in tile.groups))
    group = chip.tiles[tile].groups[0]
    lost = replace(group, sparse=replace(group.sparse, windows=tuple(replace(w, runs=w.runs[1:]) for w in group.sparse.windows)))
    tiles = [*chip.tiles]
    tiles[tile] = replace(tiles[tile], groups=(lost,))
    with pytest.raises(MismatchError):
        check_chip(replace(chip, tiles=tuple(tiles)), pack(chip, network), network)


@pytest.mark.parametrize("owner, name, old, new", [
    (encoder.Encoder, "_first", "u * apart - n + 1", "u * n - n + 1"),
    (encoder.Encoder, "_first", "1 - (beats - 1) * u * apart", "1 - (beats - 1) * u * n"),
    (encoder.Encoder, "elaborate", "k * (g.apart or g.positions) for", "k * g.positions for"),
    (update.NeuronUpdate, "_existing", "(tile.rows(g) - spec.positions) * tile.beats", "(tile.rows(g) - 1) * tile.beats"),
    (update.NeuronUpdate, "_existing", "(part, tile.part(g))", "(local, spec.size)"),
    (scatter.Scatter, "_observe", "row >= tile.rows(g) - tile.groups[g].positions", "row == tile.rows(g) - 1")])
def test_changed_hardware_is_seen(owner, name, old, new, monkeypatch):
    monkeypatch.setattr(owner, name, mutant(owner, name, old, new))
    network = tall(outputs=True)
    with pytest.raises(AssertionError):
        prove(network, plan(network, counters=True, **(BLOCKS if "- n + 1" in old else PARTS)), clip(network, steps=4))
