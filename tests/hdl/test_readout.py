"""OutputPort: spikes to the host, and every readout, with everything waiting at random."""

from __future__ import annotations

import random

import pytest

from spikeloom.hdl import readout as readout_module
from spikeloom.hdl.readout import OutputPort, spike_port_layout

from .harness import monitor, put, simulate
from .mutant import mutant
from .output_port import ALL, ONE, accumulate, event, flits_of, make, run, spikes_of, strobe


@pytest.mark.parametrize("names", [ALL, ("count",), ("max", "count"), ("sum",), ("last", "none"), ("first",), ("vote",), ("poll", "first", "none")],
                         ids="-".join)
@pytest.mark.parametrize("wait", [0, 4])
def test_every_event_is_passed_on_or_accumulated(names, wait):
    chip = make(*names, tiles=2 * len(names))
    sent = flits_of(chip, random.Random(1), 250)
    spikes, read, timing, _ = run(chip, sent, wait=wait, per_step=20)
    assert spikes == spikes_of(chip, sent, 20)
    assert read == accumulate(chip, sent, 20)
    assert timing["clear"] == chip.n_readouts
    if not wait:
        assert timing["read"] == chip.n_readouts


@pytest.mark.parametrize("most", [{"count": 3}, {"vote": 255}, {"none": 2, "count": 9}, {"first": 4, "poll": 6}],
                         ids=lambda most: "-".join(f"{name}{n}" for name, n in most.items()))
@pytest.mark.parametrize("wait", [0, 4])
def test_several_spikes_in_one_event_are_passed_on_and_counted_as_such(most, wait):
    chip = make(*ALL, tiles=12, **most)
    assert spike_port_layout(chip)["payload"].width == max(most.values()).bit_length()
    sent = flits_of(chip, random.Random(5), 250)
    spikes, read, *_ = run(chip, sent, wait=wait, per_step=30)
    assert {payload for *_, payload in spikes} >= {1, max(most.values())}
    assert spikes == spikes_of(chip, sent, 30)
    assert read == accumulate(chip, sent, 30)


def test_a_chip_without_them_has_no_payload_of_spikes():
    assert "payload" not in spike_port_layout(make(*ALL)).members


def test_a_flit_is_taken_in_every_cycle_if_the_host_takes_spikes_as_fast():
    chip = make(*ALL, count=7)
    *_, taken = run(chip, flits_of(chip, random.Random(2), 100))
    assert [b - a for a, b in zip(taken, taken[1:])] == [1] * 99


def test_reading_changes_nothing():
    chip = make(*ALL)
    sent = flits_of(chip, random.Random(3), 60)
    _, read, *_ = run(chip, sent, rounds=2, per_step=12)
    assert read == accumulate(chip, sent, 12) + accumulate(chip, sent * 2, 12)


@pytest.fixture
def stores(monkeypatch):
    """The memories of accumulators that are made."""
    kept = []

    class Kept(readout_module.memory.Memory):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            kept.append(self)

    monkeypatch.setattr(readout_module.memory, "Memory", Kept)
    return kept


@pytest.mark.parametrize("sign", [-1, 1])
def test_counts_and_sums_stop_at_their_limits(stores, sign):
    chip = make("count", "sum", "wide", sizes=ONE)
    start = (0xFFFF - 3, sign * ((1 << 21) - 40), sign * ((1 << 27) - 3000))

    def preset(ctx):
        for place, value in enumerate(start):
            ctx.set(stores[0].data[place], value)

    sent = [event(chip, number, 0, value) for number, value in ((0, 1), (1, 31 * sign), (2, 2047 * sign)) for _ in range(6)]
    _, read, *_ = run(chip, sent, preset=preset)
    assert [v for _, _, v, _ in read] == [0xFFFF, (1 << 21) - 1 if sign > 0 else -(1 << 21), (1 << 27) - 1 if sign > 0 else -(1 << 27)]


@pytest.mark.parametrize("before, payloads, after", [
    (65530, (4,), 65534), (65530, (5,), 65535), (65530, (6,), 65535), (65534, (255, 255), 65535), (65535, (1,), 65535)])
@pytest.mark.parametrize("name, neuron, place", [("count", 1, 1), ("vote", 3, 2)])
def test_counts_and_votes_of_several_spikes_stop_at_the_same_limit(stores, name, neuron, place, before, payloads, after):
    chip = make(name, "last", **{name: 255})
    sent = [event(chip, 0, neuron, payload) for payload in payloads]
    _, read, *_ = run(chip, sent, preset=lambda ctx: ctx.set(stores[0].data[place], before))
    assert [(n, v) for output, n, v, _ in read if output == 0 and v] == [(place, after)]


async def read_all(ctx, dut, words):
    """READ; the values are appended to ``words``."""
    await strobe(ctx, dut.read)
    ctx.set(dut.readouts.ready, 1)
    while ctx.get(dut.reading):
        words.append(ctx.get(dut.readouts.payload.value))
        await ctx.tick()


async def clear(ctx, dut):
    """RESET."""
    await strobe(ctx, dut.clear)
    while ctx.get(dut.busy):
        await ctx.tick()


def test_a_first_spike_is_never_later_than_timestep_65534():
    chip = make("first", "count", sizes={"first": 7, "count": 1})
    dut, read, shown = OutputPort(chip), [], []

    async def send(ctx, neuron):
        await put(ctx, dut.flits, event(chip, 0, neuron, 1)[0])
        shown.append(ctx.get(dut.spikes.payload.timestep))
        await ctx.tick()

    async def bench(ctx):
        await clear(ctx, dut)
        ctx.set(dut.active, -1)
        ctx.set(dut.spikes.ready, 1)
        now = 0
        for neuron, time in enumerate((9, 65533, 65534, 65535, 65536, 65543)):
            await strobe(ctx, dut.finish, time - now)  # a timestep in each cycle
            await send(ctx, neuron)
            await send(ctx, 0)
            now = time
        await read_all(ctx, dut, read)
        await clear(ctx, dut)  # and RESET forgets how late it was
        await send(ctx, 1)
        await read_all(ctx, dut, read)

    simulate(dut, bench, max_cycles=70_000)
    assert read == [9, 65533, 65534, 65534, 65534, 65534, 0xFFFF, 0, 0xFFFF, 0, *[0xFFFF] * 5, 0]
    assert shown[::2] == [9, 65533, 65534, 65535, 0, 7, 0]


def test_timesteps_count_the_phases_in_which_the_population_worked():
    chip = make("none", "count")
    dut, seen = OutputPort(chip), []

    async def bench(ctx):
        ctx.set(dut.spikes.ready, 1)
        for finish, active, flit in [(1, 1, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 0), (0, 0, 1), (0, 0, 0)]:
            ctx.set(dut.finish, finish)
            ctx.set(dut.active, active)
            ctx.set(dut.flits.valid, flit)
            ctx.set(dut.flits.payload.key, chip.outputs[0].keys[0])
            if ctx.get(dut.spikes.valid):
                seen.append(ctx.get(dut.spikes.payload.timestep))
            await ctx.tick()

    simulate(dut, bench)
    assert seen == [2, 3]


@pytest.mark.parametrize("name", ["count", "first", "vote", "last", "sum", "max"])
def test_the_check_refutes_a_lost_event(name):
    chip = make(name, "none", count=3, vote=3)
    lost = event(chip, 0, 1, 3 if name in ("count", "vote") else 1 if name == "first" else 21)
    sent = [lost, *[event(chip, 1, neuron, 1) for neuron in range(3)]]
    assert run(chip, sent)[1] == accumulate(chip, sent)
    assert run(chip, sent[1:])[1] != accumulate(chip, sent)


@pytest.mark.parametrize("stall", [0, 1, 7])
def test_frames_come_behind_their_timestep_s_spikes_and_none_is_missed(stall):
    """Timesteps of random events; the sequencer's part is to finish only while the port is not busy, and to change ``active``."""
    rng, chip = random.Random(stall), make("count", "sum", "none", tiles=6)
    dut, spikes, frames, expected = OutputPort(chip, framed=True), [], [], []

    async def bench(ctx):
        await clear(ctx, dut)
        counts = [0, 0, 0]
        for _ in range(40):
            active = rng.randrange(2)  # all outputs are on level 1
            ctx.set(dut.active, active)
            sent = flits_of(chip, rng, rng.randrange(4) * active)
            for flit, _ in sent:
                await put(ctx, dut.flits, flit)
            expected.extend(("spike", number, neuron, counts[number]) for _, (number, neuron, _) in sent if number != 1)
            while ctx.get(dut.busy):
                await ctx.tick()
            await strobe(ctx, dut.finish)
            if active:
                expected.append(("frame", 0b101, counts[0]))
                counts = [count + 1 for count in counts]
        while ctx.get(dut.busy):
            await ctx.tick()

    async def take(ctx):  # whoever listens to both takes a frame that is offered before spikes, and here leaves it for a while
        while True:
            for ready in (0,) * stall + (1,):
                ctx.set(dut.frames.ready, ready)
                ctx.set(dut.spikes.ready, not ctx.get(dut.frames.valid))
                await ctx.tick()

    simulate(dut, bench, background=[take, monitor(dut.spikes, spikes), monitor(dut.frames, frames)])
    got = [(cycle, 0, ("spike", int(p.population), int(p.neuron), int(p.timestep))) for cycle, p in spikes]
    got += [(cycle, 1, ("frame", int(p.outputs), int(p.timestep))) for cycle, p in frames]
    assert [what for *_, what in sorted(got)] == expected and len(frames) > 10


def test_a_port_that_does_not_wait_for_frames_is_found(monkeypatch):
    monkeypatch.setitem(globals(), "OutputPort", mutant(readout_module, "OutputPort", "(self.frames.valid if self._framed else 0)", "0"))
    with pytest.raises(AssertionError):
        test_frames_come_behind_their_timestep_s_spikes_and_none_is_missed(7)
