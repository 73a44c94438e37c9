"""Every event reaches each of its listeners once; a broken table is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.gen.keys import Keys
from spikeloom.gen.place import place
from spikeloom.gen.route import EAST, LOCAL, NORTH, SOUTH, WEST, check_routes, route
from spikeloom.spec.chip import Endpoint, FabricSpec, KeySpec


@st.composite
def random_keys(draw, max_tiles: int = 13) -> tuple[Keys, int]:
    tiles = draw(st.integers(1, max_tiles))
    specs, listeners, to_host = [], [], []
    for k in range(draw(st.integers(1, 12))):
        origin = draw(st.sampled_from([Endpoint("host"), *(Endpoint("tile", t) for t in range(tiles))]))
        specs.append(KeySpec(population=f"p{k}", first=0, size=draw(st.integers(1, 50)), origin=origin))
        leaves = origin.kind == "tile" and draw(st.booleans())
        chosen = draw(st.sets(st.integers(0, tiles - 1), min_size=0 if leaves else 1))
        listeners.append(tuple(sorted(chosen)))
        to_host.append(leaves)
    return Keys(specs=tuple(specs), tiles=tuple(listeners), to_host=tuple(to_host)), tiles


@settings(max_examples=150)
@given(random_keys(), st.sampled_from(("star", "mesh")))
def test_every_key_reaches_its_listeners_once(drawn: tuple[Keys, int], kind: str) -> None:
    keys, tiles = drawn
    check_routes(keys, route(keys, place(keys, tiles, kind)))


@settings(max_examples=100)
@given(random_keys())
def test_no_flit_of_a_mesh_turns_from_y_to_x_but_to_leave_for_the_host(drawn: tuple[Keys, int]) -> None:
    keys, tiles = drawn
    for index, switch in enumerate(route(keys, place(keys, tiles, "mesh")).switches):
        for port in (NORTH, SOUTH):
            for mask in switch.routes[port].values():
                assert not mask >> EAST & 1
                assert not mask >> WEST & 1 or (index == 0 and switch.outputs[WEST] == Endpoint("host"))
        for port, table in enumerate(switch.routes):
            assert port == LOCAL or not any(mask >> port & 1 for mask in table.values()) or switch.outputs[port].kind == "host"


@settings(max_examples=30)
@given(random_keys(5), st.sampled_from(("star", "mesh")))
def test_any_single_wrong_bit_in_a_table_is_seen(drawn: tuple[Keys, int], kind: str) -> None:
    keys, tiles = drawn
    fabric = route(keys, place(keys, tiles, kind))
    for index, switch in enumerate(fabric.switches):
        for port, table in enumerate(switch.routes):
            for key, mask in table.items():
                for bit in range(len(switch.outputs)):
                    with pytest.raises(AssertionError, match="key"):
                        check_routes(keys, broken(fabric, index, port, {**table, key: mask ^ 1 << bit}))
            with pytest.raises(AssertionError, match="unused"):
                check_routes(keys, broken(fabric, index, port, {**table, 99: 1}))


def broken(fabric: FabricSpec, index: int, port: int, table: dict[int, int]) -> FabricSpec:
    switch = fabric.switches[index]
    switches, routes = list(fabric.switches), list(switch.routes)
    routes[port] = table
    switches[index] = replace(switch, routes=tuple(routes))
    return replace(fabric, switches=tuple(switches))


def test_a_star_holds_only_the_keys_that_come_in_at_each_port() -> None:
    origins = {"x": Endpoint("host"), "h": Endpoint("tile", 0), "o": Endpoint("tile", 1)}
    specs = tuple(KeySpec(population=name, first=0, size=4, origin=origin) for name, origin in origins.items())
    keys = Keys(specs=specs, tiles=((0,), (0, 1), ()), to_host=(False, False, True))
    switch = route(keys, place(keys, 2, "star")).switches[0]
    assert switch.routes == ({0: 0b010}, {1: 0b110}, {2: 0b001})
    assert [switch.sources(output) for output in range(3)] == [(2,), (0, 1), (1,)]
