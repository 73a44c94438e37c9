"""OutputPort: spikes to the host, and counts, last values, sums and maxima, with everything waiting at random."""

from __future__ import annotations

import random

import numpy as np
import pytest

from spikeloom.gen.plan import plan
from spikeloom.hdl import readout as readout_module
from spikeloom.hdl.readout import OutputPort
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

from .harness import collector, driver, monitor, simulate, waits

KINDS = {"none": Readout.NONE, "count": Readout.COUNT, "last": Readout.LAST, "sum": Readout.SUM, "wide": Readout.SUM, "max": Readout.MAX}
BITS = {"last": 9, "sum": 6, "wide": 12, "max": 8}


def make(*names, sizes=(5, 4, 3, 6, 2, 3), tiles=None):
    """A chip with these outputs, each on its own level 1, on several tiles so that populations are cut into slices."""
    populations = [Population(name="x", size=2, model=Model.INPUT)]
    for name, size in zip(names, sizes):
        kind = KINDS[name]
        values = {"model": Model.LI, "v_bits": BITS[name], "decay": Decay(shift_a=1)} if name in BITS else {"model": Model.IF, "v_bits": 8}
        populations.append(Population(name=name, size=size, readout=kind, output=True, **values))
    projections = [Projection(source="x", target=n, weights=np.ones((s, 2), dtype=int)) for n, s in zip(names, sizes)]
    return plan(Network(name="outs", populations=tuple(populations), projections=tuple(projections)), lanes=2, tiles=tiles)


def flits_of(chip, rng, count):
    """Random events of the outputs: the flit, (output, neuron, value or None)."""
    sent = []
    for _ in range(count):
        number = rng.randrange(len(chip.outputs))
        output = chip.outputs[number]
        key = rng.choice(output.keys)
        neuron, bits = rng.randrange(chip.keys[key].size), output.value_bits
        value = rng.choice((-(1 << bits - 1), (1 << bits - 1) - 1, rng.randint(-9, 9))) if output.population in BITS else None
        sent.append(({"key": key, "neuron": neuron, "time": 0, "payload": value if value is not None else 1 if chip.flit.payload_bits else 0},
                     (number, chip.keys[key].first + neuron, value)))
    return sent


def accumulate(chip, sent):
    """What READ must give: (output, neuron, value, last)."""
    held = {}
    for number, o in enumerate(chip.outputs):
        for n in range(o.size if o.readout is not Readout.NONE else 0):
            held[number, n] = -(1 << o.value_bits - 1) if o.readout is Readout.MAX else 0
    for _, (number, neuron, value) in sent:
        o = chip.outputs[number]
        old, limit = held.get((number, neuron)), 1 << o.value_bits + 15
        if o.readout is Readout.COUNT:
            held[number, neuron] = min(old + 1, 0xFFFF)
        elif o.readout is Readout.LAST:
            held[number, neuron] = value
        elif o.readout is Readout.MAX:
            held[number, neuron] = max(old, value)
        elif o.readout is Readout.SUM:
            held[number, neuron] = max(min(old + value, limit - 1), -limit)
    return [(*key, value, k == len(held) - 1) for k, (key, value) in enumerate(held.items())]


def run(chip, sent, seed=0, wait=0, rounds=1, preset=None):
    """Clear, send, read; all streams wait up to ``wait`` cycles. Returns spikes, readouts per round, and the cycles between."""
    dut, rng, spikes, words, taken, timing = OutputPort(chip), random.Random(seed), [], [], [], {}

    async def strobe(ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def bench(ctx):
        await strobe(ctx, dut.clear)
        cycles = 0
        while ctx.get(dut.busy):
            await ctx.tick()
            cycles += 1
        timing["clear"] = cycles
        if preset is not None:
            preset(ctx)
        for _ in range(rounds):
            await driver(dut.flits, [flit for flit, _ in sent], waits(rng, len(sent), wait))(ctx)
            while ctx.get(dut.busy):
                await ctx.tick()
            await strobe(ctx, dut.read)
            cycles = 0
            while ctx.get(dut.reading):
                await ctx.tick()
                cycles += 1
            timing["read"] = cycles

    simulate(dut, bench, max_cycles=60_000, background=[
        collector(dut.spikes, [], stalls=waits(rng, 500, wait)), monitor(dut.spikes, spikes), monitor(dut.flits, taken),
        collector(dut.readouts, [], stalls=waits(rng, 500, wait)), monitor(dut.readouts, words)])
    out = [(int(p.population), int(p.neuron)) for _, p in spikes]
    read = [(int(p.population), int(p.neuron), int(p.value), bool(p.last)) for _, p in words]
    return out, read, timing, [cycle for cycle, _ in taken]


ALL = ("none", "count", "last", "sum", "wide", "max")


@pytest.mark.parametrize("names", [ALL, ("count",), ("max", "count"), ("sum",), ("last", "none")], ids="-".join)
@pytest.mark.parametrize("wait", [0, 4])
def test_every_event_is_passed_on_or_accumulated(names, wait):
    chip = make(*names, tiles=2 * len(names))
    sent = flits_of(chip, random.Random(1), 250)
    spikes, read, timing, _ = run(chip, sent, wait=wait)
    assert spikes == [what[:2] for _, what in sent if what[2] is None]
    assert read == accumulate(chip, sent)
    assert timing["clear"] == chip.n_readouts
    if not wait:
        assert timing["read"] == chip.n_readouts


def test_a_flit_is_taken_in_every_cycle_if_the_host_takes_spikes_as_fast():
    chip = make(*ALL)
    *_, taken = run(chip, flits_of(chip, random.Random(2), 100))
    assert [b - a for a, b in zip(taken, taken[1:])] == [1] * 99


def test_reading_changes_nothing():
    chip = make(*ALL)
    sent = flits_of(chip, random.Random(3), 60)
    _, read, *_ = run(chip, sent, rounds=2)
    assert read == accumulate(chip, sent) + accumulate(chip, sent * 2)


@pytest.mark.parametrize("sign", [-1, 1])
def test_counts_and_sums_stop_at_their_limits(monkeypatch, sign):
    stores = []

    class Kept(readout_module.memory.Memory):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            stores.append(self)

    monkeypatch.setattr(readout_module.memory, "Memory", Kept)
    chip = make("count", "sum", "wide", sizes=(1, 1, 1))
    start = (0xFFFF - 3, sign * ((1 << 21) - 40), sign * ((1 << 27) - 3000))

    def preset(ctx):
        for place, value in enumerate(start):
            ctx.set(stores[0].data[place], value)

    sent = []
    for number, value in ((0, None), (1, 31 * sign), (2, 2047 * sign)):
        flit = {"key": chip.outputs[number].keys[0], "neuron": 0, "time": 0, "payload": value or 1}
        sent += [(flit, (number, 0, value))] * 6
    _, read, *_ = run(chip, sent, preset=preset)
    assert [v for _, _, v, _ in read] == [0xFFFF, (1 << 21) - 1 if sign > 0 else -(1 << 21), (1 << 27) - 1 if sign > 0 else -(1 << 27)]


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


def test_the_check_refutes_a_lost_event():
    chip = make(*ALL)
    sent = flits_of(chip, random.Random(4), 80)
    _, read, *_ = run(chip, sent[1:])
    assert sent[0][1][2] is None or sent[0][1][2] != 0
    assert read != accumulate(chip, sent)
