"""What the golden model carries from one call to the next, and starting from given potentials."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_reference import compare
from small_networks import clips_for, networks, rich_network

from spikeloom.sim import _engine, golden
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Refractory, Reset

NEURONS = [model for model in Model if model is not Model.INPUT]


def _in_pieces(network, x, pieces):
    """Run x piece by piece and assert that all that is reported equals the run as a whole."""
    whole = golden.run(network, x, record=True)
    state, start, parts = None, 0, []
    for piece in pieces:
        parts.append(golden.run(network, x[:, start : start + piece], state=state, record=True))
        state, start = parts[-1].state, start + piece
    for what in ("potentials", "currents", "spikes"):
        for name, values in getattr(whole, what).items():
            np.testing.assert_array_equal(np.concatenate([getattr(p, what)[name] for p in parts], axis=1), values)
    for name in whole.spike_counts:
        np.testing.assert_array_equal(sum(p.spike_counts[name] for p in parts), whole.spike_counts[name])
    for name, counters in whole.counters.items():
        for what in ("events", "sops", "multiplied", "updates", "spikes"):
            np.testing.assert_array_equal(sum(getattr(p.counters[name], what) for p in parts), getattr(counters, what))
    assert {k: sum(p.saturations[k] for p in parts) for k in whole.saturations} == whole.saturations
    assert parts[-1].state.n_steps == whole.state.n_steps == x.shape[1]
    for what, part in whole.state.parts.items():
        assert part.keys() == parts[-1].state.parts[what].keys()
        for name, values in part.items():
            np.testing.assert_array_equal(parts[-1].state.parts[what][name], values)
    np.testing.assert_array_equal(parts[-1].answers, whole.answers)
    np.testing.assert_array_equal(parts[-1].confidences, whole.confidences)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(networks(), st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_a_stream_in_pieces_equals_the_whole(network, pieces, seed):
    _in_pieces(network, clips_for(network, 2, sum(pieces), seed), pieces)


@pytest.mark.parametrize("mode", Refractory, ids=lambda m: m.value)
@pytest.mark.parametrize("model", NEURONS, ids=lambda m: m.value)
def test_every_model_goes_on_where_it_was(model, mode):
    network = rich_network(model, mode=mode)
    x = clips_for(network, 3, 20, 11)
    compare(network, x, golden.run(network, x, record=True))
    _in_pieces(network, x, [1] * 12 + [0, 3, 5])


@pytest.mark.parametrize("what", ["potentials", "currents", "rises", "spikes", "quiet", "history", "readouts"])
def test_a_part_of_the_state_that_is_lost_is_seen(what, monkeypatch):
    network = rich_network(Model.ALIF if what == "rises" else Model.CUBALIF)
    state = _engine.State

    def without(**parts):
        lost = {what: {name: a * 0 for name, a in parts[what].items()}} if parts["n_steps"] < 20 else {}
        return state(**parts | lost)

    monkeypatch.setattr(_engine, "State", without)
    with pytest.raises(AssertionError):
        _in_pieces(network, clips_for(network, 3, 20, 11), [1] * 20)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), st.integers(0, 2**32 - 1))
def test_chunks_and_blocks_of_any_size_give_the_same_result(network, seed):
    x = clips_for(network, 5, 11, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "chunk_clips", lambda network, n_steps: 2)
        patch.setattr("spikeloom.sim._engine._BLOCK_ELEMENTS", 33)
        pieces = golden.run(network, x, record=True)
    whole = golden.run(network, x, record=True)
    for what in ("potentials", "currents", "spikes", "readouts", "spike_counts"):
        assert getattr(pieces, what).keys() == getattr(whole, what).keys()
        for name, values in getattr(whole, what).items():
            np.testing.assert_array_equal(getattr(pieces, what)[name], values)
    assert pieces.saturations == whole.saturations


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), st.integers(0, 2**32 - 1))
def test_a_run_from_given_potentials_and_currents_equals_the_plain_reference(network, seed):
    rng = np.random.default_rng(seed)
    neurons = [p for p in network.populations if p.model is not Model.INPUT and rng.random() < 0.8]
    potentials = {p.name: rng.integers(p.low, p.v_max + 1, (3, p.size)) for p in neurons}
    currents = {p.name: rng.integers(-1 << (p.i_bits - 1), 1 << (p.i_bits - 1), (3, p.size)) for p in neurons if p.has_current}
    x = clips_for(network, 3, 5, seed)
    state = golden.State.with_potentials(network, potentials, currents=currents, n_clips=3)
    compare(network, x, golden.run(network, x, state=state, record=True), potentials, currents)


def test_one_network_starts_from_the_potentials_of_another():
    encoder, decoder = rich_network(Model.LIF), rich_network(Model.CUBALIF)
    x = clips_for(encoder, 4, 9, 1)
    handed = golden.run(encoder, x).state.potentials["y"]
    begin = golden.State.with_potentials(decoder, {"y": handed})
    np.testing.assert_array_equal(begin.potentials["y"], handed)
    assert golden.run(decoder, x, state=begin).state.n_steps == 9
    assert not np.array_equal(golden.run(decoder, x, state=begin, record=True).potentials["y"],
                              golden.run(decoder, x, record=True).potentials["y"])


def test_potentials_of_one_clip_start_every_clip():
    network = rich_network(Model.LIF)
    state = golden.State.with_potentials(network, {"y": np.arange(5)}, n_clips=3)
    np.testing.assert_array_equal(state.potentials["y"], np.tile(np.arange(5), (3, 1)))
    assert golden.State.with_potentials(network, {}).n_clips == 1


@pytest.mark.parametrize("potentials, currents, message", [
    ({"z": np.zeros(5, int)}, {}, "Network 'rich': no population 'z'"),
    ({"x": np.zeros(3, int)}, {}, "Population 'x': the potentials to start from mean nothing to the model input"),
    ({"y": np.zeros(4, int)}, {}, r"Population 'y': the potentials to start from must be integers of shape \[5\] or \[clips, 5\], not int64"),
    ({"y": np.zeros(5)}, {}, "not float64"),
    ({"y": np.zeros((1, 2, 5), int)}, {}, "not int64 of shape"),
    ({"y": np.full(5, 256)}, {}, r"Population 'y': the potentials to start from must be -70 to 255, not 256..256; scale or clip"),
    ({"y": np.full(5, -71)}, {}, "must be -70 to 255, not -71..-71"),
    ({}, {"y": np.full(5, 64)}, r"Population 'y': the currents to start from must be -64 to 63, not 64..64"),
    ({"y": np.zeros((2, 5), int)}, {"y": np.zeros((3, 5), int)}, r"the state to start from has 2 and 3 clips; give the same number")])
def test_potentials_that_do_not_fit_are_refused(potentials, currents, message):
    with pytest.raises(NetworkError, match=message):
        golden.State.with_potentials(rich_network(Model.CUBALIF), potentials, currents=currents)


def test_currents_of_a_population_without_any_are_refused():
    with pytest.raises(NetworkError, match="the currents to start from mean nothing to the model lif"):
        golden.State.with_potentials(rich_network(Model.LIF), {}, currents={"y": np.zeros(5, int)})


def test_the_state_of_another_network_is_refused():
    network = rich_network(Model.LIF)
    state = golden.run(network, np.zeros((1, 4, 3), dtype=np.int8)).state
    with pytest.raises(NetworkError, match="the state to continue from"):
        golden.run(rich_network(Model.IF), np.zeros((1, 4, 3), dtype=np.int8), state=state)
    with pytest.raises(NetworkError, match="the state to continue from"):
        golden.run(network, np.zeros((2, 4, 3), dtype=np.int8), state=state)


def test_the_time_of_the_first_spike_goes_on_with_the_stream():
    network = Network(name="late", populations=(
        Population(name="x", size=1, model=Model.INPUT),
        Population(name="y", size=1, model=Model.IF, theta=1, reset=Reset.NONE, readout=Readout.FIRST)),
        projections=(Projection(source="x", target="y", weights=np.array([[1]])),))
    x = np.zeros((1, 10, 1), dtype=np.int8)
    x[0, 7] = 1
    first = golden.run(network, x[:, :5])
    assert (first.readouts["y"].item(), golden.run(network, x[:, 5:], state=first.state).readouts["y"].item()) == (65535, 7)
