# amaranth: UnusedElaboratable=no
"""Switch: nothing lost, nothing twice, nothing astray, in order, and nobody waits for ever."""

import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from spikeloom.hdl import switch as switch_module
from spikeloom.hdl.arbiter import RoundRobin
from spikeloom.hdl.flit_queue import FlitQueue
from spikeloom.hdl.switch import Switch
from spikeloom.spec.chip import Endpoint, FlitSpec, SwitchSpec

from .prove import Claim, prove

# neuron: number of the input; payload: serial number of the flit among those of its input to the output that is looked at
FLIT = FlitSpec(key_bits=2, neuron_bits=2, time_bits=0, payload_bits=2, payload_signed=False)
ROUTES = ({0: 0b111, 1: 0b010, 2: 0b101}, {0: 0b011, 3: 0b100}, {1: 0b110, 2: 0b001})
DEPTH = 8  # cycles: a queue of two fills, forks and empties within 4; the slow proof goes further


def three_by_three(buffered):
    """All three outputs have three or two sources, and each input has multicast and single routes."""
    return SwitchSpec(inputs=(Endpoint("none"),) * 3, outputs=(Endpoint("none"),) * 3, routes=ROUTES, buffered=buffered)


class Surrounded(Claim):
    """Each input is offered any flits with the keys it knows; outputs are taken at any time, or after ``patience`` at the latest."""

    def __init__(self, switch, patience=None):
        super().__init__()
        self.switch = switch
        self.patience = patience

    def surround(self, m):
        m.submodules.switch = switch = self.switch
        for k, port in enumerate(switch.i):
            valid, key, serial = self.free(1, f"valid_{k}"), self.free(FLIT.key_bits, f"key_{k}"), self.free(FLIT.payload_bits, f"serial_{k}")
            m.d.comb += [
                port.valid.eq(valid), port.payload.key.eq(key), port.payload.neuron.eq(k), port.payload.payload.eq(serial),
                Assume(Cat(key == known for known in ROUTES[k]).any()),
            ]
            self.offers(m, valid, port.ready, port.payload.as_value(), assume=True)
        for k, port in enumerate(switch.o):
            m.d.comb += port.ready.eq(self.free(1, f"ready_{k}"))
            self.offers(m, port.valid, port.ready, port.payload.as_value(), assume=False)
            if self.patience is not None:
                self.served(m, port.ready, self.patience)
        m.d.comb += Assert(~switch.error)
        return switch

    @staticmethod
    def leads(key, source, output):
        """Whether input ``source`` leads ``key`` to ``output`` (both numbers)."""
        return Cat(key == known for known, mask in ROUTES[source].items() if mask >> output & 1).any()


class DeliversEveryFlitOnce(Surrounded):
    """For any input and output: the flits that come out are those that went in and are routed there, in the same order.

    The environment numbers them modulo 4, and at most two (what the queue holds) plus the one that goes in are under way. An
    unbuffered switch has none under way once the input is taken.
    """

    def state(self, m):
        switch = self.surround(m)
        source, output = self.fixed(m, range(3), "source"), self.fixed(m, range(3), "output")
        m.d.comb += Assume((source < 3) & (output < 3))
        sent, came = Signal(FLIT.payload_bits), Signal(FLIT.payload_bits)
        goes, comes = Signal(), Signal()
        for k, port in enumerate(switch.i):
            routed = Cat(self.leads(port.payload.key, k, o) & (output == o) for o in range(3)).any()
            with m.If(source == k):
                m.d.comb += [
                    goes.eq(port.valid & port.ready & routed),
                    Assume(~(port.valid & routed) | (port.payload.payload == sent)),
                ]
        for k, port in enumerate(switch.o):
            for i in range(3):  # nothing comes where it is not routed to, or from nowhere
                m.d.comb += Assert(~(port.valid & (port.payload.neuron == i)) | self.leads(port.payload.key, i, k))
            m.d.comb += Assert(~port.valid | (port.payload.neuron < 3))
            with m.If((output == k) & port.valid & (port.payload.neuron == source)):
                m.d.comb += [comes.eq(port.ready), Assert(port.payload.payload == came)]
        m.d.sync += [sent.eq(sent + goes), came.eq(came + comes)]
        inside = (sent - came)[:FLIT.payload_bits]
        if switch.spec.buffered:
            m.d.comb += Assert((inside <= 2) & (switch.busy | (inside == 0)))
        else:
            # A copy may be out before the flit leaves its input, and none is missing when it has left.
            m.d.comb += [Assert((inside == 0) | (inside == 3)), Assert(~goes | ((sent + 1)[:2] == (came + comes)[:2]))]


class LetsEveryFlitPass(Surrounded):
    """A flit at an input is taken within ``bound`` cycles, where receivers keep nobody waiting for more than ``patience``."""

    def __init__(self, switch, *, patience, bound):
        super().__init__(switch, patience)
        self.bound = bound

    def state(self, m):
        switch = self.surround(m)
        for k, port in enumerate(switch.i):
            age = Signal(range(self.bound + 1), name=f"age_{k}")
            m.d.sync += age.eq(Mux(port.valid & ~port.ready, age + 1, 0))
            m.d.comb += Assert(age < self.bound)


class Repeats(Switch):
    """Broken: forgets which outputs have had their copy, until all take it at once."""

    def elaborate(self, platform):
        m = Module()
        inner = Switch(self.spec, self.flit)
        m.submodules.inner = ResetInserter(self.i[0].valid & ~self.i[0].ready)(inner)
        for mine, theirs in zip(self.i, inner.i):
            wiring.connect(m, wiring.flipped(mine), theirs)
        for mine, theirs in zip(self.o, inner.o):
            wiring.connect(m, theirs, wiring.flipped(mine))
        return m


class ForgetsASecondFlit(FlitQueue):
    """Broken: takes a second flit without keeping it."""

    def elaborate(self, platform):
        m = Module()
        held = Signal(self.shape)
        full = Signal()
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(full), self.o.payload.eq(held)]
        with m.If(self.o.ready | ~full):
            m.d.sync += [full.eq(self.i.valid), held.eq(self.i.payload)]
        return m


class LowestFirst(RoundRobin):
    """Broken: no turns."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.grant.eq(self.requests & (~self.requests + 1))
        return m


@pytest.mark.parametrize("buffered", [False, True])
def test_a_switch_delivers_every_flit_once_and_in_order(buffered):
    assert prove(DeliversEveryFlitOnce(Switch(three_by_three(buffered), FLIT)), depth=DEPTH)


@pytest.mark.slow
@pytest.mark.parametrize("buffered, depth", [(False, 20), (True, 12)])
def test_a_switch_delivers_every_flit_once_and_in_order_for_longer(buffered, depth):
    assert prove(DeliversEveryFlitOnce(Switch(three_by_three(buffered), FLIT)), depth=depth)


@pytest.mark.parametrize("buffered, patience, bound", [(False, 1, 3), (False, 2, 6), (True, 1, 3)])
def test_no_flit_waits_for_ever_at_a_switch(buffered, patience, bound):
    assert prove(LetsEveryFlitPass(Switch(three_by_three(buffered), FLIT), patience=patience, bound=bound), depth=DEPTH + bound)


def test_the_claim_that_no_flit_waits_long_is_refuted_for_a_bound_that_is_too_small():
    assert not prove(LetsEveryFlitPass(Switch(three_by_three(False), FLIT), patience=1, bound=2), depth=DEPTH)


def test_the_claim_that_no_flit_waits_long_is_refuted_where_the_lowest_always_wins(monkeypatch):
    monkeypatch.setattr(switch_module, "RoundRobin", LowestFirst)
    assert not prove(LetsEveryFlitPass(Switch(three_by_three(False), FLIT), patience=1, bound=6), depth=DEPTH + 6)


def test_the_claim_is_refuted_where_served_outputs_are_forgotten():
    assert not prove(DeliversEveryFlitOnce(Repeats(three_by_three(False), FLIT)), depth=DEPTH)


def test_the_claim_is_refuted_where_a_queue_loses_a_flit(monkeypatch):
    monkeypatch.setattr(switch_module, "FlitQueue", ForgetsASecondFlit)
    assert not prove(DeliversEveryFlitOnce(Switch(three_by_three(True), FLIT)), depth=DEPTH)
