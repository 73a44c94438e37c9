# amaranth: UnusedElaboratable=no
"""RoundRobin against the rule of docs/architecture.md, section 4."""

import random

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hdl.arbiter import RoundRobin

from .harness import simulate


class FirstFirst(wiring.Component):
    """Broken: the lowest requester always wins."""

    requests: In(3)
    taken: In(1)
    grant: Out(3)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.grant.eq(self.requests & (~self.requests + 1))
        return m


def run(arbiter, n, wants, ready):
    """Grants (a requester number or None) for each cycle's new requests (bit masks) and readiness; requests stay until served."""
    grants = []

    async def bench(ctx):
        pending = 0
        for want, free in zip(wants, ready):
            pending |= want
            ctx.set(arbiter.requests, pending)
            grant = ctx.get(arbiter.grant)
            assert grant & (grant - 1) == 0, f"{grant:0{n}b} is not one-hot"
            assert (grant != 0) == (pending != 0)
            assert grant & ~pending == 0, f"{grant:0{n}b} was granted to {pending:0{n}b}"
            ctx.set(arbiter.taken, free and grant != 0)
            assert ctx.get(arbiter.grant) == grant
            grants.append(grant.bit_length() - 1 if grant else None)
            await ctx.tick()
            pending &= ~grant if free else ~0
    simulate(arbiter, bench, max_cycles=len(wants) + 2)
    return grants


def expect(n, wants, ready):
    """The same by the words of the contract."""
    grants, pending, last, offer = [], set(), -1, None
    for want, free in zip(wants, ready):
        pending |= {i for i in range(n) if want >> i & 1}
        if offer is None and pending:
            offer = min(pending, key=lambda i: (i - last - 1) % n)
        grants.append(offer)
        if offer is not None and free:
            pending.discard(offer)
            last, offer = offer, None
    return grants


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 17])
def test_random_requests_are_granted_in_turn(n):
    rng = random.Random(n)
    wants = [sum((rng.random() < rng.choice((0.1, 0.9))) << i for i in range(n)) for _ in range(500)]
    ready = [rng.random() < 0.6 for _ in wants]
    assert run(RoundRobin(n), n, wants, ready) == expect(n, wants, ready)


def test_the_lowest_is_first_and_then_the_next_after_the_one_served():
    assert run(RoundRobin(3), 3, [0b111] * 5, [1] * 5) == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("first, later", [(0, 0b100), (1, 0b101), (2, 0b011)])
def test_a_stalled_offer_is_not_displaced(first, later):
    assert run(RoundRobin(3), 3, [1 << first, later, later, 0], [0, 0, 0, 1]) == [first] * 4


def test_an_idle_cycle_does_not_forget_who_was_served_last():
    assert run(RoundRobin(3), 3, [0b001, 0, 0, 0b011], [1] * 4) == [0, None, None, 1]


def test_the_check_refutes_an_arbiter_without_turns():
    wants, ready = [0b111] * 4, [1] * 4
    assert run(FirstFirst(), 3, wants, ready) != expect(3, wants, ready)


def test_one_requester_needs_no_state():
    arbiter = RoundRobin(1)
    fragment = Fragment.get(arbiter, None)
    assert list(fragment.statements) == ["comb"]


def test_no_requester_is_refused():
    with pytest.raises(ValueError, match="^Number of requesters must be at least 1, not 0$"):
        RoundRobin(0)
