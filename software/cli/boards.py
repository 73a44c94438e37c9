"""List the boards that `build` knows."""

from __future__ import annotations

import argparse

from .. import api
from ..report import table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares no arguments."""


def run(args: argparse.Namespace) -> int:
    """Shows one line per board."""
    print(table(api.boards(), ("board", "description")))
    return 0
