"""Play clips on a device and show its answers, or spot words in a stream of sound or events.

The network is loaded first, if the device does not hold it already. Clips (--input) begin with cleared states, each; a stream (--wav, --events,
--mic)
carries states on, and words are printed with their times as they are spotted. `--device golden` is the golden model, for streams without a device.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...spec.errors import SpikeLoomError
from .. import api
from ..progress import Progress
from ..report import json_line, table
from .arguments import add_device, add_json, add_limit
from .streaming import add_sources, add_streaming, refuse_streaming, spot

__all__ = ["add_arguments", "run"]

_SHOWN = 8  # answers printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", metavar="CLIPS", type=Path, help="clips: .npz, .npy or .wav")
    add_sources(source)
    add_device(parser)
    add_limit(parser)
    add_json(parser)
    add_streaming(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the clips or the stream and shows what came out."""
    network = api.load(args.network)
    if args.input is None:
        return spot(args, network)
    refuse_streaming(args)
    if args.device == "golden":
        raise SpikeLoomError("--device golden is for streams; clips go through the golden model with spikeloom simulate NET.npz --input CLIPS")
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
