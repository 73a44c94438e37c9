"""Run clips through the golden model."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import api
from ..progress import Progress
from ..report import json_line, table
from .arguments import add_json, add_limit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    parser.add_argument("--input", metavar="CLIPS", type=Path, required=True, help="clips: .npz, .npy or .wav")
    add_limit(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Simulates and shows what came out."""
    with Progress("simulate", quiet=args.json) as progress:
        result = api.simulate(api.load(args.network), args.input, limit=args.limit, progress=progress.update)
    if args.json:
        print(json_line(result, ("clips", "accuracy", "confidence", "spikes_per_population", "sops", "clips_per_second")))
        return 0
    print(table([("clips", f"{result.clips:,}"),
                 ("accuracy", "no labels" if result.accuracy is None else f"{result.accuracy:.2%}"),
                 ("confidence", "no readout" if result.confidence is None else f"{result.confidence:,.1f} above the second on average"),
                 ("synaptic operations", f"{result.sops:,}"),
                 ("speed", f"{result.clips_per_second:,.1f} clips/s")]))
    print()
    print(table(list(result.spikes_per_population.items()), ("population", "events per clip")))
    return 0
