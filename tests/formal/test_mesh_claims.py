# amaranth: UnusedElaboratable=no
"""A 2 x 2 mesh of buffered routers never stands still, and every flit arrives in bounded time."""

import dataclasses

import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume

from spikeloom.hdl.fabric import Fabric
from spikeloom.spec.chip import FlitSpec

from ..hdl.networks import EAST, LOCAL, NORTH, SOUTH, WEST, mesh
from .prove import Claim, prove

FLIT = FlitSpec(key_bits=3, neuron_bits=0, time_bits=0, payload_bits=1, payload_signed=False)
HOST = -1
# Every tile and the host send, all links are used in both directions, three keys turn and fork, one goes to everybody.
ROUTES = {HOST: {0: {0, 1, 2, 3}}, 0: {1: {0, 3}}, 1: {2: {2, HOST}}, 2: {3: {1, HOST}}, 3: {4: {0, HOST}, 5: {0, 1, 2, 3}}}
# For the claim that looks at single flits: one to everybody, one that forks, and two that cross.
FEW_ROUTES = {HOST: {0: {0, 1, 2, 3}}, 1: {1: {2}}, 2: {2: {1}}, 3: {3: {0, HOST}}}
BOUND = 9  # cycles; the smallest that holds


def ring(hops):
    """The same four routers with routes that break the rule: each tile's flits go clockwise, ``hops`` routers far."""
    plan = mesh(2, 2, {k: {} for k in range(4)})
    clockwise = (0, EAST, WEST), (1, SOUTH, NORTH), (3, WEST, EAST), (2, NORTH, SOUTH)  # router, way out, way in at the next
    routes = [[{} for _ in range(5)] for _ in range(4)]
    for start in range(4):
        key, port = clockwise[start][0], LOCAL
        for hop in range(hops):
            router, leave, enter = clockwise[(start + hop) % 4]
            routes[router][port][key] = 1 << leave
            port = enter
        routes[clockwise[(start + hops) % 4][0]][port][key] = 1 << LOCAL
    return dataclasses.replace(plan, switches=tuple(dataclasses.replace(s, routes=tuple(r)) for s, r in zip(plan.switches, routes)))


class InAMesh(Claim):
    """All senders offer any of their keys at any time; receivers are ready once in ``patience`` cycles at least."""

    def __init__(self, spec, routes, patience):
        super().__init__()
        self.fabric = Fabric(spec, FLIT, 4)
        self.routes = routes
        self.patience = patience

    def surround(self, m):
        """Returns the streams of the senders and of the receivers, by number, and the switches."""
        fabric = self.fabric
        m.submodules.fabric = module = fabric.elaborate(None)
        senders = {HOST: fabric.host_i, **dict(enumerate(fabric.tile_i))}
        receivers = {HOST: fabric.host_o, **dict(enumerate(fabric.tile_o))}
        for k, port in senders.items():
            valid, key, mark = self.free(1, f"valid_{k + 1}"), self.free(FLIT.key_bits, f"key_{k + 1}"), self.free(1, f"mark_{k + 1}")
            keys = self.routes.get(k, {})
            m.d.comb += [port.valid.eq(valid), port.payload.key.eq(key), port.payload.payload.eq(mark),
                         Assume(Cat(key == known for known in keys).any() if keys else ~valid)]
            self.offers(m, valid, port.ready, port.payload.as_value(), assume=True)
        for k, port in receivers.items():
            m.d.comb += port.ready.eq(1 if self.patience == 1 else self.free(1, f"ready_{k + 1}"))
            if self.patience > 1:
                self.served(m, port.ready, self.patience)
        return senders, receivers, [getattr(module.submodules, f"switch_{k}") for k in range(4)]


class NeverStandsStill(InAMesh):
    """While a flit is in the mesh, some copy crosses an output of some router at least once in patience + 1 cycles.

    Together with the finite number of copies that a flit makes, this is freedom from deadlock and livelock.
    """

    def state(self, m):
        _, _, switches = self.surround(m)
        moves = Cat(port.valid & port.ready for switch in switches for port in switch.o).any()
        still = Signal(range(self.patience + 2))
        m.d.sync += still.eq(Mux(self.fabric.busy & ~moves, still + 1, 0))
        m.d.comb += Assert(still <= self.patience)


class ArrivesInTime(InAMesh):
    """Any one flit is with all of its receivers within ``bound`` cycles of being taken, once each, whatever else is sent."""

    def __init__(self, spec, routes, patience, bound):
        super().__init__(spec, routes, patience)
        self.bound = bound

    def state(self, m):
        senders, receivers, _ = self.surround(m)
        keys = sorted((key, sender, to) for sender, table in self.routes.items() for key, to in table.items())
        marked = Signal()  # one flit carries the mark, and which one is open
        key = self.fixed(m, FLIT.key_bits, "marked_key")
        starts = Cat(port.valid & port.ready & port.payload.payload for port in senders.values()).any()
        offered = [port.valid & port.payload.payload for port in senders.values()]
        age = Signal(range(self.bound + 1))
        m.d.comb += Assume(sum(offered) <= ~marked)
        for (_, port) in senders.items():
            m.d.comb += Assume(~(port.valid & port.payload.payload) | (port.payload.key == key))
        with m.If(starts):
            m.d.sync += marked.eq(1)
        with m.If(marked & (age < self.bound)):
            m.d.sync += age.eq(age + 1)
        for k, port in receivers.items():
            arrived = Signal(name=f"arrived_{k + 1}")
            wanted = Cat(key == number for number, _, to in keys if k in to).any()
            comes = port.valid & port.ready & port.payload.payload
            m.d.sync += arrived.eq(arrived | comes)
            m.d.comb += [Assert(~comes | (wanted & ~arrived)), Assert((age < self.bound) | ~wanted | arrived)]


@pytest.mark.parametrize("patience", [1, 3])
def test_a_mesh_never_stands_still(patience):
    assert prove(NeverStandsStill(mesh(2, 2, ROUTES), ROUTES, patience), depth=patience + 3, induction=True)


def test_a_mesh_whose_routes_go_round_in_a_ring_is_found_to_stand_still():
    routes = {k: {k: {k}} for k in range(4)}
    assert not prove(NeverStandsStill(ring(3), routes, 1), depth=10)


def test_every_flit_arrives_within_nine_cycles_once():
    assert prove(ArrivesInTime(mesh(2, 2, FEW_ROUTES), FEW_ROUTES, 1, BOUND), depth=16)


@pytest.mark.slow
def test_every_flit_arrives_within_nine_cycles_once_however_long_the_mesh_was_full():
    assert prove(ArrivesInTime(mesh(2, 2, FEW_ROUTES), FEW_ROUTES, 1, BOUND), depth=28)


def test_the_claim_of_arrival_is_refuted_for_a_bound_that_is_too_small():
    assert not prove(ArrivesInTime(mesh(2, 2, FEW_ROUTES), FEW_ROUTES, 1, 5), depth=12)


def test_the_claim_of_arrival_is_refuted_where_a_route_leads_astray():
    others = {**FEW_ROUTES, 1: {1: {3}}}
    claim = ArrivesInTime(mesh(2, 2, others), FEW_ROUTES, 1, BOUND)
    assert not prove(claim, depth=12)
