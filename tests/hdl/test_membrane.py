"""The expressions of the membrane update against spec/arithmetic, over every value of v."""

import itertools

import pytest
from amaranth import *

from spikeloom.hdl.membrane import decayed, round_up
from spikeloom.spec.arithmetic import Decay, Rounding, round_shift

from .harness import simulate

V_BITS = 7
VALUES = range(-(1 << V_BITS - 1), 1 << V_BITS - 1)


def every_value(build):
    """``build(m, v)`` gives named expressions; returns their values, by name, for every v."""
    m, v = Module(), Signal(signed(V_BITS))
    outputs = {}
    for name, expression in build(m, v).items():
        outputs[name] = Signal(signed(40), name=f"out_{len(outputs)}")
        m.d.comb += outputs[name].eq(expression)
    m.d.sync += Signal().eq(0)
    results = {name: [] for name in outputs}

    async def bench(ctx):
        for value in VALUES:
            ctx.set(v, value)
            for name, output in outputs.items():
                results[name].append(ctx.get(output))

    simulate(m, bench)
    return results


@pytest.mark.parametrize("rounding", Rounding)
def test_decay_by_one_or_two_shifts_is_exact_for_every_v(rounding):
    shifts = (1, 2, 3, 6, 7, 15)
    decays = [Decay(shift_a=a) for a in shifts] + [Decay(shift_a=a, shift_b=b) for a, b in itertools.product(shifts, shifts)]
    results = every_value(lambda m, v: {d: decayed(m, d, rounding, v, f"d{k}") for k, d in enumerate(decays)})
    for decay in decays:
        assert results[decay] == [decay.apply(v, rounding) for v in VALUES], decay


def test_without_a_decay_v_stays_as_it_is():
    assert every_value(lambda m, v: {"v": decayed(m, Decay(), Rounding.FLOOR, v, "d")})["v"] == list(VALUES)


@pytest.mark.parametrize("rounding", Rounding)
def test_floor_plus_the_rounding_bit_is_the_rounded_shift(rounding):
    results = every_value(lambda m, v: {n: (v >> n) + round_up(v, n, rounding) for n in range(V_BITS + 1)})
    for n, got in results.items():
        assert got == [round_shift(v, n, rounding) for v in VALUES], n


def test_the_check_refutes_another_rounding():
    decay = Decay(shift_a=2)
    got = every_value(lambda m, v: {"v": decayed(m, decay, Rounding.FLOOR, v, "d")})["v"]
    assert got != [decay.apply(v, Rounding.NEAREST) for v in VALUES]
