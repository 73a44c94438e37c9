"""Play clips on a device, and show its answers.

The network is loaded first, if the device does not hold it already. Each clip begins with cleared states.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import api
from ..progress import Progress
from ..report import json_line, table
from .arguments import add_device, add_json, add_limit

__all__ = ["add_arguments", "run"]

_SHOWN = 8  # answers printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    parser.add_argument("--input", metavar="CLIPS", type=Path, required=True, help="clips: .npz, .npy or .wav")
    add_device(parser)
    add_limit(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the clips and shows the answers."""
    network = api.load(args.network)
    with Progress("run", quiet=args.json) as progress:
        result = api.run(network, args.input, device=args.device, limit=args.limit, baud=args.baud, record=args.record, progress=progress.update)
    if args.json:
        print(json_line(result, ("clips", "accuracy", "answers", "errors", "seconds")))
        return 0
    shown = ", ".join(result.answers[:_SHOWN]) + (", ..." if len(result.answers) > _SHOWN else "")
    print(table([("clips", f"{result.clips:,}"), ("answers of the device", shown),
                 ("accuracy", "no labels" if result.accuracy is None else f"{result.accuracy:.2%}"), ("events refused", result.errors),
                 ("frames sent again", result.repeated), ("seconds", f"{result.seconds:.3f}")]))
    return 0
