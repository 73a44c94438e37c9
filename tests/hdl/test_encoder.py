"""Encoder: set lanes leave as flits, lowest first, one per cycle, and none is lost while the network does not take any."""

import random

import pytest

from spikeloom.hdl.encoder import Encoder

from .harness import collector, monitor, simulate, waits
from .small_tiles import group, profile, small_flit, small_tile

LI = profile(values=True, v_bits=8)
TRIPLE, MANY = profile(max_spikes=3), profile(max_spikes=255)
TILES = {
    "one lane": small_tile([group(9, 2, key=3)]),
    "four lanes": small_tile([group(30, 2, key=3), group(9, 2, key=1)], lanes=8, update_lanes=4),
    "unheard group": small_tile([group(30, 2, key=None), group(9, 2, key=5)], lanes=8, update_lanes=4),
    "numbers of spikes": small_tile([group(12, 2, TRIPLE, key=2), group(9, 2, key=6), group(13, 2, MANY, key=1)], lanes=4, update_lanes=2),
    "numbers of spikes, one lane": small_tile([group(5, 2, TRIPLE, key=2)]),
    "numbers of spikes beside values": small_tile([group(5, 2, LI, key=2), group(19, 2, TRIPLE, key=6), group(6, 2, key=1),
                                                   group(7, 2, MANY, key=None)], lanes=8, update_lanes=4),
    "values": small_tile([group(12, 2, LI, key=2), group(9, 2, key=6), group(3, 2, LI, key=None)], lanes=4, update_lanes=2),
}


def run(tile, stalls=(), seed=1, gap=0.3):
    """A timestep's updates with random masks; returns (transfers, expected flits with the cycle of their mask)."""
    dut, rng, transfers, expected = Encoder(tile, small_flit(payload_bits=9)), random.Random(seed), [], []
    times = [rng.randrange(8) for _ in tile.groups]

    async def drive(ctx):
        cycle = 0
        for g, time in enumerate(times):
            ctx.set(dut.times[g], time)
        for g, spec in enumerate(tile.groups):
            for local in range(tile.rows(g) * tile.beats):
                while rng.random() < gap:
                    ctx.set(dut.valid, 0)
                    await ctx.tick()
                    cycle += 1
                exists = [local * tile.update_lanes + lane < spec.size for lane in range(tile.update_lanes)]
                mask = [e and (spec.update.values or rng.random() < 0.5) for e in exists]
                values, most = [rng.randint(-128, 127) for _ in exists], spec.update.max_spikes
                counts = [rng.choice((1, most, rng.randint(1, most))) if bit else rng.randint(0, most) for bit in mask]
                ctx.set(dut.valid, 1)
                ctx.set(dut.group, g)
                ctx.set(dut.local, local)
                ctx.set(dut.mask, sum(bit << lane for lane, bit in enumerate(mask)))
                for lane, value in enumerate(values):
                    ctx.set(dut.v[lane], value)
                    if tile.count_bits:
                        ctx.set(dut.counts[lane], counts[lane])
                payloads = values if spec.update.values else counts
                expected.extend((cycle, {"key": spec.key, "neuron": local * tile.update_lanes + lane, "time": times[g], "payload": payloads[lane]})
                                for lane, bit in enumerate(mask) if bit and spec.key is not None)
                await ctx.tick()
                cycle += 1
        ctx.set(dut.valid, 0)
        for _ in range(20 + len(expected) * (4 if stalls else 1)):
            await ctx.tick()
        assert not ctx.get(dut.busy)

    simulate(dut, drive, background=[collector(dut.flits, [], stalls=stalls), monitor(dut.flits, transfers)])
    return [(cycle, {name: int(p[name]) for name in ("key", "neuron", "time", "payload")}) for cycle, p in transfers], expected


@pytest.mark.parametrize("name", TILES)
@pytest.mark.parametrize("gap", [0.0, 0.6])
def test_flits_leave_in_order_one_per_cycle_from_the_cycle_after_their_mask(name, gap):
    transfers, expected = run(TILES[name], gap=gap)
    assert [flit for _, flit in transfers] == [flit for _, flit in expected]
    free, due = 0, []
    for written, _ in expected:
        free = max(free, written + 1)
        due.append(free)
        free += 1
    assert [cycle for cycle, _ in transfers] == due


def test_a_payload_is_the_number_of_spikes_the_value_or_one():
    tile = TILES["numbers of spikes beside values"]
    _, expected = run(tile)
    payloads = {key: {flit["payload"] for _, flit in expected if flit["key"] == key} for key in (1, 2, 6)}
    assert payloads[1] == {1} and payloads[6] == {1, 2, 3} and min(payloads[2]) < 0
    _, expected = run(TILES["numbers of spikes"])
    assert {flit["payload"] for _, flit in expected if flit["key"] == 1} > {255}


@pytest.mark.parametrize("name", TILES)
def test_a_network_that_waits_loses_nothing(name):
    transfers, expected = run(TILES[name], stalls=waits(random.Random(4), 200, 3), gap=0.0)
    assert [flit for _, flit in transfers] == [flit for _, flit in expected]


def test_every_update_of_a_timestep_fits_while_nothing_is_taken():
    tile = TILES["four lanes"]
    transfers, expected = run(tile, stalls=[60], gap=0.0)
    assert transfers[0][0] >= 60 and len(transfers) == len(expected)


def test_a_tile_that_nobody_listens_to_has_no_queue_and_is_never_busy():
    transfers, expected = run(small_tile([group(9, 2, key=None)]))
    assert transfers == expected == []


def test_the_check_refutes_a_lost_flit():
    transfers, expected = run(TILES["four lanes"])
    assert [flit for _, flit in transfers[1:]] != [flit for _, flit in expected]


def test_the_check_refutes_another_payload():
    transfers, expected = run(TILES["numbers of spikes"])
    assert any(flit["payload"] > 1 for _, flit in expected)
    assert [{**flit, "payload": 1} for _, flit in transfers] != [flit for _, flit in expected]


def test_groups_can_share_a_tile_where_no_flit_carries_a_time():
    # All slots are one: a loop of several layers on one tile needs no bit of time.
    dut = Encoder(TILES["four lanes"], small_flit(time_bits=0))

    async def bench(ctx):
        ctx.set(dut.valid, 1)
        ctx.set(dut.group, 1)
        ctx.set(dut.mask, 0b0100)
        await ctx.tick()
        assert ctx.get(dut.flits.valid) and ctx.get(dut.flits.payload.key) == 1 and ctx.get(dut.flits.payload.neuron) == 2

    simulate(dut, bench)
