"""The golden model against known answers of others, against a plain reference, and against itself in pieces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_reference import clips_for, networks, run_clip

from spikeloom.sim import _neuron_steps, golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

TRUTH = Path(__file__).resolve().parents[3] / "shared" / "truth"


def _compare(network, x, result):
    """Assert that a recorded result equals the plain reference in everything it reports."""
    totals = dict.fromkeys(result.saturations, 0)
    for n, clip in enumerate(x):
        want = run_clip(network, clip)
        for p in network.populations:
            if p.model is Model.INPUT:
                assert result.counters[p.name].spikes[n] == np.count_nonzero(want["spikes"][p.name])
                continue
            shape = (len(clip), p.size)
            np.testing.assert_array_equal(result.potentials[p.name][n], np.reshape(want["potentials"][p.name], shape))
            if p.spikes:
                spikes = np.reshape(want["spikes"][p.name], shape)
                np.testing.assert_array_equal(result.spikes[p.name][n], spikes)
                np.testing.assert_array_equal(result.spike_counts[p.name][n], spikes.sum(axis=0))
                assert result.counters[p.name].spikes[n] == spikes.sum()
            if p.readout is not Readout.NONE:
                np.testing.assert_array_equal(result.readouts[p.name][n], want["readouts"][p.name])
            assert result.counters[p.name].events[n] == want["events"][p.name]
            assert result.counters[p.name].sops[n] == want["sops"][p.name]
            assert result.counters[p.name].updates[n] == len(clip) * p.size
            totals[p.name] += want["saturations"][p.name]
    assert result.saturations == totals


@settings(max_examples=150, deadline=None, derandomize=True)
@given(networks(), st.integers(1, 3), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_every_spike_and_potential_equals_a_plain_python_reference(network, n_clips, n_steps, seed):
    x = clips_for(network, n_clips, n_steps, seed)
    _compare(network, x, golden.run(network, x, record=True))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_a_stream_in_pieces_equals_the_whole(network, pieces, seed):
    x = clips_for(network, 2, sum(pieces), seed)
    whole = golden.run(network, x, record=True)
    state, start, parts = None, 0, []
    for piece in pieces:
        parts.append(golden.run(network, x[:, start : start + piece], state=state, record=True))
        state, start = parts[-1].state, start + piece
    for name in whole.potentials:
        np.testing.assert_array_equal(np.concatenate([p.potentials[name] for p in parts], axis=1), whole.potentials[name])
    for name in whole.spikes:
        np.testing.assert_array_equal(sum(p.spike_counts[name] for p in parts), whole.spike_counts[name])
    for name in whole.readouts:
        np.testing.assert_array_equal(parts[-1].readouts[name], whole.readouts[name])
    for name, counters in whole.counters.items():
        for what in ("events", "sops", "updates", "spikes"):
            np.testing.assert_array_equal(sum(getattr(p.counters[name], what) for p in parts), getattr(counters, what))
    assert {k: sum(p.saturations[k] for p in parts) for k in whole.saturations} == whole.saturations
    np.testing.assert_array_equal(parts[-1].answers, whole.answers)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(networks(), st.integers(0, 2**32 - 1))
def test_chunks_and_blocks_of_any_size_give_the_same_result(network, seed):
    x = clips_for(network, 5, 11, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "chunk_clips", lambda network, n_steps: 2)
        patch.setattr("spikeloom.sim._engine._BLOCK_ELEMENTS", 33)
        pieces = golden.run(network, x, record=True)
    whole = golden.run(network, x, record=True)
    for name in whole.potentials:
        np.testing.assert_array_equal(pieces.potentials[name], whole.potentials[name])
    for name in whole.readouts:
        np.testing.assert_array_equal(pieces.readouts[name], whole.readouts[name])
    assert pieces.saturations == whole.saturations


def _lava(rounding=Rounding.TOWARD_ZERO, reset=Reset.ZERO, theta=(6 << 6) + 1):
    path = TRUTH / "lava" / "lava_oxford_dense.npz"
    if not path.exists():
        pytest.skip(f"needs {path}")
    with np.load(path) as data:
        weights, x, y = data["W"].astype(np.int64), data["x"], data["y"]
    assert not (weights % 2).any()  # Loihi's 8 bit weights of mixed sign are even: kept without their last bit
    network = Network(name="oxford", projections=(Projection(source="x", target="y", weights=weights >> 1, shift=1),), populations=(
        Population(name="x", size=200, model=Model.INPUT),
        Population(name="y", size=256, model=Model.LIF, decay=Decay(factor=4096 - 415, fraction_bits=12), rounding=rounding,
                   reset=reset, theta=theta, v_bits=24, guard_bits=6, readout=Readout.COUNT)))
    spikes = golden.run(network, x.T[None], record=True).spikes["y"][0].T
    assert not y[:, 0].any()  # Lava hands a spike on one timestep later
    return int(np.count_nonzero(spikes[:, :-1] != y[:, 1:])), int(y.sum())


def test_lava_dense_layer_has_0_of_512000_bits_wrong():
    assert _lava() == (0, 1826)


@pytest.mark.parametrize("broken", [dict(rounding=Rounding.FLOOR), dict(rounding=Rounding.NEAREST), dict(reset=Reset.SUBTRACT),
                                    dict(theta=(6 << 6) + 12)], ids=str)
def test_a_wrong_rounding_reset_or_threshold_is_seen_on_the_lava_layer(broken):
    assert _lava(**broken)[0] > 0


def test_a_wrong_rounding_in_the_model_is_seen_by_the_reference(monkeypatch):
    def floor(self, x, n, out):
        np.right_shift(x, n, out=out)

    network = Network(name="one", populations=(
        Population(name="x", size=1, model=Model.INPUT),
        Population(name="y", size=1, model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), theta=100, readout=Readout.COUNT)),
        projections=(Projection(source="x", target="y", weights=np.array([[7]])),))
    x = np.ones((1, 6, 1), dtype=np.int64)
    _compare(network, x, golden.run(network, x, record=True))
    monkeypatch.setattr(_neuron_steps.Membrane, "_round_shift", floor)
    with pytest.raises(AssertionError):
        _compare(network, x, golden.run(network, x, record=True))


def _small(**fields):
    population = dict(name="y", size=2, model=Model.LIF, decay=Decay(shift_a=3), theta=20, readout=Readout.COUNT) | fields
    return Network(name="small", populations=(
        Population(name="left", size=2, model=Model.INPUT),
        Population(name="right", size=3, model=Model.INPUT, payload_min=-4, payload_max=9),
        Population(**population)), projections=(Projection(source="left", target="y", weights=np.full((2, 2), 5)),
                                                Projection(source="right", target="y", weights=np.full((2, 3), -3), delay=2)))


def test_sums_beyond_the_exact_integers_of_float32_are_exact():
    network = Network(name="large", populations=(
        Population(name="x", size=2, model=Model.INPUT, payload_max=255),
        Population(name="y", size=1, model=Model.LI, v_bits=32, readout=Readout.LAST)), projections=(
        Projection(source="x", target="y", weights=np.array([[127, 0]]), shift=12),
        Projection(source="x", target="y", weights=np.array([[0, 1]]))))
    assert golden.run(network, np.array([[[255, 1]]])).readouts["y"].item() == 255 * 127 * 4096 + 1


def test_a_spike_count_saturates_at_65535():
    network = Network(name="fast", populations=(
        Population(name="x", size=1, model=Model.INPUT),
        Population(name="y", size=1, model=Model.IF, theta=1, bias=1, reset=Reset.NONE, readout=Readout.COUNT)),
        projections=(Projection(source="x", target="y", weights=np.array([[0]])),))
    result = golden.run(network, np.zeros((1, 66000, 1), dtype=np.int8))
    assert (result.readouts["y"].item(), result.spike_counts["y"].item()) == (65535, 66000)


def test_a_sum_saturates_in_every_step_and_comes_back():
    network = Network(name="wide", populations=(
        Population(name="x", size=1, model=Model.INPUT, payload_min=-1, payload_max=1),
        Population(name="y", size=1, model=Model.LI, decay=Decay(factor=0, fraction_bits=1), v_bits=2, readout=Readout.SUM)),
        projections=(Projection(source="x", target="y", weights=np.array([[1]])),))
    x = np.ones((1, (1 << 17) + 40, 1), dtype=np.int8)
    x[0, -10:] = -1
    assert golden.run(network, x).readouts["y"].item() == (1 << 17) - 1 - 10


def test_an_event_below_the_range_is_named():
    x = np.zeros((3, 4, 5), dtype=np.int16)
    x[2, 1, 4] = -5
    with pytest.raises(NetworkError) as error:
        golden.run(_small(), x)
    assert str(error.value) == ("Network 'small': clip 2, timestep 1, channel 4: payload -5 is not within -4..9, the range of "
                                "input 'right' (1 such events in this batch); scale the clips or give the input a wider range")


def test_a_payload_of_2_is_refused_where_events_are_spikes():
    with pytest.raises(NetworkError, match="timestep 0, channel 1: payload 2 is not within 1..1, the range of input 'left'"):
        golden.run(_small(), np.array([[[0, 2, 0, 0, 0]]]))


def test_the_clip_in_an_error_of_simulate_is_that_of_the_set():
    x = np.zeros((7, 4, 5), dtype=np.int16)
    x[5, 1, 4] = 10
    with pytest.raises(NetworkError, match="clip 5, timestep 1, channel 4: payload 10 "):
        golden.simulate(_small(), Clips.from_dense(x), batch=2)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5, 1)])
def test_an_input_of_wrong_rank_is_refused(shape):
    with pytest.raises(NetworkError, match=r"integers of shape \[clips, timesteps, channels\], not int64 of shape"):
        golden.run(_small(), np.zeros(shape, dtype=np.int64))


def test_floats_are_refused():
    with pytest.raises(NetworkError, match="not float64"):
        golden.run(_small(), np.zeros((1, 4, 5)))


def test_a_wrong_number_of_channels_names_the_inputs():
    with pytest.raises(NetworkError, match=r"the input has 4 channels, the network has 5 \(left 2, right 3\)"):
        golden.run(_small(), np.zeros((1, 4, 4), dtype=np.int8))


def test_the_state_of_another_network_is_refused():
    state = golden.run(_small(), np.zeros((1, 4, 5), dtype=np.int8)).state
    with pytest.raises(NetworkError, match="the state to continue from"):
        golden.run(_small(theta=21), np.zeros((1, 4, 5), dtype=np.int8), state=state)
    with pytest.raises(NetworkError, match="the state to continue from"):
        golden.run(_small(), np.zeros((2, 4, 5), dtype=np.int8), state=state)


def test_the_lowest_index_wins_a_tie_and_the_last_readout_answers():
    result = golden.run(_small(), np.zeros((2, 4, 5), dtype=np.int8))
    assert result.answers.tolist() == [0, 0]


def test_simulate_equals_run_and_reports_means():
    network = _small()
    x = clips_for(network, 9, 20, 3)
    labels = np.arange(9) % 2
    seen = []
    report = golden.simulate(network, Clips.from_dense(x, labels), batch=2, progress=lambda done, total: seen.append((done, total)))
    whole = golden.run(network, x)
    np.testing.assert_array_equal(report.answers, whole.answers)
    np.testing.assert_array_equal(report.readouts["y"], whole.readouts["y"])
    assert report.accuracy == np.mean(whole.answers == labels)
    assert report.sops == sum(c.sops.sum() for c in whole.counters.values())
    assert report.spikes_per_population == {n: c.spikes.sum() / 9 for n, c in whole.counters.items()}
    assert seen == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    assert golden.simulate(network, Clips.from_dense(x), limit=4).accuracy is None
    assert golden.simulate(network, Clips.from_dense(x, labels), limit=0).clips == 0
