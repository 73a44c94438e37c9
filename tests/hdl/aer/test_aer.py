# amaranth: UnusedElaboratable=no
"""Asynchronous address events: none lost, none doubled, whatever the clocks, delays and synchronisers do; and latencies as stated."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from spikeloom.hdl.aer import receiver as receiver_module
from spikeloom.hdl.aer import sender as sender_module
from spikeloom.hdl.aer.address_map import AddressMap
from spikeloom.hdl.aer.receiver import Receiver
from spikeloom.hdl.aer.sender import Sender

from ..harness import collector, driver, monitor, simulate, waits
from ..mutant import mutant

BITS = 10


class LateSynchronizer(wiring.Component):
    """Two flip-flops of which the first, where its input has just changed, settles to the new value or, as ``late`` says, stays for a clock."""

    made: list[LateSynchronizer] = []

    def __init__(self, i, o):
        self._i, self._o, self.late = i, o, Signal()
        super().__init__({"unused": In(1)})
        self.made.append(self)

    def elaborate(self, platform):
        m = Module()
        first, was_late = Signal(), Signal()
        stays = (first != self._i) & self.late & ~was_late
        m.d.sync += [first.eq(Mux(stays, first, self._i)), self._o.eq(first), was_late.eq(stays)]
        return m


@pytest.fixture
def late(monkeypatch):
    """All synchronisers settle late now and then."""
    monkeypatch.setattr(LateSynchronizer, "made", [])
    for module in (receiver_module, sender_module):
        monkeypatch.setattr(module, "FFSynchronizer", LateSynchronizer)


def run(words, periods, seed, *, sender=None, receiver=None, jitter=True, max_s=2e-3):
    """Sends words from one clock to another, both sides waiting now and then; returns what arrived. Checks the wires as a scope would."""
    rng, m = random.Random(seed), Module()
    left, right = sender or Sender(address_bits=BITS), receiver or Receiver(address_bits=BITS)
    m.domains.left, m.domains.right = ClockDomain("left"), ClockDomain("right")
    m.submodules.left, m.submodules.right = DomainRenamer({"sync": "left"})(left), DomainRenamer({"sync": "right"})(right)
    m.d.comb += [right.request.eq(left.request), right.address.eq(left.address), left.acknowledge.eq(right.acknowledge)]
    simulator, got = Simulator(m), []
    for name, period in zip(("left", "right"), periods):
        simulator.add_clock(period, phase=rng.random() * period, domain=name)

    async def send(ctx):
        for word in words:
            for _ in range(rng.choice((0, 0, 1, 9))):
                await ctx.tick("left")
            ctx.set(left.i.payload, word)
            ctx.set(left.i.valid, 1)
            ready = False
            while not ready:
                *_, ready = await ctx.tick("left").sample(left.i.ready)
            ctx.set(left.i.valid, 0)

    async def receive(ctx):
        quiet = stall = 0
        while quiet < 60:  # the last event has no other end than silence
            stall = stall - 1 if stall else rng.choice((0, 0, 0, 1, 40))
            ready = not stall
            ctx.set(right.o.ready, ready)
            *_, valid, word = await ctx.tick("right").sample(right.o.valid, right.o.payload)
            if valid and ready:
                got.append(word)
            quiet = 0 if valid or ctx.get(left.request) or len(got) < len(words) else quiet + 1

    async def shake(ctx):
        while True:
            for synchronizer in LateSynchronizer.made:
                ctx.set(synchronizer.late, rng.random() < 0.5)
            await ctx.delay(min(periods) / 2)

    async def watch(ctx):
        """Four phases in their order, and an address that stays while it is requested."""
        before = (0, 0)
        async for request, acknowledge in ctx.changed(left.request, right.acknowledge):
            assert (before, (request, acknowledge)) in (((0, 0), (0, 0)), ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((0, 1), (0, 0)))
            before = request, acknowledge

    async def steady(ctx):
        async for _ in ctx.changed(left.address):
            assert not ctx.get(left.request), "the address changed while it was requested"

    async def watchdog(ctx):
        await ctx.delay(max_s)
        raise AssertionError(f"{len(got)} of {len(words)} events after {max_s} s")

    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    for bench in (watch, steady, watchdog, *([shake] if LateSynchronizer.made and jitter else [])):
        simulator.add_testbench(bench, background=True)
    simulator.run()
    return got


WORDS = [random.Random(7).randrange(1 << BITS) for _ in range(60)]


@pytest.mark.parametrize("periods", [(1e-7, 1e-7), (1e-7, 1.01e-7), (1e-7, 0.37e-7), (0.29e-7, 1e-7), (1e-7, 7.3e-7), (9.1e-7, 1e-7)], ids=str)
def test_each_event_arrives_once_and_in_order(periods, late):
    for seed in range(2):
        assert run(WORDS, periods, seed) == WORDS


def test_with_plain_synchronisers_too():
    assert run(WORDS, (1e-7, 0.83e-7), 1) == WORDS


MUTATIONS = {
    "the receiver does not wait for the end of a request": (receiver_module, "Receiver", "requested & ~self.acknowledge &", "requested &"),
    "the receiver takes an event without room": (receiver_module, "Receiver", "(self.o.ready | ~self.o.valid)", "1"),
    "the receiver forgets to end its acknowledgement": (receiver_module, "Receiver", "self.acknowledge.eq(0)",
                                                        "self.acknowledge.eq(self.acknowledge)"),
    "the sender does not wait for the end of an acknowledgement": (sender_module, "Sender", "self.request | acknowledged", "self.request"),
    "the sender does not wait for an acknowledgement": (sender_module, "Sender", "with m.Elif(acknowledged):", "with m.Else():"),
    "the sender takes the next address at once": (sender_module, "Sender", "self.i.ready.eq(~self.busy)", "self.i.ready.eq(~settling)"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_mutant_is_found(what, late):
    module, name, old, new = MUTATIONS[what]
    broken = mutant(module, name, old, new)
    with pytest.raises(AssertionError):
        for periods in ((1e-7, 1e-7), (1e-7, 0.37e-7), (0.29e-7, 1e-7), (1e-7, 7.3e-7)):
            assert run(WORDS, periods, 1, **{name.lower(): broken(address_bits=BITS)}) == WORDS


def test_the_receiver_is_as_fast_as_it_says():
    dut, log, words = Receiver(address_bits=BITS), [], []

    async def partner(ctx):
        """Answers in the cycle in which it sees the acknowledgement."""
        for k in range(6):
            ctx.set(dut.address, k)
            for request in (1, 0):
                ctx.set(dut.request, request)
                waited = 0
                while ctx.get(dut.acknowledge) != request:
                    await ctx.tick()
                    waited += 1
                log.append(waited)

    simulate(dut, partner, background=[collector(dut.o, []), monitor(dut.o, words)])
    assert log == [3] * 12 and [w for _, w in words] == list(range(6)) and [b - a for (a, _), (b, _) in pairwise(words)] == [6] * 5


def test_the_sender_is_as_fast_as_it_says():
    dut, taken, log = Sender(address_bits=BITS), [], []

    async def partner(ctx):
        """Wires acknowledge to request."""
        async for (request,) in ctx.changed(dut.request):
            ctx.set(dut.acknowledge, request)

    async def scope(ctx):
        cycle = 0
        async for *_, request, address in ctx.tick().sample(dut.request, dut.address):
            log.append((cycle, request, address))
            cycle += 1

    simulate(dut, driver(dut.i, list(range(1, 7))), background=[partner, scope, monitor(dut.i, taken)])
    assert [b - a for (a, _), (b, _) in pairwise(taken)] == [7] * 5
    first = taken[0][0]
    assert next(c for c, _, address in log if address == 1) == first + 1 and next(c for c, request, _ in log if request) == first + 2


def test_a_partner_without_any_clock_loses_nothing_either(late):
    """An event sensor: it answers after any time, and its address may be as late as a clock behind its request."""
    dut, rng, words = Receiver(address_bits=BITS), random.Random(3), []

    async def sensor(ctx):
        for word in WORDS:
            await ctx.delay(rng.random() * 3e-6)
            ctx.set(dut.request, 1)
            await ctx.delay(rng.random() * 0.99e-6)
            ctx.set(dut.address, word)
            while not ctx.get(dut.acknowledge):
                await ctx.delay(0.1e-6)
            ctx.set(dut.address, rng.randrange(1 << BITS))  # nobody promises it any longer
            await ctx.delay(rng.random() * 3e-6)
            ctx.set(dut.request, 0)
            while ctx.get(dut.acknowledge):
                await ctx.delay(0.1e-6)

    async def shake(ctx):
        while True:
            ctx.set(LateSynchronizer.made[0].late, rng.random() < 0.5)
            await ctx.tick()

    simulate(dut, sensor, background=[shake, collector(dut.o, [], stalls=waits(rng, 60, 9)), monitor(dut.o, words)])
    assert [w for _, w in words] == WORDS


@pytest.mark.parametrize("wait", [0, 3])
def test_a_map_gives_each_number_its_entry_and_counts_those_without(wait):
    rng = random.Random(wait)
    entries = [None if rng.random() < 0.3 else rng.randrange(-8, 8) for _ in range(13)]
    dut, got, numbers = AddressMap(shape=signed(4), entries=entries, number_bits=4), [], [rng.randrange(16) for _ in range(100)]
    dropped, taken = [], []

    async def bench(ctx):
        await driver(dut.i, numbers, waits(rng, 100, wait))(ctx)
        for _ in range(20):
            await ctx.tick()
        dropped.append(ctx.get(dut.unmapped))

    simulate(dut, bench, background=[collector(dut.o, [], stalls=waits(rng, 100, wait)), monitor(dut.o, got), monitor(dut.i, taken)])
    expected = [entries[n] if n < 13 else None for n in numbers]
    assert [e for _, e in got] == [e for e in expected if e is not None] and dropped == [expected.count(None)]
    if not wait:
        assert [c for c, _ in taken] == list(range(taken[0][0], taken[0][0] + 100))
        assert [c for c, _ in got] == [c + 1 for (c, _), e in zip(taken, expected) if e is not None]


def test_wrong_parameters_are_errors():
    for component in (Receiver, Sender):
        with pytest.raises(ValueError, match="Address bits must be at least 1, not 0"):
            component(address_bits=0)
    with pytest.raises(ValueError, match="Entries of a map of 2 bits must be 1 to 4, not 5"):
        AddressMap(shape=1, entries=[0] * 5, number_bits=2)
