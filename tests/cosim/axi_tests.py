"""cocotb test of a wrapped chip: does what case.json says, with cocotbext-axi, and writes what it saw to observed.json.

Every channel pauses at random; harmless and refused accesses go on beside the work, and the checkers watch all five channels and both streams.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from axi_checker import Channel, Responses
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

HERE = Path(os.environ["COSIM_FOLDER"])
PAYLOADS = {"aw": ("awaddr", "awprot"), "w": ("wdata", "wstrb"), "b": ("bresp",), "ar": ("araddr", "arprot"), "r": ("rdata", "rresp")}


def pauses(rng: random.Random, share: float):
    """Pause or not, for ever: in runs, as a busy partner does."""
    while True:
        yield from [rng.random() < share] * rng.randint(1, 6)


class Soc:
    """The other side of every port."""

    def __init__(self, dut, case: dict) -> None:
        self.dut, self.case, self.rng = dut, case, random.Random(case["seed"])
        self.registers, self.windows = case["registers"], case["windows"]
        self.wrong: list[str] = []
        reset = {"reset": dut.aresetn, "reset_active_level": False}
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **reset)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, byte_size=32, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, byte_size=32, **reset) if case["sends"] else None
        for port in (self.bus.write_if, self.bus.read_if, self.source, self.sink):
            if port is not None:
                port.log.setLevel("WARNING")
        channels = [self.bus.write_if.aw_channel, self.bus.write_if.w_channel, self.bus.write_if.b_channel, self.bus.read_if.ar_channel,
                    self.bus.read_if.r_channel, self.source, *([self.sink] if self.sink else [])]
        for number, channel in enumerate(channels):
            if case["pause"]:
                channel.set_pause_generator(pauses(random.Random(case["seed"] * 100 + number), case["pause"]))
        self.frames: list[list[int]] = []

    async def read(self, address: int) -> int:
        """A word; it must be OKAY."""
        answer = await self.bus.read(address, 4)
        if answer.resp != AxiResp.OKAY:
            self.wrong.append(f"read of {address:#x}: {answer.resp!r}")
        return int.from_bytes(answer.data, "little")

    async def window(self, name: str) -> list[int]:
        """All words of a window."""
        address, words = self.windows[name]
        return [await self.read(address + 4 * k) for k in range(words)]

    async def write(self, name: str, value: int, *, again: bool = False) -> None:
        """A write; it must be OKAY, or with ``again`` is repeated until it is."""
        while True:
            answer = await self.bus.write(self.registers[name], value.to_bytes(4, "little"))
            if answer.resp == AxiResp.OKAY:
                return
            if not again:
                self.wrong.append(f"write of {name}: {answer.resp!r}")
                return

    async def until(self, *bits: str) -> None:
        """Until all these bits of STATUS are set."""
        mask = sum(1 << self.case["status"][bit] for bit in bits)
        while (await self.read(self.registers["STATUS"])) & mask != mask:
            pass

    async def nuisance(self) -> None:
        """Reads of constants, and accesses that must be refused and do nothing."""
        constants, bad_reads, bad_writes = list(self.case["constants"].items()), self.case["bad_reads"], self.case["bad_writes"]
        while True:
            kind = self.rng.randrange(3)
            if kind == 0:
                name, value = self.rng.choice(constants)
                got = await self.read(self.registers[name])
                self.wrong += [f"{name} is {got:#x}, not {value:#x}"] if got != value else []
            elif kind == 1:
                address, length = self.rng.choice(bad_reads)
                answer = await self.bus.read(address, length)
                if answer.resp != AxiResp.SLVERR or any(answer.data):
                    self.wrong.append(f"bad read of {address:#x}: {answer.resp!r}, {answer.data!r}")
            else:
                address, length = self.rng.choice(bad_writes)
                answer = await self.bus.write(address, self.rng.randbytes(length))
                if answer.resp != AxiResp.SLVERR:
                    self.wrong.append(f"bad write of {length} bytes to {address:#x}: {answer.resp!r}")
            for _ in range(self.rng.randrange(20)):
                await RisingEdge(self.dut.aclk)

    async def listen(self) -> None:
        """Frames of output events."""
        while True:
            frame = await self.sink.recv()
            self.frames.append([int(word) for word in frame.tdata])

    async def configure(self, words: list) -> None:
        """Writes words {tile, memory, address, parts}; the address counts up by itself within a memory."""
        expected = None
        for tile, memory, address, parts in words:
            if (tile, memory, address) != expected:
                await self.write("CONFIG_TARGET", tile | memory << 8)
                await self.write("CONFIG_ADDRESS", address)
            for part in parts[:-1]:
                await self.write("CONFIG_PART", part, again=True)
            await self.write("CONFIG_LAST", parts[-1], again=True)
            expected = tile, memory, address + 1

    async def clip(self, steps: list[list[int]]) -> dict:
        """Plays a clip from RESET to READ; what the registers and the stream show of it."""
        await self.write("CONTROL", self.case["commands"]["RESET"], again=True)
        await self.until("idle")
        self.frames.clear()
        for words in steps:
            await self.source.send(AxiStreamFrame(words))
        await self.source.wait()
        await self.write("IRQ_ENABLE", 1 << self.case["status"]["readouts"])
        await self.write("CONTROL", self.case["commands"]["READ"], again=True)
        await RisingEdge(self.dut.irq)
        await self.until("idle", "readouts", "answer")
        seen = {name: await self.window(name) for name in ("READOUTS", "COUNTERS") if name in self.windows}
        for name in ("ANSWER", "CONFIDENCE_LOW", "CONFIDENCE_HIGH", "ERRORS"):
            if name in self.registers:
                seen[name] = await self.read(self.registers[name])
        for _ in range(20):
            await RisingEdge(self.dut.aclk)
        return {**seen, "frames": [list(frame) for frame in self.frames]}

    async def states(self) -> list[list[int]]:
        """Parts of all words in the state memories."""
        words = []
        for tile, (depth, parts) in enumerate(self.case["states"]):
            await self.write("CONFIG_TARGET", tile | self.case["state_memory"] << 8)
            await self.write("CONFIG_ADDRESS", 0)
            for _ in range(depth):
                await self.write("CONFIG_READ", 0, again=True)
                await self.until("readback")
                words.append((await self.window("READBACK"))[:parts])
        return words


async def check(dut, sends: bool, texts: list[str]) -> None:
    """Feeds the checkers at each rising edge, for ever."""
    def value(signal) -> int | None:
        return int(signal.value) if signal.value.is_resolvable else None

    channels = {name: (Channel(name), *(getattr(dut, f"s_axi_{name}{end}") for end in ("valid", "ready")),
                       [getattr(dut, f"s_axi_{port}") for port in ports]) for name, ports in PAYLOADS.items()}
    for name in ("s_axis", "m_axis")[:1 + sends]:
        channels[name] = (Channel(name), *(getattr(dut, f"{name}_{end}") for end in ("tvalid", "tready")),
                          [getattr(dut, f"{name}_{port}") for port in ("tdata", "tlast")])
    responses = {"b": Responses("writes", 2), "r": Responses("reads", 1)}
    for checker in (*(c for c, *_ in channels.values()), *responses.values()):
        checker.texts = texts
    while True:
        await RisingEdge(dut.aclk)
        in_reset, taken, offered = not int(dut.aresetn.value), {}, {}
        for name, (checker, valid, ready, payload) in channels.items():
            offered[name] = value(valid)
            taken[name] = checker.step(in_reset, offered[name], value(ready), tuple(map(value, payload)) if offered[name] else None)
        if not in_reset:
            responses["b"].step((taken["aw"], taken["w"]), bool(offered["b"]), taken["b"])
            responses["r"].step((taken["ar"],), bool(offered["r"]), taken["r"])


async def work(soc: Soc) -> dict:
    """All of the case."""
    case = soc.case
    await soc.configure(case["config"])
    seen: dict = {"clips": [await soc.clip(steps) for steps in case["clips"]]}
    seen["states"] = await soc.states() if case["states"] else []
    return seen


@cocotb.test()
async def a_wrapped_chip_does_what_its_models_say(dut):
    """Plays the case; whoever started it judges."""
    case = json.loads((HERE / "case.json").read_text())
    violations: list[str] = []
    dut.aresetn.value = 0
    soc = Soc(dut, case)
    Clock(dut.aclk, 10, unit="ns").start()
    cocotb.start_soon(check(dut, case["sends"], violations))
    for _ in range(5):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    cocotb.start_soon(soc.nuisance())
    if soc.sink:
        cocotb.start_soon(soc.listen())
    task = cocotb.start_soon(work(soc))
    for _ in range(case["patience"] // 50):  # until the end, or something is wrong
        await ClockCycles(dut.aclk, 50)
        if task.done() or soc.wrong or violations:
            break
    seen = task.result() if task.done() else {"clips": [], "states": []}
    soc.wrong += [] if task.done() or soc.wrong or violations else ["the case did not end"]
    (HERE / "observed.json").write_text(json.dumps({**seen, "wrong": soc.wrong, "violations": violations}))
