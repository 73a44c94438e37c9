"""EventQueue against lists in Python: appended, counted, read and cleared in the stated cycles."""

import random

import pytest

from spikeloom.hdl.event_queue import EventQueue
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.tile import SparseSpec

from .harness import simulate
from .small_tiles import group, small_tile

# Sizes on both sides of the border between a register behind distributed RAM and block RAM.
TILES = {
    "one list": small_tile([group(4, 5)]),
    "one axon": small_tile([group(4, 1)]),
    "one signed axon": small_tile([group(4, 1)], payload_min=-1, payload_max=1),
    "slots and groups": small_tile([group(4, 6), group(4, 3), group(4, 7)], slots=4, payload_min=-9, payload_max=100),
    "lists of several ports": small_tile([group(4, 6, side_axons=2), group(4, 3, sparse=SparseSpec(words=(1,) * 9, synapses=(1,) * 9, weight_bits=4)),
                                          group(4, 0, side_axons=1, sparse=SparseSpec(words=(0,), synapses=(0,), weight_bits=4))], slots=2),
    "block memory": small_tile([group(4, 40), group(4, 33)], slots=8, payload_min=-1, payload_max=1),
}


def run(dut, tile, seed, cycles=400, lose=False):
    """Random appends, reads, counts and clears; asserts what each must show. ``lose``: the model forgets one append."""
    rng = random.Random(seed)
    lists = {(g, s): [] for g in range(len(tile.lists)) for s in range(tile.slots)}
    kind, due = tile.payload_kind, None

    async def bench(ctx):
        nonlocal due
        for cycle in range(cycles):
            g, s = rng.randrange(len(tile.lists)), rng.randrange(tile.slots)
            write = rng.random() < 0.7 and len(lists[g, s]) < tile.list_axons(g)
            payload = {"unit": 0, "sign": rng.randint(0, 1), "graded": rng.choice((tile.payload_min, tile.payload_max, 3))}[kind]
            event = {"axon": rng.randrange(max(tile.list_axons(g), 1)), "payload": payload}
            ctx.set(dut.w_valid, write)
            ctx.set(dut.w_list, g)
            ctx.set(dut.w_slot, s)
            ctx.set(dut.w_data, event)
            rg, rs = rng.randrange(len(tile.lists)), rng.randrange(tile.slots)
            held = lists[rg, rs]
            index = rng.randrange(len(held)) if held else 0
            ctx.set(dut.r_list, rg)
            ctx.set(dut.r_slot, rs)
            ctx.set(dut.r_index, index)
            cg, cs = rng.randrange(len(tile.lists)), rng.randrange(tile.slots)
            ctx.set(dut.count_list, cg)
            ctx.set(dut.count_slot, cs)
            # The walk never clears the list that is written to.
            clear, clear_all = rng.random() < 0.1 and (rg, rs) != (g, s), rng.random() < 0.01
            ctx.set(dut.clear, clear)
            ctx.set(dut.clear_all, clear_all)
            assert ctx.get(dut.count) == len(lists[cg, cs]), f"cycle {cycle}"
            if due is not None:
                assert (ctx.get(dut.r_data.axon), ctx.get(dut.r_data.payload)) == due, f"cycle {cycle}"
            # An entry is read one cycle after its address. What was written in the same cycle was not there yet.
            due = (held[index]["axon"], held[index]["payload"]) if held else None
            if clear_all:
                for entries in lists.values():
                    entries.clear()
            else:
                if write and not (lose and cycle > 50):
                    lists[g, s].append(event)
                if clear:
                    lists[rg, rs].clear()
            await ctx.tick()

    simulate(dut, bench)


@pytest.mark.parametrize("name", TILES)
def test_lists_hold_what_was_appended_until_cleared(name):
    run(EventQueue(TILES[name]), TILES[name], seed=len(name))


def test_a_full_list_keeps_every_event_and_reads_again_and_again():
    tile = small_tile([group(4, 9)], slots=2, entries={0: (AxonEntry(0, 0, 0),)})
    dut, order = EventQueue(tile), [3, 8, 0, 1, 7, 2, 6, 5, 4]

    async def bench(ctx):
        ctx.set(dut.w_valid, 1)
        ctx.set(dut.w_slot, 1)
        for axon in order:
            ctx.set(dut.w_data.axon, axon)
            await ctx.tick()
        ctx.set(dut.w_valid, 0)
        ctx.set(dut.r_slot, 1)
        ctx.set(dut.count_slot, 1)
        for _ in range(3):
            read = []
            for index in range(len(order) + 1):
                if index:
                    read.append(ctx.get(dut.r_data.axon))
                ctx.set(dut.r_index, min(index, len(order) - 1))
                await ctx.tick()
            assert read == order
        assert ctx.get(dut.count) == 9

    simulate(dut, bench)


def test_the_check_refutes_a_queue_that_loses_or_invents_events():
    with pytest.raises(AssertionError):
        run(EventQueue(TILES["slots and groups"]), TILES["slots and groups"], seed=1, lose=True)
