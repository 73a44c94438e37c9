"""Walker: one event per cycle, every row once, no gaps between rows and groups."""

import itertools
import random

import pytest

from spikeloom.hdl.walker import Walker

from .harness import simulate
from .small_tiles import group, small_tile

TILES = {
    "one group": small_tile([group(9, 6)]),
    "one neuron": small_tile([group(1, 1)], lanes=1),
    "three groups": small_tile([group(9, 6), group(4, 3), group(13, 11)]),
    "all beats at once": small_tile([group(9, 6), group(7, 1)], update_lanes=4),
    "wide": small_tile([group(40, 5), group(1, 8)], lanes=16, update_lanes=2),
    "fewer axons than beats": small_tile([group(20, 3), group(17, 2)], lanes=16, update_lanes=2),
}


def expected_walk(tile, active, counts, clear):
    """Per cycle from 1 on: (group, index, valid, last, done, first row, last row, base of the weight row); cycles without an event first."""
    cycles = []
    for g in range(len(tile.groups)):
        if not (active >> g & 1 or clear):
            continue
        n, rows = 0 if clear else counts[g], tile.rows(g)
        length = max(n, tile.lanes // tile.update_lanes)
        for row, index in itertools.product(range(rows), reversed(range(length))):
            base = sum(tile.rows(k) * tile.groups[k].axons for k in range(g)) + row * tile.groups[g].axons
            last = index == 0
            cycles.append((g, index % (1 << tile.axon_bits), index < n, last, last and row == rows - 1, row == 0, row == rows - 1, base))
    return cycles


def walk(dut, tile, phases):
    """Play phases (active, counts, clear); returns what each showed from cycle 1 until it no longer walked."""
    shown = []

    async def bench(ctx):
        for active, counts, clear in phases:
            cycles, bases = [], []
            for cycle in range(400):
                ctx.set(dut.start, cycle == 0)
                ctx.set(dut.active, active if cycle == 0 else 0)
                ctx.set(dut.clear, clear if cycle == 0 else 0)
                ctx.set(dut.count, counts[ctx.get(dut.next_group)])
                if cycle and not ctx.get(dut.walking):
                    assert not ctx.get(dut.valid) and not ctx.get(dut.last) and not ctx.get(dut.done)
                    bases.append(ctx.get(dut.row_address))
                    break
                if cycle:
                    cycles.append(tuple(ctx.get(s) for s in (dut.group, dut.index, dut.valid, dut.last, dut.done, dut.first_row, dut.last_row)))
                if cycle > 1:
                    bases.append(ctx.get(dut.row_address))  # that of the cycle before
                await ctx.tick()
            shown.append([(*c, base) for c, base in zip(cycles, bases)])
            for _ in range(random.Random(len(shown)).randrange(3)):
                await ctx.tick()

    simulate(dut, bench)
    return shown


@pytest.mark.parametrize("name", TILES)
def test_every_active_group_is_walked_row_by_row(name):
    tile, rng = TILES[name], random.Random(2)
    n = len(tile.groups)
    phases = [(rng.randrange(1 << n), [rng.choice((0, 1, g.axons, rng.randint(0, g.axons))) for g in tile.groups], rng.random() < 0.15)
              for _ in range(40)]
    shown = walk(Walker(tile), tile, phases)
    for (active, counts, clear), got in zip(phases, shown):
        want = expected_walk(tile, active, counts, clear)
        assert [tuple(int(x) for x in c) for c in got] == [tuple(int(x) for x in c) for c in want], (active, counts, clear)


def test_a_phase_takes_the_sum_of_the_longer_of_events_and_beats_over_all_rows():
    tile = TILES["three groups"]
    (cycles,) = walk(Walker(tile), tile, [(0b111, [6, 3, 11], False)])
    assert len(cycles) == 3 * 6 + 1 * 4 + 4 * 11  # 4 beats per row: three events do not suffice


def test_with_clear_all_groups_are_walked_without_events():
    tile = TILES["three groups"]
    (cycles,) = walk(Walker(tile), tile, [(0, [6, 3, 11], True)])
    assert len(cycles) == (3 + 1 + 4) * 4 and not any(valid for _, _, valid, *_ in cycles)


def test_the_check_refutes_a_walk_of_other_groups():
    tile = TILES["three groups"]
    (got,) = walk(Walker(tile), tile, [(0b101, [6, 3, 11], False)])
    assert len(got) != len(expected_walk(tile, 0b111, [6, 3, 11], False))
