"""ConfigPort: words are written whole and where they belong, or refused and flagged; never while a step is under way."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.state import state_words
from spikeloom.hdl.config_port import ConfigPort, config_layout, memory_words
from spikeloom.hdl.tile import MemoryKind
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

from ..end_to_end.chip_bench import compare, play
from ..end_to_end.host_items import FLUSH, READ, RESET, config_image, config_state, config_words, events, read_states, step, timesteps
from ..end_to_end.host_programs import random_clip
from .harness import simulate


def network(seed, size=9):
    """Same graph and formats for every seed, other weights, thresholds and biases."""
    rng = np.random.default_rng(seed)
    theta, bias = rng.integers(5, 40, size), rng.integers(-3, 4, size)
    theta[0], bias[:2] = 50, (-4, 3)  # the formats depend on the extremes
    weights = rng.integers(-16, 16, (size, 6))
    recurrent = rng.integers(-16, 16, (size, size))
    weights[0], recurrent[0], weights[1], recurrent[1] = -16, -16, 15, 15
    out = rng.integers(-16, 16, (3, size))
    out[0], out[1] = -16, 15
    return Network(name="net", populations=(
        Population(name="x", size=6, model=Model.INPUT),
        Population(name="h", size=size, model=Model.LIF, decay=Decay(shift_a=3), reset=Reset.SUBTRACT, theta=theta, bias=bias, v_bits=11),
        Population(name="y", size=3, model=Model.LI, decay=Decay(shift_a=2), v_bits=12, bias=rng.permutation([-2, 1, 1]), readout=Readout.LAST)),
        projections=(Projection(source="x", target="h", weights=weights, weight_bits=5),
                     Projection(source="h", target="h", weights=recurrent, weight_bits=5, delay=1),
                     Projection(source="h", target="y", weights=out, weight_bits=5)))


def item(tile, memory, address, data, last=1, **more):
    return {"tile": tile, "memory": memory, "address": address, "data": data, "last": last, **more}


def run(chip, items, quiet=None):
    """Give items to the port; returns (tile, memory, address, word) of each write, and whether ``error`` is set.

    Requests are in ``run.asked``: (tile or None, memory, address).
    """
    dut, writes = ConfigPort(chip), []
    rng = random.Random(1)
    run.asked = []

    async def bench(ctx):
        place, cycle, taken = 0, 0, []
        while place < len(items) or cycle < taken[-1] + 3:
            free = quiet is None or rng.random() < quiet
            ctx.set(dut.quiet, free)
            ctx.set(dut.config.valid, place < len(items))
            if place < len(items):
                ctx.set(dut.config.payload, items[place])
            ready = ctx.get(dut.config.ready)
            assert free or not ready
            mask = ctx.get(dut.write)
            if mask:
                assert taken[-1] == cycle - 2, "a word is written two cycles after its last part"
                assert mask & (mask - 1) == 0
                writes.append((mask.bit_length() - 1, ctx.get(dut.memory), ctx.get(dut.address), ctx.get(dut.word)))
            if chip.reads:
                asked, tiles, memory, address, busy = (ctx.get(s) for s in (dut.asked, dut.read, dut.memory, dut.address, dut.busy))
                under_way = [items[k] for k, when in enumerate(taken) if 0 < cycle - when <= 2 and items[k]["last"] and items[k].get("read")]
                assert busy == bool(under_way), "busy in the two cycles behind a request"
                assert not tiles or asked and not tiles & (tiles - 1) and not mask
                if asked:
                    assert taken[-1] == cycle - 2, "a request is handed on two cycles after it was taken"
                    run.asked.append((tiles.bit_length() - 1 if tiles else None, memory, address))
            if ready and place < len(items):
                taken.append(cycle)
                place += 1
            await ctx.tick()
            cycle += 1
        run.error = ctx.get(dut.error)

    simulate(dut, bench)
    return writes, run.error


@pytest.mark.parametrize("quiet", [None, 0.4])
def test_every_word_of_an_image_is_written_once(quiet):
    net = network(0)
    chip = plan(net, lanes=9, tiles=2)
    image = pack(chip, net)
    states = state_words(chip, net, golden.run(net, random_clip(net, 5, np.random.default_rng(1), 0.5)[None]).state)
    items = [what for _, what in config_image(chip, image) + config_state(chip, states)]
    writes, error = run(chip, items, quiet)
    expected = []
    for number, tile in enumerate(chip.tiles):
        words = image.tiles[number].words(tile)
        for kind in [kind for kind in memory_words(chip, number) if kind != MemoryKind.STATE]:
            expected += [(number, kind, address, word) for address, word in enumerate((words.weights, words.parameters, words.axons)[kind])]
    expected += [(number, MemoryKind.STATE, address, word) for number, words in enumerate(states) for address, word in enumerate(words)]
    widths = [memory_words(chip, number)[kind][1] for number, kind, *_ in expected]
    assert [(t, k, a, w & ((1 << width) - 1)) for (t, k, a, w), width in zip(writes, widths)] == expected
    assert not error and max(widths) > 32


def wrong_items(chip):
    """One write of each kind that must be refused, by name; each is a list of parts."""
    parts = -(-max(width for k in range(len(chip.tiles)) for _, width in memory_words(chip, k).values()) // 32)
    depth = memory_words(chip, 0)[0][0]
    return {
        "tile": [item(len(chip.tiles), 0, 0, 5)], "tile 255": [item(255, 0, 0, 5)], "memory": [item(0, 3, 0, 5)],
        "address": [item(0, 0, depth, 5, last=k == parts - 1) for k in range(parts)], "far address": [item(0, 2, (1 << 20) - 1, 5)],
        "too long": [item(0, 0, 0, 5, last=k == parts) for k in range(parts + 1)],
        "much too long": [item(0, 0, 0, 5, last=k == parts + 6) for k in range(parts + 7)],
        "too short": [item(0, 0, 0, 5)], "too long for its memory": [item(0, 2, 0, 1, last=False), item(0, 2, 0, 7)],
        "constants": [item(0, 1, chip.tiles[0].n_updates, 5)], "state": [item(0, 5, chip.tiles[0].n_updates, 5)],
        "state too long": [item(0, 5, 0, 5, last=k == 1) for k in range(2)],
    }


@pytest.mark.parametrize("name", wrong_items(plan(network(0), lanes=9, tiles=2)))
def test_a_wrong_word_is_refused_and_flagged_and_the_next_one_is_written(name):
    chip = plan(network(0), lanes=9, tiles=2)
    writes, error = run(chip, wrong_items(chip)[name])
    assert writes == [] and error
    writes, error = run(chip, [*wrong_items(chip)[name], item(1, 2, 1, 3)])
    assert [w[:3] for w in writes] == [(1, 2, 1)] and writes[0][3] & 0xFFFFFFFF == 3 and error


def wrong_requests(chip):
    """One request of each kind that must be refused, by name."""
    return {"tile": item(2, 5, 0, 0, read=1), "memory": item(0, 4, 0, 0, read=1), "not readable": item(0, 0, 0, 0, read=1),
            "address": item(0, 5, chip.tiles[0].n_updates, 0, read=1), "far address": item(1, 5, (1 << 20) - 1, 0, read=1)}


def exporting(update_lanes=4):
    return plan(network(0), lanes=[4, 3], update_lanes=[update_lanes, 1], tiles=2, export=True)


@pytest.mark.parametrize("quiet", [None, 0.4])
def test_requests_are_handed_on_in_turn_with_writes(quiet):
    chip = exporting(1)
    items = [item(1, 5, 2, 0, read=1), item(0, 2, 1, 6), item(0, 5, 8, 0xFFFFFFFF, read=1), item(0, 5, 1, 0, read=1), item(1, 2, 1, 5)]
    writes, error = run(chip, items, quiet)
    assert run.asked == [(1, 5, 2), (0, 5, 8), (0, 5, 1)] and [w[:3] for w in writes] == [(0, 2, 1), (1, 2, 1)] and not error


@pytest.mark.parametrize("name", wrong_requests(exporting()))
def test_a_wrong_request_is_flagged_and_still_has_its_answer(name):
    chip = exporting()
    writes, error = run(chip, [wrong_requests(chip)[name], item(1, 5, 2, 0, read=1)])
    assert [tile for tile, *_ in run.asked] == [None, 1] and error and not writes


def test_a_request_of_several_parts_is_refused_whatever_the_width_of_its_word():
    chip = exporting()
    assert memory_words(chip, 0)[5][1] > 32
    writes, error = run(chip, [item(0, 5, 0, 0, last=0, read=1), item(0, 5, 0, 0, read=1)])
    assert run.asked == [(None, 5, 0)] and error and not writes


def test_there_are_no_requests_where_states_are_not_exported():
    assert "read" not in config_layout(plan(network(0))).members and config_layout(exporting())["read"].width == 1
    assert config_layout(plan(network(0))).size == 64


@pytest.mark.parametrize("tiles", [1, 2])
def test_a_chip_answers_every_request_and_goes_on(tiles):
    net = network(1)
    chip = plan(net, lanes=4, tiles=tiles, update_lanes=4 if tiles == 1 else [4, 2], export=True)
    x = random_clip(net, 6, np.random.default_rng(4), 0.4)
    good = read_states(chip)
    bad = [("config", request) for request in wrong_requests(chip).values()]
    requests = [request for k in range(max(len(good), len(bad))) for request in (*bad[k:k + 1], *good[k:k + 1])]
    (run_,) = play(chip, pack(chip, net), [*timesteps(chip, x[:3]), READ, *requests, *timesteps(chip, x[3:]), READ])
    words = sum(state_words(chip, net, golden.run(net, x[None, :3]).state), [])
    assert run_.words == [word for k in range(max(len(good), len(bad))) for word in (*[0] * (k < len(bad)), *words[k:k + 1])]
    assert run_.errors == 0b01000
    run_.errors = 0
    assert compare(chip, net, x, run_, lengths=False, reads=[3, 6]) == []


@pytest.mark.parametrize("lanes, tiles, fabric", [(9, 2, "star"), (9, 2, "mesh"), (16, 1, "star")])
def test_a_chip_that_is_given_another_image_becomes_that_network(lanes, tiles, fabric):
    first, second = network(1), network(2)
    chip = plan(first, lanes=lanes, tiles=tiles, fabric=fabric)
    x = random_clip(first, 8, np.random.default_rng(3), 0.4)
    clip = [*timesteps(chip, x), READ]
    one, two = play(chip, pack(chip, first), [*clip, *config_image(chip, pack(chip, second)), RESET, *clip])
    assert compare(chip, first, x, one) == []
    assert compare(chip, second, x, two, lengths=False) == []
    assert one.readouts != two.readouts


def mixed_network(seed):
    """Same graph and formats for every seed: sparse synapses in the same words, a codebook, a gate; other weights, rows and indices."""
    rng = np.random.default_rng(seed)
    exists = np.roll(np.random.default_rng(0).random((12, 6)) < 0.4, 4 * seed, axis=0)  # by a row of 4 lanes: as many words as before
    sparse = np.where(exists, rng.choice((-8, -3, 2, 7), exists.shape), 0)
    sparse[np.argwhere(exists)[0][0], np.argwhere(exists)[0][1]] = -8
    book = (-40, -3, 0, 9, 90)
    wide = rng.choice(book, (5, 6))
    wide[:2] = [[-40] * 6, [90] * 6]
    return Network(name="net", populations=(
        Population(name="x", size=6, model=Model.INPUT),
        Population(name="s", size=12, model=Model.IF, reset=Reset.SUBTRACT, theta=9, v_bits=10, output=True),
        Population(name="c", size=5, model=Model.LIF, decay=Decay(shift_a=2), reset=Reset.ZERO, theta=50, v_bits=10, output=True)),
        projections=(Projection(source="x", target="s", weights=sparse, weight_bits=4, kind=Kind.SPARSE),
                     Projection(source="x", target="c", weights=wide, codebook=book)))


def test_sparse_words_pointers_and_indices_are_written_too():
    first, second = mixed_network(1), mixed_network(2)
    chip = plan(first, lanes=4, tiles=1)
    chip = replace(chip, tiles=(replace(chip.tiles[0], accumulator_bits=12),))  # wide enough for either
    tile, x = chip.tiles[0], random_clip(first, 8, np.random.default_rng(3), 0.5)
    before, after = pack(chip, first), pack(chip, second)
    assert tile.has_sparse and any(tile.codebooks) and (before.tiles[0].sparse[:, :, 0] != after.tiles[0].sparse[:, :, 0]).any()
    clip = [*timesteps(chip, x), FLUSH]
    broken = [*config_words(chip, 0, MemoryKind.POINTERS, [0] * tile.pointer_depth),
              *config_words(chip, 0, MemoryKind.SPARSE, [5] * tile.sparse_depth)]
    one, two, three = play(chip, before, [*clip, *broken, RESET, *clip, *config_image(chip, after), RESET, *clip])
    assert compare(chip, first, x, one) == []
    assert compare(chip, first, x, two, lengths=False) != []
    assert compare(chip, second, x, three, lengths=False) == []
    assert one.spikes != three.spikes


def test_a_wrong_word_changes_nothing_in_a_chip_and_sets_its_flag():
    net = network(1)
    chip = plan(net, lanes=9, tiles=2)
    x = random_clip(net, 6, np.random.default_rng(4), 0.4)
    bad = [("config", part) for parts in wrong_items(chip).values() for part in parts]
    (run_,) = play(chip, pack(chip, net), [*timesteps(chip, x[:3]), READ, *bad, *timesteps(chip, x[3:]), READ])
    assert run_.errors == 0b01000
    run_.errors = 0
    assert compare(chip, net, x, run_, lengths=False, reads=[3, 6]) == []


def test_nothing_is_taken_while_a_timestep_or_a_command_is_under_way():
    net = network(1)
    chip = plan(net, lanes=3, tiles=2)
    image, x = pack(chip, net), random_clip(net, 1, np.random.default_rng(4), 0.9)
    first = config_image(chip, image)[0]
    given = [*events(chip, x[0]), step()]
    with pytest.raises(AssertionError, match="at item"):  # after STEP, the chip waits for FLUSH, READ, RESET or the next timestep
        play(chip, image, [*given, first], max_cycles=3000)
    (_, run_) = play(chip, image, [*given, RESET, first, *timesteps(chip, x[:1]), READ, first])
    assert compare(chip, net, x, run_, lengths=False) == []
