"""Error-aware against error-agnostic training of a keyword network with weights of 8 levels; see docs/training.md: prints its table.

    python bench/error_aware.py [--data DIR] [--epochs N] [--batch N] [--dynamic N]

Takes the float network of the recipe kws-spikgru-12 (its checkpoint in build/train, or trains it), quantizes it to 8 levels (-4..3, one cell per
weight, as Dampfhoffer 2023, chapter 5) and fine-tunes it four times with the same settings: without errors, and with static gaussian confusion of
levels of three strengths, drawn anew for every batch. Each is tested without errors, with static errors (drawn per clip, the whole test split) and,
on the first N clips, with dynamic ones (drawn per timestep). Nothing is chosen by the test split. Checkpoints are in build/train/errors.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from spikeloom.sim.fault_runs import simulate_faults
from spikeloom.sim.faults import Fault
from spikeloom.sim.golden import simulate
from spikeloom.software.train.__main__ import maker_of
from spikeloom.spec.archive import load_network, save_network

ROOT = Path(__file__).resolve().parents[1]
SIGMAS = (0.6, 0.8, 1.0)  # of the distance of two levels: 40, 53 and 62 % of the reads are wrong


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--dynamic", type=int, default=60, metavar="N",
                        help="clips with dynamic errors, which cost fifty times as much (default: 60)")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"needs the recordings in {args.data}, which is not there", file=sys.stderr)
        return 2
    work = ROOT / "build" / "train"
    maker = maker_of("kws-spikgru-12", args.data, work, print)
    anns = maker.anns()
    net = maker.floats(anns)
    clips, rows = maker.clips("test"), []
    for sigma in (None, *SIGMAS):
        path = work / "errors" / f"{sigma}-{args.epochs}-{args.batch}.npz"
        if not path.exists():
            maker.recipe = replace(maker.recipe, errors="" if sigma is None else str(Fault(levels=8, sigma=sigma)),
                                   quantize=replace(maker.recipe.quantize, weight_bits=3),
                                   fine_tuning=replace(maker.recipe.fine_tuning, epochs=args.epochs, batch=args.batch, rate=1e-3))
            maker.work = path.with_suffix("")
            save_network(maker.fine_tuned(net, anns), path)
        network = load_network(path)
        row = {"trained": "error-agnostic" if sigma is None else f"sigma {sigma}", "clean": simulate(network, clips).accuracy}
        for tested in SIGMAS if sigma is None else (sigma,):
            fault = Fault(levels=8, sigma=tested)
            static = simulate_faults(network, clips, fault, mode="static").mean
            some = clips.take(args.dynamic)
            dynamic = simulate_faults(network, some, fault, mode="dynamic").mean if args.dynamic else None
            rows.append({**row, "tested": tested, "static": static, "dynamic": dynamic, "some": simulate(network, some).accuracy})
            print(json.dumps(rows[-1]), flush=True)
    print(f"\n| training | tested at sigma | no errors, % | static, % | loss | dynamic, {args.dynamic} clips, % | those clips without errors, % |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        dynamic = "-" if r["dynamic"] is None else f"{100 * r['dynamic']:.1f}"
        print(f"| {r['trained']} | {r['tested']} | {100 * r['clean']:.2f} | {100 * r['static']:.2f} | {100 * (r['clean'] - r['static']):.2f} "
              f"| {dynamic} | {100 * r['some']:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
