# amaranth: UnusedElaboratable=no
"""Executor: one operation after the other, each at its pace; what looks at a chip at rest waits for that, and lets it come to rest."""

from __future__ import annotations

from spikeloom.hdl.link.executor import Executor
from spikeloom.hdl.sequencer import Command
from spikeloom.software.host import operations as ops
from spikeloom.spec.link import Op, Tag

from ...linked import chip_of, network
from ..harness import simulate

CHIP = chip_of(network())


def play(operations: list[bytes], cycles: int = 60, busy=lambda cycle: False, ready=lambda cycle: True) -> list[tuple]:
    """Offers bytes all the time; (cycle, what left) of events, commands and own records, and ("byte",) for each byte taken."""
    dut, seen, line = Executor(CHIP), [], list(b"".join(operations))

    async def bench(ctx):
        for cycle in range(cycles):
            ctx.set(dut.operations.valid, bool(line))
            ctx.set(dut.operations.payload, line[0] if line else 0)
            ctx.set(dut.busy, busy(cycle))
            for stream in (dut.events, dut.control, dut.own):
                ctx.set(stream.ready, ready(cycle))
            if line and ctx.get(dut.operations.ready):
                line.pop(0)
                seen.append((cycle, "byte"))
            if ctx.get(dut.events.valid) and ready(cycle):
                seen.append((cycle, "event", ctx.get(dut.events.payload.neuron), ctx.get(dut.events.payload.payload)))
            if ctx.get(dut.control.valid) and ready(cycle):
                seen.append((cycle, Command(ctx.get(dut.control.payload.command)).name, ctx.get(dut.control.payload.count)))
            if ctx.get(dut.own.valid) and ready(cycle):
                seen.append((cycle, Tag(ctx.get(dut.own.payload.tag)).name, ctx.get(dut.own.payload.value)))
            if ctx.get(dut.refused):
                seen.append((cycle, "refused"))
            assert not (ctx.get(dut.idle) and (line or ctx.get(dut.own.valid)))
            await ctx.tick()
        assert ctx.get(dut.idle)
    simulate(dut, bench)
    assert not line
    return seen


def left(seen: list[tuple]) -> list[tuple]:
    return [item[1:] for item in seen if item[1] != "byte"]


def test_an_event_takes_its_bytes_and_two_cycles():
    given = ops.events([0] * 4, [3, 5, 1, 7], [1, 2, 3, 1])
    seen = play(given)
    sizes = [len(op) for op in given]
    assert sizes == [3, 4, 4, 3]
    # Number k leaves in the last cycle of its own: all bytes before it, and two cycles for each event up to it.
    assert [item[0] for item in seen if item[1] == "event"] == [sum(sizes[:k + 1]) + 2 * (k + 1) - 1 for k in range(4)]
    assert left(seen) == [("event", 3, 1), ("event", 5, 2), ("event", 1, 3), ("event", 7, 1)]


def test_an_event_that_the_chip_does_not_take_stops_the_bytes_and_is_not_lost():
    given = ops.events([0] * 3, [3, 5, 1], [1, 1, 1])
    seen = play(given, ready=lambda cycle: cycle > 25)
    assert [item[0] for item in seen if item[1] == "byte"][:4] == [0, 1, 2, 27]
    assert left(seen) == [("event", 3, 1), ("event", 5, 1), ("event", 1, 1)]


def test_an_event_that_does_not_fit_the_port_is_refused_not_cut():
    assert left(play(ops.events([0, 0, 1, 0], [8, 300, 0, 2], [1, 1, 1, 1]))) == [("refused",), ("refused",), ("refused",), ("event", 2, 1)]


def test_commands_go_out_with_their_counts():
    given = [ops.step(), ops.step(700), ops.control(Op.READ), ops.control(Op.RESET)]
    found = left(play(given))
    assert found[:2] == [("STEP", 1), ("STEP", 700)] and [name for name, _ in found[2:]] == ["READ", "RESET"]  # which have no count


def test_a_mark_flushes_where_a_step_came_before_and_waits_for_rest():
    seen = play([ops.step(), ops.mark(9), ops.mark(8)], busy=lambda cycle: 5 < cycle < 30)
    assert [item[1] for item in seen if item[1] != "byte"] == ["STEP", "FLUSH", "MARK", "MARK"]  # one FLUSH: then nothing is under way
    marks = [item for item in seen if item[1] == "MARK"]
    assert [item[2] for item in marks] == [9, 8] and marks[0][0] >= 30
    assert left(play([ops.mark(1)])) == [("MARK", 1)]
