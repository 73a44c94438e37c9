"""An output port with every kind of output: chips, random events, what must come of them, and a bench that plays them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from spikeloom.gen.plan import plan
from spikeloom.hdl.readout import OutputPort, spike_port_layout
from spikeloom.spec.arithmetic import Decay, bits_unsigned
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

from .harness import collector, driver, monitor, simulate, waits

__all__ = ["ALL", "ONE", "SIZES", "accumulate", "event", "flits_of", "make", "run", "spikes_of", "strobe"]

KINDS = {"none": Readout.NONE, "count": Readout.COUNT, "first": Readout.FIRST, "vote": Readout.VOTE, "poll": Readout.VOTE,
         "last": Readout.LAST, "sum": Readout.SUM, "wide": Readout.SUM, "max": Readout.MAX}
SIZES = {"none": 5, "count": 4, "first": 5, "vote": 7, "poll": 3, "last": 3, "sum": 6, "wide": 2, "max": 3}
BITS = {"last": 9, "sum": 6, "wide": 12, "max": 8}
CLASSES = {"vote": (2, 0, -1, 2, 4, 0, 2), "poll": (1, -1, 1)}  # nobody votes for classes 1 and 3; for class 0
ALL = tuple(KINDS)
ONE = dict.fromkeys(ALL, 1)  # sizes


def make(*names, sizes=SIZES, tiles=None, **max_spikes):
    """A chip with these outputs, each on its own level 1, on several tiles so that populations are cut into slices."""
    populations = [Population(name="x", size=2, model=Model.INPUT)]
    for name in names:
        values = {"model": Model.LI, "v_bits": BITS[name], "decay": Decay(shift_a=1)} if name in BITS else \
            {"model": Model.IF, "v_bits": 8, "max_spikes": max_spikes.get(name, 1), "classes": CLASSES.get(name)}
        populations.append(Population(name=name, size=sizes[name], readout=KINDS[name], output=True, **values))
    projections = [Projection(source="x", target=n, weights=np.ones((sizes[n], 2), dtype=int)) for n in names]
    chip = plan(Network(name="outs", populations=tuple(populations), projections=tuple(projections)), lanes=2, tiles=tiles)
    most = max(max_spikes.values(), default=1)
    bits = max(chip.flit.payload_bits, bits_unsigned(most) + chip.flit.payload_signed if most > 1 else 0)
    return replace(chip, flit=replace(chip.flit, payload_bits=bits))


def event(chip, number, neuron, value):
    """One event of an output: the flit, (output, neuron, payload or value of v)."""
    key = next(k for k in chip.outputs[number].keys if chip.keys[k].first <= neuron < chip.keys[k].first + chip.keys[k].size)
    flit = {"key": key, "neuron": neuron - chip.keys[key].first, "time": 0, "payload": value if chip.flit.payload_bits else 0}
    return flit, (number, neuron, value)


def flits_of(chip, rng, count):
    """Random events of the outputs, see :func:`event`."""
    sent = []
    for _ in range(count):
        number = rng.randrange(len(chip.outputs))
        output = chip.outputs[number]
        neuron, bits = rng.randrange(output.size), output.value_bits
        if output.population in BITS:
            value = rng.choice((-(1 << bits - 1), (1 << bits - 1) - 1, rng.randint(-9, 9)))
        else:
            value = rng.choice((1, output.max_spikes, rng.randint(1, output.max_spikes)))
        sent.append(event(chip, number, neuron, value))
    return sent


def accumulate(chip, sent, per_step=None):
    """What READ must give: (output, neuron or class, value, last). ``per_step`` events make a timestep."""
    starts = {Readout.FIRST: 0xFFFF}
    held = {(number, n): -(1 << o.value_bits - 1) if o.readout is Readout.MAX else starts.get(o.readout, 0)
            for number, o in enumerate(chip.outputs) if o.readout is not Readout.NONE
            for n in range(max(o.classes) + 1 if o.readout is Readout.VOTE else o.size)}
    for k, (_, (number, neuron, value)) in enumerate(sent):
        o = chip.outputs[number]
        place = number, o.classes[neuron] if o.readout is Readout.VOTE else neuron
        if place not in held:
            continue
        old, limit = held[place], 1 << o.value_bits + 15
        if o.readout in (Readout.COUNT, Readout.VOTE):
            held[place] = min(old + value, 0xFFFF)
        elif o.readout is Readout.FIRST:
            held[place] = min(old, k // per_step if per_step else 0)
        elif o.readout is Readout.LAST:
            held[place] = value
        elif o.readout is Readout.MAX:
            held[place] = max(old, value)
        elif o.readout is Readout.SUM:
            held[place] = max(min(old + value, limit - 1), -limit)
    return [(*key, value, k == len(held) - 1) for k, (key, value) in enumerate(held.items())]


def spikes_of(chip, sent, per_step=None):
    """What the spikes stream must show: (output, neuron, timestep, payload)."""
    return [(number, neuron, k // per_step if per_step else 0, value) for k, (_, (number, neuron, value)) in enumerate(sent)
            if chip.outputs[number].population not in BITS]


async def strobe(ctx, signal, cycles=1):
    """Raise a signal for so many cycles."""
    ctx.set(signal, 1)
    for _ in range(cycles):
        await ctx.tick()
    ctx.set(signal, 0)


def run(chip, sent, seed=0, wait=0, rounds=1, per_step=None, preset=None):
    """Clear, send, read; all streams wait up to ``wait`` cycles. Returns spikes, readouts of all rounds, and the cycles between."""
    dut, rng, spikes, words, taken, timing = OutputPort(chip), random.Random(seed), [], [], [], {}
    per_step = per_step or len(sent)

    async def bench(ctx):
        await strobe(ctx, dut.clear)
        ctx.set(dut.active, -1)
        cycles = 0
        while ctx.get(dut.busy):
            await ctx.tick()
            cycles += 1
        timing["clear"] = cycles
        if preset is not None:
            preset(ctx)
        for _ in range(rounds):
            for first in range(0, len(sent), per_step):
                flits = [flit for flit, _ in sent[first : first + per_step]]
                await driver(dut.flits, flits, waits(rng, len(flits), wait))(ctx)
                while ctx.get(dut.busy):
                    await ctx.tick()
                if per_step < len(sent):
                    await strobe(ctx, dut.finish)
            await strobe(ctx, dut.read)
            cycles = 0
            while ctx.get(dut.reading):
                await ctx.tick()
                cycles += 1
            timing["read"] = cycles

    simulate(dut, bench, max_cycles=60_000, background=[
        collector(dut.spikes, [], stalls=waits(rng, 500, wait)), monitor(dut.spikes, spikes), monitor(dut.flits, taken),
        collector(dut.readouts, [], stalls=waits(rng, 500, wait)), monitor(dut.readouts, words)])
    counted = "payload" in spike_port_layout(chip).members
    out = [(int(p.population), int(p.neuron), int(p.timestep), int(p.payload) if counted else 1) for _, p in spikes]
    read = [(int(p.population), int(p.neuron), int(p.value), bool(p.last)) for _, p in words]
    return out, read, timing, [cycle for cycle, _ in taken]
