"""Pipeline: a value by name in any later stage, through as many registers as there are stages between."""

import random
from types import SimpleNamespace

import pytest
from amaranth import *

from spikeloom.hdl.pipeline import Pipeline

from .harness import simulate


class Lines(list):
    """Statements of a domain, one by one."""

    def __iadd__(self, line):
        self.append(line)
        return self


def pipeline():
    """A pipeline and the registers that it makes."""
    lines = Lines()
    return Pipeline(SimpleNamespace(d=SimpleNamespace(sync=lines)), "p"), lines


class Delays(Elaboratable):
    """``given`` is known in stage 1; ``total`` of it is worked out in stage 2 and known in 3. Both are shown in the stages that are asked for."""

    def __init__(self, given_at, total_at):
        self.given = Signal(signed(6))
        self.shown = {("given", stage): Signal(signed(6)) for stage in given_at} | {("total", stage): Signal(signed(8)) for stage in total_at}

    def elaborate(self, platform):
        m = Module()
        pipe = Pipeline(m, "pipe")
        pipe.put("given", self.given, 1)
        pipe.register("total", pipe.at("given", 2) * 3, 2)
        for (name, stage), signal in self.shown.items():
            m.d.comb += signal.eq(pipe.at(name, stage))
        return m


def play(dut, cycles=30):
    """What was given and what each output showed, per cycle."""
    rng, given, shown = random.Random(1), [], {key: [] for key in dut.shown}

    async def bench(ctx):
        for _ in range(cycles):
            given.append(rng.randint(-32, 31))
            ctx.set(dut.given, given[-1])
            for key, signal in dut.shown.items():
                shown[key].append(ctx.get(signal))
            await ctx.tick()

    simulate(dut, bench)
    return given, shown


def test_a_value_takes_a_register_per_stage_in_whatever_order_it_is_asked_for():
    given, shown = play(Delays((5, 1, 3, 2), (3, 6, 4)))
    for (name, stage), values in shown.items():
        late = stage - 1  # the total's own register is one of them
        assert values == [0] * late + [x * (1 if name == "given" else 3) for x in given[:len(given) - late]], (name, stage)


def test_the_check_refutes_a_value_one_cycle_earlier():
    given, shown = play(Delays((3,), (3,)))
    assert shown["given", 3][1:] != given[:-1]


def test_registers_are_made_once_and_keep_the_shape_of_their_value():
    pipe, lines = pipeline()
    value = Signal(signed(9))
    pipe.put("value", value, 0)
    assert pipe.at("value", 0) is value
    late = pipe.at("value", 3)
    assert pipe.at("value", 3) is late and len(lines) == 3 and late.shape() == signed(9) and late.name == "p_value_3"
    pipe.register("sum", value + 1, 3)
    assert pipe.at("sum", 4).name == "p_sum" and pipe.at("sum", 4).shape() == signed(10)


def test_constants_and_numbers_can_be_put():
    pipe, _ = pipeline()
    pipe.put("number", 5, 2)
    assert len(pipe.at("number", 2)) == 3 and isinstance(pipe.at("number", 2), Const)


def test_a_name_is_put_once_and_is_not_known_earlier():
    pipe, _ = pipeline()
    pipe.put("value", Signal(), 2)
    assert "value" in pipe and "other" not in pipe
    with pytest.raises(AssertionError, match="value is in the pipeline already"):
        pipe.put("value", Signal(), 3)
    with pytest.raises(AssertionError, match="value is in the pipeline already"):
        pipe.register("value", Signal(), 3)
    with pytest.raises(AssertionError, match="value is known in stage 2, not in stage 1"):
        pipe.at("value", 1)
    with pytest.raises(KeyError):
        pipe.at("other", 1)
