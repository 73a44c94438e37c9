"""The generated project: same bytes for the same network, complete, and awake at time 0."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.emit import chip_verilog, emit, manifest, triggered
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(5)
    return Network(name="net", populations=(
        Population(name="inp", size=6, model=Model.INPUT),
        Population(name="hid", size=9, model=Model.LIF, decay=Decay(shift_a=3), reset=Reset.SUBTRACT, theta=20, v_bits=12),
        Population(name="out", size=3, model=Model.LI, decay=Decay(factor=230, fraction_bits=8), v_bits=14, readout=Readout.MAX),
    ), projections=(
        Projection(source="inp", target="hid", weights=rng.integers(-8, 8, (9, 6)), weight_bits=4),
        Projection(source="hid", target="hid", weights=rng.integers(-8, 8, (9, 9)), weight_bits=4, delay=1),
        Projection(source="hid", target="out", weights=rng.integers(-8, 8, (3, 9)), weight_bits=4),
    ))


def test_two_builds_of_a_network_are_equal_to_the_byte(network, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        chip = plan(network, lanes=4)
        emit(tmp_path / name, chip, network, pack(chip, network))
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["chip.v", "image.npz", "manifest.json", "network.npz"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_verilog_does_not_depend_on_another_yosys(network, monkeypatch, tmp_path):
    chip = plan(network, lanes=4)
    text = chip_verilog(chip, pack(chip, network))
    other = tmp_path / "yosys"  # says its version and writes nothing, where Amaranth would look first
    other.write_text("#!/bin/sh\necho 'Yosys 0.60 (git sha1 0123456)'\n")
    other.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(other))
    assert chip_verilog(chip, pack(chip, network)) == text


def test_verilog_names_no_path_and_no_source(network):
    chip = plan(network, lanes=4)
    text = chip_verilog(chip, pack(chip, network))
    assert "src =" not in text and ".py" not in text and "/" + "work" not in text
    assert "\nmodule chip(" in text


def test_every_combinational_process_is_woken_after_time_zero(network):
    chip = plan(network, lanes=4)
    text = chip_verilog(chip, pack(chip, network))
    assert "verilog_backend" not in text  # the back end's own trigger, which Icarus initialises before anybody listens
    assert text.count("always @*") == text.count("if (initial_trigger_")
    assert "always @*" in text


def test_a_module_without_trigger_is_left_alone():
    text = "module m(a);\n  reg b = 0;\nendmodule\n"
    assert triggered(text) == text


def test_manifest_describes_every_port_field_and_group(network):
    described = manifest(plan(network, lanes=4), network)
    json.dumps(described)
    assert described["period"] == 1 and described["levels"] == 2
    assert described["streams"]["control"]["fields"] == {"command": [0, 2, False], "count": [2, 16, False]}
    assert described["streams"]["readouts"]["fields"]["value"][2] is True
    assert [g["population"] for t in described["tiles"] for g in t["groups"]] == ["hid", "out"]
    assert described["outputs"] == [{"population": "out", "size": 3, "index": 0, "readout": "max", "level": 2, "readout_bits": 14, "values": 3,
                                     "max_spikes": 1}]
    assert described["answer"] == {"output": 0, "population": "out", "best": "largest", "widths": {"valid": 1, "index": 2, "confidence": 14}}


def test_manifest_describes_votes_payloads_and_the_answer(network):
    voters = Population(name="out", size=3, model=Model.IF, theta=5, max_spikes=6, readout=Readout.VOTE, classes=np.array([1, -1, 4]))
    first = Population(name="first", size=1, model=Model.IF, theta=5, readout=Readout.FIRST)
    onto = Projection(source="inp", target="first", weights=np.ones((1, 6), dtype=int))

    def described(*populations):
        projections = tuple(p for p in (*network.projections, onto) if p.target in {q.name for q in populations} and p.source != "hid")
        whole = Network(name="net", populations=(network.populations[0], *populations),
                        projections=(*projections, Projection(source="inp", target="out", weights=np.ones((3, 6), dtype=int))))
        return manifest(plan(whole, lanes=4), whole)

    votes = described(voters)
    assert votes["outputs"] == [{"population": "out", "size": 3, "index": 0, "readout": "vote", "level": 1, "readout_bits": 16, "values": 5,
                                 "max_spikes": 6, "classes": [1, -1, 4]}]
    assert votes["streams"]["spikes"]["fields"]["payload"] == [18, 3, False]
    assert votes["streams"]["readouts"]["fields"]["neuron"] == [0, 3, False]  # the class
    assert votes["answer"] == {"output": 0, "population": "out", "best": "largest", "widths": {"valid": 1, "index": 3, "confidence": 16}}
    assert described(voters, first)["answer"] == {"output": 1, "population": "first", "best": "smallest",
                                                  "widths": {"valid": 1, "index": 1, "confidence": 16}}


def test_a_chip_without_readouts_has_no_answer_and_no_payload_of_spikes(network):
    inputs, hidden, _ = network.populations
    silent = Network(name="net", populations=(inputs, replace(hidden, output=True)), projections=network.projections[:2])
    chip = plan(silent, lanes=4)
    described = manifest(chip, silent)
    assert described["answer"] is None and "payload" not in described["streams"]["spikes"]["fields"]
    assert "answer" not in chip_verilog(chip, pack(chip, silent))


def test_manifest_says_what_a_state_word_holds_and_how_it_is_read(network):
    plain, exporting = (manifest(plan(network, lanes=4, export=export), network) for export in (False, True))
    hid = plain["tiles"][0]
    assert list(hid["state"]["fields"]) == ["u"] and hid["memories"]["5"] == {"depth": 9 // 4 * 4 + 4, "width": hid["state"]["width"]}
    assert list(exporting["tiles"][0]["state"]["fields"]) == ["u", "v"]
    width = hid["state"]["width"]
    assert exporting["tiles"][0]["state"] == {"width": width + 12, "fields": {"u": [0, width, True], "v": [width, 12, True]}}
    assert "readback" not in plain["streams"] and "read" not in plain["streams"]["config"]["fields"]
    assert exporting["streams"]["readback"] == {"width": 33, "fields": {"data": [0, 32, False], "last": [32, 1, False]}}
    assert exporting["streams"]["config"]["fields"]["read"] == [64, 1, False]
