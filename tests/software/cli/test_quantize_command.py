"""`spikeloom quantize`: what it hands to the library, and what it leaves if that fails."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikeloom.software.cli.main import main
from spikeloom.spec.network import Network


def test_quantize_hands_on_its_options_and_writes_the_network(replace, network, tmp_path, capsys) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=lambda: "beta 0.9 -> 230/256")))
    replace("save", lambda network, path: path.write_text(network.name))
    out = tmp_path / "net.npz"
    assert main(["quantize", "net.pt", "-o", str(out), "--weight-bits", "6", "--scale", "layer", "--decay", "shift",
                 "--input", "c.npz", "--beta", "0.8", "--threshold", "1.5", "--reset", "zero", "--readout", "max"]) == 0
    assert quantize.args == (Path("net.pt"),)
    assert quantize.options == {"weight_bits": 6, "scale": "layer", "decay": "shift", "clips": Path("c.npz"), "beta": 0.8,
                                "threshold": 1.5, "reset": "zero", "readout": "max"}
    assert out.read_text() == "tiny"
    assert capsys.readouterr().out == f"beta 0.9 -> 230/256\nWritten: {out}\n"


def test_quantize_has_the_defaults_of_the_issue(replace, network, tmp_path) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str)))
    replace("save", lambda network, path: path.touch())
    main(["quantize", "net.pt", "-o", str(tmp_path / "net.npz")])
    assert quantize.options == {"weight_bits": 8, "scale": "neuron", "decay": "multiply", "clips": None, "beta": None,
                                "threshold": None, "reset": None, "readout": None}  # a count where there are spikes


@pytest.mark.parametrize(("argv", "options"), [
    (["--bits", "auto", "--max-drop", "0.5", "--v-bits", "16", "--i-bits", "18"],
     {"weight_bits": "auto", "max_drop": 0.5, "v_bits": 16, "i_bits": 18}),
    (["--bits", "auto"], {"weight_bits": "auto"}),
    (["--bits", "1"], {"weight_bits": 1}),
    (["--bits", "input->hidden1=6, hidden1->output=1,4"], {"weight_bits": {"input->hidden1": 6, "hidden1->output": 1, "*": 4}}),
])
def test_quantize_takes_bits_by_projection_or_searches_them(argv, options, replace, network, tmp_path, capsys) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str, as_json=lambda: {"name": "tiny"})))
    replace("save", lambda network, path: path.touch())
    assert main(["quantize", "net.pt", "-o", str(tmp_path / "net.npz"), "--json", *argv]) == 0
    given = {name: value for name, value in quantize.options.items() if name in ("weight_bits", "max_drop", "v_bits", "i_bits")}
    assert given == options
    assert json.loads(capsys.readouterr().out) == {"name": "tiny"}


def test_a_network_that_cannot_be_saved_leaves_nothing(replace, network, tmp_path) -> None:
    replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str)))

    def fail(network: Network, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    replace("save", fail)
    assert main(["quantize", "net.pt", "-o", str(tmp_path / "out" / "net.npz")]) == 2
    assert list(tmp_path.iterdir()) == []
