"""`spikeloom cosim`: what it prints, and when it fails. The library itself is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikeloom.software.cli.main import main
from spikeloom.software.results import CosimResult

COSIM = CosimResult(clips=2, accuracy=0.5, spikes_compared=40, spikes_wrong=0, states_compared=1000, states_wrong=0,
                    cycles_predicted=500, cycles_measured=500, sops=8000, lanes=16)


def test_cosim_prints_exactly_the_json_of_the_issue(replace, capsys) -> None:
    cosim = replace("cosim", COSIM)
    assert main(["cosim", "out", "--input", "clips.npz", "--limit", "2", "--engine", "compiled", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "clips": 2, "accuracy": 0.5, "spikes_compared": 40, "spikes_wrong": 0, "states_compared": 1000, "states_wrong": 0,
        "cycles_predicted": 500, "cycles_measured": 500, "sops": 8000, "lanes": 16, "words": [], "confidences": []}
    assert cosim.args == (Path("out"), Path("clips.npz"))
    assert cosim.options == {"limit": 2, "engine": "compiled", "network": None}


@pytest.mark.parametrize("change", [{"spikes_wrong": 1}, {"states_wrong": 1}, {"cycles_measured": 501},
                                    {"phases_wrong": 2}, {"clips_flagged": 1}, {"first_divergence": "clip 0"},
                                    {"clips": 0, "states_compared": 0}])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_cosim_fails_on_any_difference_and_on_a_comparison_of_nothing(replace, change, flags, capsys) -> None:
    replace("cosim", CosimResult(**{**COSIM.__dict__, **change}))
    assert main(["cosim", "out", "--input", "clips.npz", *flags]) == 1
    assert flags or "DIFFERS" in capsys.readouterr().out


def test_cosim_that_fails_tells_the_first_difference(replace, capsys) -> None:
    replace("cosim", CosimResult(**{**COSIM.__dict__, "spikes_wrong": 1, "first_divergence": "clip 0, timestep 3, hidden 7"}))
    assert main(["cosim", "out", "--input", "clips.npz"]) == 1
    assert "First difference: clip 0, timestep 3, hidden 7" in capsys.readouterr().out


def test_cosim_that_finds_equality_says_so(replace, capsys) -> None:
    replace("cosim", COSIM)
    assert main(["cosim", "out", "--input", "clips.npz"]) == 0
    out = capsys.readouterr().out
    assert "The Verilog equals the golden model and the cycle model." in out
    assert "50.00%" in out and "1.000" in out


def test_cosim_shows_the_answers_of_the_hardware_and_its_confidence(replace, capsys) -> None:
    known = {**COSIM.__dict__, "words": tuple("abcdefghi")}
    replace("cosim", CosimResult(**known))
    main(["cosim", "out", "--input", "clips.npz"])
    assert "answers of the hardware   a, b, c, d, e, f, g, h, ...\n" in capsys.readouterr().out
    replace("cosim", CosimResult(**{**known, "words": ("yes", "no"), "confidences": (1234, 0)}))
    main(["cosim", "out", "--input", "clips.npz"])
    assert "answers of the hardware (confidence)  yes (1,234), no (0)\n" in capsys.readouterr().out
    main(["cosim", "out", "--input", "clips.npz", "--json"])
    out = json.loads(capsys.readouterr().out)
    assert (out["words"], out["confidences"]) == (["yes", "no"], [1234, 0])
