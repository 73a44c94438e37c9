"""Any network on any chip: what is in the memories is the network; and the checker sees a broken chip."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.errors import MismatchError
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset
from spikeloom.spec.tile import MAIN, SIDE, SPARSE
from spikeloom.spec.update import UpdateSpec


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
    tiles[tile] = replace(tiles[tile], **arrays)
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


MULTIPLIER = Decay(factor=200, fraction_bits=8)


def everything(each: bool) -> Network:
    """A gate, currents, a rising threshold, refractory and blocked neurons; dense, sparse and codebook weights. ``each``: parameters per neuron."""
    rng = np.random.default_rng(3)

    def own(low: int, high: int, size: int) -> np.ndarray:
        return rng.integers(low, high, size) if each else np.full(size, high - 1)

    factors = {"beta": rng.integers(1, 255, 6), "alpha": rng.integers(1, 255, 6)} if each else {}
    populations = (
        Population(name="x", size=5, model=Model.INPUT, payload_min=-2, payload_max=3),
        Population(name="gated", size=7, model=Model.SPIKGRU, reset=Reset.SUBTRACT, theta=own(5, 90, 7), current_decay=Decay(shift_a=2), i_bits=12,
                   gate_table=[3, 90, 150, 255], gate_shift=2, gate_bias=own(-9, 9, 7), v_bits=12, max_spikes=2, output=True),
        Population(name="current", size=6, model=Model.CUBALIF, decay=MULTIPLIER, current_decay=MULTIPLIER, gain=Gain.COMPLEMENT, bias=own(-5, 7, 6),
                   reset=Reset.ZERO, theta=own(5, 90, 6), v_init=own(-20, 20, 6), refractory=2, refractory_mode=Refractory.INTEGRATE, output=True,
                   **factors),
        Population(name="rising", size=9, model=Model.ALIF, decay=Decay(shift_a=3), adaptation_decay=MULTIPLIER, jump=own(0, 20, 9), a_bits=9,
                   theta=own(5, 90, 9), inhibition=4, v_floor=-50, output=True))
    sparse = rng.integers(-8, 8, (9, 5)) * (rng.random((9, 5)) < 0.5)
    return Network(name="everything", populations=populations, projections=(
        Projection(source="x", target="gated", weights=rng.choice((-100, 0, 3, 90), (7, 5)), codebook=(-100, 0, 3, 90)),
        Projection(source="x", target="gated", weights=rng.integers(-4, 4, (7, 5)), weight_bits=3, port=Port.GATE, shift=1),
        Projection(source="gated", target="current", weights=rng.integers(-4, 4, (6, 7)), weight_bits=3, shift=2),
        Projection(source="x", target="rising", weights=sparse, weight_bits=4, kind=Kind.SPARSE),
        Projection(source="gated", target="rising", weights=rng.integers(-4, 4, (9, 7)), weight_bits=3),
        Projection(source="current", target="rising", weights=rng.choice((-1, 1), (9, 6)), weight_bits=1, port=Port.BLOCK)))


@pytest.fixture(scope="module")
def full() -> tuple[ChipSpec, MemoryImage, Network]:
    """All of it on one tile, every parameter in memory."""
    network = everything(each=True)
    chip = plan(network, tiles=1, lanes=4)
    image = pack(chip, network)
    check_chip(chip, image, network)
    return chip, image, network


def group_of(chip: ChipSpec, population: str) -> int:
    return [g.population for g in chip.tiles[0].groups].index(population)


def refused(chip: ChipSpec, image: MemoryImage, network: Network, text: str) -> None:
    with pytest.raises(MismatchError, match=text):
        check_chip(chip, image, network)


@pytest.mark.parametrize("name", ["theta", "bias", "gate_bias", "jump", "beta", "alpha", "v_init"])
def test_checker_sees_one_flipped_bit_of_each_parameter_of_a_neuron(full, name: str) -> None:
    chip, image, network = full
    tile, held = chip.tiles[0], image.tiles[0]
    assert {f.name for f in tile.fields} == {"theta", "bias", "gate_bias", "jump", "beta", "alpha", "v_init"}
    owner = {"gate_bias": "gated", "jump": "rising"}.get(name, "current")
    where = (tile.update_base(group_of(chip, owner)) + 1, 0)
    array = flipped(held.parameter(name), where)
    other = changed(image, 0, **({name: array} if name in ("theta", "bias") else {"parameters": {**held.parameters, name: array}}))
    text = {"theta": "a threshold", "bias": "a bias", "gate_bias": "bias of the gate", "jump": "jump of the threshold", "beta": "factor of the decay",
            "alpha": "factor of the current's decay", "v_init": "initial potential"}[name]
    refused(chip, other, network, f"{owner!r}.*{text} differs")


@pytest.mark.parametrize("field", ["row", "weight"])
def test_checker_sees_one_flipped_bit_of_any_sparse_word(full, field: str) -> None:
    chip, image, network = full
    sparse = image.tiles[0].sparse
    places = np.argwhere(sparse[:, :, 1] != 0)
    assert len(places) > 15
    for word, lane in places:
        for bit in range(chip.tiles[0].row_bits if field == "row" else chip.tiles[0].sparse_weight_bits):
            array = sparse.copy()
            array[word, lane, ("row", "weight").index(field)] ^= 1 << bit
            refused(chip, changed(image, 0, sparse=array), network, "'rising'.*sparse.*(weight|synapses)")


def test_checker_sees_a_synapse_that_is_there_twice_or_not_at_all(full) -> None:
    chip, image, network = full
    sparse = image.tiles[0].sparse
    for word, lane in np.argwhere(sparse[:, :, 1] == 0):
        array = sparse.copy()
        array[word, lane] = 0, 3  # a lane of a word that has no synapse
        refused(chip, changed(image, 0, sparse=array), network, "'rising'.*sparse")


@pytest.mark.parametrize("field", [0, 1])
def test_checker_sees_one_flipped_bit_of_any_pointer(full, field: int) -> None:
    chip, image, network = full
    pointers, tile = image.tiles[0].pointers, chip.tiles[0]
    for axon in range(len(pointers)):
        for bit in range(tile.pointer_bits[field]):
            if field == 0 and not pointers[axon, 1]:
                continue  # an axon without a word has none that could be the wrong one
            array = pointers.copy()
            array[axon, field] ^= 1 << bit
            refused(chip, changed(image, 0, pointers=array), network, "'rising'.*sparse")


@pytest.mark.parametrize("population, port, text", [
    ("gated", MAIN, "weight from neuron 0 of 'x' to neuron 0"), ("gated", SIDE, "second port: weight"), ("rising", SIDE, "second port: weight"),
    ("current", MAIN, "weight from neuron 0 of 'gated'")])
def test_checker_sees_a_changed_index_or_weight_of_any_list(full, population: str, port: int, text: str) -> None:
    chip, image, network = full
    tile = chip.tiles[0]
    number = tile.list_of(group_of(chip, population), port)
    assert bool(tile.codebook(number)) == ((population, port) == ("gated", MAIN))
    array = flipped(image.tiles[0].weights, (tile.weight_base(number), 0))
    refused(chip, changed(image, 0, weights=array), network, f"{population!r}.*{text}")


def test_checker_sees_another_codebook(full) -> None:
    chip, image, network = full
    tile = chip.tiles[0]
    number = tile.list_of(group_of(chip, "gated"))
    for entry, value in enumerate(tile.codebooks[number]):
        books = list(tile.codebooks)
        books[number] = (*books[number][:entry], value + 1, *books[number][entry + 1:])
        refused(replace(chip, tiles=(replace(tile, codebooks=tuple(books)),)), image, network, "'gated'.*weight")


CHANGES: dict[str, list[tuple[str, object]]] = {
    "decay": [("current", Decay(shift_a=1)), ("rising", Decay())], "rounding": [("gated", Rounding.FLOOR)], "reset": [("rising", Reset.ZERO)],
    "v_bits": [("rising", 15)], "input_shift": [("current", 1), ("rising", 1)], "v_init": [("gated", 1)], "values": [("gated", True)],
    "beta_each": [("current", False), ("rising", True)], "current_decay": [("gated", Decay()), ("rising", Decay())],
    "alpha_each": [("current", False)], "i_bits": [("gated", 13)], "complement": [("current", False)],
    "gate_table": [("gated", (3, 90, 151, 255)), ("rising", (1, 2))],
    "gate_shift": [("gated", 3)], "side_shift": [("gated", 0)], "adaptation_decay": [("rising", Decay(shift_a=8))], "a_bits": [("rising", 8)],
    "max_spikes": [("gated", 3), ("rising", 2)], "refractory": [("current", 1)], "holds": [("current", False)], "inhibition": [("rising", 3)],
    "v_floor": [("rising", -51), ("gated", 0)], "held": [("current", True)], "changes": [("rising", True)]}


@pytest.mark.parametrize("name", [f.name for f in fields(UpdateSpec)])
def test_checker_sees_another_constant_of_the_update(full, name: str) -> None:
    chip, image, network = full
    tile = chip.tiles[0]
    for population, value in CHANGES[name]:
        groups = list(tile.groups)
        number = group_of(chip, population)
        groups[number] = replace(groups[number], update=replace(groups[number].update, **{name: value}))
        refused(replace(chip, tiles=(replace(tile, groups=tuple(groups)),)), image, network, f"{population!r}")


@pytest.mark.parametrize("name, population", [("theta", "gated"), ("bias", "current"), ("gate_bias", "gated"), ("jump", "rising")])
def test_checker_sees_another_parameter_where_it_is_a_constant(name: str, population: str) -> None:
    network = everything(each=False)
    chip = plan(network, tiles=1, lanes=4, writable=False)
    image, tile = pack(chip, network), chip.tiles[0]
    assert tile.constant_parameters
    check_chip(chip, image, network)
    groups = list(tile.groups)
    number = group_of(chip, population)
    groups[number] = replace(groups[number], **{name: getattr(groups[number], name) + 1})
    refused(replace(chip, tiles=(replace(tile, groups=tuple(groups)),)), image, network, f"{population!r}.*differs")


def test_checker_sees_sums_of_dense_and_sparse_synapses_that_do_not_fit_together(full) -> None:
    chip, image, network = full
    tile = chip.tiles[0]
    narrow = replace(tile, accumulator_bits=tile.accumulator_bits - 1)
    refused(replace(chip, tiles=(narrow,)), image, network, f"sums need {tile.accumulator_bits} bits")


def test_checker_sees_a_list_that_reads_the_weights_of_another(full) -> None:
    chip, image, network = full
    tile = chip.tiles[0]
    shared = list(range(len(tile.lists)))
    shared[tile.list_of(group_of(chip, "gated"), SIDE)] = tile.list_of(group_of(chip, "gated"))
    other = replace(tile, shared=tuple(shared))
    assert tile.list_axons(tile.list_of(group_of(chip, "rising"), SPARSE)) == 5
    refused(replace(chip, tiles=(other,)), image, network, "weight")


@pytest.mark.parametrize("change", [{"size": 2}, {"readout": Readout.VOTE, "classes": (0, 1, 1)}, {"max_spikes": 2}, {"value_bits": 9}])
def test_a_chip_that_reads_an_output_in_another_way_is_refused(network: Network, change: dict) -> None:
    chip = plan(network, lanes=4)
    image = pack(chip, network)
    check_chip(chip, image, network)
    with pytest.raises(MismatchError, match="Output 'o'"):
        check_chip(replace(chip, outputs=(replace(chip.outputs[0], **change),)), image, network)
