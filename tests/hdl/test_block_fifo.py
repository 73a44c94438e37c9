# amaranth: UnusedElaboratable=no
"""The FIFO in block RAM: cycle by cycle the same as amaranth's in distributed RAM."""

import random

import pytest
from amaranth import *
from amaranth.lib.fifo import SyncFIFO
from amaranth.sim import Simulator

from spikeloom.hdl import block_fifo
from spikeloom.hdl.block_fifo import BlockFifo


def seen(fifo, seed: int, cycles: int = 400) -> list[tuple[int, int, int | None]]:
    """Per cycle (w_rdy, r_rdy, the head if there is one), with writes and reads at random, some of them refused."""
    rng, rows = random.Random(seed), []

    async def bench(ctx):
        for cycle in range(cycles):
            rows.append((ctx.get(fifo.w_rdy), ctx.get(fifo.r_rdy), ctx.get(fifo.r_data) if ctx.get(fifo.r_rdy) else None))
            eager = cycle // 40 % 3  # fill it, empty it, both
            ctx.set(fifo.w_en, rng.random() < (0.9, 0.2, 0.8)[eager])
            ctx.set(fifo.w_data, rng.randrange(256))
            ctx.set(fifo.r_en, rng.random() < (0.2, 0.9, 0.8)[eager])
            await ctx.tick()

    simulator = Simulator(fifo)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return rows


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 13])
def test_it_shows_what_a_fifo_in_distributed_ram_shows_in_every_cycle(depth):
    rows = seen(BlockFifo(width=8, depth=depth), depth)
    assert rows == seen(SyncFIFO(width=8, depth=depth), depth)
    assert any(not w for w, _, _ in rows) and any(not r for _, r, _ in rows) and len({head for *_, head in rows}) > 5


def test_one_that_does_not_pass_new_words_beside_the_memory_is_seen(monkeypatch):
    port = block_fifo.memory.Memory.read_port
    monkeypatch.setattr(block_fifo.memory.Memory, "read_port", lambda self, **_: port(self))
    assert seen(BlockFifo(width=8, depth=3), 3) != seen(SyncFIFO(width=8, depth=3), 3)


def test_a_depth_of_none_is_refused():
    with pytest.raises(ValueError, match="Depth must be at least 1, not 0"):
        BlockFifo(width=8, depth=0)
