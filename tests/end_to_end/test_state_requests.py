"""Requests for states while a host does other things: they wait for what is under way, and what comes behind them waits for them."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from spikeloom.gen.state import state_words
from spikeloom.hdl.config_port import memory_words
from spikeloom.hdl.sequencer import Command
from spikeloom.hdl.tile import MemoryKind
from spikeloom.hdl.top import Chip
from spikeloom.sim import golden

from .chip_bench import compare, play
from .host_items import READ, config_state, idle, read_states, step, timesteps
from .test_state import chip_of, clip_of, differences, layered, split


def test_a_request_waits_for_the_end_of_what_is_under_way():
    network = layered()
    chip, image = chip_of(network, tiles=2)
    x, log = clip_of(network, 1), []
    play(chip, image, [*timesteps(chip, x), READ, read_states(chip)[0]], log=log)
    times = [int(line.split(":")[0].split()[1]) for line in log]
    assert times[-1] > times[-2] + 20, "the request was taken before READ was over"
    with pytest.raises(AssertionError, match="at item"):  # after STEP, the chip waits for FLUSH, READ, RESET or the next timestep
        play(chip, image, [*timesteps(chip, x), read_states(chip)[0]], max_cycles=3000)


@pytest.mark.parametrize("tiles", [1, 2])
def test_commands_and_events_right_behind_a_request_wait_until_it_is_answered(tiles):
    # A host that is slow to take the words: STEP comes while parts are left, in every cycle of the request that there is.
    network = layered()
    chip, image = chip_of(network, tiles=tiles)
    x, requests = clip_of(network, 1), read_states(chip)
    for pause in range(7):
        for stall in (0.0, 0.7)[:1 + pause % 2]:
            items = [*timesteps(chip, x[:3]), READ, *requests, idle(pause + 1), *timesteps(chip, x[3:]), READ]
            (run,) = play(chip, image, [*items, requests[0], idle(pause + 1), step(), READ], seed=pause, stall=stall)
            given = np.concatenate([x, x[:1] * 0])
            assert compare(chip, network, given, run, lengths=False, reads=[3, 6, 7]) == []
            n = len(requests)
            assert differences(chip, network, split(chip, run.words[:n]), golden.run(network, x[None, :3]).state) == []
            assert run.words[n] == state_words(chip, network, golden.run(network, x[None]).state)[0][0]


@pytest.mark.parametrize("command", [Command.STEP, Command.RESET], ids=lambda c: c.name)
@pytest.mark.parametrize("behind", range(6))
def test_a_command_in_the_very_cycle_of_a_request_or_behind_it_waits_until_the_word_is_fetched(behind, command):
    network = layered()
    chip, image = chip_of(network, tiles=1, update_lanes=4)
    dut, (words,) = Chip(chip, image), state_words(chip, network, golden.State.with_potentials(network, {"h": np.arange(9), "y": np.arange(4)}))
    parts = -(-memory_words(chip, 0)[MemoryKind.STATE][1] // 32)
    assert parts > 2
    # The states first; then the request for one; the command is taken ``behind`` cycles later; the host takes the answer much later.
    items = [what for _, what in config_state(chip, [words])] + [what for _, what in read_states(chip)[1:2]]

    async def bench(ctx):
        async def until(signal):
            for _ in range(500):
                if ctx.get(signal):
                    return
                await ctx.tick()
            raise AssertionError("this never comes")

        ctx.set(dut.config.valid, 1)
        for item in items:
            ctx.set(dut.config.payload, item)
            await until(dut.config.ready)
            if item is items[-1] and not behind:
                ctx.set(dut.control.payload, {"command": command, "count": 1})
                ctx.set(dut.control.valid, 1)
                assert ctx.get(dut.control.ready)
            await ctx.tick()
        ctx.set(dut.config.valid, 0)
        for cycle in range(1, behind + 1):
            if cycle == behind:
                ctx.set(dut.control.payload, {"command": command, "count": 1})
                ctx.set(dut.control.valid, 1)
                assert ctx.get(dut.control.ready)
            await ctx.tick()
        ctx.set(dut.control.valid, 0)
        for _ in range(40):
            assert not ctx.get(dut.status.start) and not ctx.get(dut.status.finish) and ctx.get(dut.status.busy)
            await ctx.tick()
        ctx.set(dut.readback.ready, 1)
        word = 0
        for part in range(parts):
            await until(dut.readback.valid)
            word |= ctx.get(dut.readback.payload.data) << 32 * part
            assert ctx.get(dut.readback.payload.last) == (part == parts - 1)
            await ctx.tick()
        assert word == words[1]
        if command is Command.STEP:
            await until(dut.status.start)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
