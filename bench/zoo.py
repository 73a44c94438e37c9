"""Every bundled network: the golden model against its Verilog on the compiled engine, on clips of its test split; prints a Markdown table.

    python bench/zoo.py [--data DIR] [--limit N] [--only NAME] [--cells]

Builds each network for the generic board (kws-icebreaker for its own), runs N test clips (spread evenly over the split, so that all speakers are
heard) through the Verilog, and compares every readout and cycle. Exits with 1 if anything differs, or if the accuracies are not the same. With
``--cells`` it synthesises and packs their chips instead (with the host side, in a harness; minutes for each) and prints their cells.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from synthesis import Bare, ecp5_cells

from spikeloom import cosim, load, simulate
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.top import Chip
from spikeloom.sim.cycles import cycles_of
from spikeloom.software.api import compile as build
from spikeloom.software.features import apply_front_end
from spikeloom.software.train.digits.data import Digits, load_digits
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Network

ROOT = Path(__file__).resolve().parents[1]
SETS = {"kws-small": "gsc", "kws-spikgru": "asc", "kws-spikgru-graded": "asc", "kws-lif": "asc", "kws-lif-4bit": "gsc", "kws-spikgru-12": "gsc",
        "kws-scnn": "asc", "kws-icebreaker": "gsc"}
BUILDS: dict[str, dict[str, Any]] = {"kws-icebreaker": {"board": "icebreaker", "tiles": 1, "link": 1_000_000}}  # that of docs/link.md
STEPS = {"digits-vgg": 5, "digits-backres": 16}  # timesteps that a picture is shown


def some_clips(name: str, network: Network, data: Path, limit: int) -> Clips:
    """``limit`` clips of the test split, evenly spread, as the network takes them."""
    if name in STEPS:
        test = load_digits()["test"]
        rows = np.linspace(0, len(test.y) - 1, limit).astype(int)
        return Digits(test.x[rows], test.y[rows]).clips(STEPS[name])
    with np.load(data / SETS[name] / "test_logmel40x50.npz") as held:
        rows = np.linspace(0, len(held["y"]) - 1, limit).astype(int)
        x = apply_front_end(held["x"][rows], network.metadata["front_end"])
        return Clips.from_dense(x, held["y"][rows].astype(np.int64), tuple(str(w) for w in held["labels"]))


def cells(name: str, clips: Clips) -> str:
    """A row of the table of ``--cells``: what the chip of a network takes of an LFE5U-85F, and the cycles of these clips."""
    network = load(ROOT / "models" / f"{name}.npz")
    matrices = {q.matrix or k: q for k, q in enumerate(network.projections)}.values()
    chip = plan(network)
    used = ecp5_cells(Bare(Chip(chip, pack(chip, network))))
    lanes = " + ".join(f"{len(list(same))} x {wide}" for wide, same in groupby(f"{t.lanes}/{t.update_lanes}" for t in chip.tiles))
    cycles = round(cycles_of(chip, network, clips.dense()).total.sum() / clips.n_clips)
    weights, bits = sum(q.weights.size for q in matrices), sum(q.weights.size * q.weight_bits for q in matrices)
    return (f"| {name} | {weights:,} | {bits:,} | {lanes} | {cycles:,} | "
            + " | ".join(f"{n:,}" for n in (used.comb, used.ffs, used.ramw, used.dp16kd, used.mult18)) + " |")


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--limit", type=int, default=100, help="clips of each network (default: 100)")
    parser.add_argument("--cells", action="store_true", help="what they take of an LFE5U-85F instead, packed and not placed")
    parser.add_argument("--only", choices=(*SETS, *STEPS), action="append", help="may be given more than once")
    args = parser.parse_args()
    names = args.only or (*SETS, *STEPS)
    if not args.data.is_dir() and any(name in SETS for name in names):
        print(f"needs the recordings in {args.data}, which is not there", file=sys.stderr)
        return 2
    if args.cells:
        print("| network | weights | weight bits | tiles x lanes/update lanes | cycles per clip | TRELLIS_COMB | TRELLIS_FF | TRELLIS_RAMW | DP16KD "
              "| MULT18X18D |\n|---|---|---|---|---|---|---|---|---|---|")
        for name in names:
            print(cells(name, some_clips(name, load(ROOT / "models" / f"{name}.npz"), args.data, args.limit)), flush=True)
        return 0
    print("| network | clips | accuracy, golden model | accuracy, Verilog | states compared | wrong | cycles predicted | measured |")
    print("|---|---|---|---|---|---|---|---|")
    equal = True
    for name in names:
        network = load(ROOT / "models" / f"{name}.npz")
        clips = some_clips(name, network, args.data, args.limit)
        golden = simulate(network, clips)
        with tempfile.TemporaryDirectory(prefix="spikeloom-zoo-") as folder:
            build(network, folder, **BUILDS.get(name, {"board": "generic"}))
            r = cosim(folder, clips, engine="compiled")
        equal &= r.equal and r.accuracy == golden.accuracy
        print(f"| {name} | {r.clips} | {golden.accuracy:.2%} | {r.accuracy:.2%} | {r.states_compared:,} | {r.states_wrong} | {r.cycles_predicted:,} "
              f"| {r.cycles_measured:,} |", flush=True)
    print("\nequal" if equal else "\nDIFFERENT")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
