# amaranth: UnusedElaboratable=no
"""Recorder: a record in the cycle of its transfer, one per cycle, in a fixed order, and nothing taken that is not recorded."""

from __future__ import annotations

from spikeloom.hdl.link.recorder import Recorder
from spikeloom.spec.link import Tag

from ...linked import chip_of, network
from ..harness import simulate

CHIP = chip_of(network())


def test_streams_are_taken_in_order_one_per_cycle_in_the_cycle_of_their_record():
    dut, seen = Recorder(CHIP), []

    async def bench(ctx):
        for stream in (dut.spikes, dut.words, dut.own, dut.readouts):
            ctx.set(stream.valid, 1)
        ctx.set(dut.report, 1)
        ctx.set(dut.readouts.payload.last, 1)
        ctx.set(dut.records.ready, 1)
        ctx.set(dut.own.payload.tag, Tag.MARK)
        for _ in range(5):
            ctx.set(dut.answer_valid, ctx.get(dut.busy))
            taken = [name for name in ("readouts", "spikes", "words", "own") if ctx.get(getattr(dut, name).ready)]
            assert ctx.get(dut.records.valid)
            seen.append((Tag(ctx.get(dut.records.payload.tag)), *taken))
            await ctx.tick()
            for name in taken:
                ctx.set(getattr(dut, name).valid, 0)
        assert not ctx.get(dut.records.valid)
    simulate(dut, bench)
    assert seen == [(Tag.READOUT, "readouts"), (Tag.ANSWER,), (Tag.SPIKE, "spikes"), (Tag.WORD, "words"), (Tag.MARK, "own")]


def test_while_the_queue_is_full_nothing_is_taken_and_the_offer_stays():
    dut = Recorder(CHIP)

    async def bench(ctx):
        for stream in (dut.spikes, dut.words, dut.own):
            ctx.set(stream.valid, 1)
        ctx.set(dut.report, 1)
        ctx.set(dut.spikes.payload.neuron, 7)
        for _ in range(6):
            assert ctx.get(dut.records.valid) and ctx.get(dut.records.payload.index) == 7
            assert not any(ctx.get(stream.ready) for stream in (dut.spikes, dut.words, dut.own, dut.readouts))
            await ctx.tick()
    simulate(dut, bench)


def test_spikes_that_nobody_wants_are_thrown_away_at_once_even_while_the_queue_is_full():
    dut = Recorder(CHIP)

    async def bench(ctx):
        ctx.set(dut.spikes.valid, 1)
        for _ in range(4):
            assert ctx.get(dut.spikes.ready) and not ctx.get(dut.records.valid)
            await ctx.tick()
    simulate(dut, bench)


def test_behind_the_last_readout_it_is_busy_until_the_answer_is_recorded():
    dut = Recorder(CHIP)

    async def bench(ctx):
        ctx.set(dut.readouts.valid, 1)
        ctx.set(dut.records.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.busy)  # it was not the last
        ctx.set(dut.readouts.payload.last, 1)
        await ctx.tick()
        ctx.set(dut.readouts.valid, 0)
        for _ in range(3):  # the answer is not there yet
            assert ctx.get(dut.busy) and not ctx.get(dut.records.valid)
            await ctx.tick()
        ctx.set(dut.answer_valid, 1)
        ctx.set(dut.records.ready, 0)
        for _ in range(3):  # or there is no room for it
            assert ctx.get(dut.busy) and ctx.get(dut.records.valid)
            await ctx.tick()
        ctx.set(dut.records.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.busy) and not ctx.get(dut.records.valid)
    simulate(dut, bench)
