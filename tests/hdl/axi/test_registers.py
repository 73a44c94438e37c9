"""Registers: what is refused changes nothing, what waits is not overwritten, strobes are heeded, the interrupt follows STATUS."""

from __future__ import annotations

import random

import pytest

from spikeloom.gen.plan import plan
from spikeloom.hdl.axi import registers as registers_module
from spikeloom.hdl.axi.register_map import register_map
from spikeloom.hdl.axi.registers import Registers
from spikeloom.hdl.sequencer import Command

from ..harness import simulate
from ..mutant import mutant
from ..test_config_port import network

CHIP = plan(network(1), lanes=4, export=True, counters=True)
MAP = register_map(CHIP)
STATUS = {f.name: 1 << f.offset for f in MAP.by_name["STATUS"].fields}


class Bus:
    """Reads and writes by names."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def write(self, name, value, mask=0xF):
        """Whether it is refused."""
        ctx, dut = self.ctx, self.dut
        for port, what in ((dut.w_word, MAP.by_name[name].address // 4), (dut.w_data, value), (dut.w_mask, mask), (dut.w_strobe, 1)):
            ctx.set(port, what)
        refused = ctx.get(dut.w_error)
        await ctx.tick()
        ctx.set(dut.w_strobe, 0)
        return bool(refused)

    async def read(self, address):
        """The word at a name or address; None if it is refused."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.r_word, (MAP.by_name[address].address if isinstance(address, str) else address) // 4)
        await ctx.tick()
        return None if ctx.get(dut.r_error) else ctx.get(dut.r_data)


def bench(play):
    """Runs a bench on a register file."""
    dut = Registers(CHIP, MAP)

    async def run(ctx):
        await play(ctx, dut, Bus(ctx, dut))
    simulate(dut, run)


def command_waits():
    async def play(ctx, dut, bus):
        assert not await bus.write("CONTROL", Command.STEP.value | 7 << 16)
        assert await bus.write("CONTROL", Command.RESET.value)
        assert await bus.read("STATUS") & (STATUS["command"] | STATUS["idle"]) == STATUS["command"]
        assert ctx.get(dut.command.valid) and ctx.get(dut.command.payload.command) == Command.STEP and ctx.get(dut.command.payload.count) == 7
        ctx.set(dut.command.ready, 1)
        await ctx.tick()
        assert not ctx.get(dut.command.valid) and await bus.read("STATUS") & STATUS["idle"]
    bench(play)


def part_waits():
    async def play(ctx, dut, bus):
        await bus.write("CONFIG_TARGET", 5 << 8 | 3)
        await bus.write("CONFIG_ADDRESS", 0x12345)
        assert not await bus.write("CONFIG_LAST", 0xABCD)
        for name in ("CONFIG_PART", "CONFIG_LAST", "CONFIG_READ"):
            assert await bus.write(name, 1)
        assert await bus.read("CONFIG_ADDRESS") == 0x12346
        p = ctx.get(dut.config.payload)
        assert (p.tile, p.memory, p.address, p.data, p.last, p.read) == (3, 5, 0x12345, 0xABCD, 1, 0)
        ctx.set(dut.config.ready, 1)
        await ctx.tick()
        assert not await bus.write("CONFIG_PART", 1)
        p = ctx.get(dut.config.payload)
        assert (p.data, p.last, p.address) == (1, 0, 0x12346) and await bus.read("CONFIG_ADDRESS") == 0x12346
    bench(play)


def request_waits_for_its_answer():
    async def play(ctx, dut, bus):
        ctx.set(dut.config.ready, 1)
        assert not await bus.write("CONFIG_READ", 0)
        await ctx.tick()
        assert await bus.write("CONFIG_READ", 0) and not await bus.read("STATUS") & (STATUS["readback"] | STATUS["idle"])
        for k in range(MAP.window["READBACK"].words):
            ctx.set(dut.readback.payload, {"data": 100 + k, "last": k == MAP.window["READBACK"].words - 1})
            ctx.set(dut.readback.valid, 1)
            await ctx.tick()
        ctx.set(dut.readback.valid, 0)
        assert await bus.read("STATUS") & STATUS["readback"]
        assert [await bus.read(MAP.window["READBACK"].address + 4 * k) for k in range(MAP.window["READBACK"].words)] == \
            [100 + k for k in range(MAP.window["READBACK"].words)]
        assert not await bus.write("CONFIG_READ", 0)
    bench(play)


def partial_writes():
    async def play(ctx, dut, bus):
        rng, held = random.Random(1), 0
        for _ in range(40):
            value, mask = rng.getrandbits(32), rng.randrange(16)
            assert not await bus.write("CONFIG_ADDRESS", value, mask)
            bits = sum(0xFF << 8 * b for b in range(4) if mask >> b & 1)
            held = (held & ~bits | value & bits) & 0xFFFFF
            assert await bus.read("CONFIG_ADDRESS") == held
            for name in ("CONTROL", "CONFIG_PART", "CONFIG_LAST", "CONFIG_READ"):
                assert mask == 15 or await bus.write(name, value, mask)
            assert not ctx.get(dut.command.valid) and not ctx.get(dut.config.valid)
    bench(play)


def every_address():
    async def play(ctx, dut, bus):
        windows = {w.address + 4 * k for w in MAP.windows for k in range(w.words)}
        readable = {r.address for r in MAP.registers if r.access != "W"} | windows
        for address in range(0, 1 << MAP.address_bits, 4):
            assert (await bus.read(address) is None) == (address not in readable), hex(address)
            if address not in {r.address for r in MAP.registers if r.access != "R"}:
                ctx.set(dut.w_word, address // 4)
                assert ctx.get(dut.w_error), hex(address)
        for r in MAP.registers:
            assert r.value is None or await bus.read(r.address) == r.value
    bench(play)


def interrupt():
    async def play(ctx, dut, bus):
        ctx.set(dut.busy, 1)
        await bus.write("IRQ_ENABLE", STATUS["idle"] | STATUS["error"])
        await ctx.tick()
        assert not ctx.get(dut.irq)
        for port in (dut.busy, dut.dropped):
            ctx.set(port, not ctx.get(port))
            await ctx.tick()
            assert ctx.get(dut.irq)
            ctx.set(dut.busy, 1)
        await bus.write("IRQ_ENABLE", STATUS["answer"])
        await ctx.tick()
        assert not ctx.get(dut.irq)
    bench(play)


TESTS = {f.__name__: f for f in (command_waits, part_waits, request_waits_for_its_answer, partial_writes, every_address, interrupt)}
MUTATIONS = {
    "command": ('"CONTROL", ~command.valid', '"CONTROL", 1', "command_waits"),
    "part": ('"CONFIG_PART", ~config.valid)', '"CONFIG_PART", 1)', "part_waits"),
    "last": ('"CONFIG_LAST", ~config.valid', '"CONFIG_LAST", 1', "part_waits"),
    "count": ("address.eq(address + 1)", "address.eq(address)", "part_waits"),
    "request": ("~config.valid & ~reading", "~config.valid", "request_waits_for_its_answer"),
    "strobes": ("(self.w_mask == 0xF)", "1", "partial_writes"), "bytes": ("self.w_strobe & self.w_mask[byte]", "self.w_strobe", "partial_writes"),
    "nowhere": ("self.r_error.eq(~found)", "self.r_error.eq(0)", "every_address"), "window": ("(place < window.words)", "1", "every_address"),
    "enable": ("(status & enabled).any()", "status.any()", "interrupt"),
}


@pytest.mark.parametrize("name", TESTS)
def test_registers(name):
    TESTS[name]()


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_mutant_is_found(what, monkeypatch):
    old, new, name = MUTATIONS[what]
    monkeypatch.setitem(globals(), "Registers", mutant(registers_module, "Registers", old, new))
    with pytest.raises(AssertionError):
        TESTS[name]()
