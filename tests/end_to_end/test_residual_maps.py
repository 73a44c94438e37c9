"""Residual and backward-residual networks of maps: sums, 1x1 projections, concatenations, and passes that share weights; on any chip."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.partition import TileLimits
from spikeloom.gen.plan import plan
from spikeloom.gen.topology import concatenated_maps, map_skip, projected_skip, unrolled
from spikeloom.sim import golden
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset
from spikeloom.spec.tile import TileSpec

from .chip_bench import prove
from .host_programs import random_clip
from .test_random_networks import needs_icarus, prove_in_engine

SAME = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}


def layer(name: str, size: int, theta: int = 9, **fields) -> Population:
    return Population(**{"name": name, "size": size, "model": Model.IF, "reset": Reset.SUBTRACT, "theta": theta, "v_bits": 12, **fields})


def convolution(source: Population, target: Population, conv: Conv, seed: int, **fields) -> Projection:
    weights = np.random.default_rng(seed).integers(-3, 6, conv.weights_shape)
    return Projection(source=source.name, target=target.name, weights=weights, weight_bits=4, kind=Kind.CONV, conv=conv, **fields)


X = Population(name="x", size=2 * 4 * 6, model=Model.INPUT, payload_max=3)


def resnet() -> Network:
    """A layer, a block with the identity as skip, one that halves the map with a 1x1 projection as skip, and one over both by concatenation; the
    second skip comes a timestep late."""
    a, b, c = (layer(name, 4 * 24) for name in "abc")
    d, e, f = layer("d", 6 * 6, 12), layer("e", 6 * 6, 12), layer("f", 3 * 6, 20, readout=Readout.COUNT)
    wide, narrow = Conv(shape=(4, 4, 6), out_channels=4, **SAME), Conv(shape=(6, 2, 3), out_channels=6, **SAME)
    rng = np.random.default_rng(9)
    both = Conv(shape=(12, 2, 3), out_channels=3, kernel=(2, 2), padding=(1, 0, 0, 1))
    return Network(name="resnet", populations=(X, a, b, c, d, e, f), projections=(
        convolution(X, a, Conv(shape=(2, 4, 6), out_channels=4, **SAME), 1),
        convolution(a, b, wide, 2), convolution(b, c, wide, 3), map_skip(a, c, (4, 4, 6), weight=4),
        convolution(c, d, replace(wide, out_channels=6, stride=(2, 2)), 4), convolution(d, e, narrow, 5),
        projected_skip(c, e, (4, 4, 6), rng.integers(-3, 6, (6, 4)), stride=(2, 2), weight_bits=4, delay=1),
        *concatenated_maps([d, e], f, both, rng.integers(-3, 6, both.weights_shape), channels=[6, 6], weight_bits=4)))


@pytest.mark.parametrize("mapping", [{"tiles": 1}, {"tiles": 4, "fabric": "mesh"}], ids=["one tile", "mesh"])
def test_a_residual_network_of_maps_equals_the_models(mapping):
    network = resnet()
    chip = plan(network, lanes=4, counters=True, **mapping)
    assert chip.period == 1  # no skip is a loop: the schedule finds the slots, and a timestep takes one phase
    check_chip(chip, pack(chip, network), network)
    x = random_clip(network, 4, np.random.default_rng(1), 0.3)
    prove(network, chip, x)
    assert golden.run(network, x[None]).readouts["f"].sum() > 20


def test_the_blocks_are_what_dense_matrices_over_the_same_neurons_are():
    network = resnet()
    dense = [Projection(source=p.source, target=p.target, weights=p.rows(0, p.shape[0]).astype(int), weight_bits=8, delay=p.delay)
             for p in network.projections]
    x = random_clip(network, 6, np.random.default_rng(1), 0.3)[None]
    plain = Network(name="d", populations=network.populations, projections=tuple(dense))
    got, wanted = (golden.run(n, x, record=True).potentials for n in (network, plain))
    assert all((got[name] == wanted[name]).all() for name in got)
    identity, places = network.projections[3], np.arange(96)
    assert (identity.rows(0, 96) == 4 * np.eye(96)[places]).all()
    both = [p.weights for p in network.projections if p.target == "f"]
    assert [w.shape for w in both] == [(3, 6, 2, 2)] * 2


CONV = Conv(shape=(4, 2, 3), out_channels=4, **SAME)
POOLED = replace(CONV, shape=(4, 4, 6), pool=(2, 2))


def backward(passes: int = 3, layers: int = 1, pooled: bool = True, matrix: bool = True, skip: bool = False) -> Network:
    """A layer on a larger map, pooled into a block of one or two layers that is passed through several times, with rising thresholds."""
    first = layer("a", 4 * 24)
    c, d = layer("c", 24), layer("d", 24)
    source = first if pooled else layer("a", 24)
    block = [(c, convolution(source, c, CONV, 2)), (d, convolution(c, d, CONV, 3))][:layers]
    made = unrolled(block, passes=passes, thetas={"c": [24, *range(7, 6 + passes)] if pooled else [*range(7, 7 + passes)]},
                    skips=[map_skip(c, d, (4, 2, 3), weight=4)] if skip else [],
                    entry=convolution(source, c, POOLED, 2) if pooled else None)
    last = made.populations[-1]
    y = Population(name="y", size=3, model=Model.LI, v_bits=14, readout=Readout.LAST)
    conv = Conv(shape=(2, 4, 6), out_channels=4, **SAME, **({} if pooled else {"pool": (2, 2)}))
    projections = (convolution(X, source, conv, 1), *made.projections,
                   Projection(source=last.name, target="y", weights=np.random.default_rng(4).integers(-4, 5, (3, 24)), weight_bits=4))
    if not matrix:
        projections = tuple(replace(p, matrix="") for p in projections)
    return Network(name="backward", populations=(X, source, *made.populations, y), projections=projections)


CASES = {"passes": {}, "no pool": {"pooled": False, "passes": 4}, "two layers": {"layers": 2, "passes": 2},
         "with a skip": {"layers": 2, "skip": True}}


@pytest.mark.parametrize("case, mapping", [*((case, {}) for case in CASES), ("passes", {"tiles": 1}),
                                           ("with a skip", {"tiles": 5, "fabric": "mesh"})])
def test_passes_of_a_block_of_maps_equal_the_models(case, mapping):
    network = backward(**CASES[case])
    chip = plan(network, lanes=4, counters=True, **mapping)
    check_chip(chip, pack(chip, network), network)
    x = random_clip(network, 4, np.random.default_rng(1), 0.4)
    prove(network, chip, x)
    result = golden.run(network, x[None])
    assert all(result.spike_counts[p.name].sum() > 5 for p in network.populations if p.spikes)
    assert (result.readouts["y"] == golden.run(backward(**CASES[case], matrix=False), x[None]).readouts["y"]).all()


@needs_icarus
def test_the_verilog_of_a_block_whose_weights_are_stored_once_equals_the_models():
    network = backward(layers=2, skip=True)
    prove_in_engine("icarus", (network, {"lanes": 4}, np.stack([random_clip(network, 4, np.random.default_rng(seed), 0.4) for seed in (0, 1)])))


def words(chip, network) -> int:
    """Weight words of tiles that hold passes."""
    return sum(t.weight_depth for t in chip.tiles if any(g.population.startswith(("c_", "d_")) for g in t.groups))


@pytest.mark.parametrize("case", CASES)
def test_the_weights_of_all_passes_are_stored_once_on_the_tile_that_they_take_turns_on(case):
    network, separate = backward(**CASES[case]), backward(**CASES[case], matrix=False)
    chip, apart = plan(network, lanes=4), plan(separate, lanes=4)
    blocks = [[g.population for g in t.groups] for t in chip.tiles]
    layers, passes = CASES[case].get("layers", 1), CASES[case].get("passes", 3)
    assert [f"c_{k + 1}" for k in range(passes)] in blocks and len(chip.tiles) == 2 + layers
    once = CONV.weights_shape[0] * 9  # words of 4 lanes: 4 output channels, 4 x 9 weights each
    assert words(chip, network) == layers * once + 4 * CASES[case].get("skip", False) // 4
    assert words(apart, separate) == passes * words(chip, network)
    # Passes through the same geometry read the same pointers, too; the one that is pooled has its own.
    tile = chip.tiles[blocks.index([f"c_{k + 1}" for k in range(passes)])]
    pooled = CASES[case].get("pooled", True)
    assert tile.pointer_depth == (96 if pooled else 0) + 24
    assert len({tile.pointer_base(k) for k in range(passes)}) == 1 + pooled


def test_a_block_that_is_too_large_for_a_tile_is_cut_so_that_each_tile_has_its_channels_of_all_passes():
    network = backward(pooled=False, passes=4)
    chip = plan(network, lanes=2, limits=TileLimits(neurons=48))
    blocks = [[(g.population, g.first) for g in t.groups] for t in chip.tiles if t.groups[0].population == "c_1"]
    assert blocks == [[(f"c_{k}", first) for k in (1, 2, 3, 4)] for first in (0, 12)]
    assert words(chip, network) == 2 * 36  # two tiles with two channels each, once
    prove(network, chip, random_clip(network, 4, np.random.default_rng(1), 0.4))
    # The first pass of a pooled block hears a larger map: with too few axons for all it is by itself, and the others share.
    few = plan(backward(passes=4), lanes=2, limits=TileLimits(neurons=96, axons=96))
    assert [[g.population for g in t.groups] for t in few.tiles] == [["a"], ["c_1"], ["c_2", "c_3", "c_4"], ["y"]]
    assert words(few, network) == 2 * 72  # c_1's, and those of the others once
    narrow = plan(network, lanes=2, limits=TileLimits(neurons=24, axons=48))  # a tile has room for the axons of two passes
    assert [len(t.groups) for t in narrow.tiles] == [1, 2, 2, 1, 1, 1] and words(narrow, network) == 2 * 36 + 2 * 72


def test_another_network_whose_passes_differ_is_refused_by_a_chip_that_stores_them_once():
    chip = plan(backward(), lanes=4)
    other = backward(matrix=False)
    projections = [*other.projections]
    changed = projections[2].weights.astype(int).copy()
    changed[1, 2, 0, 0] += 1
    projections[2] = replace(projections[2], weights=changed)
    pack(chip, other)
    with pytest.raises(CapacityError, match="has other weights here than a population with which it shares them on the chip: the chip was planned"):
        pack(chip, replace(other, projections=tuple(projections)))


@pytest.mark.parametrize("owner, name, old, new", [
    (TileSpec, "_scattered", "owner[k] == k", "True"), (TileSpec, "_scattered", "owner.get(group, group)", "group"),
    (TileSpec, "_weights", "elif same in kernels", "elif False")])
def test_a_change_of_where_shared_weights_lie_is_seen(owner, name, old, new, monkeypatch):
    """A plan that lays its memories out otherwise than it says takes more words, or reads others."""
    function = getattr(owner, name)
    function = getattr(function, "func", function)
    source = textwrap.dedent(inspect.getsource(function)).replace("@cached_property\n", "")
    assert source.count(old) == 1, source
    space = {**vars(inspect.getmodule(owner))}
    exec(source.replace(old, new), space)
    changed = property(space[name]) if name == "_weights" else space[name]
    network = backward(pooled=name == "_weights", passes=3)
    before = plan(network, lanes=4)
    sizes = [(t.weight_depth, t.pointer_depth, [t.pointer_base(k) for k in range(len(t.groups))]) for t in before.tiles]
    monkeypatch.setattr(owner, name, changed)
    after = plan(network, lanes=4)
    assert [(t.weight_depth, t.pointer_depth, [t.pointer_base(k) for k in range(len(t.groups))]) for t in after.tiles] != sizes
