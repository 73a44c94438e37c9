"""Generate the Verilog of a network, and the bitstream of a board.

DIR receives the Verilog, the memory image, a manifest, a report, and a test that compares the Verilog with the golden model
and needs no SpikeLoom. A DIR that an earlier build wrote is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ...spec.errors import SpikeLoomError
from .. import api
from ..atomic import replace_directory
from ..clips import read_clips
from ..counts import counted
from ..progress import Progress
from ..report import json_line, table
from .arguments import add_json, add_limit, positive, positive_number

__all__ = ["add_arguments", "run"]

# What is in a folder that `build` and `cosim` wrote; it is replaced as a whole.
_OURS = {"chip.v", "chip.svg", "device.v", "image.npz", "network.npz", "manifest.json", "report.md", "cosim", "board", "build", "axi"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    parser.add_argument("--board", metavar="BOARD", required=True, help="a board of `spikeloom boards`; generic is Verilog alone")
    parser.add_argument("--lanes", metavar="P", type=positive, help="synapses per clock of a tile (default: chosen)")
    parser.add_argument("--tiles", metavar="N", type=positive, help="number of tiles (default: chosen)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--fit", action="store_true", help="choose lanes and tiles: the most timesteps per second that the board has room for")
    choice.add_argument("--min-area", action="store_true", help="choose lanes and tiles: the least area that keeps --rate")
    parser.add_argument("--rate", metavar="STEPS_PER_S", type=positive_number, help="timesteps per second that --min-area must keep")
    parser.add_argument("--input", metavar="CLIPS", type=Path,
                        help="clips on which --fit and --min-area count cycles: .npz, .npy, .wav (default: random events)")
    add_limit(parser)
    parser.add_argument("--fabric", choices=("auto", "star", "mesh"), default="auto",
                        help="how the tiles are connected (default: chosen)")
    parser.add_argument("--storage", choices=("auto", "dense", "as-given"), default="auto",
                        help="store all synapses of a projection, or only those that exist (default: whichever takes fewer bits)")
    parser.add_argument("--wrapper", choices=("axi",), help="also write the chip behind AXI4-Lite and AXI4-Stream, with a C header (docs/axi.md)")
    parser.add_argument("--export-state", action="store_true", help="neuron states can be read back over the configuration port")
    parser.add_argument("--counts", metavar="NAMES",
                        help="populations whose spikes are counted as well, separated by commas: READ gives the counts (docs/topology.md)")
    parser.add_argument("--counters", action="store_true", help="tiles count events, synaptic operations, updates and spikes; cosim compares them")
    parser.add_argument("--link", metavar="BAUD", type=positive,
                        help="also write device.v, the chip behind a host link (UART) of this rate; see deploy and run")
    parser.add_argument("--clock", metavar="HZ", type=positive, help="clock of the chip (default: the board's oscillator; link of generic: 25000000)")
    parser.add_argument("--overlay", action="store_true",
                        help="a chip of the network's capacity, into which deploy and run load any other network that fits (docs/overlay.md)")
    parser.add_argument("--also", metavar="NET.npz", type=Path, action="append", default=[], help="an overlay has room for this network, too")
    parser.add_argument("--capacity", metavar="NAME=N,...", action="append", default=[],
                        help="an overlay has at least so many tiles, neurons, axons, synapses, ... (one number, or N/N/... per tile or input)")
    parser.add_argument("--bitstream", action="store_true", help="also synthesise, place and route")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the folder to write")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Builds into a new folder, which takes its place when complete."""
    if args.min_area != (args.rate is not None):
        raise SpikeLoomError("--min-area and --rate STEPS_PER_S go together: the least area that keeps that rate")
    if args.input is not None and not (args.fit or args.min_area):
        raise SpikeLoomError("--input is what --fit and --min-area count cycles on: give one of them, or leave it out")
    if args.limit is not None and args.input is None:
        raise SpikeLoomError("--limit is of the clips of --input: give those, or leave it out")
    strange = {p.name for p in args.output.iterdir()} - _OURS if (args.output / "manifest.json").is_file() else set()
    if strange:
        raise SpikeLoomError(f"Cannot write the folder {args.output}: it holds {', '.join(sorted(strange)[:3])}, which SpikeLoom did not write and "
                             "which would be lost; name a new or an empty folder.")
    network = api.load(args.network)
    if args.counts is not None:
        network = counted(network, args.counts.split(","))
    if (args.capacity or args.also) and not args.overlay:
        raise SpikeLoomError("--capacity and --also say how much an overlay has room for: ask for one with --overlay, or leave them out.")
    from ..overlay_project import wishes  # here: it needs the hardware library, which --help does not

    capacity, also = wishes(args.capacity), [api.load(path) for path in args.also]
    fitted: dict[str, Any] = {}
    if args.fit or args.min_area:
        fitted = {"fit": args.fit, "rate": args.rate, "clips": args.input and read_clips(args.input, network, args.limit).take(args.limit)}
    with replace_directory(args.output, marker="manifest.json") as folder, Progress("build", quiet=args.json) as progress:
        result = api.compile(network, folder, board=args.board, lanes=args.lanes, tiles=args.tiles, fabric=args.fabric, storage=args.storage,
                             bitstream=args.bitstream, wrapper=args.wrapper, export=args.export_state, counters=args.counters, link=args.link,
                             clock_hz=args.clock, overlay=args.overlay, capacity=capacity, also=also, progress=progress.update, **fitted)
    if args.json:
        chosen = {} if result.fitted is None else {"fit": result.fitted.values}
        print(json_line(result, ("tiles", "lanes", "weight_bits_total", "luts", "ffs", "brams", "dsps", "fmax_mhz", "most_cycles",
                                 "real_time_margin"), **chosen))
        return 0
    if result.fitted is not None:
        print(f"{result.fitted.text}\n")
    rows: list[tuple[str, object]] = [("tiles", result.tiles), ("lanes of all tiles", result.lanes),
                                      ("bits of weights", result.weight_bits_total)]
    if args.bitstream:
        rows += [("LUTs", result.luts), ("flip-flops", result.ffs), ("block RAMs", result.brams), ("DSPs", result.dsps),
                 *([] if result.sprams is None else [("single-port RAMs", result.sprams)]),
                 ("Fmax / MHz", result.fmax_mhz)]
    rows += [("timestep / ms", result.step_ms), ("cycles of a timestep, at most", result.most_cycles), ("real-time margin", result.real_time_margin)]
    if result.real_time_margin and result.step_ms not in (None, 10.0):
        rows.append(("the same in steps of 10 ms", round(result.real_time_margin * 10 / result.step_ms, 2)))
    print(table(rows))
    stored = api.load(args.output / "network.npz")
    other = [f"{p.source} -> {p.target}" for p, given in zip(stored.projections, network.projections) if p.kind is not given.kind]
    if other:
        print(f"Stored otherwise than given ({args.storage}): {', '.join(other)}. The answers are the same; a sparse projection has no synaptic "
              "operations where it has no synapse, and the network in the project has a digest of its own.")
    print(f"Written: {args.output}")
    return 0
