"""Words of the state memories: the equations of the contract, word by word, there and back, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.plan import plan
from spikeloom.gen.state import pack_state, state_words, stored_state, unpack_state
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.errors import CapacityError, NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Refractory, Reset

DECAY = Decay(factor=192, fraction_bits=8)  # 3/4: of 10 7.5, which rounds to 8


def network_of(v_bits=10, size=5, **fields) -> Network:
    """x -> h; ``fields`` make h what it is."""
    h = {"model": Model.LIF, "decay": DECAY, "reset": Reset.SUBTRACT, "theta": 20, "bias": 3, **fields}
    return Network(name="net", populations=(Population(name="x", size=3, model=Model.INPUT),
                                            Population(name="h", size=size, v_bits=v_bits, readout=Readout.COUNT, **h)),
                   projections=(Projection(source="x", target="h", weights=np.ones((size, 3), dtype=np.int64)),))


def after(network, v, n=0, q=0, i=None, a=None):
    """A state in which the neurons of h have these values."""
    state = golden.State.with_potentials(network, {"h": np.array(v)}, currents=None if i is None else {"h": np.array(i)})
    state.spikes["h"][:] = n
    if q or "h" in state.quiet:
        state.quiet["h"][:] = q
    if a is not None:
        state.rises["h"][:] = a
    return state


V, N = [10, 30, -10, 45, 9], [0, 1, 0, 1, 0]


@pytest.mark.parametrize("reset, u", [
    (Reset.NONE, [11, 26, -4, 37, 10]),  # -7.5 rounds to -7, as halves go up; 33.75 to 34
    (Reset.SUBTRACT, [11, 6, -4, 17, 10]), (Reset.SUBTRACT_BEFORE_DECAY, [11, 11, -4, 22, 10]),
    (Reset.ZERO, [11, 3, -4, 3, 10]), (Reset.ZERO_AFTER, [11, 26, -4, 37, 10])])
def test_what_is_ready_for_the_next_sum_by_reset(reset, u):
    network = network_of(reset=reset)
    fields = stored_state(network, after(network, V, N))["h"]
    assert fields["u"].tolist() == u and fields["v"].tolist() == V
    assert fields.get("spent", np.zeros(5)).tolist() == (N if reset is Reset.ZERO_AFTER else [0] * 5)


def test_refractory_neurons_keep_what_the_reset_left_and_count_down():
    held = network_of(refractory=3, refractory_mode=Refractory.INTEGRATE)
    fields = stored_state(held, after(held, V, N, q=1))["h"]
    assert fields["quiet"].tolist() == [0, 3, 0, 3, 0] and fields["u"].tolist() == [11, 10, -4, 25, 10]
    fields = stored_state(held, after(held, V, q=2))["h"]
    assert fields["quiet"].tolist() == [1] * 5 and fields["u"].tolist() == V
    firing = network_of(refractory=3)
    assert stored_state(firing, after(firing, V, q=2))["h"]["u"].tolist() == [11, 26, -4, 37, 10]


def test_currents_and_rises_are_stored_decayed():
    network = network_of(model=Model.CUBALIF, current_decay=Decay(shift_a=2), i_bits=9)
    fields = stored_state(network, after(network, V, N, i=[8, -8, 100, 0, 6]))["h"]
    assert fields["current"].tolist() == [9, -3, 78, 3, 7] and fields["i"].tolist() == [8, -8, 100, 0, 6]
    assert fields["u"].tolist() == [8, 3, -7, 14, 7]  # the bias is the current's
    network = network_of(model=Model.ALIF, adaptation_decay=Decay(shift_a=1), jump=10, a_bits=4)
    assert stored_state(network, after(network, V, N, a=[3, 4, 0, 15, 8]))["h"]["a"].tolist() == [1, 12, 0, 15, 4]


def test_gated_neurons_keep_v_and_what_their_reset_takes():
    gate = {"model": Model.SPIKGRU, "decay": Decay(), "gate_table": np.arange(0, 256, 16), "i_bits": 9, "rounding": Rounding.FLOOR}
    for reset, most, u, field in (
            (Reset.SUBTRACT, 1, V, "spent"), (Reset.SUBTRACT, 3, V, "taken"), (Reset.SUBTRACT_BEFORE_DECAY, 1, [10, 10, -10, 25, 9], ""),
            (Reset.ZERO, 1, [10, 0, -10, 0, 9], ""), (Reset.ZERO_AFTER, 1, V, "spent"), (Reset.NONE, 1, V, "")):
        network = network_of(reset=reset, max_spikes=most, **gate)
        fields = stored_state(network, after(network, V, N))["h"]
        assert fields["u"].tolist() == u and sorted(fields.keys() - {"u", "v", "i", "current"}) == [field] * bool(field)
    network = network_of(max_spikes=3, **gate)
    assert stored_state(network, after(network, V, [0, 1, 0, 2, 0]))["h"]["taken"].tolist() == [0, 20, 0, 40, 0]


def test_a_word_is_its_lanes_one_after_the_other_each_of_its_fields():
    network = network_of(reset=Reset.ZERO_AFTER)
    chip = plan(network, lanes=4, update_lanes=2, export=True)
    (tile,) = chip.tiles
    assert [f.name for f in tile.state_fields] == ["u", "spent", "v"] and tile.n_updates == 4
    bits = {f.name: f.bits for f in tile.state_fields}
    lanes = [u % (1 << bits["u"]) | n << bits["u"] | v % (1 << bits["v"]) << bits["u"] + 1 for u, n, v in zip([11, 26, -4, 37, 10], N, V)]
    width = sum(bits.values())
    assert state_words(chip, network, after(network, V, N)) == [[lanes[0] | lanes[1] << width, lanes[2] | lanes[3] << width, lanes[4], 0]]
    plain = plan(network, lanes=4, update_lanes=2)
    assert [f.name for f in plain.tiles[0].state_fields] == ["u", "spent"] and not plain.exports and chip.exports


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_words_of_random_networks_are_read_back_as_they_were(data):
    network = data.draw(random_networks())
    chip = plan(network, **data.draw(plan_options(network)) | {"writable": True, "export": True})
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.integers(p.payload_min, p.payload_max + 1, (2, 5, p.size)) for p in network.inputs], axis=2)
    state = golden.run(network, x).state
    for clip in range(2):
        stored = stored_state(network, state, clip)
        found = unpack_state(chip, pack_state(chip, stored))
        assert found.keys() == stored.keys()
        for name, fields in found.items():
            for field in fields.keys() | stored[name].keys():
                zero = np.zeros(network.population(name).size)
                np.testing.assert_array_equal(fields.get(field, zero), stored[name].get(field, zero))


def test_states_and_chips_that_do_not_belong_together_are_refused():
    network, wide = network_of(), network_of(v_bits=14)
    chip, state = plan(network, lanes=4), after(network, V, N)
    with pytest.raises(NetworkError, match="Network 'net': the state to store is that of 1 clips of network .*, and clip 0 of .* was asked for"):
        stored_state(wide, state)
    with pytest.raises(NetworkError, match="and clip 1 of"):
        stored_state(network, state, 1)
    with pytest.raises(CapacityError, match="Tile 0, population 'h': the field 'u' of the state is 3..6003, and the chip holds -512..511; it"):
        state_words(chip, wide, after(wide, [0, 0, 8000, 0, 0]))
    with pytest.raises(CapacityError, match="the state has 3 neurons here, and the chip 5"):
        state_words(chip, network_of(size=3), after(network_of(size=3), V[:3]))
    resting = network_of(refractory=2)
    with pytest.raises(CapacityError, match=r"has the fields \['quiet', 'u', 'v'\], and the chip holds \['u'\]"):
        state_words(chip, resting, after(resting, V, N))
    with pytest.raises(CapacityError, match=r"Tile 0, population 'h': the state has the fields \[\]"):
        pack_state(chip, {"other": stored_state(network, state)["h"]})


def test_a_field_that_is_zero_everywhere_needs_no_room_on_the_chip():
    resting = network_of(refractory=2)
    chip = plan(network_of(), lanes=4)
    assert state_words(chip, resting, after(resting, V)) == state_words(chip, network_of(), after(network_of(), V))


def test_the_state_is_not_changed():
    network = network_of()
    state = after(network, V, N)
    before = {what: {name: a.copy() for name, a in part.items()} for what, part in state.parts.items()}
    stored_state(network, state)["h"]["v"][:] = 99
    for what, part in replace(state).parts.items():
        for name, values in part.items():
            np.testing.assert_array_equal(values, before[what][name])
