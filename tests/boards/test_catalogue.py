# amaranth: UnusedElaboratable=no
"""Boards are data: all of it is there, and agrees with the platforms; projects for Vivado are whole."""

import importlib
import json
import re
import subprocess
from dataclasses import replace

import pytest

import spikeloom
from spikeloom.boards import catalogue, flow, gowin
from spikeloom.boards.board import UartPins
from spikeloom.boards.vivado import VIVADO_FLOWS
from spikeloom.spec.errors import CapacityError, ToolError
from tests.boards.test_flow import network

BOARDS = [catalogue.find(name) for name in catalogue.names()]
REAL = [board for board in BOARDS if board.flow != "none"]


@pytest.fixture(autouse=True)
def _loader(monkeypatch):
    monkeypatch.setenv("OPENFPGALOADER", "true")  # some platforms ask for one


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.name)
def test_a_board_s_data_agrees_with_its_platform(board):
    module, name = board.platform.split(":")
    platform = getattr(importlib.import_module(module), name)()
    assert board.flow in flow.FAMILIES or board.flow in VIVADO_FLOWS
    assert set(board.budget) >= {"luts", "ffs", "brams", "bram_bits", "dsps"} and min(board.budget.values()) > 0
    assert board.tried in ("", "built", "planned")
    if board.flow != "zynq":  # whose chip runs on the processors' clock
        assert platform.default_clk_frequency == board.oscillator_mhz * 1e6
    if isinstance(board.uart, int):
        assert ("uart", board.uart) in platform.resources
    elif board.uart is not None:
        assert isinstance(board.uart, UartPins) and board.uart.connector in platform.connectors
    assert not board.leds or (("rgb_led", 0) if board.rgb_led else ("led", board.leds - 1)) in platform.resources


def test_no_board_is_said_to_be_tested_on_hardware():
    for board in BOARDS:
        assert "hardware" not in board.description and "tested" not in board.description


@pytest.mark.parametrize("name", ["arty_a7_35", "arty_a7_100"])
def test_an_artix_board_gets_a_project_for_vivado(name, tmp_path):
    spikeloom.compile(network(), tmp_path, board=name)
    made = tmp_path / "board"
    tcl, xdc, verilog = ((made / f"chip.{kind}").read_text() for kind in ("tcl", "xdc", "v"))
    assert f"-part xc7a{name[8:]}ti" in tcl and "add_files chip.v" in tcl and "read_xdc chip.xdc" in tcl and "write_bitstream" in tcl
    assert 'set_property LOC E3 [get_ports "clk100_0__io"]' in xdc and "create_clock" in xdc and "10.0" in xdc
    ports = set(re.findall(r'get_ports "(\w+)"', xdc))
    declared = set(re.findall(r"^  (?:input|output|inout) (\w+);", verilog, re.M))
    assert {"clk100_0__io", "led_0__io", "led_3__io"} <= ports and {p for p in ports if "__io" in p} <= declared


def test_a_zynq_board_gets_the_chip_behind_axi_beside_its_processors(tmp_path):
    spikeloom.compile(network(), tmp_path, board="arty_z7_20")
    tcl, xdc = ((tmp_path / "board" / f"chip.{kind}").read_text() for kind in ("tcl", "xdc"))
    verilog = (tmp_path / "axi" / "chip_axi.v").read_text()
    assert "add_files ../axi/chip_axi.v" in tcl and "-reference chip_axi chip" in tcl and "-part xc7z020clg400-1" in tcl
    assert tcl.count("{") == tcl.count("}") and tcl.count("[") == tcl.count("]")
    assert "PACKAGE_PIN R14 [get_ports irq]" in xdc
    for bus in re.findall(r"chip/(\w+)\]", tcl):  # every interface and pin that the block design connects is one of the module
        assert re.search(rf"\b{bus}(_\w+)?\b", verilog.split(");")[0]), bus


def test_vivado_s_boards_have_no_bitstream_here_and_only_their_own_clock(tmp_path):
    with pytest.raises(ToolError, match="Bitstream for arty_a7_35: Vivado makes it, of the project that is written to DIR/board without --bitstream"):
        spikeloom.compile(network(), tmp_path, board="arty_a7_35", bitstream=True)
    with pytest.raises(ToolError, match="Host link of arty_z7_20: its chip is behind AXI"):
        spikeloom.compile(network(), tmp_path, board="arty_z7_20", link=1_000_000)
    with pytest.raises(CapacityError, match="runs on the board's oscillator, 100000000 Hz, and not on 50000000 Hz"):
        spikeloom.compile(network(), tmp_path, board="arty_a7_35", clock_hz=50_000_000)


def test_gowin_s_adapter_calls_the_new_nextpnr_as_the_old_one_was_called(tmp_path):
    said = tmp_path / "said"
    (tmp_path / "nextpnr").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    (tmp_path / "adapter").write_text(gowin.FAMILY.adapters["NEXTPNR_GOWIN"])
    for name in ("nextpnr", "adapter"):
        (tmp_path / name).chmod(0o755)
    subprocess.run([tmp_path / "adapter", "--device", "GW1NR-LV9QN88PC6/I5", "--family", "GW1N-9C", "--json", "a b.json", "--cst", "chip.cst"],
                   env={"NEXTPNR_HIMBAECHEL_GOWIN": str(tmp_path / "nextpnr"), "PATH": "/usr/bin:/bin"}, check=True)
    assert said.read_text().splitlines() == ["--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--json", "a b.json", "--vopt",
                                             "cst=chip.cst"]


def test_luts_of_gowin_are_those_of_carries_and_distributed_ram_too():
    cells = {"LUT4": 100, "ALU": 20, "RAM16SDP4": 3, "BSRAM": 2}
    report = json.dumps({"fmax": {"c": {"achieved": 112.2}}, "utilization": {name: {"used": used} for name, used in cells.items()}})
    used, fmax_mhz = flow.read_report(report, gowin.FAMILY)
    assert (used.luts, used.brams, used.dsps, fmax_mhz) == (132, 2, 0, 112.2)
    used, _ = flow.read_report(report, replace(gowin.FAMILY, cells={"luts": "LUT4", "ffs": "DFF", "brams": "BSRAM", "dsps": "X"}))
    assert used.luts == 100


def test_what_is_said_to_be_built_here_was_measured(root):
    """The kept results of bench/boards.py; other boards' owners may have built theirs by hand."""
    kept = json.loads((root / "bench" / "boards.json").read_text())
    for name, found in kept.items():
        built = found["placed"] and "error" not in found
        board, _, further = name.partition("-")  # a further design on a board need not fit it
        assert further or (catalogue.find(board).tried == "built") == built, name
        assert not built or found["fmax_mhz"] >= found["clock_mhz"], name
