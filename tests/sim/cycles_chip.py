"""Chips for the tests of the cycle model, planned in the plainest way, without gen/."""

from __future__ import annotations

import numpy as np

from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import (
    AxonEntry,
    ChipSpec,
    Endpoint,
    FabricSpec,
    FlitSpec,
    GroupSpec,
    InputSpec,
    KeySpec,
    OutputSpec,
    SwitchSpec,
    TileSpec,
    UpdateSpec,
)
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

LOCAL, WEST, EAST, NORTH, SOUTH = range(5)


def make_network(sizes: dict[str, int], links: list[tuple], *, values: str | None = None, outputs: tuple = (),
                 signs: tuple = (1, 1)) -> Network:
    """Populations called in* are inputs; ``values`` names the leaky integrator; links: (source, target[, delay])."""
    populations = []
    for name, size in sizes.items():
        if name.startswith("in"):
            populations.append(Population(name=name, size=size, model=Model.INPUT, payload_min=signs[0], payload_max=signs[1]))
        elif name == values:
            populations.append(Population(name=name, size=size, model=Model.LI, readout=Readout.LAST))
        else:
            populations.append(Population(name=name, size=size, model=Model.LIF, decay=Decay(shift_a=3), output=name in outputs))
    projections = [Projection(source=s, target=t, weights=np.ones((sizes[t], sizes[s]), dtype=np.int8), delay=d[0] if d else 0)
                   for s, t, *d in links]
    return Network(name="n", populations=tuple(populations), projections=tuple(projections))


def schedule(network: Network) -> tuple[int, dict[str, int]]:
    """Smallest period and levels (architecture.md, section 2)."""
    for period in range(1, 100):
        level = {p.name: 0 if p.model is Model.INPUT else 1 for p in network.populations}
        for _ in range(len(level) + 2):
            before = dict(level)
            for p in network.projections:
                level[p.target] = max(level[p.target], level[p.source] + 1 - period * p.delay)
            if before == level:
                return period, level
    raise AssertionError("no schedule")


def make_chip(network: Network, tiles: list[list[tuple[str, int, int]]], *, lanes: list[tuple[int, int]],
              mesh: tuple[int, int] | None = None) -> ChipSpec:
    """``tiles``: slices (population, first, size) of each; ``lanes``: (P, U) of each; a star, or a mesh of (width, height)."""
    period, level = schedule(network)
    keys: list[KeySpec] = []
    listeners: list[set] = []
    number: dict[tuple, int] = {}
    home = {slice_: k for k, groups in enumerate(tiles) for slice_ in groups}
    for p in network.populations:
        slices = [(p.name, 0, p.size)] if p.model is Model.INPUT else [s for s in home if s[0] == p.name]
        targets = {("tile", k) for s, k in home.items() for link in network.outgoing(p.name) if link.target == s[0]}
        targets |= {("host", 0)} if p.output else set()
        for s in slices:
            if targets:
                number[s] = len(keys)
                keys.append(KeySpec(population=s[0], first=s[1], size=s[2],
                                    origin=Endpoint("host") if p.model is Model.INPUT else Endpoint("tile", home[s])))
                listeners.append(targets)
    made = []
    for k, groups in enumerate(tiles):
        specs, entries, slots = [], {}, 1
        for g, (name, first, size) in enumerate(groups):
            p, base = network.population(name), 0
            for link in network.incoming(name):
                span = link.delay + (level[name] - level[link.source]) // period + 1
                slots = max(slots, 1 << (span - 1).bit_length())
                for s, key in number.items():
                    if s[0] == link.source:
                        entries.setdefault(key, []).append(AxonEntry(g, base + s[1], link.delay))
                base += network.population(link.source).size
            update = UpdateSpec(decay=p.decay, rounding=p.rounding, reset=p.reset, v_bits=p.v_bits, input_shift=0, v_init=0,
                                values=p.model is Model.LI)
            specs.append(GroupSpec(population=name, first=first, size=size, key=number.get((name, first, size)), level=level[name],
                                   axons=base, update=update, theta=1))
        low = min([1, *(network.population(keys[key].population).payload_min for key in entries)])
        high = max([1, *(network.population(keys[key].population).payload_max for key in entries)])
        made.append(TileSpec(lanes=lanes[k][0], update_lanes=lanes[k][1], slots=slots, groups=tuple(specs),
                             entries={key: tuple(e) for key, e in entries.items()}, payload_min=low, payload_max=high,
                             weight_bits=8, accumulator_bits=20, theta_bits=1, bias_bits=0, constant_parameters=True))
    fabric = star(len(tiles), keys, listeners) if mesh is None else routers(mesh, keys, listeners)
    inputs = tuple(InputSpec(population=p.name, size=p.size, payload_min=p.payload_min, payload_max=p.payload_max,
                             key=number.get((p.name, 0, p.size)))
                   for p in network.inputs)
    outputs = tuple(OutputSpec(population=p.name, size=p.size, level=level[p.name], readout=p.readout, value_bits=16, base=0,
                               keys=tuple(key for s, key in number.items() if s[0] == p.name)) for p in network.outputs)
    return ChipSpec(name="chip", network_digest=network.digest, period=period, tiles=tuple(made), keys=tuple(keys), inputs=inputs,
                    outputs=outputs, flit=FlitSpec(key_bits=8, neuron_bits=16, time_bits=8, payload_bits=16, payload_signed=True),
                    fabric=fabric, writable=False, counters=False)


def star(n_tiles: int, keys: list[KeySpec], listeners: list[set]) -> FabricSpec:
    """One unbuffered switch: host and tiles in, tiles and host out."""
    ends = [Endpoint("host"), *(Endpoint("tile", k) for k in range(n_tiles))]
    routes: list[dict[int, int]] = [{} for _ in ends]
    for key, (spec, targets) in enumerate(zip(keys, listeners)):
        routes[ends.index(spec.origin)][key] = sum(1 << ends.index(Endpoint(*t)) for t in targets)
    return FabricSpec(kind="star", width=1, height=1,
                      switches=(SwitchSpec(inputs=tuple(ends), outputs=tuple(ends), routes=tuple(routes), buffered=False),))


def routers(mesh: tuple[int, int], keys: list[KeySpec], listeners: list[set]) -> FabricSpec:
    """XY multicast mesh, tile k at (k % width, k // width), host at the west port of router (0, 0)."""
    width, height = mesh
    tables: list[list[dict[int, int]]] = [[{} for _ in range(5)] for _ in range(width * height)]
    step = {WEST: (-1, 0, EAST), EAST: (1, 0, WEST), NORTH: (0, -1, SOUTH), SOUTH: (0, 1, NORTH)}
    for key, (spec, targets) in enumerate(zip(keys, listeners)):
        for kind, index in sorted(targets):
            at, port = (spec.origin.index, LOCAL) if spec.origin.kind == "tile" else (0, WEST)
            goal = index if kind == "tile" else 0
            while True:
                x, y, gx, gy = at % width, at // width, goal % width, goal // width
                out = EAST if gx > x else WEST if gx < x else SOUTH if gy > y else NORTH if gy < y else None
                out = out or (LOCAL if kind == "tile" else WEST)
                table = tables[at][port]
                table[key] = table.get(key, 0) | 1 << out
                if at == goal:
                    break
                at, port = at + step[out][0] + width * step[out][1], step[out][2]
    switches = []
    for at in range(width * height):
        ends = [Endpoint("tile", at)]
        for dx, dy, opposite in (step[d] for d in (WEST, EAST, NORTH, SOUTH)):
            inside = 0 <= at % width + dx < width and 0 <= at // width + dy < height
            ends.append(Endpoint("switch", at + dx + width * dy, opposite) if inside else Endpoint("none"))
        if at == 0:
            ends[WEST] = Endpoint("host")
        switches.append(SwitchSpec(inputs=tuple(ends), outputs=tuple(ends), routes=tuple(tables[at]), buffered=True))
    return FabricSpec(kind="mesh", width=width, height=height, switches=tuple(switches))
