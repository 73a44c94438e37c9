"""Program a board with the bitstream of a project.

DIR is a folder that `spikeloom build --bitstream` wrote. openFPGALoader does it, where it is installed; --print shows the command instead,
for another machine. A chip with a host link (--link) is then given its network by `spikeloom deploy`.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from .. import programming

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="a folder that `spikeloom build --bitstream` wrote")
    parser.add_argument("--flash", action="store_true", help="write the board's flash memory: the board starts with it from now on")
    parser.add_argument("--print", action="store_true", help="show the command, and run nothing")


def run(args: argparse.Namespace) -> int:
    """Programs the board, or shows how."""
    if args.print:
        print(shlex.join(programming.load_command(args.directory, flash=args.flash)))
        return 0
    programming.program(args.directory, flash=args.flash)
    return 0
