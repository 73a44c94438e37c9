"""Test benches on the Amaranth simulator: run one, with streams driven and collected by explicit lists of waits.

A wait list gives the cycles to wait before each transfer, in order; past its end there are no waits. Tests draw them from a
seeded ``random.Random``, so every run is the same. The loops tick one by one: Amaranth's ``until`` and ``repeat`` complain when a
background bench is dropped in the middle of them.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.sim import Simulator

__all__ = ["Bench", "SimTimeout", "collector", "driver", "get", "monitor", "put", "simulate", "waits"]

Bench = Callable[[Any], Awaitable[None]]


class SimTimeout(AssertionError):
    """The benches did not end within the cycles they were given."""


def simulate(dut: Elaboratable, *benches: Bench, background: Iterable[Bench] = (), max_cycles: int = 10_000, vcd: str | None = None) -> None:
    """Run until every bench has returned; ``background`` ones run along.

    Parameters
    ----------
    dut : a design in the domain ``sync``, or a combinational one.
    benches, background : ``async def bench(ctx)``.
    max_cycles : clock cycles until :class:`SimTimeout` is raised.
    vcd : name of a waveform file, written by a second run if the first fails.
    """
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    simulator = Simulator(top)

    async def watchdog(ctx: Any) -> None:
        for _ in range(max_cycles):
            await ctx.tick()
        raise SimTimeout(f"no completion within {max_cycles} cycles")

    simulator.add_clock(1e-6)
    for bench in (watchdog, *background):
        simulator.add_testbench(bench, background=True)
    for bench in benches:
        simulator.add_testbench(bench)
    try:
        simulator.run()
    except Exception:
        if vcd is None:
            raise
        simulator.reset()
        with simulator.write_vcd(vcd):
            simulator.run()
        raise AssertionError("the failure did not happen again with waveforms on: a bench keeps state between runs") from None


async def put(ctx: Any, stream: Any, payload: Any) -> None:
    """Offer one payload until it is taken."""
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    ready = False
    while not ready:
        _, _, ready = await ctx.tick().sample(stream.ready)
    ctx.set(stream.valid, 0)


async def get(ctx: Any, stream: Any) -> Any:
    """Wait for one payload and take it."""
    ctx.set(stream.ready, 1)
    valid = False
    while not valid:
        _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
    ctx.set(stream.ready, 0)
    return payload


def driver(stream: Any, payloads: Sequence[Any], idles: Sequence[int] = ()) -> Bench:
    """Bench that puts all payloads, after waiting ``idles[k]`` cycles before number k."""
    async def bench(ctx: Any) -> None:
        for k, payload in enumerate(payloads):
            for _ in range(idles[k] if k < len(idles) else 0):
                await ctx.tick()
            await put(ctx, stream, payload)
    return bench


def collector(stream: Any, received: list[Any], count: int | None = None, stalls: Sequence[int] = ()) -> Bench:
    """Bench that appends to ``received``, not ready for ``stalls[k]`` cycles before number k; ends after ``count``, or never."""
    async def bench(ctx: Any) -> None:
        k = 0
        while count is None or k < count:
            for _ in range(stalls[k] if k < len(stalls) else 0):
                await ctx.tick()
            received.append(await get(ctx, stream))
            k += 1
    return bench


def monitor(stream: Any, transfers: list[tuple[int, Any]]) -> Bench:
    """Background bench: appends (cycle, payload) of every transfer, and asserts that an offer stays until it is taken."""
    async def bench(ctx: Any) -> None:
        cycle, pending = 0, None
        async for _, _, valid, ready, payload in ctx.tick().sample(stream.valid, stream.ready, stream.payload):
            if pending is not None:
                assert valid, f"cycle {cycle}: the offer of {pending!r} was withdrawn"
                assert payload == pending, f"cycle {cycle}: the offer of {pending!r} became {payload!r}"
            if valid and ready:
                transfers.append((cycle, payload))
            pending = payload if valid and not ready else None
            cycle += 1
    return bench


def waits(rng: random.Random, count: int, longest: int, share: float = 0.5) -> list[int]:
    """``count`` waits, each 0 or (with probability ``share``) 1 to ``longest`` cycles."""
    return [rng.randint(1, longest) if longest and rng.random() < share else 0 for _ in range(count)]
