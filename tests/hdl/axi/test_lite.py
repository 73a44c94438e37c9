# amaranth: UnusedElaboratable=no
"""Lite: AXI4-Lite transactions in any order and at any pace become strobes, each once; latencies are as stated."""

from __future__ import annotations

import random

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hdl.axi.lite import Lite

from ..harness import simulate

OUTPUTS = ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp")
INPUTS = {"awaddr": 8, "awvalid": 2, "wdata": 32, "wstrb": 4, "wvalid": 2, "bready": 2, "araddr": 8, "arvalid": 2, "rready": 2}


class Words(wiring.Component):
    """Behind ``Lite`` four words of memory, of which the last refuses."""

    def __init__(self, lite: Lite):
        self.lite, self.words = lite, [Signal(32, name=f"word_{k}") for k in range(4)]
        super().__init__({"unused": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lite = lite = self.lite
        m.d.comb += lite.w_error.eq(lite.w_word >= 3)
        m.d.sync += [lite.r_data.eq(Array(self.words)[lite.r_word[:2]]), lite.r_error.eq(lite.r_word >= 3)]
        for k, word in enumerate(self.words[:3]):
            with m.If(lite.w_strobe & (lite.w_word == k)):
                m.d.sync += [word[8 * b:8 * b + 8].eq(Mux(lite.w_mask[b], lite.w_data[8 * b:8 * b + 8], word[8 * b:8 * b + 8])) for b in range(4)]
        return m


def offer(lite, channel, payloads, idle):
    """Bench that offers payloads on a channel, each after some idle cycles."""
    async def bench(ctx):
        for payload in payloads:
            for _ in range(idle()):
                await ctx.tick()
            for name, value in payload.items():
                ctx.set(getattr(lite, name), value)
            ctx.set(getattr(lite, f"{channel}valid"), 1)
            ready = False
            while not ready:
                *_, ready = await ctx.tick().sample(getattr(lite, f"{channel}ready"))
            ctx.set(getattr(lite, f"{channel}valid"), 0)
    return bench


def take(lite, channel, names, count, idle, found):
    """Bench that takes so many responses."""
    valid, ready = getattr(lite, f"{channel}valid"), getattr(lite, f"{channel}ready")

    async def bench(ctx):
        while len(found) < count:
            for _ in range(idle()):
                await ctx.tick()
            ctx.set(ready, 1)
            seen = False
            while not seen:
                *_, seen, first, second = await ctx.tick().sample(valid, *(getattr(lite, name) for name in names))
            ctx.set(ready, 0)
            found.append((first, second))
    return bench


@pytest.mark.parametrize("wait", [0, 1, 5])
def test_writes_and_reads_beside_each_other_are_those_of_a_memory(wait):
    rng = random.Random(wait)
    lite = Lite(address_bits=5)
    writes = [(rng.choice((0, 4, 8, 12, 16, 28, 1, 2, 7)), rng.getrandbits(32), rng.randrange(16)) for _ in range(150)]
    reads = [rng.choice((0, 4, 8, 12, 20, 3, 6)) for _ in range(150)]
    memory, responses = [0, 0, 0], []
    history = [[0], [0], [0]]  # what each word has been
    for address, value, mask in writes:
        good = address in (0, 4, 8)
        responses.append(0 if good else 2)
        if good:
            bits = sum(0xFF << 8 * b for b in range(4) if mask >> b & 1)
            memory[address // 4] = memory[address // 4] & ~bits | value & bits
            history[address // 4].append(memory[address // 4])
    answered, read, dut = [], [], Words(lite)

    def idle():
        return rng.randrange(wait + 1)

    simulate(
        dut, offer(lite, "aw", [{"awaddr": a} for a, *_ in writes], idle),
        offer(lite, "w", [{"wdata": v, "wstrb": k} for _, v, k in writes], idle),
        take(lite, "b", ("bresp", "bresp"), len(writes), idle, answered),
        offer(lite, "ar", [{"araddr": a} for a in reads], idle),
        take(lite, "r", ("rdata", "rresp"), len(reads), idle, read))
    assert [r for r, _ in answered] == responses
    places = [0, 0, 0]
    for address, (value, response) in zip(reads, read, strict=True):
        assert response == (0 if address in (0, 4, 8) else 2)
        if response:
            assert value == 0
        else:  # reads see the values of a word in their order
            place = address // 4
            places[place] = history[place].index(value, places[place])


def test_latency_and_throughput_are_as_stated():
    lite, log = Lite(address_bits=5), []

    async def bench(ctx):
        for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            ctx.set(getattr(lite, name), 1)
        names = ("awready", "w_strobe", "bvalid", "arready", "r_strobe", "rvalid")
        for _ in range(12):
            log.append([ctx.get(getattr(lite, name)) for name in names])
            await ctx.tick()

    simulate(Words(lite), bench)
    takes_write, strobes, responses, takes_read, reads, data = ([c for c, row in enumerate(log) if row[k]] for k in range(6))
    assert takes_write[:5] == takes_read[:5] == [0, 2, 4, 6, 8]
    assert strobes[:5] == reads[:5] == [1, 3, 5, 7, 9]
    assert responses[:5] == [2, 4, 6, 8, 10] and data[:4] == [3, 5, 7, 9]


def wired(lite: Lite) -> None:
    """No output moves within a cycle, whatever the inputs do; a bench that finds one fails."""
    rng = random.Random(3)

    async def bench(ctx):
        for _ in range(400):
            before = None
            for _ in range(3):
                for name, bits in INPUTS.items():
                    ctx.set(getattr(lite, name), rng.randrange(2 if name.endswith(("valid", "ready")) else 1 << min(bits, 5)))
                now = [ctx.get(getattr(lite, name)) for name in OUTPUTS]
                assert before in (None, now), f"outputs {before} became {now} within a cycle"
                before = now
            await ctx.tick()

    simulate(Words(lite), bench)


def test_no_path_leads_from_an_input_to_an_output_within_a_cycle():
    wired(Lite(address_bits=5))


def test_such_a_path_would_be_found():
    class Hasty(Lite):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += self.wready.eq(self.awvalid)
            return m

    with pytest.raises(AssertionError, match="within a cycle"):
        wired(Hasty(address_bits=5))


def test_too_few_address_bits_are_an_error():
    with pytest.raises(ValueError, match=r"Address bits must be at least 3, not 2"):
        Lite(address_bits=2)
