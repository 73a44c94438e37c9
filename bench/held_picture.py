"""What a held current saves: kws-scnn with its picture given once, and the same network with the picture in every timestep; a Markdown table.

    python bench/held_picture.py [--data DIR] [--limit N]

Exits with 1 unless every potential that both have is the same. Cycles are the cycle model's, cells the estimate of ``gen/budget.py``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from zoo import ROOT, some_clips

from spikeloom import load
from spikeloom.gen.budget import estimate
from spikeloom.gen.plan import plan
from spikeloom.sim.cycles import cycles_of
from spikeloom.sim.golden import run
from spikeloom.spec.network import Network

NAME = "kws-scnn"


def not_held(network: Network) -> Network:
    """The network whose first map gets the picture anew in every timestep."""
    populations = tuple(replace(p, held=False, i_bits=16) if p.held else p for p in network.populations)
    return replace(network, populations=populations)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--limit", type=int, default=20, help="clips of the test split (default: 20)")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"needs the recordings in {args.data}, which is not there", file=sys.stderr)
        return 2
    network = load(ROOT / "models" / f"{NAME}.npz")
    once = some_clips(NAME, network, args.data, args.limit).dense()
    always = np.repeat(once[:, :1], once.shape[1], axis=1)
    print("| picture | input events per clip | SOP | of the first map | busy cycles of tiles | cycles of the chip | LUT, estimated | block RAMs |")
    print("|---|---|---|---|---|---|---|---|")
    kept = []
    for what, net, x in (("once, held", network, once), ("in every timestep", not_held(network), always)):
        result = run(net, x, record=True)
        kept.append(result.potentials)
        sops = {name: int(c.sops.sum()) for name, c in result.counters.items()}
        chip = plan(net)
        report, needs = cycles_of(chip, net, x), estimate(chip)
        means = [np.count_nonzero(x), sum(sops.values()), sops["map0"], report.busy.sum(), report.total.sum()]
        print(f"| {what} | " + " | ".join(f"{n / len(x):,.0f}" for n in means) + f" | {needs['luts']:,} | {needs['brams']} |", flush=True)
    same = all(np.array_equal(kept[0][name], kept[1][name]) for name in kept[1])
    print("\nequal potentials" if same else "\nDIFFERENT potentials")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
