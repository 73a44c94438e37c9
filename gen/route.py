"""How events get there: multicast tables of the star's switch or of the routers of a mesh, and a check that walks every tree.

On a mesh a flit goes along x first, then along y (dimension-ordered routing); the paths to all listeners of a key share what they
can. The host hangs at the west port of router (0, 0).
"""

from __future__ import annotations

from ..spec.chip import Endpoint, FabricSpec, SwitchSpec
from .keys import Keys
from .place import Placement

__all__ = ["PORTS", "check_routes", "route"]

PORTS = ("local", "north", "east", "south", "west")  # of a router of the mesh, in this order
LOCAL, NORTH, EAST, SOUTH, WEST = range(5)
OPPOSITE = {NORTH: SOUTH, SOUTH: NORTH, EAST: WEST, WEST: EAST}
STEP = {NORTH: (0, -1), EAST: (1, 0), SOUTH: (0, 1), WEST: (-1, 0)}
HOST, NONE = Endpoint("host"), Endpoint("none")


def _star(keys: Keys, tiles: int) -> FabricSpec:
    """One unbuffered switch with ports [host, tile 0, tile 1, ...]; a key may lead back to the tile that it comes from."""
    ports = (HOST, *(Endpoint("tile", t) for t in range(tiles)))
    routes: list[dict[int, int]] = [{} for _ in ports]
    for number, spec in enumerate(keys.specs):
        mask = int(keys.to_host[number]) | sum(1 << (t + 1) for t in keys.tiles[number])
        routes[ports.index(spec.origin)][number] = mask
    switch = SwitchSpec(inputs=ports, outputs=ports, routes=tuple(routes), buffered=False)
    return FabricSpec(kind="star", width=1, height=1, switches=(switch,))


def _mesh(keys: Keys, placement: Placement) -> FabricSpec:
    """A buffered router per position, row by row."""
    width, height, tile_at = placement.width, placement.height, placement.tile_at
    routes: list[list[dict[int, int]]] = [[{} for _ in PORTS] for _ in range(width * height)]

    def path(at: tuple[int, int], to: tuple[int, int]):
        """(router, output) of every hop between routers, x first."""
        while at != to:
            port = EAST if at[0] < to[0] else WEST if at[0] > to[0] else SOUTH if at[1] < to[1] else NORTH
            yield at, port
            at = (at[0] + STEP[port][0], at[1] + STEP[port][1])

    for number, spec in enumerate(keys.specs):
        from_host = spec.origin.kind == "host"
        start = (0, 0) if from_host else placement.position[spec.origin.index]
        ends = [(placement.position[t], LOCAL) for t in keys.tiles[number]] + ([((0, 0), WEST)] if keys.to_host[number] else [])
        for to, exit_port in ends:
            entry = WEST if from_host else LOCAL
            for at, port in (*path(start, to), (to, exit_port)):
                table = routes[at[1] * width + at[0]][entry]
                table[number] = table.get(number, 0) | 1 << port
                entry = OPPOSITE.get(port, LOCAL)
    switches = []
    for index in range(width * height):
        x, y = index % width, index // width
        ends_here = [Endpoint("tile", tile_at[x, y]) if (x, y) in tile_at else NONE]
        for port in (NORTH, EAST, SOUTH, WEST):
            nx, ny = x + STEP[port][0], y + STEP[port][1]
            inside = 0 <= nx < width and 0 <= ny < height
            ends_here.append(Endpoint("switch", ny * width + nx, OPPOSITE[port]) if inside else NONE)
        if index == 0:
            ends_here[WEST] = HOST
        switches.append(SwitchSpec(inputs=tuple(ends_here), outputs=tuple(ends_here), routes=tuple(routes[index]), buffered=True))
    return FabricSpec(kind="mesh", width=width, height=height, switches=tuple(switches))


def route(keys: Keys, placement: Placement) -> FabricSpec:
    """The network on chip of placed tiles, with its multicast tables; checked by :func:`check_routes`."""
    fabric = _star(keys, len(placement.position)) if placement.kind == "star" else _mesh(keys, placement)
    check_routes(keys, fabric)
    return fabric


def check_routes(keys: Keys, fabric: FabricSpec) -> None:
    """Walk the tree of every key through the switches.

    Raises AssertionError unless each key's events reach exactly its listeners, each once, and every table entry is used.
    """
    used = set()
    for number, spec in enumerate(keys.specs):
        inlets = [(i, port) for i, s in enumerate(fabric.switches) for port, end in enumerate(s.inputs) if end == spec.origin]
        assert len(inlets) == 1, f"key {number}: {spec.origin} is connected to {len(inlets)} inputs"
        reached, todo = [], list(inlets)
        while todo:
            index, port = todo.pop()
            assert (index, port, number) not in used, f"key {number}: comes twice to input {port} of switch {index}"
            used.add((index, port, number))
            switch = fabric.switches[index]
            assert number in switch.routes[port], f"key {number}: input {port} of switch {index} does not know it"
            for output, end in enumerate(switch.outputs):
                if switch.routes[port][number] >> output & 1:
                    if end.kind == "switch":
                        back = fabric.switches[end.index].inputs[end.port]
                        assert back == Endpoint("switch", index, output), f"switch {index}, output {output}: wrong link"
                        todo.append((end.index, end.port))
                    else:
                        reached.append(end)
        wanted = [Endpoint("tile", t) for t in keys.tiles[number]] + [HOST] * keys.to_host[number]
        assert sorted(reached) == sorted(wanted), f"key {number}: reaches {sorted(reached)} instead of {sorted(wanted)}"
    held = {(i, port, key) for i, s in enumerate(fabric.switches) for port, table in enumerate(s.routes) for key in table}
    assert held == used, f"unused table entries (switch, input, key): {sorted(held - used)}"
