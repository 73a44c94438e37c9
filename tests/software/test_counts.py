"""Spike counts for a classifier on the host: from a simulation, and as readouts of a chip; and what shared weights save, as info and report say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.plan import plan
from spikeloom.gen.saved import saved_bits
from spikeloom.sim import golden
from spikeloom.software.cli.main import main
from spikeloom.software.counts import counted
from spikeloom.spec.archive import save_network
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Readout

from ..end_to_end.chip_bench import prove
from ..end_to_end.test_hybrid import hybrid, image
from ..end_to_end.test_residual_maps import backward


def test_simulate_writes_the_counts_of_every_layer_and_the_same_bytes_again(tmp_path, capsys):
    network = hybrid()
    save_network(network, tmp_path / "n.npz")
    clips = np.stack([image(network, 6, seed) for seed in range(3)])
    np.savez(tmp_path / "clips.npz", x=clips, y=np.array([2, 0, 1]))
    written = []
    for name in ("one.npz", "two.npz"):
        assert main(["simulate", str(tmp_path / "n.npz"), "--input", str(tmp_path / "clips.npz"), "--counts", str(tmp_path / name), "--json"]) == 0
        written.append((tmp_path / name).read_bytes())
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["clips"] == 3 and written[0] == written[1]
    result = golden.run(network, clips, record=True)
    with np.load(tmp_path / "one.npz") as found:
        assert set(found) == {"labels", *(f"counts_{name}" for name in "abcd")} and found["labels"].tolist() == [2, 0, 1]
        assert (found["counts_c"] == result.spikes["c"].sum(axis=1)).all() and found["counts_c"].sum() > 9
        # Of activations the last: what their changes add up to.
        p = network.population("b")
        assert (found["counts_b"] == np.clip(result.potentials["b"][:, -1] // p.theta, 0, p.max_spikes)).all()


def test_a_chip_gives_the_counts_of_a_layer_with_its_readouts_and_the_answer_stays():
    network = hybrid()
    more = counted(network, ["c"])
    assert [(p.name, p.readout) for p in more.populations if p.readout is not Readout.NONE] == [("c", Readout.COUNT), ("y", Readout.LAST)]
    clip = image(network, 6)
    run = prove(more, plan(more, lanes=4), clip)
    wanted, result = golden.run(network, clip[None]), golden.run(more, clip[None])
    assert [v for population, _, v in run.readouts[0] if population == 0] == wanted.spike_counts["c"][0].tolist() == result.readouts["c"][0].tolist()
    assert result.answers.tolist() == wanted.answers.tolist() and sum(wanted.spike_counts["c"][0]) > 3
    # A population that is listed behind the one that answers does not become the answer.
    turned = replace(network, populations=network.populations[::-1])
    assert counted(turned, ["c"]).populations[-1].name == "y"


@pytest.mark.parametrize("name, text", [("b", "'b': it sends changes of an activation"), ("x", "'x': it sends no spikes"), ("z", "no population")])
def test_what_does_not_spike_is_not_counted(name, text):
    with pytest.raises(NetworkError, match=text):
        counted(hybrid(), [name])


def test_build_with_counts_reads_them_and_faults_refuse_them(tmp_path, capsys):
    save_network(hybrid(), tmp_path / "n.npz")
    np.savez(tmp_path / "clips.npz", x=image(hybrid(), 3)[None])
    given = ["simulate", str(tmp_path / "n.npz"), "--input", str(tmp_path / "clips.npz"), "--counts", str(tmp_path / "c.npz"), "--fault", "ber=0.1"]
    assert main(given) != 0 and "--counts writes the spikes of one run" in capsys.readouterr().err
    assert main(["build", str(tmp_path / "n.npz"), "--board", "generic", "--counts", "c", "-o", str(tmp_path / "chip")]) == 0
    outputs = json.loads((tmp_path / "chip" / "manifest.json").read_text())
    assert '"c"' in json.dumps(outputs) and "count" in json.dumps(outputs)


def test_info_and_report_say_what_shared_weights_save(tmp_path, capsys):
    network = backward(passes=3)
    save_network(network, tmp_path / "n.npz")
    assert main(["info", str(tmp_path / "n.npz"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    kernel = 4 * 4 * 9 * 4  # channels, channels, positions, bits
    assert told["shared_bits"] == 2 * kernel and told["weight_bits"] == kernel + 4 * 2 * 9 * 4 + 3 * 24 * 4
    assert main(["info", str(tmp_path / "n.npz")]) == 0 and f"; {2 * kernel:,} more without shared matrices" in capsys.readouterr().out
    assert main(["build", str(tmp_path / "n.npz"), "--board", "generic", "--lanes", "4", "-o", str(tmp_path / "chip")]) == 0
    chip, apart = plan(network, lanes=4), plan(backward(passes=3, matrix=False), lanes=4)
    tile = next(t for t in chip.tiles if len(t.groups) == 3)
    assert saved_bits(apart) == 0 and saved_bits(chip) == 2 * 36 * 4 * tile.weight_bits + 24 * sum(tile.pointer_bits)
    assert f"{saved_bits(chip)} bits of weights and pointers less" in (tmp_path / "chip" / "report.md").read_text()


def test_names_of_populations_are_no_file_to_write(tmp_path, capsys) -> None:
    assert main(["simulate", str(tmp_path / "n.npz"), "--input", str(tmp_path / "x.npy"), "--counts", "hidden"]) == 2
    assert "--counts: is the file to write, NAME.npz, not 'hidden'" in capsys.readouterr().err
