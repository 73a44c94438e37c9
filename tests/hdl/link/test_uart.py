"""UART: bytes across the line at whole and fractional rates, at rates that are off, and what is no byte."""

from __future__ import annotations

import random

import pytest
from amaranth import *
from amaranth.sim import Simulator

from spikeloom.hdl.link.timing import LinkTiming
from spikeloom.hdl.link.uart_receiver import UartReceiver
from spikeloom.hdl.link.uart_transmitter import UartTransmitter

from ..harness import driver, simulate

BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *random.Random(3).randbytes(20)]


def heard(timing: LinkTiming, line: list[int]) -> list[int | str]:
    """What the receiver makes of a line, one level per clock: bytes and errors."""
    dut, out = UartReceiver(timing), []

    async def bench(ctx):
        for level in line + [1] * 40:
            ctx.set(dut.rx, level)
            await ctx.tick()
            if ctx.get(dut.valid):
                out.append(ctx.get(dut.data))
            if ctx.get(dut.error):
                out.append("error")
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return out


def spoken(values, clocks: float, *, gap: float = 0, stop: int = 1, begin: float = 3) -> list[int]:
    """The line of a sender whose bits last ``clocks`` clocks, each level of it sampled at the clocks of the receiver."""
    edges, now = [], begin
    for value in values:
        for bit in (0, *(value >> k & 1 for k in range(8)), stop):
            edges.append((now, bit))
            now += clocks
        now += gap
    line, level = [], 1
    for clock in range(int(now) + 1):
        while edges and edges[0][0] <= clock:
            level = edges.pop(0)[1]
        line.append(level)
    return line


@pytest.mark.parametrize("clock, baud", [(25_000_000, 6_250_000), (25_000_000, 3_000_000), (25_000_000, 1_000_000), (12_000_000, 921_600)])
@pytest.mark.parametrize("gap", [0, 0.37, 30])
def test_bytes_are_heard_at_whole_and_fractional_rates(clock, baud, gap):
    timing = LinkTiming(clock_hz=clock, baud=baud)
    for begin in (3, 3.26, 3.5, 3.99):
        assert heard(timing, spoken(BYTES, clock / baud, gap=gap, begin=begin)) == BYTES


@pytest.mark.parametrize("off", [-0.03, 0.03])
def test_a_sender_may_be_three_per_cent_off(off):
    timing = LinkTiming(clock_hz=16_000_000, baud=1_000_000)
    assert heard(timing, spoken(BYTES, 16 * (1 + off))) == BYTES


def test_a_sender_of_another_rate_is_not_understood():
    timing = LinkTiming(clock_hz=16_000_000, baud=1_000_000)
    assert heard(timing, spoken(BYTES, 24)) != BYTES


def test_a_byte_without_stop_bit_and_a_glitch_are_errors_and_the_next_byte_is_heard():
    timing = LinkTiming(clock_hz=8_000_000, baud=1_000_000)
    assert heard(timing, spoken([0x33], 8, stop=0) + [1] * 20 + spoken([0x44], 8)) == ["error", 0x44]
    assert heard(timing, [1, 1, 0, 0, 1, 1] + [1] * 20 + spoken([0x44], 8)) == ["error", 0x44]
    assert heard(timing, [0] * 500 + [1] * 20 + spoken([0x44], 8)) == ["error", 0x44]  # unplugged: one error, however long


@pytest.mark.parametrize("clock, baud", [(25_000_000, 6_250_000), (25_000_000, 3_000_000), (12_000_000, 921_600)])
def test_bytes_are_sent_without_a_gap_and_every_edge_is_one_clock_late_at_most(clock, baud):
    timing = LinkTiming(clock_hz=clock, baud=baud)
    dut, line = UartTransmitter(timing), []

    async def watch(ctx):
        while True:
            line.append(ctx.get(dut.tx))
            await ctx.tick()

    async def finish(ctx):
        await driver(dut.i, BYTES)(ctx)
        for _ in range(int(12 * clock / baud)):
            await ctx.tick()
    simulate(dut, finish, background=[watch], max_cycles=20_000)
    begin = line.index(0)
    bits = [bit for value in BYTES for bit in (0, *(value >> k & 1 for k in range(8)), 1)]
    for number, bit in enumerate(bits):
        # From one clock behind the ideal edge until the next one.
        first, last = begin + number * clock / baud + 1, begin + (number + 1) * clock / baud
        assert set(line[int(first):int(last)]) == {bit}, f"bit {number}"
    assert set(line[int(last) + 1:]) == {1}
    assert heard(timing, line) == BYTES


def test_a_receiver_whose_bits_are_an_eighth_too_short_is_seen(monkeypatch):
    timing = LinkTiming(clock_hz=16_000_000, baud=1_000_000)
    monkeypatch.setattr(LinkTiming, "increment", property(lambda self: round(self.baud * (1 << 24) / self.clock_hz) * 9 // 8))
    assert heard(timing, spoken(BYTES, 16)) != BYTES


@pytest.mark.parametrize("clock, baud, text", [
    (25_000_000, 7_000_000, "Baud rate must be 1 to 6250000 .a quarter of the clock of 25000000 Hz., not 7000000"), (25_000_000, 0, "not 0"),
    (100_000_000, 300, "at least")])
def test_rates_that_the_clock_cannot_give_are_refused(clock, baud, text):
    with pytest.raises(ValueError, match=text):
        LinkTiming(clock_hz=clock, baud=baud)
