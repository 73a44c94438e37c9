# amaranth: UnusedElaboratable=no
"""Operation and record queue: all or nothing, and nothing forgotten before it is released."""

from __future__ import annotations

import random

import pytest
from amaranth import *
from amaranth.sim import Simulator

from spikeloom.hdl.link.operation_queue import OperationQueue
from spikeloom.hdl.link.record_queue import RecordQueue


def run(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", range(3))
def test_frames_enter_the_operation_queue_whole_or_not_at_all(seed):
    rng, depth = random.Random(seed), 16
    dut, taken, given = OperationQueue(depth=depth), [], []
    overflowed = 0

    async def bench(ctx):
        nonlocal overflowed
        frame, offered = [], None

        async def tick():
            nonlocal offered
            ready = rng.random() < 0.4
            ctx.set(dut.o.ready, ready)
            valid, byte = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            assert offered is None or (valid and byte == offered), "an offer was withdrawn or changed"
            offered = byte if valid and not ready else None
            if valid and ready:
                taken.append(byte)
            await ctx.tick()
        for _ in range(4000):
            kind = rng.random()
            if kind < 0.7:
                byte = rng.randrange(256)
                ctx.set(dut.w_valid, 1)
                ctx.set(dut.w_data, byte)
                frame.append(byte)
                await tick()
                ctx.set(dut.w_valid, 0)
            elif kind < 0.9:
                over = ctx.get(dut.overflow)
                overflowed += over
                assert not over or len(frame) > 0
                commit = not over and rng.random() < 0.6
                ctx.set(dut.commit if commit else dut.rollback, 1)
                if commit:
                    given.extend(frame)
                frame.clear()
                await tick()
                ctx.set(dut.commit, 0)
                ctx.set(dut.rollback, 0)
            else:
                await tick()
            assert ctx.get(dut.room) <= depth - 1
        for _ in range(200):
            await tick()
        assert ctx.get(dut.empty) and ctx.get(dut.room) == depth - 1
    run(dut, bench)
    assert taken == given and overflowed > 20 and len(given) > 300


def test_a_frame_of_the_room_that_is_shown_fits_and_one_byte_more_does_not():
    for more in (0, 1):
        dut = OperationQueue(depth=8)

        async def bench(ctx, dut=dut, more=more):
            for _ in range(ctx.get(dut.room) + more):
                ctx.set(dut.w_valid, 1)
                await ctx.tick()
            ctx.set(dut.w_valid, 0)
            assert ctx.get(dut.overflow) == more
        run(dut, bench)


def test_the_first_byte_is_there_two_cycles_after_its_commit_and_then_one_per_cycle():
    dut = OperationQueue(depth=8)

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        for byte in range(3):
            ctx.set(dut.w_valid, 1)
            ctx.set(dut.w_data, 10 + byte)
            await ctx.tick()
            assert not ctx.get(dut.o.valid)
        ctx.set(dut.w_valid, 0)
        ctx.set(dut.commit, 1)
        await ctx.tick()
        ctx.set(dut.commit, 0)
        assert not ctx.get(dut.o.valid)
        for byte in range(3):
            await ctx.tick()
            assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == 10 + byte
        await ctx.tick()
        assert not ctx.get(dut.o.valid) and ctx.get(dut.empty)
    run(dut, bench)


@pytest.mark.parametrize("seed", range(3))
def test_records_stay_until_they_are_released(seed):
    rng, depth = random.Random(seed), 8
    dut = RecordQueue(unsigned(16), depth=depth)

    async def bench(ctx):
        held, number, stalled = [], 0, 0
        for _ in range(3000):
            give = rng.random() < 0.6
            ctx.set(dut.i.valid, give)
            ctx.set(dut.i.payload, number & 0xFFFF)
            assert ctx.get(dut.waiting) == len(held) and ctx.get(dut.i.ready) == (len(held) < depth - 1)
            release = rng.randint(0, len(held)) if rng.random() < 0.2 else 0
            ctx.set(dut.release, release)
            look = rng.randrange(len(held)) if held else 0
            ctx.set(dut.number, look)
            want = held[look] if held else None
            accepted = give and ctx.get(dut.i.ready)
            stalled += give and not accepted
            await ctx.tick()
            if want is not None:
                assert ctx.get(dut.record) == want
            del held[:release]
            if accepted:
                held.append(number & 0xFFFF)
                number += 1
        assert stalled > 100 and number > 300
    run(dut, bench)


@pytest.mark.parametrize("make", [lambda: OperationQueue(depth=12), lambda: RecordQueue(8, depth=1)])
def test_depths_are_powers_of_two(make):
    with pytest.raises(ValueError, match="Depth must be a power of two, not (12|1)"):
        make()
