"""Run clips through the golden model, without or with faults of the weight memories."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ...sim.fault_runs import drawn
from ...sim.faults import Fault
from ...sim.golden import SimulationReport
from ...spec.clips import Clips
from ...spec.errors import NetworkError, SpikeLoomError
from ...spec.network import Network, Readout
from .. import api
from ..atomic import replace_file
from ..clips import read_clips
from ..counts import write_counts
from ..progress import Progress
from ..report import json_line, table
from .arguments import add_json, add_limit, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    parser.add_argument("--input", metavar="CLIPS", type=Path, required=True, help="clips: .npz, .npy or .wav")
    add_limit(parser)
    parser.add_argument("--answers", action="store_true", help="also show the answer to each clip, by its label if it has one, and its confidence")
    parser.add_argument("--counts", metavar="FILE.npz", type=_counts_file,
                        help="write how often each neuron of every layer spiked in each clip, for a classifier of your own (docs/topology.md)")
    add_json(parser)
    faults = parser.add_argument_group("faults", "errors of what is read from the weight memories, see docs/faults.md")
    faults.add_argument("--fault", metavar="FAULT", type=_fault,
                        help="ber=P: a stored bit is wrong with probability P; levels=L,sigma=S: cells of L levels, gaussian noise of S levels")
    mode = faults.add_mutually_exclusive_group()
    mode.add_argument("--static", action="store_true", help="an error stays as it is for a whole clip (default)")
    mode.add_argument("--dynamic", action="store_true", help="errors are drawn anew at each read")
    faults.add_argument("--fault-per", choices=("clip", "run"), default="clip",
                        help="static errors: anew for each clip, or one chip for all (default clip)")
    faults.add_argument("--seed", type=_seed, default=0, metavar="N", help="the first seed (default 0)")
    faults.add_argument("--seeds", type=positive, default=5, metavar="N", help="how many seeds (default 5)")
    faults.add_argument("--write-faulty", metavar="NET.npz", type=Path,
                        help="with --static --fault-per run: write the network with the first seed's weights, to build or simulate")


def run(args: argparse.Namespace) -> int:
    """Simulates and shows what came out."""
    if args.fault is not None:
        return _faults(args)
    if args.dynamic or args.static or args.write_faulty or args.fault_per != "clip":
        raise SpikeLoomError("--static, --dynamic, --fault-per and --write-faulty say how faults are; name them with --fault")
    network = api.load(args.network)
    clips = args.input if args.counts is None else read_clips(args.input, network, args.limit)
    with Progress("simulate", quiet=args.json) as progress:
        result = api.simulate(network, clips, limit=args.limit, progress=progress.update)
    if isinstance(clips, Clips):
        write_counts(args.counts, result, clips.labels)
    answers = _answers(network, result) if args.answers else []
    if args.json:
        shown = {"answers": [word for _, word, _ in answers], "confidences": [confidence for *_, confidence in answers]} if args.answers else {}
        print(json_line(result, ("clips", "accuracy", "confidence", "spikes_per_population", "sops", "clips_per_second"), **shown))
        return 0
    print(table([("clips", f"{result.clips:,}"),
                 ("accuracy", "no labels" if result.accuracy is None else f"{result.accuracy:.2%}"),
                 ("confidence", "no readout" if result.confidence is None else f"{result.confidence:,.1f} above the second on average"),
                 ("synaptic operations", f"{result.sops:,}"),
                 ("speed", f"{result.clips_per_second:,.1f} clips/s")]))
    print()
    print(table(list(result.spikes_per_population.items()), ("population", "events per clip")))
    if args.answers:
        print()
        print(table(answers, ("clip", "answer", "confidence")))
    return 0


def _answers(network: Network, result: SimulationReport) -> list[tuple[int, str, int]]:
    """(clip, answer by its label or number, how far it is ahead of the second), per clip."""
    if result.answers is None or result.confidences is None:
        raise NetworkError(f"--answers: no population of network {network.name!r} has a readout, so there is no answer to a clip; leave it out")
    labels = [p for p in network.outputs if p.readout is not Readout.NONE][-1].labels
    words = [labels[answer] if answer < len(labels) else str(answer) for answer in result.answers.tolist()]
    return list(zip(range(len(words)), words, result.confidences.tolist()))


def _counts_file(text: str) -> Path:
    if not text.endswith(".npz"):  # 'build --counts' takes names of populations: whoever means those gets no file of such a name
        raise argparse.ArgumentTypeError(f"is the file to write, NAME.npz, not {text!r}")
    return Path(text)


def _faults(args: argparse.Namespace) -> int:
    if args.counts is not None:
        raise SpikeLoomError("--counts writes the spikes of one run; --fault makes several: leave one of the two out")
    if args.answers:
        raise SpikeLoomError("--answers shows the answers of one run; --fault makes several: leave one of the two out")
    mode = "dynamic" if args.dynamic else "static"
    if mode == "dynamic" and args.fault_per == "run":
        raise SpikeLoomError("--fault-per is for static errors: dynamic ones are drawn at each read")
    if args.write_faulty is not None and (mode, args.fault_per) != ("static", "run"):
        raise SpikeLoomError("--write-faulty needs --static --fault-per run: only then is there one faulty network for all clips")
    network = api.load(args.network)
    with Progress("simulate", quiet=args.json) as progress:
        result = api.simulate_faults(network, args.input, args.fault, mode=mode, per=args.fault_per, seed=args.seed, n_seeds=args.seeds,
                                     limit=args.limit, progress=progress.update)
    if args.write_faulty is not None:
        broken = drawn(network, args.fault, args.seed)
        with replace_file(args.write_faulty) as partial:  # it says what it is, beside what the network it was made of says of itself
            api.save(replace(broken, metadata={**network.metadata, "fault": {"fault": str(args.fault), "seed": args.seed}}), partial)
    if args.json:
        print(json_line(result, ("fault", "mode", "per", "clips", "accuracy", "mean", "spread", "seeds", "accuracies", "changed")))
        return 0
    plain = "no labels" if result.accuracy is None else f"{result.accuracy:.2%}"
    spread = "" if result.spread is None else f", +- {100 * result.spread:.2f} points over {len(result.seeds)} seeds"
    print(table([("clips", f"{result.clips:,}"), ("fault", f"{result.fault}, {result.mode}, anew per {result.per}"),
                 ("accuracy without faults", plain),
                 ("accuracy with faults", plain if result.mean is None else f"{result.mean:.2%}{spread}")]))
    print()
    shares = [f"{a:.2%}" for a in result.accuracies] or ["-"] * len(result.seeds)
    print(table([(seed, share, f"{other:.2%}") for seed, share, other in zip(result.seeds, shares, result.changed)],
                ("seed", "accuracy", "other answers")))
    if args.write_faulty is not None:
        print(f"Written: {args.write_faulty}")
    return 0


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except NetworkError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seed(text: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 0, not {text[:40]!r}")
    return int(text)
