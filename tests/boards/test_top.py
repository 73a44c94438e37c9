# amaranth: UnusedElaboratable=no
"""Designs on boards: which pins and clocks they end up with, before any tool has run."""

import importlib

import pytest

from spikeloom.boards import catalogue, flow
from spikeloom.boards.board import Board, UartPins
from spikeloom.boards.top import LinkTop
from spikeloom.gen.emit_device import linked_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.link.timing import LinkTiming
from tests.boards.test_flow import network


def prepared(board: Board, pll=None, module=None) -> dict[str, str]:
    """Files of the platform's build of a small linked chip."""
    chip = plan(network(), readable=True)
    device = linked_chip(chip, pack(chip, network()), LinkTiming(clock_hz=12_000_000, baud=1_000_000), b"{}")
    module, name = board.platform.split(":")
    files = getattr(importlib.import_module(module), name)().prepare(LinkTop(board, device, pll), name="chip", emit_src=False).files
    return {name: text if isinstance(text, str) else text.decode() for name, text in files.items()}


@pytest.fixture(autouse=True)
def _loader(monkeypatch):
    monkeypatch.setenv("OPENFPGALOADER", "true")  # the ULX3S platform asks for one


def test_the_serial_port_of_a_ulx3s_is_on_its_pins_and_the_clock_is_the_oscillator():
    files = prepared(catalogue.find("ulx3s_85f"))
    assert 'LOCATE COMP "uart_0__rx__io" SITE "M1";' in files["chip.lpf"] and 'LOCATE COMP "uart_0__tx__io" SITE "L4";' in files["chip.lpf"]
    assert 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ' in files["chip.lpf"] and "EHXPLLL" not in files["chip.il"]
    assert 'LOCATE COMP "led_1__io"' in files["chip.lpf"] and "led_2" not in files["chip.lpf"]


def test_the_serial_port_of_an_icebreaker_is_on_its_pins():
    files = prepared(catalogue.find("icebreaker"))
    assert "set_io uart_0__rx__io 6" in files["chip.pcf"] and "set_io uart_0__tx__io 9" in files["chip.pcf"]
    assert "set_io clk12_0__io 35" in files["chip.pcf"] and "SB_PLL40" not in files["chip.il"]


@pytest.mark.parametrize("name, hz, cell", [("ulx3s_85f", 40_000_000, "EHXPLLL"), ("icebreaker", 24_000_000, "SB_PLL40_PAD")])
def test_another_clock_comes_from_a_pll_that_the_oscillator_feeds(name, hz, cell):
    board = catalogue.find(name)
    text = prepared(board, flow.board_pll(board, hz))["chip.il"]
    assert text.count(f"cell \\{cell} ") == 1 and text.count("__io") > 0


def test_pins_that_the_platform_has_no_serial_port_on_can_be_named():
    board = Board(name="bare", description="", platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
                  uart=UartPins(rx="1", tx="7", connector=("pmod", 0), attributes={"IO_STANDARD": "SB_LVCMOS"}))
    files = prepared(board)
    assert "set_io link_0__rx__io 4" in files["chip.pcf"] and "set_io link_0__tx__io 3" in files["chip.pcf"] and "led" not in files["chip.pcf"]
