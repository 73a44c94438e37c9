"""List the boards that `build` knows: flow, clock, budget, host link, and what was tried with each.

"built here": a bitstream was made and timed. "plan only": its project for the vendor's tools was written. Nothing was tested on hardware: no board
was attached.
"""

from __future__ import annotations

import argparse

from ...boards import catalogue
from ...boards.board import Board, UartPins
from ..report import table

__all__ = ["add_arguments", "run"]

_FLOWS = {"none": "Verilog", "xilinx": "Vivado project", "zynq": "Vivado project, AXI"}
_TRIED = {"built": "built here", "planned": "plan only", "": "not tried"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares no arguments."""


def run(args: argparse.Namespace) -> int:
    """Shows one line per board."""
    rows = []
    for name in catalogue.names():
        board = catalogue.find(name)
        size = [board.budget.get(part) for part in ("luts", "brams", "bram_bits", "dsps")]
        rows.append((name, board.description, _FLOWS.get(board.flow, f"{board.flow}, bitstream"), board.clock_mhz, *size, _link(board),
                     _TRIED[board.tried]))
    print(table(rows, ("board", "description", "flow", "clock/MHz", "LUTs", "block RAMs", "bits of one", "multipliers", "host link", "tried")))
    print("\nNo board was attached to the machine on which this was made: nothing was tested on hardware.")
    return 0


def _link(board: Board) -> str:
    if board.uart is None:
        return "AXI" if board.flow == "zynq" else "-"
    return f"UART on {board.uart.rx}, {board.uart.tx}" if isinstance(board.uart, UartPins) else "UART"
