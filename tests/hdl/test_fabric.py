# amaranth: UnusedElaboratable=no
"""Fabric: every flit to every receiver, once, in order, whatever waits."""

import dataclasses
import random
from collections import defaultdict

import pytest

from spikeloom.hdl.fabric import Fabric
from spikeloom.spec.chip import Endpoint, FabricSpec

from .harness import SimTimeout, driver, monitor, simulate, waits
from .networks import FLIT, flit, mesh, number, star, switch

HOST = -1


def random_routes(rng, n_tiles, n_keys):
    """Each key belongs to one sender, and goes to some receivers (perhaps to the sender itself, and from the host only to tiles)."""
    routes = {sender: {} for sender in range(HOST, n_tiles)}
    for key in range(n_keys):
        sender = rng.randrange(HOST, n_tiles)
        receivers = range(n_tiles) if sender == HOST else range(HOST, n_tiles)
        routes[sender][key] = set(rng.sample(receivers, rng.randint(1, min(3, len(receivers)))))
    return routes


def deliver(spec, n_tiles, routes, rng, flits, *, idle=0, stall=0, max_cycles=5000):
    """Send ``flits`` random flits from every sender that has a key; check who got what; return the cycles it took."""
    dut = Fabric(spec, FLIT, n_tiles)
    ports_i = {HOST: dut.host_i, **dict(enumerate(dut.tile_i))}
    ports_o = {HOST: dut.host_o, **dict(enumerate(dut.tile_o))}
    sent, expected = {}, defaultdict(list)  # (sender, receiver) -> flits in order
    for sender, keys in routes.items():
        if keys:
            sent[sender] = [(rng.choice(sorted(keys)), serial) for serial in range(flits)]
            for key, serial in sent[sender]:
                for receiver in keys[key]:
                    expected[sender, receiver].append((key, serial))
    owner = {key: sender for sender, keys in routes.items() for key in keys}
    total = sum(len(list_) for list_ in expected.values())
    received, ends = defaultdict(list), []

    def receive(receiver):
        async def bench(ctx):
            port = ports_o[receiver]
            async for _, _, valid, ready, payload in ctx.tick().sample(port.valid, port.ready, port.payload):
                if valid and ready:
                    key, serial = number(payload)
                    received[owner[key], receiver].append((key, serial))
                ctx.set(port.ready, rng.random() >= stall)
        return bench

    async def finish(ctx):
        cycles = 0
        while sum(len(list_) for list_ in received.values()) < total:
            await ctx.tick()
            cycles += 1
        for _ in range(10):  # nothing more may come
            await ctx.tick()
        ends.append((cycles, ctx.get(dut.busy), ctx.get(dut.error)))

    simulate(dut, finish, *(driver(ports_i[s], [flit(*f) for f in list_], waits(rng, flits, idle)) for s, list_ in sent.items()),
             background=[*(receive(r) for r in ports_o), *(monitor(port, []) for port in ports_o.values())], max_cycles=max_cycles)
    assert received == expected
    assert ends[0][1:] == (0, 0), "busy or error at the end"
    return ends[0][0]


@pytest.mark.parametrize("n_tiles", [1, 2, 5])
@pytest.mark.parametrize("idle, stall", [(0, 0.0), (3, 0.0), (0, 0.6), (4, 0.4)])
def test_a_star_delivers_every_flit_once_and_in_order(n_tiles, idle, stall):
    rng = random.Random(f"star {n_tiles} {idle} {stall}")
    routes = random_routes(rng, n_tiles, 10)
    deliver(star(n_tiles, routes), n_tiles, routes, rng, 40, idle=idle, stall=stall)


@pytest.mark.parametrize("width, height", [(1, 1), (2, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("idle, stall", [(0, 0.0), (0, 0.6), (4, 0.4)])
def test_a_mesh_delivers_every_flit_once_and_in_order(width, height, idle, stall):
    rng = random.Random(f"mesh {width} {height} {idle} {stall}")
    routes = random_routes(rng, width * height, 16)
    deliver(mesh(width, height, routes), width * height, routes, rng, 25, idle=idle, stall=stall)


def test_a_buffered_star_is_a_network_too():
    rng = random.Random(1)
    routes = random_routes(rng, 4, 12)
    deliver(star(4, routes, buffered=True), 4, routes, rng, 40, idle=2, stall=0.3)


def test_the_check_refutes_a_fabric_that_drops_a_copy():
    rng = random.Random(2)
    routes = {HOST: {0: {0}, 1: {1}}, 0: {2: {HOST, 1}}, 1: {3: {HOST}}}
    spec = star(2, routes)
    wrong = dict(spec.switches[0].routes[1])
    wrong[2] = 0b100
    broken = dataclasses.replace(spec.switches[0], routes=(spec.switches[0].routes[0], wrong, spec.switches[0].routes[2]))
    deliver(spec, 2, routes, rng, 10)
    with pytest.raises(SimTimeout):
        deliver(dataclasses.replace(spec, switches=(broken,)), 2, routes, rng, 10, max_cycles=200)


def test_the_check_refutes_routes_that_swap_receivers():
    routes = {HOST: {0: {0}, 1: {1}}, 0: {}, 1: {}}
    swapped = {HOST: {0: {1}, 1: {0}}, 0: {}, 1: {}}
    with pytest.raises(AssertionError):
        deliver(star(2, swapped), 2, routes, random.Random(3), 10, max_cycles=200)


@pytest.mark.parametrize("x, y", [(0, 0), (2, 0), (0, 2), (2, 2)])
def test_a_mesh_takes_one_cycle_per_router(x, y):
    routes = {HOST: {0: {x + 3 * y}}}
    dut, sent, came = Fabric(mesh(3, 3, routes), FLIT, 9), [], []

    async def ready(ctx):
        ctx.set(dut.tile_o[x + 3 * y].ready, 1)
        for _ in range(20):
            await ctx.tick()
    simulate(dut, ready, driver(dut.host_i, [flit(0, n) for n in range(8)]),
             background=[monitor(dut.host_i, sent), monitor(dut.tile_o[x + 3 * y], came)])
    assert [b - a for (a, _), (b, _) in zip(sent, came)] == [x + y + 1] * 8
    assert sent[-1][0] - sent[0][0] == 7


def test_a_line_of_tiles_is_nothing_but_wires():
    routes = {HOST: {0: {0}}, 0: {1: {1}}, 1: {2: {HOST}}}
    dut, logs = Fabric(star(2, routes), FLIT, 2), [[], [], [], []]

    async def ready(ctx):
        ctx.set(dut.tile_o[0].ready, 1)
        ctx.set(dut.host_o.ready, 1)
        for _ in range(20):
            await ctx.tick()
    simulate(dut, ready, driver(dut.host_i, [flit(0, n) for n in range(8)]), driver(dut.tile_i[1], [flit(2, n) for n in range(8)]),
             background=[monitor(port, log) for port, log in zip((dut.host_i, dut.tile_o[0], dut.tile_i[1], dut.host_o), logs)])
    assert [cycle for cycle, _ in logs[0]] == [cycle for cycle, _ in logs[1]] == list(range(logs[0][0][0], logs[0][0][0] + 8))
    assert [cycle for cycle, _ in logs[2]] == [cycle for cycle, _ in logs[3]] == list(range(logs[2][0][0], logs[2][0][0] + 8))


def test_a_flit_of_a_tile_that_nobody_hears_is_dropped_and_told():
    dut, ends = Fabric(star(1, {HOST: {0: {0}}, 0: {1: {HOST}}}), FLIT, 2), []

    async def check(ctx):
        ends.append(ctx.get(dut.error))
        for _ in range(3):
            await ctx.tick()
        ends.append(ctx.get(dut.error))
    simulate(dut, driver(dut.tile_i[1], [flit(1, 0)]), check)
    assert ends == [0, 1]


def fabric(*switches):
    return FabricSpec(kind="mesh", width=len(switches), height=1, switches=switches)


def ends(inputs, outputs):
    spec = switch([{0: 1}] * len(inputs), len(outputs), buffered=True)
    return dataclasses.replace(spec, inputs=tuple(Endpoint(*e) for e in inputs), outputs=tuple(Endpoint(*e) for e in outputs))


@pytest.mark.parametrize("spec, message", [
    (fabric(ends([("host",)], [("tile", 2)])), "An end must be the host, a switch or one of 2 tiles, not .*index=2.* at port 0 of the outputs"),
    (fabric(ends([("host",), ("host",)], [("tile", 0)])), "Each end must be linked once, but .* is at port 0 .* and at port 1 of the inputs"),
    (fabric(ends([("host",)], [("switch", 1, 0)]), ends([("tile", 0)], [("host",)])), "Both ends of a link must name each other, but"),
    (fabric(ends([("switch", 4, 0)], [("host",)])), "Both ends of a link must name each other, but"),
])
def test_links_that_do_not_fit_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        Fabric(spec, FLIT, 2)
