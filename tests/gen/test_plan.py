"""The plan has exactly the widths that the network needs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.partition import TileLimits
from spikeloom.gen.plan import plan
from spikeloom.spec.arithmetic import Decay, bits_signed
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset


def network_of(weights: list[list[int]], *, payload: tuple[int, int] = (1, 1), theta=5, bias=0, shifts: tuple[int, ...] = (0,),
               readout=Readout.NONE, model=Model.LIF) -> Network:
    """x -> h, once per shift."""
    matrix = np.array(weights)
    neuron = {"reset": Reset.NONE} if model is Model.LI else {"reset": Reset.SUBTRACT}
    return Network(name="n", populations=(
        Population(name="x", size=matrix.shape[1], model=Model.INPUT, payload_min=payload[0], payload_max=payload[1]),
        Population(name="h", size=matrix.shape[0], model=model, theta=theta, bias=bias, guard_bits=2, readout=readout, output=True,
                   **neuron),
    ), projections=tuple(Projection(source="x", target="h", weights=matrix, shift=s, weight_bits=4) for s in shifts))


@pytest.mark.parametrize("payload", [(1, 1), (-1, 1), (0, 3), (-5, -2), (-4, 0), (2, 6)])
@pytest.mark.parametrize("weights", [[[7, -8, 3]], [[1, 1, 1]], [[-1, -1, -2], [0, 0, 1]], [[0, 0, 0]]])
def test_accumulator_holds_every_sum_and_not_one_bit_more(weights: list[list[int]], payload: tuple[int, int]) -> None:
    sums = [sum(w * p for w, p in zip(row, payloads)) for row in weights
            for payloads in product(*[sorted({0, *payload})] * len(row))]
    assert plan(network_of(weights, payload=payload)).tiles[0].accumulator_bits == bits_signed(min(sums), max(sums))


def test_what_projections_have_in_common_is_shifted_behind_the_accumulator() -> None:
    tile = plan(network_of([[7, -8]], shifts=(1, 3))).tiles[0]
    assert tile.groups[0].update.input_shift == 2 + 1
    assert tile.weight_bits == 4 + 2
    assert tile.entries == {0: (AxonEntry(0, 0, 0), AxonEntry(0, 2, 0))}
    assert tile.groups[0].axons == 4


@pytest.mark.parametrize("theta, bias, writable, expected", [
    (5, 0, False, (3, 0, True)), (5, 0, True, (3, 1, False)), (5, -1, False, (3, 1, True)), (8, 4, True, (4, 4, False)),
    ([5, 6], 0, False, (3, 0, False)), (5, [0, -4], False, (3, 3, False)),
])
def test_parameters_are_as_wide_as_their_values_and_constants_where_uniform(theta, bias, writable: bool, expected: tuple) -> None:
    network = network_of([[1], [2]], theta=np.array(theta), bias=np.array(bias))
    tile = plan(network, writable=writable).tiles[0]
    assert (tile.theta_bits, tile.bias_bits, tile.constant_parameters) == expected
    if expected[2]:
        assert (tile.groups[0].theta, tile.groups[0].bias) == (theta, bias)


def test_a_readout_without_a_threshold_needs_no_bits_for_it_and_sends_its_values() -> None:
    chip = plan(network_of([[1], [2]], model=Model.LI, readout=Readout.MAX))
    assert chip.tiles[0].theta_bits == 0
    assert (chip.flit.payload_bits, chip.flit.payload_signed) == (16, True)
    assert chip.tiles[0].groups[0].update.values


@pytest.mark.parametrize("payload, bits, signed", [((1, 1), 0, False), ((0, 1), 0, False), ((0, 7), 3, False), ((-1, 1), 2, True),
                                                   ((-8, 3), 4, True), ((-2, -1), 2, True)])
def test_a_flit_has_the_payload_bits_that_its_sources_need(payload: tuple[int, int], bits: int, signed: bool) -> None:
    flit = plan(network_of([[1, 2, 3]], payload=payload)).flit
    assert (flit.payload_bits, flit.payload_signed, flit.key_bits, flit.neuron_bits) == (bits, signed, 1, 2)


@pytest.mark.parametrize("payload, expected", [((0, 1), (1, 1)), ((0, 0), (1, 1)), ((-1, 0), (-1, -1)), ((-2, 3), (-2, 3)),
                                               ((0, 9), (1, 9))])
def test_a_payload_of_zero_is_never_sent(payload: tuple[int, int], expected: tuple[int, int]) -> None:
    population = Population(name="x", size=1, model=Model.INPUT, payload_min=payload[0], payload_max=payload[1])
    assert population.payload_range == expected


def test_an_input_that_nobody_listens_to_has_no_key() -> None:
    network = network_of([[1]])
    idle = Population(name="idle", size=3, model=Model.INPUT)
    network = Network(name="n", populations=(idle, *network.populations), projections=network.projections)
    chip = plan(network)
    assert [(i.population, i.key) for i in chip.inputs] == [("idle", None), ("x", 0)]


def test_readouts_follow_each_other_in_the_readout_memory() -> None:
    populations = (Population(name="x", size=2, model=Model.INPUT),
                   Population(name="a", size=20, model=Model.IF, readout=Readout.COUNT),
                   Population(name="b", size=4, model=Model.IF, output=True),
                   Population(name="c", size=3, model=Model.LI, readout=Readout.SUM))
    network = Network(name="n", populations=populations, projections=tuple(
        Projection(source="x", target=p.name, weights=np.ones((p.size, 2), dtype=int)) for p in populations[1:]))
    chip = plan(network, tiles=4, lanes=8)
    assert [(o.population, o.base, len(o.keys)) for o in chip.outputs] == [("a", 0, 2), ("b", 20, 1), ("c", 20, 1)]
    assert chip.n_readouts == 23
    assert [chip.keys[key].first for key in chip.outputs[0].keys] == [0, 16]


def test_constants_that_differ_or_can_be_written_are_refused() -> None:
    with pytest.raises(CapacityError, match="different thresholds"):
        plan(network_of([[1], [2]], theta=np.array([1, 2])), writable=False, constant_parameters=True)
    with pytest.raises(CapacityError, match="both constant and writable"):
        plan(network_of([[1]]), constant_parameters=True)


def test_exported_states_hold_v_and_need_the_configuration_port() -> None:
    plain, exporting = plan(network_of([[1], [2]])), plan(network_of([[1], [2]]), export=True)
    assert not plain.exports and exporting.exports
    assert [f.name for f in exporting.tiles[0].state_fields] == [*(f.name for f in plain.tiles[0].state_fields), "v"]
    assert exporting.tiles[0].state_bits == plain.tiles[0].state_bits + 16
    with pytest.raises(CapacityError, match="Memories are read over the configuration port, which a chip that is not writable lacks"):
        plan(network_of([[1]]), export=True, writable=False)


def test_decays_that_round_nothing_share_a_datapath() -> None:
    one = Population(name="a", size=2, model=Model.LIF, output=True)
    network = Network(name="n", populations=(Population(name="x", size=2, model=Model.INPUT), one), projections=(
        Projection(source="x", target="a", weights=np.ones((2, 2), dtype=int)),))
    assert plan(network).tiles[0].groups[0].update.decay == Decay()


@settings(max_examples=60)
@given(st.data())
def test_the_same_network_and_options_give_the_same_plan(data) -> None:
    network = data.draw(random_networks())
    options = data.draw(plan_options(network))
    assert plan(network, **options) == plan(network, **options)


def wide(inputs: int) -> Network:
    """Many inputs, whose largest payloads, weights and shifts add up at one neuron of ``crowded``."""
    size = 1 << 16
    populations = [Population(name=f"x{k}", size=size, model=Model.INPUT, payload_min=-256, payload_max=255) for k in range(inputs)]
    populations += [Population(name="crowded", size=1, model=Model.IF, output=True), Population(name="other", size=1, model=Model.IF, output=True)]
    weights = np.full((1, size), -128)
    projections = [Projection(source=p.name, target="crowded", weights=weights, shift=12) for p in populations[:inputs]]
    # Beside a projection that is not shifted, the shift of the others is part of their weights.
    projections += [Projection(source="x0", target=name, weights=np.zeros((1, size), dtype=int)) for name in ("crowded", "other")]
    return Network(name="wide", populations=tuple(populations), projections=tuple(projections))


def test_an_accumulator_of_48_bits_is_planned_and_one_of_more_is_refused_by_the_name_of_its_population() -> None:
    limits = TileLimits(axons=1 << 22, weight_words=1 << 22)
    most = (1 << 47) - 1
    # One input of 65536 neurons adds 256 * 128 * 2**12 * 65536 = 2**43 at most: 15 of them stay below 2**47, 16 do not.
    assert 15 * 2**43 <= most < 16 * 2**43
    chip = plan(wide(15), limits=limits, tiles=2)
    assert {g.population: tile.accumulator_bits for tile in chip.tiles for g in tile.groups}["crowded"] == 48
    with pytest.raises(CapacityError, match="Population 'crowded': its synaptic sums need accumulators of 49 bits, and 48 is the most"):
        plan(wide(16), limits=limits, tiles=2)
