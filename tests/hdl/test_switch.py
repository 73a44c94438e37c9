# amaranth: UnusedElaboratable=no
"""Switch, clock by clock, against docs/architecture.md, section 4."""

import dataclasses
import random

import pytest
from amaranth import *

from spikeloom.hdl.switch import Switch

from .harness import driver, monitor, simulate
from .networks import FLIT, SwitchModel, flit, number, switch


def random_switch(rng, *, buffered):
    """Any size, any routes, with keys that the inputs do not know."""
    inputs, outputs = rng.randint(1, 5), rng.randint(1, 5)
    routes = [{key: rng.randrange(1, 1 << outputs) for key in range(16) if rng.random() < 0.7} if rng.random() < 0.8
              else dict.fromkeys(range(16), 1 << rng.randrange(outputs)) for _ in range(inputs)]
    return switch([table or {0: 1} for table in routes], outputs, buffered=buffered)


def compare(dut, model, rng, cycles, load, ready):
    """Random traffic on ``dut`` and model at once; every handshake of every cycle must agree."""
    spec = model.spec

    async def bench(ctx):
        waiting = [None] * len(spec.inputs)
        for cycle in range(cycles):
            for i in range(len(spec.inputs)):
                if waiting[i] is None and rng.random() < load:
                    # An input whose keys all go one way has no table: it gets only those.
                    same = len(set(spec.routes[i].values())) == 1
                    waiting[i] = rng.choice(sorted(spec.routes[i])) if same else rng.randrange(16), cycle & 0xFFF
                ctx.set(dut.i[i].valid, waiting[i] is not None)
                if waiting[i] is not None:
                    ctx.set(dut.i[i].payload, flit(*waiting[i]))
            free = [rng.random() < ready for _ in spec.outputs]
            for o, bit in enumerate(free):
                ctx.set(dut.o[o].ready, bit)
            seen = [number(ctx.get(port.payload)) if ctx.get(port.valid) else None for port in dut.o]
            took = [waiting[i] is not None and bool(ctx.get(port.ready)) for i, port in enumerate(dut.i)]
            flags = bool(ctx.get(dut.busy)), bool(ctx.get(dut.error))
            assert flags == (model.busy, model.error), f"cycle {cycle}: busy, error"
            taken, offers = model.cycle(waiting, free)
            assert (took, seen) == (taken, offers), f"cycle {cycle}"
            waiting = [None if gone else flit_ for gone, flit_ in zip(taken, waiting)]
            await ctx.tick()
    simulate(dut, bench, max_cycles=cycles + 1)


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_random_switches_do_what_the_contract_says_in_every_cycle(seed, buffered):
    rng = random.Random(seed)
    spec = random_switch(rng, buffered=buffered)
    compare(Switch(spec, FLIT), SwitchModel(spec), rng, 300, rng.choice((0.3, 1.0)), rng.choice((0.3, 0.7, 1.0)))


def test_the_comparison_refutes_a_switch_with_another_route():
    rng = random.Random(3)
    spec = switch([{0: 1, 1: 2, 2: 3}], 2, buffered=True)
    wrong = dataclasses.replace(spec, routes=({0: 1, 1: 2, 2: 1},))
    with pytest.raises(AssertionError, match="cycle"):
        compare(Switch(wrong, FLIT), SwitchModel(spec), rng, 100, 1.0, 0.7)


def test_the_comparison_refutes_a_switch_without_queues():
    spec = switch([{0: 1}, {0: 1}], 1, buffered=True)
    with pytest.raises(AssertionError, match="cycle"):
        compare(Switch(dataclasses.replace(spec, buffered=False), FLIT), SwitchModel(spec), random.Random(0), 100, 1.0, 0.7)


def wait(cycles):
    """Bench that lets the last flits come out."""
    async def bench(ctx):
        for _ in range(cycles):
            await ctx.tick()
    return bench


def all_ready(dut):
    """Bench that takes everything at once."""
    async def bench(ctx):
        for port in dut.o:
            ctx.set(port.ready, 1)
    return bench


@pytest.mark.parametrize("buffered", [False, True])
def test_a_stream_passes_at_one_flit_per_cycle_with_the_latency_of_the_queue(buffered):
    dut, log_i, log_o = Switch(switch([{1: 1, 2: 2}], 2, buffered=buffered), FLIT), [], []
    simulate(dut, all_ready(dut), driver(dut.i[0], [flit(1, n) for n in range(20)]), wait(25),
             background=[monitor(dut.i[0], log_i), monitor(dut.o[0], log_o)], max_cycles=50)
    start = log_i[0][0]
    assert [cycle for cycle, _ in log_i] == list(range(start, start + 20))
    assert [cycle for cycle, _ in log_o] == list(range(start + buffered, start + buffered + 20))
    assert [number(p) for _, p in log_o] == [(1, n) for n in range(20)]


@pytest.mark.parametrize("buffered", [False, True])
def test_a_multicast_flit_is_taken_by_all_free_outputs_in_one_cycle(buffered):
    dut, logs = Switch(switch([{1: 0b111}], 3, buffered=buffered), FLIT), [[], [], []]
    simulate(dut, all_ready(dut), driver(dut.i[0], [flit(1, n) for n in range(20)]), wait(25),
             background=[monitor(dut.o[k], logs[k]) for k in range(3)], max_cycles=50)
    assert [cycle for cycle, _ in logs[0]] == [cycle for cycle, _ in logs[1]] == [cycle for cycle, _ in logs[2]]
    assert len(logs[0]) == 20 and logs[0][-1][0] - logs[0][0][0] == 19


def test_a_multicast_flit_leaves_in_the_cycle_in_which_the_last_output_takes_it():
    dut = Switch(switch([{1: 0b11, 2: 0b01}], 2, buffered=False), FLIT)
    seen = []

    async def bench(ctx):
        ctx.set(dut.i[0].payload, flit(1, 7))
        ctx.set(dut.i[0].valid, 1)
        for ready in (0b00, 0b01, 0b00, 0b10):
            for o in range(2):
                ctx.set(dut.o[o].ready, ready >> o & 1)
            seen.append((ctx.get(dut.o[0].valid), ctx.get(dut.o[1].valid), ctx.get(dut.i[0].ready)))
            await ctx.tick()
    simulate(dut, bench)
    assert seen == [(1, 1, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1)]


def test_two_inputs_share_an_output_evenly():
    dut, log = Switch(switch([{1: 1}, {2: 1}], 1, buffered=False), FLIT), []
    simulate(dut, all_ready(dut), driver(dut.i[0], [flit(1, n) for n in range(10)]), driver(dut.i[1], [flit(2, n) for n in range(10)]),
             background=[monitor(dut.o[0], log)], max_cycles=50)
    assert [number(p)[0] for _, p in log[:18]] == [1, 2] * 9


@pytest.mark.parametrize("buffered", [False, True])
def test_an_unknown_key_is_dropped_and_told(buffered):
    dut, log = Switch(switch([{1: 1, 2: 2}], 2, buffered=buffered), FLIT), []
    errors = []

    async def check(ctx):
        for _ in range(8):
            await ctx.tick()
            errors.append(ctx.get(dut.error))
    simulate(dut, all_ready(dut), driver(dut.i[0], [flit(1, 5), flit(9, 6), flit(2, 7)]), check,
             background=[monitor(dut.o[0], log), monitor(dut.o[1], log)], max_cycles=50)
    assert [number(p) for _, p in log] == [(1, 5), (2, 7)]
    assert errors == sorted(errors) and errors[0] == 0 and errors[-1] == 1


def test_a_flit_at_an_input_without_routes_is_dropped_and_told():
    dut = Switch(switch([{}, {1: 1}], 1, buffered=True), FLIT)
    ends = []

    async def check(ctx):
        for _ in range(4):
            await ctx.tick()
        ends.append((ctx.get(dut.error), ctx.get(dut.busy)))
    simulate(dut, driver(dut.i[0], [flit(1, 5), flit(1, 6)]), check, max_cycles=50)
    assert ends == [(1, 0)]


@pytest.mark.parametrize("routes, outputs, message", [
    ([{16: 1}], 1, "Keys of input 0 must fit 4 bits, not 16"),
    ([{0: 1}, {3: 4}], 2, "Mask of key 3 at input 1 must name some of 2 outputs, not 0b100"),
])
def test_routes_that_do_not_fit_are_refused(routes, outputs, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Switch(switch(routes, outputs, buffered=False), FLIT)


def test_missing_routes_are_refused():
    spec = dataclasses.replace(switch([{0: 1}], 1, buffered=False), routes=())
    with pytest.raises(ValueError, match="^Routes must be given for each of 1 inputs, not for 0$"):
        Switch(spec, FLIT)
