"""HostPort: good events pass, one per cycle; bad ones are counted, flagged, and change nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.host_port import HostPort
from spikeloom.spec.chip import InputSpec
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

from ..end_to_end.chip_bench import compare, play, prove
from ..end_to_end.host_items import READ, step
from .harness import simulate
from .small_tiles import small_flit


def inputs(*sizes, payloads=(1, 1), keys=None):
    """Input populations of these sizes."""
    return tuple(InputSpec(population=f"i{k}", size=size, payload_min=payloads[0], payload_max=payloads[1], key=k if keys is None else keys[k])
                 for k, size in enumerate(sizes))


FEW = inputs(5, 3, 6)  # two bits of population, three of neuron: numbers out of range can be named
MANY = inputs(70, 40)  # the memory of those seen
GRADED = inputs(5, 3, 6, payloads=(-3, 5))
MIXED = (InputSpec(population="a", size=4, payload_min=0, payload_max=1, key=1),
         InputSpec(population="b", size=7, payload_min=2, payload_max=6, key=None), *inputs(3, payloads=(-2, 2)))


def classify(specs, event, seen):
    """Which counter an event goes to, or None if it is good."""
    population, neuron, payload = event
    if population >= len(specs) or neuron >= specs[population].size:
        return "range"
    if not specs[population].payload_min <= payload <= specs[population].payload_max or payload == 0:
        return "payload"
    return "duplicate" if (population, neuron) in seen else None


def run(specs, stall, seed, cycles=600):
    """Random events, timesteps and closed windows; asserts the port's behaviour in every cycle."""
    dut, rng = HostPort(specs, small_flit(neuron_bits=7, time_bits=2)), random.Random(seed)
    n_bits, p_bits = (max(s.size for s in specs) - 1).bit_length(), (len(specs) - 1).bit_length()
    low, high = min(s.payload_min for s in specs), max(s.payload_max for s in specs)
    graded = (low, high) != (1, 1)
    rejected, seen, passed = dict.fromkeys(("range", "payload", "duplicate"), 0), set(), 0

    async def bench(ctx):
        nonlocal passed
        held, time = None, 0
        for _ in range(cycles):
            event = (rng.randrange(1 << p_bits), rng.randrange(1 << n_bits) if rng.random() < 0.2 else rng.randrange(specs[0].size),
                     rng.choice((0, low, high, high + 1 if high & (high + 1) else high, 1)) if graded else 1)
            valid, window, ready = rng.random() < 0.8, rng.random() < 0.9, rng.random() >= stall
            renew = rng.random() < 0.05 and held is None
            ctx.set(dut.window, window and not renew)
            ctx.set(dut.timestep, renew)
            ctx.set(dut.clear, renew and time == 2)
            ctx.set(dut.flits.ready, ready)
            ctx.set(dut.events.valid, valid)
            ctx.set(dut.events.payload, {"population": event[0], "neuron": event[1], **({"payload": event[2]} if graded else {})})
            assert ctx.get(dut.busy) == (held is not None)
            assert {name: ctx.get(dut.rejected[name]) for name in rejected} == rejected
            bad = classify(specs, held, seen) if held else None
            # An event that is not listened to is not remembered either: it reaches nobody, however often it comes.
            used = held is not None and bad is None and specs[held[0]].key is not None
            assert ctx.get(dut.flits.valid) == used
            if used:
                flit = ctx.get(dut.flits.payload)
                assert (int(flit.key), int(flit.neuron), int(flit.payload), int(flit.time)) == (specs[held[0]].key, held[1], held[2], time % 4)
            leaves = held is not None and (not used or ready)
            taken = ctx.get(dut.events.ready)
            assert taken == (window and not renew and (held is None or leaves))
            if bad:
                rejected[bad] += 1
            if leaves:
                if used:
                    passed += 1
                    seen.add(held[:2])
                held = None
            if valid and taken:
                held = event
            if renew:
                seen.clear()
                time = 0 if time == 2 else time + 1
            await ctx.tick()

    simulate(dut, bench)
    return passed, rejected


@pytest.mark.parametrize("stall", [0.0, 0.7])
@pytest.mark.parametrize("specs", [FEW, MANY, GRADED, MIXED, inputs(33), inputs(1)], ids=["few", "many", "graded", "mixed", "33", "one"])
def test_events_pass_or_are_counted(specs, stall):
    passed, rejected = run(specs, stall, seed=len(specs))
    assert passed > 5 and rejected["duplicate"] > 5 or specs is MIXED


def test_an_event_is_offered_in_the_cycle_after_it_was_taken_and_one_passes_per_cycle():
    dut, flits = HostPort(MANY, small_flit(neuron_bits=7)), []

    async def bench(ctx):
        ctx.set(dut.window, 1)
        ctx.set(dut.flits.ready, 1)
        ctx.set(dut.events.valid, 1)
        for cycle in range(71):
            ctx.set(dut.events.payload, {"population": 0, "neuron": min(cycle, 69)})
            assert ctx.get(dut.events.ready)
            if ctx.get(dut.flits.valid):
                flits.append((cycle, ctx.get(dut.flits.payload.neuron)))
            await ctx.tick()

    simulate(dut, bench)
    assert flits == [(k + 1, k) for k in range(70)]


@pytest.mark.slow
def test_the_counters_stop_at_their_largest_value():
    dut = HostPort(GRADED, small_flit())

    async def bench(ctx):
        ctx.set(dut.window, 1)
        ctx.set(dut.events.valid, 1)
        for _ in range(0x10000 + 20):
            await ctx.tick()
        assert ctx.get(dut.rejected.payload) == 0xFFFF  # payload 0, again and again

    simulate(dut, bench, max_cycles=70_000)


def network(sizes=(5, 3, 6), payloads=(-3, 5)):
    """A layer that all inputs drive."""
    rng = np.random.default_rng(1)
    populations = [Population(name=f"i{k}", size=n, model=Model.INPUT, payload_min=payloads[0], payload_max=payloads[1]) for k, n in enumerate(sizes)]
    populations.append(Population(name="y", size=8, model=Model.IF, theta=50, v_bits=12, readout=Readout.COUNT))
    return Network(name="net", populations=tuple(populations), projections=tuple(
        Projection(source=f"i{k}", target="y", weights=rng.integers(-9, 30, (8, n)), weight_bits=6) for k, n in enumerate(sizes)))


@pytest.mark.parametrize("sizes", [(5, 3, 6), (70, 40, 9)])
def test_a_chip_that_is_given_bad_events_computes_as_if_there_were_none(sizes):
    net = network(sizes)
    chip, rng = plan(net, lanes=4), random.Random(3)
    x = np.random.default_rng(2).choice([0, 0, 0, -3, 1, 5], (8, sum(sizes)))
    items, given = [], dict.fromkeys(("range", "payload", "duplicate"), 0)
    base = [0, sizes[0], sizes[0] + sizes[1]]
    for row in x:
        seen = []
        good = [(p, c - base[p], int(row[c])) for c in np.flatnonzero(row) for p in [sum(c >= b for b in base) - 1]]
        rng.shuffle(good)
        for event in good:
            items.append(("event", event))
            seen.append(event)
            for _ in range(rng.randrange(3)):
                population, neuron, _ = rng.choice(seen)
                kind = rng.choice(list(given))
                bad = {"range": rng.choice([(3, neuron, 1), (1, sizes[1] + rng.randrange(max(sizes) - sizes[1]), 1)]),
                       "payload": (population, neuron, rng.choice((0, -4, 6, 7))), "duplicate": (population, neuron, rng.choice((1, -2)))}[kind]
                items.append(("event", bad))
                given[kind] += 1
        items.append(step())
    (run_,) = play(chip, pack(chip, net), [*items, READ])
    assert min(given.values()) > 3 and run_.rejected == given
    assert run_.errors == 0b00111
    run_.errors = 0
    assert compare(chip, net, x, run_, lengths=False) == []
    prove(net, chip, x)
