"""Sequencer: which levels work in which phase, and in which cycle a phase begins; by itself, with the chip's idleness given."""

from __future__ import annotations

import random

import pytest

from spikeloom.hdl.sequencer import Command, Sequencer

from .harness import simulate

STEP, FLUSH, READ, RESET = Command


def run(levels, period, commands, *, seed=None, read_cycles=3, tail=12):
    """Give commands one after the other. After each start the chip is busy for a random number of cycles (``seed``; else never).

    Returns the events seen, (cycle, what, more): what is "start" (with its active bits, or "clear"), "finish", "take" or "read".
    """
    dut, rng, seen = Sequencer(levels=levels, period=period), random.Random(seed), []

    async def bench(ctx):
        place, busy, reading, quiet_for, cycle = 0, 0, 0, 0, 0
        while quiet_for < tail:
            assert cycle < 5000
            if ctx.get(dut.start):
                busy = rng.randrange(5) if seed is not None else 0
            ctx.set(dut.idle, busy == 0)
            ctx.set(dut.reading, reading > 0)
            offered = place < len(commands) and (seed is None or rng.random() < 0.5 or ctx.get(dut.control.valid))
            ctx.set(dut.control.valid, offered)
            if offered:
                command, count = commands[place]
                ctx.set(dut.control.payload, {"command": command, "count": count})
            if ctx.get(dut.start):
                active = ctx.get(dut.active)
                seen.append((cycle, "start", "clear" if ctx.get(dut.clear) else tuple(active >> k & 1 for k in range(levels)), ctx.get(dut.timestep)))
            if ctx.get(dut.finish):
                assert busy == 0 and not ctx.get(dut.start), "a phase ends in an idle cycle, not in that of its start"
                seen.append((cycle, "finish"))
            assert not (ctx.get(dut.window) and ctx.get(dut.control.ready) == 0), "no event is accepted while a command is pending"
            if ctx.get(dut.read):
                seen.append((cycle, "read"))
                reading = read_cycles + 1
            if offered and ctx.get(dut.control.ready):
                seen.append((cycle, "take"))
                place += 1
            quiet_for = quiet_for + 1 if place == len(commands) and ctx.get(dut.control.ready) else 0
            busy, reading, cycle = max(busy - 1, 0), max(reading - 1, 0), cycle + 1
            await ctx.tick()

    simulate(dut, bench, max_cycles=6000)
    return seen


def starts(seen):
    """Active bits of each start behind that of power-up."""
    found = [what[2] for what in seen if what[1] == "start"]
    assert found[0] == "clear" and not any(found[1])  # power-up behaves as RESET
    return found[2:]


def bits(text):
    return [tuple(int(c) for c in word) for word in text.split()]


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_timestep_moves_up_one_level_per_phase(seed):
    seen = run(3, 1, [(STEP, 1), (STEP, 1), (FLUSH, 0), (STEP, 0), (READ, 0)], seed=seed)
    assert starts(seen) == bits("100 110 011 001 000 100 010 001 000")


@pytest.mark.parametrize("seed", [None, 4])
def test_with_a_period_of_two_every_other_phase_takes_a_timestep(seed):
    seen = run(3, 2, [(STEP, 1), (STEP, 1), (READ, 0)], seed=seed)
    assert starts(seen) == bits("100 010 101 010 001 000")


def test_one_step_of_three_is_three_timesteps_without_a_pause():
    seen = run(2, 3, [(STEP, 3), (STEP, 1)])
    # After the last of the three the period is finished; then nothing moves until the next command, which is there already.
    assert starts(seen) == bits("10 01 00 10 01 00 10 01 00 10 01 00")
    assert [what[3] for what in seen if what[1] == "start"][2:] == [1, 0, 0] * 4


def test_flush_begins_the_period_anew_in_whatever_phase_it_is():
    seen = run(1, 3, [(STEP, 1), (FLUSH, 0), (STEP, 1)])
    assert starts(seen) == bits("1 0 1 0 0")


@pytest.mark.parametrize("levels, period", [(1, 1), (4, 1), (2, 2), (5, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_a_clip_has_the_stated_number_of_phases(levels, period, seed):
    n = 4
    seen = run(levels, period, [(STEP, 1)] * n + [(READ, 0)], seed=seed)
    phases = 0
    for what in seen[next(k for k, what in enumerate(seen) if what[1] == "start" and what[2] != "clear"):]:
        phases += what[1] == "finish"
        if what[1] == "read":
            break
    assert phases == period * (n - 1) + 1 + levels


def test_a_command_acts_in_the_cycle_after_it_was_taken_and_the_start_follows_the_first_idle_cycle():
    seen = run(2, 1, [(STEP, 1), (STEP, 1)])
    takes = [what[0] for what in seen if what[1] == "take"]
    finishes = [what[0] for what in seen if what[1] == "finish"][-2:]
    begins = [what[0] for what in seen if what[1] == "start"][-2:]
    assert begins == [f + 1 for f in finishes]
    assert finishes[0] == takes[0] + 1
    # The second command is taken in the cycle of the first one's start, and the phase lasts two cycles: start and finish.
    assert takes[1] == begins[0] and finishes[1] == begins[0] + 1


def test_reset_clears_after_everything_has_left():
    seen = run(3, 1, [(STEP, 1), (RESET, 0), (STEP, 1)], seed=5)
    assert [what[2] for what in seen if what[1] == "start"][2:] == [*bits("100 010 001"), "clear", *bits("000 100")]


def test_read_waits_until_the_readouts_are_taken():
    for cycles in (0, 7):
        seen = run(1, 1, [(STEP, 1), (READ, 0)], read_cycles=cycles)
        read = next(what[0] for what in seen if what[1] == "read")
        assert next(what[0] for what in seen if what[1] == "start" and what[0] > read) == read + cycles + 2


def test_memories_may_be_written_only_while_no_timestep_is_under_way():
    dut, quiet = Sequencer(levels=2, period=2), []

    async def bench(ctx):
        ctx.set(dut.idle, 1)
        for _ in range(6):
            await ctx.tick()
        assert ctx.get(dut.quiet)
        ctx.set(dut.control.payload, {"command": STEP, "count": 1})
        ctx.set(dut.control.valid, 1)
        await ctx.tick()
        ctx.set(dut.control.valid, 0)
        for _ in range(8):
            quiet.append((ctx.get(dut.start), ctx.get(dut.quiet)))
            await ctx.tick()
        ctx.set(dut.idle, 0)
        assert not ctx.get(dut.quiet)

    simulate(dut, bench)
    first = quiet.index((1, 0))
    # Phase 0 of the period (its start and one more), phase 1, and then nothing is left: level 2 has had its turn.
    assert not any(q for _, q in quiet[: first + 3])
    assert quiet[-1] == (0, 1)
