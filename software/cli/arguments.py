"""Argument types and options that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

__all__ = ["add_device", "add_json", "add_limit", "integer_within", "number_within", "positive", "positive_number"]


def positive(text: str) -> int:
    """An integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, not {text!r}")
    return value


def positive_number(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def integer_within(low: int, high: int) -> Callable[[str], int]:
    """A type of integers of ``low`` to ``high``."""
    def integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be an integer of {low} to {high}, not {text!r}")
        return value

    return integer


def number_within(low: float, high: float) -> Callable[[str], float]:
    """A type of numbers of ``low`` to ``high``."""
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be a number of {low:g} to {high:,g}, not {text!r}")
        return value

    return number


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds ``--device``, ``--baud`` and ``--record``."""
    parser.add_argument("--device", metavar="DEVICE", required=True,
                        help="a serial port (/dev/ttyUSB0), sim:DIR (the compiled Verilog of a build with --link), or replay:FILE (a recording)")
    parser.add_argument("--baud", metavar="N", type=positive, help="rate of a serial port (default 1000000)")
    parser.add_argument("--record", metavar="FILE", type=Path, help="write all traffic to a file, for replay:FILE")


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Adds ``--limit N``."""
    parser.add_argument("--limit", type=positive, metavar="N", help="use the first N clips only")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
