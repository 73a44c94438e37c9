"""``spikeloom simulate --fault``: what it runs, prints and writes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.sim.fault_runs import drawn, simulate_faults
from spikeloom.sim.faults import Fault
from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Network, Population, Projection, Readout


@pytest.fixture
def files(tmp_path):
    """A network, its clips, and their files."""
    rng = np.random.default_rng(0)
    network = Network(name="small", populations=(Population(name="x", size=6, model=Model.INPUT), Population(
        name="y", size=3, model=Model.IF, theta=6, readout=Readout.COUNT)),
        projections=(Projection(source="x", target="y", weights=rng.integers(-4, 4, (3, 6)), weight_bits=3),))
    x = (rng.random((12, 9, 6)) < 0.5).astype(int)
    clips = Clips.from_dense(x, labels=np.arange(12) % 3)
    api.save(network, tmp_path / "net.npz")
    np.savez(tmp_path / "clips.npz", x=x, y=clips.labels)
    return network, clips, ["simulate", str(tmp_path / "net.npz"), "--input", str(tmp_path / "clips.npz")]


@pytest.mark.parametrize("options, mode, per", [((), "static", "clip"), (("--static", "--fault-per", "run"), "static", "run"),
                                                (("--dynamic",), "dynamic", "clip")])
def test_the_command_prints_what_the_library_reports(files, capsys, options, mode, per) -> None:
    network, clips, command = files
    assert main([*command, "--fault", "levels=8,sigma=0.6", "--seed", "7", "--seeds", "3", *options, "--json"]) == 0
    want = simulate_faults(network, clips, Fault(levels=8, sigma=0.6), mode=mode, per=per, seed=7, n_seeds=3)
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"fault": "levels=8,sigma=0.6", "mode": mode, "per": "read" if mode == "dynamic" else per, "clips": 12,
                       "accuracy": want.accuracy, "mean": want.mean, "spread": want.spread, "seeds": [7, 8, 9],
                       "accuracies": list(want.accuracies), "changed": list(want.changed)}
    assert main([*command, "--fault", "levels=8,sigma=0.6", "--seed", "7", "--seeds", "3", *options, "--limit", "5"]) == 0
    out = capsys.readouterr().out
    for text in ("accuracy without faults", "points over 3 seeds", f"{mode}, anew per", "other answers", "9  "):
        assert text in out


def test_the_faulty_network_of_a_run_is_written_and_is_that_which_was_scored(files, capsys, tmp_path) -> None:
    network, clips, command = files
    out = tmp_path / "faulty.npz"
    assert main([*command, "--fault", "ber=0.2", "--static", "--fault-per", "run", "--seed", "3", "--write-faulty", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    written = api.load(out)
    assert written.digest == drawn(network, Fault(ber=0.2), 3).digest != network.digest
    assert written.metadata["fault"] == {"fault": "ber=0.2", "seed": 3}
    assert golden.simulate(written, clips).accuracy == printed["accuracies"][0]


@pytest.mark.parametrize("options, says", [
    (("--fault", "ber=2"), "ber is a probability"), (("--fault", "noise"), "ber=1e-2"), (("--static",), "--fault"), (("--dynamic",), "--fault"),
    (("--fault", "ber=0.1", "--static", "--dynamic"), "not allowed"), (("--fault", "ber=0.1", "--dynamic", "--fault-per", "run"), "static errors"),
    (("--fault", "ber=0.1", "--write-faulty", "x.npz"), "--fault-per run"), (("--fault", "ber=0.1", "--seed", "-1"), "at least 0"),
    (("--fault", "ber=0.1", "--seeds", "0"), "at least 1")])
def test_options_that_do_not_belong_together_are_refused(files, capsys, options, says) -> None:
    assert main([*files[2], *options]) == 2
    assert says in capsys.readouterr().err


def test_clips_without_labels_show_how_many_answers_change(files, capsys, tmp_path) -> None:
    _, clips, command = files
    np.save(tmp_path / "plain.npy", clips.dense())
    assert main([*command[:3], str(tmp_path / "plain.npy"), "--fault", "ber=0.3", "--seeds", "2"]) == 0
    assert capsys.readouterr().out.count("no labels") == 2
