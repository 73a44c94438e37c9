"""Load a network onto a device, and verify it.

The device must run the image of DIR, a folder that `spikeloom build --link` wrote. NET is its own network, or another one of the same
shape. Memories that hold it already are left alone; all are verified by digests that the device makes of what it reads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import api
from ..report import json_line, table
from .arguments import add_device, add_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="a folder that `spikeloom build --link` wrote")
    parser.add_argument("network", metavar="NET.npz", type=Path, nargs="?", help="a quantized network (default: that of DIR)")
    add_device(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Loads, and shows what was done."""
    network = None if args.network is None else api.load(args.network)
    result = api.deploy(args.directory, network, device=args.device, baud=args.baud, record=args.record)
    if args.json:
        print(json_line(result, ("network", "digest", "memories", "words", "written", "verified", "repeated", "seconds")))
        return 0
    print(table([("network", f"{result.network} {result.digest[:12]}"), ("memories", result.memories), ("words", f"{result.words:,}"),
                 ("memories written", result.written), ("verified", "yes" if result.verified else "no: this image cannot read its memories"),
                 ("frames sent again", result.repeated), ("seconds", f"{result.seconds:.3f}")]))
    return 0
