"""Run the Verilog of a build and compare it with the golden model and the cycle model.

Every output event, every readout and answer, every membrane potential at every timestep and the cycle count of every phase are compared,
and of a build with --counters every counter.
The exit status is 0 if all are equal and 1 if any differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import api
from ..progress import Progress
from ..report import json_line, table
from ..results import CosimResult
from .arguments import add_json, add_limit

__all__ = ["add_arguments", "run"]

_SHOWN = 8  # answers printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="a folder that `spikeloom build` wrote")
    parser.add_argument("--input", metavar="CLIPS", type=Path, required=True, help="clips: .npz, .npy or .wav")
    add_limit(parser)
    parser.add_argument("--engine", choices=("icarus", "verilator", "compiled"), default="icarus",
                        help="what runs the Verilog; compiled, by yosys and g++, is for whole test sets (default icarus)")
    parser.add_argument("--network", metavar="NET.npz", type=Path,
                        help="load this network into the overlay in DIR first, and compare with that (engine compiled)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Compares, shows the outcome, and returns 1 if anything differs."""
    with Progress("cosim", quiet=args.json) as progress:
        result = api.cosim(args.directory, args.input, limit=args.limit, engine=args.engine, progress=progress.update,
                           network=None if args.network is None else api.load(args.network))
    if args.json:
        counters = ("counters_compared", "counters_wrong") if result.counters_compared else ()
        print(json_line(result, ("clips", "accuracy", "spikes_compared", "spikes_wrong", "states_compared", "states_wrong",
                                 "cycles_predicted", "cycles_measured", "sops", "lanes", "words", "confidences", *counters)))
        return 0 if result.equal else 1
    print(table([("output spikes", result.spikes_compared, result.spikes_wrong),
                 ("states and readouts", result.states_compared, result.states_wrong),
                 *([("counters", result.counters_compared, result.counters_wrong)] if result.counters_compared else []),
                 ("cycles", result.cycles_predicted, abs(result.cycles_measured - result.cycles_predicted))],
                ("what", "compared", "wrong")))
    print()
    per_lane = result.sops / result.cycles_measured / result.lanes if result.cycles_measured else None
    print(table([("clips", f"{result.clips:,}"),
                 ("answers of the hardware" + " (confidence)" * bool(result.confidences), _answers(result)),
                 ("accuracy of the hardware", "no labels" if result.accuracy is None else f"{result.accuracy:.2%}"),
                 ("synaptic operations", f"{result.sops:,}"),
                 ("per cycle and lane", "-" if per_lane is None else f"{per_lane:.3f}")]))
    print()
    if result.equal:
        print("The Verilog equals the golden model and the cycle model.")
        return 0
    print("The Verilog DIFFERS from the golden model or the cycle model.")
    print(table([("phases of another length", result.phases_wrong), ("clips with an error flag", result.clips_flagged)]))
    if result.first_divergence:
        print(f"First difference: {result.first_divergence}")
    return 1


def _answers(result: CosimResult) -> str:
    """The first few answers, each with its confidence if the chip gives one."""
    confidences = [f" ({c:,})" for c in result.confidences] or [""] * len(result.words)
    shown = [f"{word}{confidence}" for word, confidence in zip(result.words, confidences)]
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
