"""Readback: every part of a word once, in order, and in the cycles that its docstring states; offers stay."""

from __future__ import annotations

import random

import pytest

from spikeloom.gen.plan import plan
from spikeloom.hdl.config_port import readable_words
from spikeloom.hdl.readback import Readback, most_parts

from .harness import simulate
from .test_config_port import network


def words_of(chip, seed):
    """Random contents: per tile the words of its state memory."""
    rng = random.Random(seed)
    return [[rng.getrandbits(width) for _ in range(depth)] for (depth, width) in (readable_words(chip, k)[5] for k in range(len(chip.tiles)))]


def answers(chip, requests, ready, *, seed=1, dut=None):
    """Give requests (tile or None, address) as soon as they may come; returns the words that came, and the cycles of requests, parts and of busy."""
    dut, memory, rng = dut or Readback(chip), words_of(chip, seed), random.Random(seed)
    found, times = [], {"asked": [], "taken": [], "busy": []}

    async def bench(ctx):
        place, cycle, address, word, offset, offered = 0, 0, 0, 0, 0, None
        while len(found) < len(requests):
            asks = place < len(requests) and not ctx.get(dut.busy) and (not times["asked"] or times["asked"][-1] < cycle - 1)
            ctx.set(dut.asked, asks)
            ctx.set(dut.read, 0)
            ctx.set(dut.memory, 5)
            if asks:
                tile, now = requests[place]
                ctx.set(dut.read, 0 if tile is None else 1 << tile)
                place += 1
                times["asked"].append(cycle)
            if ctx.get(dut.busy):
                times["busy"].append(cycle)
            # The tile: the address is in a register, and the part that is read follows the request for it in the same cycle.
            part, mask = ctx.get(dut.r_part), ctx.get(dut.r_tile)
            if asks:
                ctx.set(dut.r_data, 0xDEADBEEF)  # not yet
            else:
                ctx.set(dut.r_data, memory[mask.bit_length() - 1][address] >> 32 * part & 0xFFFFFFFF if mask else 0)
            free = rng.random() < ready
            ctx.set(dut.readback.ready, free)
            offer = (ctx.get(dut.readback.payload.data), ctx.get(dut.readback.payload.last)) if ctx.get(dut.readback.valid) else None
            assert offered in (None, offer), "an offer was withdrawn or changed"
            offered = None if free else offer
            if offer and free:
                times["taken"].append(cycle)
                word, offset = word | offer[0] << offset, offset + 32
                if offer[1]:
                    found.append(word)
                    word, offset = 0, 0
            await ctx.tick()
            if asks:
                address = now
            cycle += 1

    simulate(dut, bench)
    want = [0 if tile is None else memory[tile][address] for tile, address in requests]
    return found, want, times


def chip_of(update_lanes=4):
    return plan(network(0), lanes=[4, 3], update_lanes=[update_lanes, 1], tiles=2, export=True)


def random_requests(chip, n, seed=3):
    rng = random.Random(seed)
    tiles = [rng.choice((0, 1, None)) for _ in range(n)]
    return [(k, rng.randrange(chip.tiles[k or 0].n_updates)) for k in tiles]


@pytest.mark.parametrize("update_lanes", [1, 2, 4])
@pytest.mark.parametrize("ready", [1.0, 0.5, 0.1])
def test_every_word_comes_whole_and_in_order(update_lanes, ready):
    chip = chip_of(update_lanes)
    found, want, _ = answers(chip, random_requests(chip, 30), ready)
    assert found == want and len(set(found)) > 6


def test_the_first_part_comes_two_cycles_after_the_request_and_one_in_each_cycle_then():
    chip = chip_of(4)
    parts = -(-readable_words(chip, 0)[5][1] // 32)
    assert parts == most_parts(chip) > 2
    found, want, times = answers(chip, [(0, 1)], 1.0)
    assert found == want and times["asked"] == [0]
    assert times["taken"] == list(range(2, 2 + parts)) and times["busy"] == list(range(1, 1 + parts))


def test_it_is_busy_until_the_last_part_is_fetched_and_takes_the_next_request_while_that_waits():
    chip = chip_of(4)
    *_, times = answers(chip, [(0, 1), (1, 0), (None, 0), (0, 2)], 0.2)
    assert any(later < times["taken"][-1] for later in times["asked"][1:])
    found, want, times = answers(chip, [(None, 0)] * 5, 1.0)
    assert found == want == [0] * 5 and times["taken"] == [when + 2 for when in times["asked"]]


def test_the_check_refutes_a_word_that_is_cut_short():
    found, want, _ = answers(chip_of(4), [(0, 1), (0, 2)], 1.0, dut=Readback(chip_of(1)))
    assert found != want
