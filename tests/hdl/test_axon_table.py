"""AxonTable: each flit writes the axons of its key to the queue, one per cycle, and holds back only while it has more to write."""

import random

import pytest

from spikeloom.hdl.axon_table import AxonTable, axon_entry_layout
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.tile import SIDE, SPARSE, SparseSpec

from .harness import driver, simulate, waits
from .small_tiles import group, small_flit, small_tile

GROUPS = [group(4, 20, side_axons=15), group(4, 30, sparse=SparseSpec(words=(1,) * 27, synapses=(1,) * 27, weight_bits=4))]
SINGLE = {0: (AxonEntry(0, 0, 0),), 3: (AxonEntry(1, 7, 1),), 5: (AxonEntry(0, 4, 2),)}
SEVERAL = {0: (AxonEntry(0, 0, 0), AxonEntry(1, 0, 1), AxonEntry(1, 9, 3)), 3: (AxonEntry(1, 18, 1),), 5: (AxonEntry(0, 12, 2), AxonEntry(0, 5, 0))}
PORTS = {0: (AxonEntry(0, 0, 0), AxonEntry(0, 2, 1, SIDE), AxonEntry(1, 0, 3)), 3: (AxonEntry(1, 18, 1, SPARSE),), 5: (AxonEntry(0, 5, 0, SIDE),)}
ONE_KEY = {2: (AxonEntry(1, 3, 2),)}
PAYLOADS = {"unit": (1, 1), "sign": (-1, 1), "graded": (-100, 90)}


def list_of(tile, entry):
    """Number of the event list that an entry leads to."""
    return tile.lists.index((entry.group, entry.port))


def words_of(tile, n_keys):
    """Contents of the table's memory."""
    stride = max(len(entries) for entries in tile.entries.values())
    words = [0] * (n_keys * stride)
    for key, entries in tile.entries.items():
        for k, entry in enumerate(entries):
            words[key * stride + k] = axon_entry_layout(tile).const(
                {"list": list_of(tile, entry), "base": entry.base, "delay": entry.delay % tile.slots, "last": k == len(entries) - 1}).as_bits()
    return words


def run(tile, *, writable, idles=(), flits=60, load=False, entries=None):
    """Send random flits; returns (cycle, write) of all queue writes and what they must be, with the cycle of each flit's taking."""
    rng, words = random.Random(3), words_of(tile, 8)
    dut = AxonTable(tile, small_flit(time_bits=3), 8, [0] * len(words) if load else words, writable=writable)
    choices = [p for p in range(tile.payload_min, tile.payload_max + 1) if p]
    sent = [{"key": rng.choice(list(tile.entries)), "neuron": rng.randrange(8), "time": rng.randrange(8), "payload": rng.choice(choices)}
            for _ in range(flits)]
    taken, writes, busy = [], [], []

    async def drive(ctx):
        for address, word in enumerate(words if load else []):
            ctx.set(dut.t_valid, 1)
            ctx.set(dut.t_address, address)
            ctx.set(dut.t_data, axon_entry_layout(tile).from_bits(word))
            await ctx.tick()
        ctx.set(dut.t_valid, 0)
        await driver(dut.flits, sent, idles)(ctx)
        for _ in range(5):
            await ctx.tick()

    async def watch(ctx):
        cycle = 0
        async for _, _, valid, ready, w_valid, g, slot, event, held in ctx.tick().sample(
                dut.flits.valid, dut.flits.ready, dut.w_valid, dut.w_list, dut.w_slot, dut.w_data, dut.busy):
            if valid and ready:
                taken.append(cycle)
            if w_valid:
                writes.append((cycle, int(g), int(slot), int(event.axon), int(event.payload)))
            busy.append(bool(held))
            cycle += 1

    simulate(dut, drive, background=[watch])
    expected = []
    for cycle, flit in zip(taken, sent):
        for k, entry in enumerate((entries or tile.entries)[flit["key"]]):
            payload = {"unit": 0, "sign": int(flit["payload"] < 0), "graded": flit["payload"]}[tile.payload_kind]
            expected.append((cycle + 1 + k, list_of(tile, entry), (flit["time"] + entry.delay) % tile.slots, entry.base + flit["neuron"], payload))
    assert [cycle for cycle, held in enumerate(busy) if held] == [cycle for cycle, *_ in expected]
    return taken, writes, expected, sent


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("entries", [SINGLE, SEVERAL, PORTS, ONE_KEY])
def test_each_entry_is_written_one_cycle_after_the_other(entries, kind, writable):
    low, high = PAYLOADS[kind]
    tile = small_tile(GROUPS, entries=entries, slots=4, payload_min=low, payload_max=high)
    taken, writes, expected, sent = run(tile, writable=writable)
    assert len(taken) == len(sent)
    assert writes == expected


@pytest.mark.parametrize("entries", [SINGLE, ONE_KEY])
def test_with_one_entry_per_key_a_flit_is_taken_in_every_cycle(entries):
    taken, *_ = run(small_tile(GROUPS, entries=entries, slots=4), writable=True)
    assert taken == list(range(len(taken)))


def test_with_several_entries_the_next_flit_is_taken_in_the_cycle_of_the_last():
    taken, _, _, sent = run(small_tile(GROUPS, entries=SEVERAL, slots=4), writable=False)
    assert [b - a for a, b in zip(taken, taken[1:])] == [len(SEVERAL[flit["key"]]) for flit in sent[:-1]]


def test_gaps_between_flits_change_nothing_else():
    tile = small_tile(GROUPS, entries=SEVERAL, slots=4)
    _, writes, expected, _ = run(tile, writable=True, idles=waits(random.Random(5), 60, 4))
    assert writes == expected


def test_a_table_that_is_written_later_is_as_good_as_one_from_the_start():
    _, writes, expected, _ = run(small_tile(GROUPS, entries=SEVERAL, slots=4), writable=True, load=True)
    assert writes == expected


def test_the_check_refutes_another_table():
    other = {**SEVERAL, 3: (AxonEntry(1, 17, 1),)}
    _, writes, expected, _ = run(small_tile(GROUPS, entries=SEVERAL, slots=4), writable=True, entries=other)
    assert writes != expected
