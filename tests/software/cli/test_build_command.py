"""`spikeloom build`: what it hands to the library, and the folder that it writes or does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spikeloom.software.cli.main import main
from spikeloom.software.results import BuildResult
from spikeloom.spec.archive import save_network
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout


def test_build_hands_on_its_options_and_writes_the_folder(replace, tmp_path, capsys) -> None:
    def compile(network: Network, folder: Path, **options: object) -> BuildResult:
        (folder / "manifest.json").write_text("{}")
        return BuildResult(tiles=2, lanes=16, weight_bits_total=4096)

    recorder = replace("compile", compile)
    out = tmp_path / "new" / "out"
    assert main(["build", "net.npz", "--board", "ulx3s_85f", "--lanes", "16", "--tiles", "2", "--fabric", "star", "--storage", "dense", "--bitstream",
                 "--wrapper", "axi", "--export-state", "--counters", "--link", "115200", "--clock", "12000000", "-o", str(out), "--json"]) == 0
    assert recorder.options == {"board": "ulx3s_85f", "lanes": 16, "tiles": 2, "fabric": "star", "storage": "dense", "bitstream": True,
                                "wrapper": "axi", "export": True, "counters": True, "link": 115200, "clock_hz": 12_000_000,
                                "overlay": False, "capacity": {}, "also": []}
    assert json.loads(capsys.readouterr().out) == {"tiles": 2, "lanes": 16, "weight_bits_total": 4096, "luts": None, "ffs": None,
                                                   "brams": None, "dsps": None, "fmax_mhz": None,
                                                   "most_cycles": None, "real_time_margin": None}
    assert (out / "manifest.json").is_file()


def test_build_says_which_projections_it_stores_otherwise_than_given(tmp_path, capsys) -> None:
    weights = np.zeros((40, 40), dtype=int)
    weights[::7, ::5] = 3
    network = Network(name="thin", populations=(Population(name="x", size=40, model=Model.INPUT),
                                                Population(name="y", size=40, model=Model.LIF, theta=5, readout=Readout.COUNT)),
                      projections=(Projection(source="x", target="y", weights=weights),))
    save_network(network, tmp_path / "net.npz")
    for storage, said in (("auto", True), ("as-given", False)):
        assert main(["build", str(tmp_path / "net.npz"), "--board", "generic", "--storage", storage, "-o", str(tmp_path / storage)]) == 0
        assert ("Stored otherwise than given (auto): x -> y." in capsys.readouterr().out) == said


def test_a_limit_without_clips_is_refused(tmp_path, capsys) -> None:
    for more in ([], ["--fit"], ["--min-area", "--rate", "9"]):
        assert main(["build", "net.npz", "--board", "generic", "--limit", "5", *more, "-o", str(tmp_path / "out")]) == 2
        assert "--limit is of the clips of --input: give those, or leave it out" in capsys.readouterr().err


def test_build_says_its_real_time_margin_for_its_own_timestep_and_for_one_of_10_ms(replace, tmp_path, capsys) -> None:
    for step_ms, said in ((20.0, "6.2"), (10.0, None)):
        def compile(network: Network, folder: Path, *, step_ms=step_ms, **options: object) -> BuildResult:
            (folder / "manifest.json").write_text("{}")
            save_network(network, folder / "network.npz")
            return BuildResult(tiles=1, lanes=4, weight_bits_total=4096, step_ms=step_ms, most_cycles=19295, real_time_margin=12.4)

        replace("compile", compile)
        assert main(["build", "net.npz", "--board", "generic", "-o", str(tmp_path / str(step_ms))]) == 0
        lines = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
        assert ["real-time margin", "12.4"] in lines
        assert dict(lines[:9]).get("the same in steps of 10 ms") == said


def test_a_failed_build_is_one_paragraph_and_leaves_nothing(replace, tmp_path, capsys) -> None:
    def compile(network: Network, folder: Path, **options: object) -> BuildResult:
        (folder / "top.v").write_text("module")
        raise CapacityError("Network 'tiny' needs 300 block RAMs,\n  ulx3s_85f has 208;\n  use 4 bit weights")

    replace("compile", compile)
    assert main(["build", "net.npz", "--board", "ulx3s_85f", "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "spikeloom: error: Network 'tiny' needs 300 block RAMs, ulx3s_85f has 208; use 4 bit weights\n"
    assert list(tmp_path.iterdir()) == []
