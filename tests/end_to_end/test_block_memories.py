"""Chips for devices without distributed RAM, and with their weights in single-port memories: all that they do, clock by clock, is what others do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.config_port import memory_words
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import CapacityError, MismatchError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from ..strategies import random_networks
from .chip_bench import compare, play, prove
from .host_items import READ, RESET, config_image, timesteps
from .host_programs import random_clip
from .test_memory_readback import read_all, words_of
from .test_random_networks import FAST


def network(seed: int = 1, kind: Kind = Kind.DENSE) -> Network:
    """Projections of one list that are shifted by different amounts, a loop, and readouts."""
    rng = np.random.default_rng(seed)
    return Network(name="shifted", populations=(
        Population(name="x", size=9, model=Model.INPUT, payload_min=0, payload_max=7),
        Population(name="h", size=11, model=Model.LIF, decay=Decay(factor=215, fraction_bits=8), reset=Reset.SUBTRACT,
                   theta=rng.integers(20, 90, 11), v_bits=14, output=True),
        Population(name="y", size=3, model=Model.LI, decay=Decay(shift_a=3), v_bits=14, readout=Readout.SUM)), projections=(
        Projection(source="x", target="h", weights=rng.integers(-8, 8, (11, 9)), weight_bits=4, kind=kind),
        Projection(source="x", target="h", weights=rng.integers(-4, 4, (11, 9)), weight_bits=3, delay=2, shift=2),
        Projection(source="h", target="h", weights=rng.integers(-8, 8, (11, 11)), weight_bits=4, delay=1, shift=3),
        Projection(source="h", target="y", weights=rng.integers(-8, 8, (3, 11)), weight_bits=4)))


@pytest.mark.parametrize("memories", ["block", "spram"])
@pytest.mark.parametrize("options", [{}, {"lanes": 4, "tiles": 1, "counters": True}, {"lanes": 3, "readable": True, "export": True}])
def test_a_chip_equals_the_models_in_values_and_clocks(memories, options):
    net = network()
    chip = plan(net, memories=memories, **options)
    check_chip(chip, pack(chip, net), net)
    x = np.random.default_rng(2).integers(0, 8, (12, 9)) * (np.random.default_rng(3).random((12, 9)) < 0.5)
    run = prove(net, chip, x)
    assert len(run.spikes) > 10 and chip.tiles[0].sprams == (1 if memories == "spram" else 0)


@settings(max_examples=12, **FAST)
@given(random_networks(sparse=False, conv=False, max_size=10, max_populations=3))
def test_random_networks_equal_the_models_on_them(net):
    rng = np.random.default_rng(len(net.digest))
    for memories in ("block", "spram"):
        chip = plan(net, memories=memories)
        check_chip(chip, pack(chip, net), net)
        prove(net, chip, random_clip(net, 5, rng, 0.5))


def test_weights_are_stored_as_narrow_as_the_network_has_them():
    narrow, wide = (plan(network(), memories=memories).tiles[0] for memories in ("spram", "block"))
    assert (narrow.weight_bits, wide.weight_bits) == (4, 7) and narrow.value_weight_bits == 7
    assert narrow.shifts == (((0, 0), (9, 2), (18, 3)),)


@pytest.mark.parametrize("options", [{"lanes": 3}, {"lanes": 4, "tiles": 1}])
def test_every_word_comes_back_as_it_was_written_over_the_configuration_port(options):
    net = network()
    chip = plan(net, memories="spram", readable=True, **options)
    image = pack(chip, net)
    # What the model of the memories holds before.
    empty = replace(image, tiles=tuple(replace(tile, weights=np.zeros_like(tile.weights)) for tile in image.tiles))
    x = np.random.default_rng(4).integers(0, 8, (6, 9))
    (first, run) = play(chip, empty, [*config_image(chip, image), RESET, *read_all(chip), *timesteps(chip, x), READ], max_cycles=60_000)
    assert run.words == words_of(chip, image) and not first.words
    assert compare(chip, net, x, run, lengths=False, reads=[len(x)]) == []


def test_a_wrong_weight_below_a_shift_is_found_by_the_check():
    net = network()
    chip = plan(net, memories="spram")
    image = pack(chip, net)
    weights = image.tiles[0].weights.copy()
    weights[20] ^= 1
    wrong = replace(image, tiles=(replace(image.tiles[0], weights=weights), *image.tiles[1:]))
    with pytest.raises(MismatchError, match="weight from neuron"):
        check_chip(chip, wrong, net)


def test_scattered_projections_are_refused_with_what_to_change():
    with pytest.raises(CapacityError, match="Projection x -> h is stored sparse.*build with --storage dense"):
        plan(network(kind=Kind.SPARSE), memories="block")


def test_a_kind_of_memory_that_is_none_is_refused():
    with pytest.raises(ValueError, match="Memories must be one of distributed, block, spram, not 'sram'"):
        plan(network(), memories="sram")


def test_lanes_are_chosen_for_the_fewest_single_port_memories():
    rng = np.random.default_rng(1)
    net = Network(name="wide", populations=(
        Population(name="x", size=336, model=Model.INPUT), Population(name="h", size=256, model=Model.LIF, theta=9, v_bits=12, output=True)),
        projections=(Projection(source="x", target="h", weights=rng.integers(-32, 32, (256, 336)), weight_bits=6),))
    (tile,) = plan(net, memories="spram").tiles
    assert (tile.lanes, tile.update_lanes, tile.sprams) == (2, 1, 3)  # 1 lane would leave 10 of 16 bits unused, and take 6
    assert memory_words(plan(net, memories="spram"), 0)[0] == (128 * 336, 12)


def test_events_are_folded_where_payloads_are_of_low_axons_alone():
    net = network()
    tile = plan(net, memories="block").tiles[0]
    # 29 axons, of which the first 18 have payloads of 0..7: 5 + 3 bits and one that says which, instead of 5 + 4 with a sign.
    assert (tile.graded_axons, tile.axon_bits, tile.payload_bits, tile.folded_bits, tile.queue_size) == (18, 5, 4, None, (9, 4 * 29))
    far = Network(name="far", populations=(Population(name="few", size=3, model=Model.INPUT, payload_min=0, payload_max=7),
                                           Population(name="many", size=70, model=Model.INPUT),
                                           Population(name="h", size=4, model=Model.LIF, theta=30, v_bits=12, output=True)),
                  projections=tuple(Projection(source=name, target="h", weights=np.random.default_rng(size).integers(-8, 8, (4, size)), weight_bits=4)
                                    for name, size in (("few", 3), ("many", 70))))
    chip = plan(far, memories="block")
    assert chip.tiles[0].folded_bits == 2 and chip.tiles[0].queue_size == (8, 2 * 73)
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.integers(0, 8, (9, 3)), rng.integers(0, 2, (9, 70))], axis=1)
    assert prove(far, chip, x).spikes
