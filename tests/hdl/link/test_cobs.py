"""COBS in gateware: equal to the plain decoder and the driver's encoder, in the cycles that the docstrings state."""

from __future__ import annotations

import random

from amaranth import *
from amaranth.sim import Simulator

from spikeloom.hdl.link.cobs_decoder import CobsDecoder
from spikeloom.hdl.link.cobs_encoder import CobsEncoder
from spikeloom.software.host import cobs

from ...software.host.plain_link import unstuffed
from ...software.host.test_cobs import KNOWN
from ..harness import collector, driver, monitor, simulate, waits

RNG = random.Random(7)
FRAMES = [bytes.fromhex(decoded) for decoded, _ in KNOWN if decoded] \
    + [bytes(RNG.choice([0, 0, 1, 255, RNG.randrange(256)]) for _ in range(RNG.choice([1, 3, 40]))) for _ in range(20)] \
    + [b"\7" * n for n in (253, 254, 255, 508, 509)] + [b"\7" * 254 + b"\0", b"\0" * 300]


def decoded(line: bytes, drops: frozenset[int] = frozenset()) -> list[bytes | None]:
    """The frames of a line, one byte per cycle; None where one is not good. At the places of ``drops`` a cycle with ``drop`` comes first."""
    dut, out, held = CobsDecoder(), [], bytearray()

    async def bench(ctx):
        for place, byte in enumerate(line):
            if place in drops:
                ctx.set(dut.drop, 1)
                ctx.set(dut.i_valid, 0)
                await ctx.tick()
                ctx.set(dut.drop, 0)
                assert not ctx.get(dut.inside)
                held.clear()
            ctx.set(dut.i_valid, 1)
            ctx.set(dut.i_data, byte)
            assert not (ctx.get(dut.valid) and ctx.get(dut.end))
            if ctx.get(dut.valid):
                held.append(ctx.get(dut.data))
            if ctx.get(dut.end):
                out.append(bytes(held) if ctx.get(dut.good) else None)
                held.clear()
            await ctx.tick()
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return out


def test_frames_come_out_of_the_decoder_in_the_same_cycles():
    assert decoded(b"".join(b"\0" + cobs.encode(frame) + b"\0" for frame in FRAMES)) == FRAMES


def test_any_bytes_are_decoded_as_the_plain_decoder_does():
    line = bytes(RNG.choice([0, 1, 2, 3, 9, 255]) for _ in range(4000)) + b"\0"
    assert decoded(line) == [unstuffed(frame) for frame in line.split(b"\0") if frame]


def test_a_dropped_frame_leaves_nothing_behind():
    frame = b"\0" + cobs.encode(b"\1\0\2\3") + b"\0"
    for place in range(1, len(frame) - 1):
        assert decoded(frame[:place] + frame, frozenset({place})) == [b"\1\0\2\3"]


def encoded(frames: list[bytes], idles=(), stalls=()) -> tuple[bytes, list[int]]:
    """What the encoder makes of frames, and the cycles of its bytes."""
    dut, transfers, out = CobsEncoder(), [], []
    given = [{"data": byte, "last": k == len(frame) - 1} for frame in frames for k, byte in enumerate(frame)]
    want = sum(len(cobs.encode(frame)) + 2 for frame in frames)
    simulate(dut, driver(dut.i, given, idles), collector(dut.o, out, want, stalls), background=[monitor(dut.o, transfers)], max_cycles=40_000)
    return bytes(int(byte) for byte in out), [cycle for cycle, _ in transfers]


def test_frames_come_out_of_the_encoder_whatever_waits():
    want = b"".join(b"\0" + cobs.encode(frame) + b"\0" for frame in FRAMES)
    assert encoded(FRAMES)[0] == want
    rng, few = random.Random(2), FRAMES[:25]
    want = b"".join(b"\0" + cobs.encode(frame) + b"\0" for frame in few)
    assert encoded(few, waits(rng, 4000, 5), waits(rng, 4000, 5))[0] == want


def test_the_encoder_takes_a_byte_per_cycle_and_sends_one_per_two():
    _, cycles = encoded([b"\7" * 200])
    assert cycles[1] - cycles[0] == 201  # the zero; then the block is taken
    assert {b - a for a, b in zip(cycles[2:-1], cycles[3:-1])} == {2}
