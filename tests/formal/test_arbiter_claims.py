# amaranth: UnusedElaboratable=no
"""RoundRobin: one-hot, stable and fair, for all request patterns."""

import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hdl.arbiter import RoundRobin

from .prove import Claim, prove


class GrantsOneOfTheRequests(Claim):
    """The offer is one of those who ask, somebody whenever anybody does, and stays while it is not taken."""

    def __init__(self, arbiter):
        super().__init__()
        self.arbiter = arbiter

    def surround(self, m):
        """Requests stay until they are served."""
        m.submodules.arbiter = arbiter = self.arbiter
        requests = self.free(arbiter.requests.shape(), "requests")
        ready = self.free(1, "ready")
        left, offered, later = Signal.like(requests), Signal.like(requests), self.later(m)
        taken = ready & requests.any()
        m.d.comb += [arbiter.requests.eq(requests), arbiter.taken.eq(taken)]
        m.d.sync += [left.eq(requests & ~Mux(taken, arbiter.grant, 0)), offered.eq(Mux(taken, 0, arbiter.grant))]
        m.d.comb += Assume(~later | ((left & ~requests) == 0))
        return requests, taken, offered, later

    def state(self, m):
        requests, taken, offered, later = self.surround(m)
        grant = self.arbiter.grant
        m.d.comb += [
            Assert((grant & (grant - 1))[:len(grant)] == 0),
            Assert((grant & ~requests) == 0),
            Assert(grant.any() == requests.any()),
            Assert(~later | (offered == 0) | (offered == grant)),
        ]


class IsFair(GrantsOneOfTheRequests):
    """Nobody is served twice while another one waits."""

    def state(self, m):
        requests, taken, _, later = self.surround(m)
        n = len(requests)
        me, other = self.fixed(m, range(n), "me"), self.fixed(m, range(n), "other")
        overtaken = Signal()
        mine, others = requests.bit_select(me, 1), taken & self.arbiter.grant.bit_select(other, 1)
        m.d.sync += overtaken.eq(mine & ~(taken & self.arbiter.grant.bit_select(me, 1)) & (overtaken | others))
        m.d.comb += [
            Assume((me < n) & (other < n) & (me != other)),
            Assert(~(later & overtaken & others & mine)),
        ]


class Mutant(wiring.Component):
    """A round robin that forgets its turn (``fair=False``), or its offer (``stable=False``)."""

    def __init__(self, n, *, fair=True):
        self.fair = fair
        super().__init__({"requests": In(n), "taken": In(1), "grant": Out(n)})

    def elaborate(self, platform):
        m = Module()
        n = len(self.requests)
        after = Signal(range(n))  # the first to be asked
        if not self.fair:
            m.d.comb += self.grant.eq(self.requests & (~self.requests + 1))
            return m
        turned = Signal(2 * n)
        m.d.comb += [
            turned.eq(Cat(self.requests, self.requests) & ~((1 << after) - 1)),
            self.grant.eq((turned & (~turned + 1))[:n] | (turned & (~turned + 1))[n:]),
        ]
        with m.If(self.taken):
            for i in range(n):
                with m.If(self.grant[i]):
                    m.d.sync += after.eq((i + 1) % n)
        return m


@pytest.mark.parametrize("n", [2, 5])
def test_the_arbiter_offers_one_of_the_requesters_and_stands_by_it(n):
    assert prove(GrantsOneOfTheRequests(RoundRobin(n)), depth=4, induction=True)


def test_the_arbiter_lets_nobody_be_served_twice_while_another_waits():
    # Arbiter and requests reach any state they can reach within two services: 8 cycles leave nothing out.
    assert prove(IsFair(RoundRobin(4)), depth=8)


def test_the_claim_of_a_stable_offer_is_refuted_where_later_requests_displace_it():
    verdict = prove(GrantsOneOfTheRequests(Mutant(3)), depth=6)
    assert not verdict and "$var" in verdict.trace


def test_the_claim_of_fairness_is_refuted_where_the_lowest_always_wins():
    assert not prove(IsFair(Mutant(3, fair=False)), depth=6)


def test_the_claim_of_fairness_holds_for_a_round_robin_of_another_make():
    assert prove(IsFair(Mutant(2)), depth=8)


@pytest.mark.parametrize("arbiter, passes", [(RoundRobin(3), True), (Mutant(3), False)])
def test_z3_comes_to_the_same_verdicts(arbiter, passes):
    assert prove(GrantsOneOfTheRequests(arbiter), depth=6, engine="z3").passed == passes


def test_a_proof_that_needs_more_depth_is_no_proof():
    with pytest.raises(RuntimeError, match="neither proved nor refuted IsFair"):
        prove(IsFair(RoundRobin(4)), depth=2, induction=True)
