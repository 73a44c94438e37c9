# amaranth: UnusedElaboratable=no
"""RequestReader: a byte per cycle, a verdict three cycles behind the last, and nothing of a bad frame."""

from __future__ import annotations

import pytest

from spikeloom.hdl.link.request import RequestReader
from spikeloom.hdl.link.timing import LinkTiming
from spikeloom.software.host.frames import Frame
from spikeloom.spec.link import Command, Op

from ..harness import simulate

TIMING = LinkTiming(clock_hz=1_000_000, baud=250_000, silence_bits=20)
BODY = bytes([Op.EVENT, 3, 0, Op.STEP, 1, 0])
STROBES = ("damaged", "cut", "lost", "rollback")


def feed(line: list[int | None], done_at: int = -1, more: int = 8) -> tuple[list[dict], list[int]]:
    """Gives a byte (None: none) per cycle; what the outputs are in each cycle, and the bytes written to the queue."""
    dut, seen, written = RequestReader(TIMING, frozenset(Op)), [], []
    names = ("waiting", "sequence", "command", "argument", "length", "start", "whole", *STROBES)

    async def bench(ctx):
        for cycle, byte in enumerate([*line, *[None] * more]):
            ctx.set(dut.i_valid, byte is not None)
            ctx.set(dut.i_data, byte or 0)
            ctx.set(dut.done, cycle == done_at)
            seen.append({name: ctx.get(getattr(dut, name)) for name in names})
            if ctx.get(dut.w_valid):
                written.append(ctx.get(dut.w_data))
            await ctx.tick()
    simulate(dut, bench)
    return seen, written


def frame(sequence: int = 7, body: bytes = BODY) -> list[int]:
    return list(Frame(sequence=sequence, command=Command.EXCHANGE, argument=9, body=body).encode())


def count(seen: list[dict], name: str) -> int:
    return sum(cycle[name] for cycle in seen)


def test_a_frame_of_a_byte_per_cycle_waits_three_cycles_behind_its_last_byte_and_holds():
    line = frame()
    seen, written = feed(line, done_at=len(line) + 6, more=12)
    rises = next(k for k, cycle in enumerate(seen) if cycle["waiting"])
    assert rises == len(line) - 1 + 3
    assert [cycle["waiting"] for cycle in seen[rises:]] == [1] * 5 + [0] * (len(seen) - rises - 5)  # until behind done
    for cycle in seen[rises:rises + 5]:
        assert (cycle["sequence"], cycle["command"], cycle["argument"], cycle["length"], cycle["whole"]) == (7, Command.EXCHANGE, 9, len(BODY), 1)
        assert cycle["start"] == int.from_bytes(BODY[:4], "little")
    assert bytes(written) == BODY and not any(count(seen, name) for name in STROBES)


def test_idle_cycles_between_bytes_change_nothing():
    line = [item for byte in frame() for item in (byte, None, None)]
    seen, written = feed(line)
    assert count(seen, "waiting") and bytes(written) == BODY and not any(count(seen, name) for name in STROBES)


@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_is_damage_reported_once_and_rolled_back(bit):
    for place in range(1, len(frame()) - 1):
        line = frame()
        line[place] ^= 1 << bit
        if line[place] == 0:
            continue  # that ends the frame: two pieces, each damaged
        seen, _ = feed(line)
        assert (count(seen, "damaged"), count(seen, "rollback"), count(seen, "waiting")) == (1, 1, 0), place


def test_silence_inside_a_frame_cuts_it_and_the_next_one_is_read():
    silence = [None] * (TIMING.silence_clocks + 2)
    seen, _ = feed([*frame()[:9], *silence, *frame(8)])
    assert (count(seen, "cut"), count(seen, "rollback"), count(seen, "damaged")) == (1, 1, 0)
    assert seen[-1]["waiting"] and seen[-1]["sequence"] == 8
    short, _ = feed([*frame()[:9], *[None] * (TIMING.silence_clocks - 2), *frame()[9:]])
    assert not count(short, "cut") and short[-1]["waiting"]


def test_a_frame_that_comes_while_one_waits_is_lost_and_harms_nothing():
    seen, written = feed([*frame(1), *[None] * 4, *frame(2, bytes([Op.READ]))])
    assert (count(seen, "lost"), count(seen, "damaged"), count(seen, "rollback")) == (1, 0, 0)
    assert bytes(written) == BODY and seen[-1]["waiting"] and seen[-1]["sequence"] == 1


@pytest.mark.parametrize(("body", "whole"), [(BODY, 1), (BODY[:-1], 0), (b"\xf0", 0), (b"", 1)])
def test_bodies_of_whole_and_known_operations_are_told_from_others(body, whole):
    seen, _ = feed(frame(body=body))
    assert seen[-1]["waiting"] and seen[-1]["whole"] == whole
