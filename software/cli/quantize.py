"""Turn a float network into a quantized network.

SRC is a state dict of a chain of Linear and snnTorch Leaky layers: .pt, or .npz with w0, b0, w1, ...
With --input, the quantized network is compared with the float network on these clips.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import api
from ..atomic import replace_file
from ..progress import Progress

__all__ = ["add_arguments", "run"]


def _weight_bits(text: str) -> int:
    if text not in ("2", "3", "4", "5", "6", "7", "8"):
        raise argparse.ArgumentTypeError(f"must be an integer of 2 to 8, not {text!r}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("source", metavar="SRC", type=Path, help="the float network")
    parser.add_argument("-o", "--output", metavar="NET.npz", type=Path, required=True, help="the quantized network to write")
    parser.add_argument("--weight-bits", type=_weight_bits, default=8, metavar="N", help="bits of a weight, 2 to 8 (default 8)")
    parser.add_argument("--scale", choices=("neuron", "layer"), default="neuron",
                        help="one weight scale per neuron, which is the more exact, or per layer (default neuron)")
    parser.add_argument("--decay", choices=("multiply", "shift"), default="multiply",
                        help="decays by a multiplier, or by two shifts, which is smaller and less exact (default multiply)")
    parser.add_argument("--input", metavar="CLIPS", type=Path, help="clips to compare both networks on")
    layers = parser.add_argument_group("layers, where the file does not say or says otherwise")
    layers.add_argument("--beta", type=float, help="decay of the membrane per timestep (default: that of the file, else 0.9)")
    layers.add_argument("--threshold", type=float, help="firing threshold (default: that of the file, else 1.0)")
    layers.add_argument("--reset", choices=("subtract", "subtract_before_decay", "zero", "zero_after", "none"),
                        help="what a spike does to the membrane (default: that of the file, else subtract)")
    layers.add_argument("--readout", choices=("count", "last", "sum", "max"), default="count",
                        help="what the last layer is read by: its spike count, or its membrane if it does not fire (default count)")


def run(args: argparse.Namespace) -> int:
    """Quantizes, writes the network and shows what was lost."""
    with replace_file(args.output) as path:
        with Progress("quantize") as progress:
            result = api.quantize(args.source, weight_bits=args.weight_bits, scale=args.scale, decay=args.decay, clips=args.input,
                                  beta=args.beta, threshold=args.threshold, reset=args.reset, readout=args.readout,
                                  progress=progress.update)
        api.save(result.network, path)
    print(result.report.text())
    print(f"Written: {args.output}")
    return 0
