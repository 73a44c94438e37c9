"""A generated project proves itself, with SpikeLoom and without it, and a broken one is caught."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim.engines import run as cosimulate
from spikeloom.sim.scenario import build_scenario
from spikeloom.sim.testbench import FILES, write_testbench
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def recurrent_network() -> Network:
    """Two inputs (one signed), a recurrent and a second layer with a backward projection; outputs: one that spikes up to three times in a
    timestep, one that votes, and an LI population."""
    rng = np.random.default_rng(11)

    def project(source: Population, target: Population, **options) -> Projection:
        return Projection(source=source.name, target=target.name, weights=rng.integers(-7, 12, (target.size, source.size)), weight_bits=5, **options)

    ears = Population(name="ears", size=6, model=Model.INPUT)
    eyes = Population(name="eyes", size=4, model=Model.INPUT, payload_min=-3, payload_max=3)
    first = Population(name="first", size=13, model=Model.LIF, decay=Decay(shift_a=3), theta=rng.integers(10, 30, 13))
    first = Population(name="first", size=13, model=Model.LIF, decay=Decay(shift_a=3), theta=first.theta, reset=Reset.SUBTRACT)
    second = Population(name="second", size=7, model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), theta=12, reset=Reset.SUBTRACT,
                        max_spikes=3, output=True)
    poll = Population(name="poll", size=5, model=Model.LIF, decay=Decay(shift_a=2), theta=9, reset=Reset.ZERO, readout=Readout.VOTE,
                      classes=np.array([2, 0, 2, -1, 0]))
    answer = Population(name="answer", size=3, model=Model.LI, decay=Decay(shift_a=4), readout=Readout.SUM)
    return Network(name="recurrent", populations=(ears, first, eyes, second, poll, answer), projections=(
        project(ears, first), project(eyes, first, delay=1), project(first, first, delay=1), project(first, second),
        project(second, first, delay=1), project(second, poll), project(second, answer)))


@pytest.fixture(scope="module")
def network() -> Network:
    return recurrent_network()


@pytest.fixture(scope="module")
def clips() -> Clips:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.random((3, 15, 6)) < 0.4, rng.integers(-3, 4, (3, 15, 4)) * (rng.random((3, 15, 4)) < 0.3)], axis=2)
    return Clips.from_dense(x.astype(np.int64), labels=np.array([0, 1, 2]))


@pytest.fixture(scope="module")
def chip(network):
    return plan(network, lanes=4, tiles=3, name="recurrent_chip")


@pytest.fixture(scope="module")
def project(tmp_path_factory, network, clips, chip) -> Path:
    folder = tmp_path_factory.mktemp("project")
    emit(folder, chip, network, pack(chip, network))
    write_testbench(folder / "cosim", build_scenario(chip, network, clips))
    return folder


@pytest.fixture
def copy(project, tmp_path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("build")))


@pytest.mark.parametrize("engine", [pytest.param("icarus", marks=needs_icarus), pytest.param("compiled", marks=needs_compiler)])
def test_verilog_equals_the_models(engine, project, chip, network, clips):
    done = []
    report = cosimulate(engine, project, chip, network, clips, progress=lambda n, total: done.append((n, total)))
    assert report.equal, report.first_divergence
    assert (report.clips, report.states_compared, report.lanes) == (3, 3 * 15 * 28, sum(t.lanes for t in chip.tiles))
    assert report.spikes_compared > 20 and report.accuracy is not None and report.cycles_measured == report.cycles_predicted > 0
    expected = build_scenario(chip, network, clips)
    assert set(expected.spikes[:, 5].tolist()) == {1, 2, 3}
    assert (report.answers, report.confidences) == tuple(tuple(expected.answers[:, k].tolist()) for k in (1, 2)) and min(report.confidences) > 0
    assert done[-1] == (3, 3)


@needs_compiler
def test_a_second_run_does_not_compile_again(project, chip, network, clips, monkeypatch):
    first = cosimulate("compiled", project, chip, network, clips)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cosimulate("compiled", project, chip, network, clips) == first


def run_alone(project: Path) -> subprocess.CompletedProcess[str]:
    """The project's own test, in a Python in which SpikeLoom cannot be imported."""
    without = project / "without"
    without.mkdir()
    (without / "spikeloom.py").write_text("raise ImportError('a generated project must not need SpikeLoom')\n")
    environment = {**os.environ, "PYTHONPATH": str(without)}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_cosim.py"], cwd=project / "cosim", text=True,
                          capture_output=True, env=environment, timeout=600)


@needs_icarus
def test_the_project_proves_itself_without_spikeloom(copy):
    done = run_alone(copy)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "1 passed" in done.stdout


@needs_icarus
def test_the_project_s_own_test_names_a_wrong_potential_spike_payload_readout_answer_and_phase(copy):
    path = copy / "cosim" / "expected.npz"
    with np.load(path) as data:
        arrays = dict(data)
    arrays["potentials"][1, 3, 2] += 1
    arrays["phase_cycles"][0, 4] += 1
    arrays["readout_values"][2, 0] += 1
    arrays["readout_values"][2, 4] += 1
    arrays["answers"][1, 2] += 1
    clip, phase, _, neuron, step, payload = arrays["spikes"][0].tolist()
    arrays["spikes"] = arrays["spikes"][1:]
    arrays["spikes"][-1, 5] += 10
    np.savez(path, **arrays)
    done = run_alone(copy)
    assert done.returncode != 0
    for words in (r"clip 1, timestep 3, population first, neuron 2: membrane potential: expected", r"clip 0, phase 4: expected \d+ clock cycles, got",
                  r"clip 2, readout of population answer, neuron 1: expected", r"clip 2, readout of population poll, class 0: expected",
                  r"clip 1, answer: expected \d, confidence \d+, got \d, confidence \d+", r"spike of payload 1[1-3] missing in phase",
                  rf"clip {clip}, timestep {step}, population second, neuron {neuron}: spike of payload {payload} not expected in phase {phase}",
                  r"8 differences; the first: clip 0"):
        assert re.search(words, done.stdout), words


@needs_icarus
def test_a_changed_weight_in_the_verilog_is_found(copy, chip, network, clips):
    path = copy / "chip.v"
    # The first word of a weight memory is made all ones: P weights of -1.
    text, changed = re.subn(r"(    weights\[0\] = \d+'h)([0-9a-f]+);", lambda m: m[1] + re.sub(".", lambda d: str(min(int(d[0], 16), 1)), m[2]) + ";",
                            path.read_text())
    assert changed
    path.write_text(text)
    report = cosimulate("icarus", copy, chip, network, clips)
    assert not report.equal and report.states_wrong > 0
    assert re.match(r"clip 0: timestep \d+, population \w+, neuron \d+: membrane potential: expected -?\d+, got -?\d+", report.first_divergence)


def test_the_files_of_the_test_are_the_same_bytes_each_time(project, chip, network, clips, tmp_path):
    write_testbench(tmp_path, build_scenario(chip, network, clips))
    for name in (*FILES, "vectors.npz", "expected.npz"):
        assert (tmp_path / name).read_bytes() == (project / "cosim" / name).read_bytes(), name


def test_another_network_s_chip_and_empty_clips_are_errors(chip, network, clips):
    other = Network(name="other", populations=network.populations, projections=(
        *network.projections[:-1], Projection(source="second", target="answer", weights=np.zeros((3, 7), dtype=int))))
    with pytest.raises(NetworkError, match="was planned for network"):
        build_scenario(chip, other, clips)
    with pytest.raises(NetworkError, match="no timestep"):
        build_scenario(chip, network, Clips.from_dense(np.zeros((1, 0, 10), dtype=int)))
