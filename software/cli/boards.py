"""List the boards that `build` knows: flow, clock, budget, host link, and what was tried with each.

"built here": a bitstream was made and timed. "plan only": its project for the vendor's tools was written. Nothing was tested on hardware: no board
was attached.
"""

from __future__ import annotations

import argparse
import json

from ...boards import catalogue
from ...boards.board import Board, UartPins
from ..report import table
from .arguments import add_json

__all__ = ["add_arguments", "run"]

_FLOWS = {"none": "Verilog", "xilinx": "Vivado project", "zynq": "Vivado project, AXI"}
_TRIED = {"built": "built here", "planned": "plan only", "": "not tried"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Shows one line per board; with ``--json`` an object of them by name."""
    if args.json:
        print(json.dumps({name: _values(catalogue.find(name)) for name in catalogue.names()}))
        return 0
    rows = []
    for name in catalogue.names():
        board = catalogue.find(name)
        size = [board.budget.get(part) for part in ("luts", "brams", "bram_bits", "dsps")]
        rows.append((name, board.description, _FLOWS.get(board.flow, f"{board.flow}, bitstream"), board.clock_mhz, *size, _link(board),
                     _TRIED[board.tried]))
    print(table(rows, ("board", "description", "flow", "clock/MHz", "LUTs", "block RAMs", "bits of one", "multipliers", "host link", "tried")))
    print("\nNo board was attached to the machine on which this was made: nothing was tested on hardware.")
    return 0


def _values(board: Board) -> dict[str, object]:
    """What a program may ask for; ``bitstream``: ``build --bitstream`` makes one."""
    bitstream = board.flow not in _FLOWS
    return {"description": board.description, "flow": board.flow, "bitstream": bitstream, "clock_mhz": board.clock_mhz, "budget": dict(board.budget),
            "memories": board.memories, "link": {"-": None}.get(link := _link(board), link), "loader": board.loader, "tried": board.tried or None}


def _link(board: Board) -> str:
    if board.uart is None:
        return "AXI" if board.flow == "zynq" else "-"
    return f"UART on {board.uart.rx}, {board.uart.tx}" if isinstance(board.uart, UartPins) else "UART"
