"""Networks that others published, through the whole flow: the emitted Verilog against golden model, cycle model and their own answers."""

from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.quantize import quantize
from spikeloom.sim.engines import run
from spikeloom.sim.scenario import build_scenario
from spikeloom.software.clips import read_clips
from spikeloom.software.importers.state_dict import read_state_dict
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Network, Population, Projection, Reset


def _project(network: Network, folder: Path, **options):
    chip = plan(network, **options)
    image = pack(chip, network)
    check_chip(chip, image, network)
    folder.mkdir()
    emit(folder, chip, network, image)
    return chip


def test_the_verilog_of_the_lava_layer_has_0_of_512000_bits_wrong(shared, tmp_path):
    with np.load(shared / "truth" / "lava" / "lava_oxford_dense.npz") as data:
        weights, x, y = data["W"].astype(np.int64), data["x"], data["y"]
    network = Network(name="oxford", populations=(
        Population(name="x", size=200, model=Model.INPUT),
        Population(name="y", size=256, model=Model.LIF, decay=Decay(factor=4096 - 415, fraction_bits=12), rounding=Rounding.TOWARD_ZERO,
                   reset=Reset.ZERO, theta=(6 << 6) + 1, v_bits=24, guard_bits=6, output=True)),
        projections=(Projection(source="x", target="y", weights=weights >> 1, shift=1),))  # even weights: without their last bit
    chip = _project(network, tmp_path / "chip", lanes=32)
    clips = Clips.from_dense(x.T[None].astype(np.int64))
    report = run("compiled", tmp_path / "chip", chip, network, clips)
    assert report.equal, report.first_divergence
    assert report.states_compared == 512_000 and report.cycles_measured == report.cycles_predicted
    # The spikes that the hardware was found equal to are Lava's, which hands them on one timestep later.
    spikes = build_scenario(chip, network, clips).spikes
    ours = np.zeros_like(y)
    ours[spikes[:, 3], spikes[:, 4]] = 1
    assert not y[:, 0].any() and np.array_equal(ours[:, :-1], y[:, 1:])
    assert report.spikes_compared == len(spikes) >= 1826


@pytest.fixture(scope="module")
def neurobench(shared, tmp_path_factory):
    """The 8 bit network, its project and its clips. Its range of v is measured on the clips that are run, so it is quick to make."""
    folder = shared / "truth" / "neurobench"
    clips = read_clips(folder / "gsc_test_events.npz", limit=200)
    network = quantize(read_state_dict(folder / "neurobench_gsc_lif.npz"), weight_bits=8, clips=clips).network
    project = tmp_path_factory.mktemp("neurobench") / "chip"
    return network, project, _project(network, project), clips


def test_the_neurobench_chip_equals_its_models_on_the_compiled_engine(neurobench):
    network, project, chip, clips = neurobench
    report = run("compiled", project, chip, network, clips.take(6))
    assert report.equal, report.first_divergence
    assert report.states_compared == 6 * 200 * 803 and report.spikes_compared > 500


@pytest.mark.slow
def test_the_neurobench_chip_equals_its_models_on_200_clips(neurobench):
    network, project, chip, clips = neurobench
    report = run("compiled", project, chip, network, clips)
    assert report.equal, report.first_divergence
    assert report.clips == 200 and report.states_compared == 200 * 200 * 803


@pytest.mark.slow
def test_the_neurobench_chip_equals_its_models_under_cocotb(neurobench):
    network, project, chip, clips = neurobench
    report = run("icarus", project, chip, network, clips.take(2))
    assert report.equal, report.first_divergence
    assert report.clips == 2
