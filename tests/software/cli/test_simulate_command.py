"""`spikeloom simulate`: its JSON, its table, its answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from spikeloom.software.cli.main import main

SIMULATION = SimpleNamespace(clips=3, accuracy=None, spikes_per_population={"input": 12.5, "hidden": 4.0}, sops=123456,
                             clips_per_second=789.5, answers=np.zeros(3), confidence=6.5)


def test_simulate_prints_exactly_the_json_of_the_issue(replace, capsys) -> None:
    simulate = replace("simulate", SIMULATION)
    assert main(["simulate", "net.npz", "--input", "clips.npz", "--limit", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"clips": 3, "accuracy": None, "confidence": 6.5, "sops": 123456,
                               "spikes_per_population": {"input": 12.5, "hidden": 4.0}, "clips_per_second": 789.5}
    assert err == ""
    assert simulate.args[1] == Path("clips.npz")
    assert simulate.options == {"limit": 3}


def test_simulate_tells_people_that_there_are_no_labels(replace, capsys) -> None:
    replace("simulate", SIMULATION)
    assert main(["simulate", "net.npz", "--input", "clips.npz"]) == 0
    out = capsys.readouterr().out
    assert "no labels" in out and "123,456" in out and "hidden" in out and "6.5 above the second" in out


def test_simulate_without_a_readout_has_no_confidence(replace, capsys) -> None:
    replace("simulate", SimpleNamespace(**vars(SIMULATION) | {"confidence": None}))
    assert main(["simulate", "net.npz", "--input", "clips.npz"]) == 0
    assert "no readout" in capsys.readouterr().out


def test_simulate_shows_answers_by_their_labels(root, capsys) -> None:
    argv = ["simulate", str(root / "models/kws-small.npz"), "--input", str(root / "examples/clips/yes.wav"), "--answers"]
    assert main(argv) == 0
    assert re.search(r"clip  answer  confidence\n.*\n   0  yes +[\d,]+\n$", capsys.readouterr().out)
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] == ["yes"] and told["confidences"] == [told["confidence"]]
    assert main([*argv, "--fault", "ber=1e-3"]) == 2
    assert "leave one of the two out" in capsys.readouterr().err


def test_answers_of_a_network_without_readout_are_an_error(replace, capsys) -> None:
    replace("simulate", SimpleNamespace(**vars(SIMULATION) | {"answers": None, "confidences": None}))
    assert main(["simulate", "net.npz", "--input", "clips.npz", "--answers"]) == 2
    assert "has a readout, so there is no answer to a clip" in capsys.readouterr().err
