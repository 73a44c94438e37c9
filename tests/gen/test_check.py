"""Any network on any chip: what is in the memories is the network; and the checker sees a broken chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.errors import MismatchError
from spikeloom.spec.image import MemoryImage, TileImage
from spikeloom.spec.network import Model, Network, Population, Projection, Reset


@settings(max_examples=150)
@given(st.data())
def test_any_network_on_any_chip_is_read_back_as_it_was(data) -> None:
    network = data.draw(random_networks())
    chip = plan(network, **data.draw(plan_options(network)))
    check_chip(chip, pack(chip, network), network)


@pytest.mark.slow
@settings(max_examples=3000)
@given(st.data())
def test_many_networks_on_many_chips_are_read_back_as_they_were(data) -> None:
    network = data.draw(random_networks(max_size=40, max_populations=7, max_inputs=3, max_delay=63, extra_projections=9))
    chip = plan(network, **data.draw(plan_options(network)))
    check_chip(chip, pack(chip, network), network)


@pytest.fixture
def network() -> Network:
    rng = np.random.default_rng(1)
    return Network(
        name="checked",
        populations=(Population(name="x", size=5, model=Model.INPUT, payload_min=-3, payload_max=4),
                     Population(name="h", size=13, model=Model.LIF, reset=Reset.SUBTRACT, theta=rng.integers(1, 90, 13),
                                bias=rng.integers(-9, 9, 13)),
                     Population(name="o", size=3, model=Model.IF, reset=Reset.ZERO, theta=7, output=True)),
        projections=(Projection(source="x", target="h", weights=rng.integers(-8, 8, (13, 5)), weight_bits=4),
                     Projection(source="h", target="h", weights=rng.integers(-8, 8, (13, 13)), weight_bits=4, delay=1, shift=1),
                     Projection(source="h", target="o", weights=rng.integers(-8, 8, (3, 13)), weight_bits=4)))


def changed(image: MemoryImage, tile: int, **arrays: np.ndarray) -> MemoryImage:
    tiles = list(image.tiles)
    old = {name: getattr(tiles[tile], name) for name in ("weights", "theta", "bias", "table")}
    tiles[tile] = TileImage(**{**old, **arrays})
    return replace(image, tiles=tuple(tiles))


def flipped(array: np.ndarray, where: tuple) -> np.ndarray:
    array = array.copy()
    array[where] ^= 1
    return array


@pytest.mark.parametrize("memory, where, text", [
    ("weights", (7, 2), "weight"), ("weights", (-1, 7), "without a neuron"), ("theta", (3, 0), "threshold"),
    ("bias", (0, 1), "bias"),
    ("table", (0,), "axon table"),
])
def test_checker_sees_one_flipped_bit_in_a_memory(network: Network, memory: str, where: tuple, text: str) -> None:
    chip = plan(network, lanes=8)
    image = pack(chip, network)
    check_chip(chip, image, network)
    with pytest.raises(MismatchError, match=text):
        check_chip(chip, changed(image, 0, **{memory: flipped(getattr(image.tiles[0], memory), where)}), network)


@pytest.mark.parametrize("change, text", [
    ({"accumulator_bits": 5}, "accumulator"), ({"slots": 1}, "slots"), ({"payload_max": 3}, "payload"),
])
def test_checker_sees_a_tile_that_is_too_narrow(network: Network, change: dict, text: str) -> None:
    chip = plan(network, lanes=8)
    broken = replace(chip, tiles=(replace(chip.tiles[0], **change), *chip.tiles[1:]))
    image = pack(broken if "slots" in change else chip, network)  # the axon table is laid out by the slots
    with pytest.raises(MismatchError, match=text):
        check_chip(broken, image, network)


def test_checker_sees_a_neuron_that_is_nowhere(network: Network) -> None:
    chip = plan(network, lanes=8)
    group = chip.tiles[1].groups[0]
    broken = replace(chip, tiles=(chip.tiles[0], replace(chip.tiles[1], groups=(replace(group, size=2),))))
    with pytest.raises(MismatchError):
        check_chip(broken, pack(broken, network), network)


def test_checker_sees_a_route_that_leads_elsewhere(network: Network) -> None:
    chip = plan(network, lanes=8)
    switch = chip.fabric.switches[0]
    for port, table in enumerate(switch.routes):
        for key, mask in table.items():
            for bit in range(len(switch.outputs)):
                routes = list(switch.routes)
                routes[port] = {**table, key: mask ^ 1 << bit}
                fabric = replace(chip.fabric, switches=(replace(switch, routes=tuple(routes)),))
                with pytest.raises(MismatchError, match="Fabric"):
                    check_chip(replace(chip, fabric=fabric), pack(chip, network), network)


def test_checker_sees_a_group_that_works_too_early(network: Network) -> None:
    chip = plan(network, lanes=8)
    late = replace(chip.tiles[1].groups[0], level=1)
    with pytest.raises(MismatchError, match="before"):
        check_chip(replace(chip, tiles=(chip.tiles[0], replace(chip.tiles[1], groups=(late,)))), pack(chip, network), network)
