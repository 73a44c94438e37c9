"""Turn a float network into a quantized network.

SRC is a NIR graph (.nir), or a state dict of a chain of Linear and snnTorch Leaky layers: .pt, or .npz with w0, b0, w1, ...
What a NIR file leaves open is assumed, and shown in lines that begin with "assumed:".
With --input, the quantized network is compared with the float network on these clips.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ...spec.errors import SpikeLoomError
from .. import api
from ..atomic import replace_file
from ..progress import Progress
from .arguments import add_json, integer_within, number_within, positive_number

__all__ = ["add_arguments", "run"]


def _weight_bits(text: str) -> int | str | dict[str, int]:
    """``8``, ``auto``, or ``source->target=4,...``, where a number without a name is that of all others."""
    if text == "auto":
        return text
    bits: dict[str, int] = {}
    for entry in text.split(","):
        name, _, number = entry.rpartition("=")
        if number.strip() not in ("1", "2", "3", "4", "5", "6", "7", "8"):
            raise argparse.ArgumentTypeError("must be an integer of 1 to 8, auto, or NAME=N,... with names like 'input->hidden1', "
                                             f"not {text!r}")
        bits[name.strip() or "*"] = int(number)
    return bits["*"] if list(bits) == ["*"] else bits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("source", metavar="SRC", type=Path, help="the float network")
    parser.add_argument("-o", "--output", metavar="NET.npz", type=Path, required=True, help="the quantized network to write")
    parser.add_argument("--bits", "--weight-bits", dest="weight_bits", type=_weight_bits, default=8, metavar="N",
                        help="bits of a weight, 1 to 8 (default 8); or by projection, such as 'input->hidden1=6,4', 4 being that of the others; or "
                             "auto: the fewest that keep the accuracy on --input, which then needs labels")
    parser.add_argument("--max-drop", type=number_within(0, 100), metavar="POINTS",
                        help="with --bits auto: accuracy that may be lost against float, in points (default 1.0)")
    parser.add_argument("--scale", choices=("neuron", "layer"), default="neuron",
                        help="one weight scale per neuron, which is the more exact, or per layer (default neuron)")
    parser.add_argument("--decay", choices=("multiply", "shift"), default="multiply",
                        help="decays by a multiplier, or by two shifts, which is smaller and less exact (default multiply)")
    parser.add_argument("--v-bits", type=integer_within(2, 32), metavar="N",
                        help="bits of every membrane, 2 to 32 (default: chosen, and reported)")
    parser.add_argument("--i-bits", type=integer_within(2, 32), metavar="N",
                        help="bits of every synaptic current, 2 to 32 (default: chosen, and reported)")
    parser.add_argument("--input", metavar="CLIPS", type=Path, help="clips to compare both networks on")
    add_json(parser)
    layers = parser.add_argument_group("layers, where the file does not say or says otherwise")
    layers.add_argument("--beta", type=number_within(0, 1), help="decay of the membrane per timestep (default: that of the file, else 0.9)")
    layers.add_argument("--threshold", type=positive_number, help="firing threshold (default: that of the file, else 1.0)")
    layers.add_argument("--reset", choices=("subtract", "subtract_before_decay", "zero", "zero_after", "none"),
                        help="what a spike does to the membrane (default: that of the file, else subtract, and of a NIR graph zero)")
    layers.add_argument("--readout", choices=("count", "last", "sum", "max"),
                        help="what the last layer is read by: its spike count, or its membrane, and then it does not fire (default count)")
    graph = parser.add_argument_group("NIR graphs (.nir), which give differential equations and leave the step open")
    graph.add_argument("--dt", type=positive_number, metavar="SECONDS",
                       help="timestep; needed where the graph has time constants and does not say it")
    graph.add_argument("--decay-form", choices=("euler", "exponential"),
                       help="decay 1 - dt/tau, as Norse and snnTorch compute, or exp(-dt/tau) (default euler)")
    graph.add_argument("--fires", choices=("above", "at"), help="whether v has to be above its threshold, or at it is enough (default above)")


def run(args: argparse.Namespace) -> int:
    """Quantizes, writes the network and shows what was lost."""
    if args.max_drop is not None and args.weight_bits != "auto":
        raise SpikeLoomError("--max-drop says what --bits auto may lose; give --bits auto with it, or leave it out")
    # Only what was given: the rest is the library's to choose.
    more = {name: value for name in ("max_drop", "v_bits", "i_bits", "dt", "decay_form", "fires") if (value := getattr(args, name)) is not None}
    with replace_file(args.output) as path:
        with Progress("quantize", quiet=args.json) as progress:
            result = api.quantize(args.source, weight_bits=args.weight_bits, scale=args.scale, decay=args.decay, clips=args.input,
                                  beta=args.beta, threshold=args.threshold, reset=args.reset, readout=args.readout,
                                  progress=progress.update, **more)
        api.save(result.network, path)
    graph = result.network.metadata.get("nir")
    assumed = list(graph["assumed"]) if graph else []
    if args.json:
        print(json.dumps({**result.report.as_json(), **({"assumed": assumed} if graph else {})}))
        return 0
    print(*assumed, result.report.text(), sep="\n")
    print(f"Written: {args.output}")
    return 0
