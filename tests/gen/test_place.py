"""Tiles that talk to each other are close to each other."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_networks

from spikeloom.gen.keys import Keys, assign_keys
from spikeloom.gen.partition import partition
from spikeloom.gen.place import place, traffic_hops
from spikeloom.spec.chip import Endpoint, KeySpec
from spikeloom.spec.network import Model


def line_of(tiles: int) -> Keys:
    """The host talks to tile 0, every tile to the next, the last to the host."""
    ends = [Endpoint("host"), *(Endpoint("tile", t) for t in range(tiles))]
    specs = tuple(KeySpec(population=f"p{k}", first=0, size=8, origin=end) for k, end in enumerate(ends))
    return Keys(specs=specs, tiles=(*((t,) for t in range(tiles)), ()), to_host=(False,) * tiles + (True,))


@pytest.mark.parametrize("tiles, kind, size", [(8, "star", (1, 1)), (9, "mesh", (3, 3)), (17, "mesh", (5, 4))])
def test_up_to_eight_tiles_are_a_star_and_more_a_square_mesh(tiles: int, kind: str, size: tuple[int, int]) -> None:
    placement = place(line_of(tiles), tiles)
    assert (placement.kind, (placement.width, placement.height)) == (kind, size)


def test_an_unknown_fabric_is_refused() -> None:
    with pytest.raises(ValueError, match="torus"):
        place(line_of(2), 2, "torus")


@pytest.mark.parametrize("tiles", [4, 6, 9, 16, 30])
def test_a_line_of_tiles_is_placed_nearly_as_a_line(tiles: int) -> None:
    placement = place(line_of(tiles), tiles, "mesh")
    assert len(set(placement.position)) == tiles
    assert traffic_hops(line_of(tiles), placement.position) <= 8 * (tiles + 2) * 1.3


@settings(max_examples=20)
@given(st.data())
def test_no_swap_of_two_tiles_is_better_and_the_best_of_all_orders_is_near(data) -> None:
    network = data.draw(random_networks())
    neurons = sum(p.size for p in network.populations if p.model is not Model.INPUT)
    parts = partition(network, tiles=data.draw(st.integers(1, min(neurons, 6))))
    keys, tiles = assign_keys(network, parts), len(parts.tiles)
    placement = place(keys, tiles, "mesh")
    cost = traffic_hops(keys, placement.position)
    for a in range(tiles):
        for b in range(a):
            swapped = list(placement.position)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            assert traffic_hops(keys, swapped) >= cost
    spots = [(x, y) for x in range(placement.width) for y in range(placement.height)]
    assert cost <= 1.5 * min(traffic_hops(keys, order) for order in permutations(spots, tiles))
