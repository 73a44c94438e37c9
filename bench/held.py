"""What a first layer that holds its current saves on the bundled digits, whose pictures are shown in every timestep; prints a Markdown table.

    python bench/held.py [--limit N]

Each network as it is, its pictures in all timesteps, beside the same with ``held=True`` at the first layer and the picture given once. Readouts and
answers of all 600 test pictures must be equal, and potentials and spikes of N of them, spread evenly; of those are the cycles (the cycle model's,
board generic) and the energy (docs/energy.md, static input). Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from spikeloom import load
from spikeloom.gen.plan import plan
from spikeloom.sim.cycles import cycles_of
from spikeloom.sim.golden import run
from spikeloom.software.energy.measure import measure
from spikeloom.software.train.digits.data import load_digits
from spikeloom.spec.arithmetic import bits_signed
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Network

MODELS = Path(__file__).resolve().parents[1] / "models"
STEPS = {"digits-vgg": (5,), "digits-backres": (8, 16)}


def holding(network: Network) -> Network:
    """The same with currents that are held where the input leads to, as wide as any picture needs."""
    (x,) = network.inputs
    (name,) = {q.target for q in network.projections if q.source == x.name}
    p = network.population(name)
    bounds = [q.sum_bounds(x.payload_range, np.arange(p.size)) for q in network.incoming(name)]
    low, high = (sum(int(bound[k].min() if k == 0 else bound[k].max()) << p.guard_bits for bound in bounds) for k in (0, 1))
    held = replace(p, held=True, i_bits=bits_signed(low, high))
    return replace(network, populations=tuple(held if o.name == name else o for o in network.populations))


def same(networks: list[Network], clips: list[np.ndarray], rows: np.ndarray) -> bool:
    """Whether both give the same for the same pictures."""
    whole = [run(network, x) for network, x in zip(networks, clips)]
    some = [run(network, x[rows], record=True) for network, x in zip(networks, clips)]
    names = [p.name for p in networks[0].populations if p not in networks[0].inputs]
    equal = np.array_equal(whole[0].answers, whole[1].answers)
    equal &= all(np.array_equal(value, whole[1].readouts[name]) for name, value in whole[0].readouts.items())
    return bool(equal and all(np.array_equal(some[0].potentials[name], some[1].potentials[name]) for name in names) and all(
        np.array_equal(some[0].spikes[name], some[1].spikes[name]) for name in some[0].spikes if name in names))


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--limit", type=int, default=100, help="pictures whose cycles and energy are taken (default: 100)")
    args = parser.parse_args()
    pictures, equal = load_digits()["test"].x, True
    rows = np.linspace(0, len(pictures) - 1, args.limit).astype(int)
    print("| network, T | same integers | cycles a picture | held | SOP a picture | held | energy, MACs a picture | held |\n|" + "---|" * 8)
    for name, each in STEPS.items():
        network = load(MODELS / f"{name}.npz")
        networks = [network, holding(network)]
        chips = [plan(n) for n in networks]
        for steps in each:
            often = np.repeat(pictures[:, None], steps, axis=1)
            clips = [often, often * (np.arange(steps) == 0)[:, None]]
            equal &= (found := same(networks, clips, rows))
            line = [f"{name}, {steps}", "yes" if found else "NO"]
            reports = [cycles_of(chip, n, x[rows]) for chip, n, x in zip(chips, networks, clips)]
            line += [f"{report.total.sum() / len(rows):,.0f}" for report in reports] + [f"{report.sops.sum() / len(rows):,.0f}" for report in reports]
            line += [f"{measure(n, Clips.from_dense(x[rows]), static=True).energy:,.0f}" for n, x in zip(networks, clips)]
            print("| " + " | ".join(line) + " |", flush=True)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
