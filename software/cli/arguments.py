"""Argument types and options that several subcommands share."""

from __future__ import annotations

import argparse

__all__ = ["add_json", "add_limit", "positive"]


def positive(text: str) -> int:
    """An integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, not {text!r}")
    return value


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Adds ``--limit N``."""
    parser.add_argument("--limit", type=positive, metavar="N", help="use the first N clips only")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
