"""The golden model against known answers of others, against a plain reference, and against itself in pieces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_reference import compare
from small_networks import clips_for, networks, plain_networks

from spikeloom.sim import _neuron_steps, golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

TRUTH = Path(__file__).resolve().parents[3] / "shared" / "truth"


@settings(max_examples=400, deadline=None, derandomize=True)
@given(networks(), st.integers(1, 3), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_every_spike_potential_and_current_equals_a_plain_python_reference(network, n_clips, n_steps, seed):
    x = clips_for(network, n_clips, n_steps, seed)
    compare(network, x, golden.run(network, x, record=True))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(plain_networks(), st.integers(1, 3), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_plain_networks_of_any_width_equal_a_plain_python_reference(network, n_clips, n_steps, seed):
    x = clips_for(network, n_clips, n_steps, seed)
    compare(network, x, golden.run(network, x, record=True))


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
    compare(network, x, golden.run(network, x, record=True))
    monkeypatch.setattr(_neuron_steps.Membrane, "_round_shift", floor)
    with pytest.raises(AssertionError):
        compare(network, x, golden.run(network, x, record=True))


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


def test_simulate_equals_run_and_reports_means():
    network = _small()
    x = clips_for(network, 9, 20, 3)
    labels = np.arange(9) % 2
    seen = []
    report = golden.simulate(network, Clips.from_dense(x, labels), batch=2, progress=lambda done, total: seen.append((done, total)))
    whole = golden.run(network, x)
    np.testing.assert_array_equal(report.answers, whole.answers)
    np.testing.assert_array_equal(report.confidences, whole.confidences)
    np.testing.assert_array_equal(report.readouts["y"], whole.readouts["y"])
    assert report.accuracy == np.mean(whole.answers == labels)
    assert report.sops == sum(c.sops.sum() for c in whole.counters.values())
    assert report.spikes_per_population == {n: c.spikes.sum() / 9 for n, c in whole.counters.items()}
    assert seen == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    assert golden.simulate(network, Clips.from_dense(x), limit=4).accuracy is None
    assert golden.simulate(network, Clips.from_dense(x, labels), limit=0).clips == 0
