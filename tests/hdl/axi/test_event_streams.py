"""EventInput and EventOutput: words, frames, the order of commands among events, and what is dropped."""

from __future__ import annotations

import random

import pytest

from spikeloom.gen.plan import plan
from spikeloom.hdl.axi import event_input, event_output
from spikeloom.hdl.axi.event_input import EventInput
from spikeloom.hdl.axi.event_output import EventOutput
from spikeloom.hdl.sequencer import Command

from ..harness import collector, driver, monitor, put, simulate, waits
from ..mutant import mutant
from ..output_port import make
from ..test_config_port import network

CHIP = plan(network(1))  # one input of 6 neurons (3 bits) with payload 1
NOTHING = 1 << 31


def play(words, wait, commands=()):
    """Beats (word, last) and, before beat number k, commands; returns (cycle, what) of all that left, and the count of dropped words."""
    dut, rng, events, control, beats, dropped = EventInput(CHIP), random.Random(wait), [], [], [], []

    async def bench(ctx):
        for k, (word, last) in enumerate(words):
            for at, command in commands:
                if at == k:
                    await ctx.tick()
                    await put(ctx, dut.command, {"command": command, "count": 3})
            for _ in range(rng.randrange(wait + 1)):
                await ctx.tick()
            await put(ctx, dut.beats, {"data": word, "last": last})
        while not ctx.get(dut.empty):
            await ctx.tick()
        await ctx.tick()
        dropped.append(ctx.get(dut.dropped))

    stalls = [waits(rng, 500, wait) for _ in range(2)]
    simulate(dut, bench, background=[
        collector(dut.events, [], stalls=stalls[0]), collector(dut.control, [], stalls=stalls[1]),
        monitor(dut.events, events), monitor(dut.control, control), monitor(dut.beats, beats)])
    left = [(c, "event", int(p.neuron)) for c, p in events] + [(c, Command(p.command), int(p.count)) for c, p in control]
    left.sort(key=lambda row: row[0])
    return left, dropped[0], [c for c, _ in beats]


@pytest.mark.parametrize("wait", [0, 3])
def test_events_come_in_order_and_a_step_behind_each_last(wait):
    rng = random.Random(5)
    words = [(NOTHING | rng.getrandbits(rng.choice((2, 31))) if rng.random() < 0.3 else rng.randrange(6) | rng.randrange(2) << 20,
              int(rng.random() < 0.4)) for _ in range(80)]
    left, dropped, _ = play(words, wait)
    expected = []
    for word, last in words:
        expected += [("event", word & 7)] * (not word & NOTHING) + [(Command.STEP, 1)] * last
    assert [row[1:] for row in left] == expected and dropped == 0


def test_latencies_are_as_stated():
    left, _, taken = play([(0, 0), (1, 0), (2, 1), (3, 0)], 0)
    assert taken[:3] == [taken[0], taken[0] + 1, taken[0] + 2]
    assert [(c - taken[0], *what) for c, *what in left] == [(1, "event", 0), (2, "event", 1), (3, "event", 2), (4, Command.STEP, 1), (5, "event", 3)]


@pytest.mark.parametrize("wait", [0, 3])
def test_a_command_comes_behind_the_beats_before_it_and_before_those_after_it(wait):
    words = [(k % 6, k % 4 == 3) for k in range(24)]
    left, *_ = play(words, wait, [(5, Command.READ), (8, Command.RESET), (17, Command.FLUSH)])
    expected = []
    for k, (neuron, last) in enumerate(words):
        expected += [(command, 3) for at, command in ((5, Command.READ), (8, Command.RESET), (17, Command.FLUSH)) if at == k]
        expected += [("event", neuron)] + [(Command.STEP, 1)] * last
    assert [row[1:] for row in left] == expected


@pytest.mark.parametrize("wait", [0, 3])
def test_no_beat_is_taken_while_a_command_waits_and_none_is_lost(wait):
    dut, rng, events, control, beats, risen = EventInput(CHIP), random.Random(wait), [], [], [], []

    async def command(ctx):
        cycle = 0
        for _ in range(12):
            for _ in range(rng.randrange(9)):
                await ctx.tick()
                cycle += 1
            risen.append(cycle)
            ctx.set(dut.command.payload, {"command": Command.READ, "count": len(risen)})
            ctx.set(dut.command.valid, 1)
            ready = False
            while not ready:
                *_, ready = await ctx.tick().sample(dut.command.ready)
                cycle += 1
            ctx.set(dut.command.valid, 0)
        for _ in range(60 * (wait + 1)):
            await ctx.tick()

    words = [{"data": k % 6, "last": 0} for k in range(40)]
    simulate(dut, driver(dut.beats, words, waits(rng, 40, wait)), command, background=[
        collector(dut.events, [], stalls=waits(rng, 500, wait)), collector(dut.control, [], stalls=waits(rng, 500, wait)),
        monitor(dut.events, events), monitor(dut.control, control), monitor(dut.beats, beats)])
    assert [int(p.neuron) for _, p in events] == [k % 6 for k in range(40)] and [int(p.count) for _, p in control] == list(range(1, 13))
    taken, sent = [c for c, _ in beats], [c for c, _ in events]
    for rise, (leaves, _) in zip(risen, control):
        before = sum(c < rise for c in taken)
        assert sum(c <= leaves for c in sent) == before  # those taken before it have left, and no other


@pytest.mark.parametrize("word", [8, 1 << 15, 1 << 16, 2 << 20, 1 << 28, 1 << 29, 1 << 30])
def test_a_word_that_does_not_fit_is_dropped_and_counted_and_its_last_counts(word):
    left, dropped, _ = play([(1, 0), (word, 1), (2, 0), (word | 3, 0)], 0)
    assert [row[1:] for row in left] == [("event", 1), (Command.STEP, 1), ("event", 2)] and dropped == 2


def test_a_neuron_that_the_port_can_name_is_left_for_the_chip_to_refuse():
    left, dropped, _ = play([(7, 0)], 0)
    assert [row[1:] for row in left] == [("event", 7)] and dropped == 0


@pytest.mark.parametrize("wait", [0, 3])
def test_a_frame_goes_before_spikes_that_are_offered_with_it(wait):
    chip = make("none", "count", count=7)
    dut, rng, beats = EventOutput(chip), random.Random(wait), []
    spikes = [{"population": k % 2, "neuron": k % 4, "timestep": k, "payload": 1 + k % 7} for k in range(40)]
    frames = [{"outputs": 1 + k % 3, "timestep": 1000 + k} for k in range(12)]
    taken = []
    simulate(dut, driver(dut.spikes, spikes, waits(rng, 40, wait)), driver(dut.frames, frames, waits(rng, 12, 3 * wait)), background=[
        collector(dut.beats, [], stalls=waits(rng, 200, wait)), monitor(dut.beats, beats), monitor(dut.spikes, taken), monitor(dut.frames, taken)])
    # The last ones may still be inside when the benches end.
    taken.sort(key=lambda row: row[0])
    words = [(int(p.payload) << 20 | int(p.population) << 16 | int(p.neuron), 0) if hasattr(p, "neuron") else
             (NOTHING | int(p.outputs) << 16 | int(p.timestep), 1) for _, p in taken]
    got = [(int(p.data), int(p.last)) for _, p in beats]
    assert got == words[:len(got)] and len(words) - len(got) <= 2 and len(words) == 52
    if not wait:
        assert all(b == a + 1 for (a, _), (b, _) in zip(taken, beats))


MUTATIONS = {
    "a command overtakes events": ("EventInput", "(self.command.valid & ~queue.o.valid)", "self.command.valid",
                                   test_a_command_comes_behind_the_beats_before_it_and_before_those_after_it),
    "events overtake a command": ("EventInput", "queue.i.ready & ~self.command.valid", "queue.i.ready",
                                  test_no_beat_is_taken_while_a_command_waits_and_none_is_lost),
    "a word of nothing counts as an event": ("EventInput", "~due & ~word.nothing & fits", "~due & fits",
                                             test_events_come_in_order_and_a_step_behind_each_last),
    "nothing ends no timestep": ("EventInput", "with m.If(done & queue.o.payload.last):", "with m.If(done & queue.o.payload.last & ~word.nothing):",
                                 test_events_come_in_order_and_a_step_behind_each_last),
    "an event that waits is lost": ("EventInput", "(self.events.ready | word.nothing | ~fits)", "1",
                                    test_events_come_in_order_and_a_step_behind_each_last),
    "spikes go before a frame": ("EventOutput", "self.spikes.ready.eq(queue.i.ready & ~self.frames.valid)", "self.spikes.ready.eq(queue.i.ready)",
                                 test_a_frame_goes_before_spikes_that_are_offered_with_it),
    "a spike without room is taken": ("EventOutput", "self.spikes.ready.eq(queue.i.ready & ", "self.spikes.ready.eq(",
                                      test_a_frame_goes_before_spikes_that_are_offered_with_it),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_mutant_is_found(what, monkeypatch):
    name, old, new, test = MUTATIONS[what]
    monkeypatch.setitem(globals(), name, mutant({"EventInput": event_input, "EventOutput": event_output}[name], name, old, new))
    with pytest.raises(AssertionError):
        test(3)
