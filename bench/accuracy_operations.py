"""Accuracy against operations of SpikGRU and GRU networks of several sizes, with and without spike regularization; see docs/training.md.

    python bench/accuracy_operations.py [--data DIR] [--epochs N] [--only NAME] [--write]

Trains on asc as kws-spikgru's recipe says, in floating point and without teachers, but for fewer epochs; the shape is that of figure 4.5 of
Dampfhoffer (thesis, 2023). Operations of a timestep are those of its table 4.2 (one MAC or AC is one operation), with the spikes that the
validation split makes.
Every training is kept in build/train/operations and is not done again; --only NAME does one (``gru-128``, ``spikgru-128-reg``); --write writes
docs/accuracy-operations.png. About half an hour of one core in all.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from spikeloom.software.energy.operations import operations
from spikeloom.software.train.ann import GatedNet
from spikeloom.software.train.fit import fit
from spikeloom.software.train.make import Maker, answers_of
from spikeloom.software.train.recipe import load_recipe
from spikeloom.software.train.spiking_net import SpikingNet

ROOT = Path(__file__).resolve().parents[1]
SIZES = (32, 64, 128)
ACTIVITY = 2.0  # weight of the regularization; the thesis finds 0.5 to 2 best
NAMES = tuple(f"{kind}-{size}{reg}" for size in SIZES for kind, reg in (("gru", ""), ("spikgru", ""), ("spikgru", "-reg")))


def one(maker: Maker, name: str, epochs: int, work: Path) -> dict:
    """Train (or read) one network; its row of the table."""
    kept = work / f"{name}-{epochs}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    kind, size, *reg = name.split("-")
    r = maker.recipe
    sizes = [int(size)] * 2
    torch.manual_seed(r.seed)
    inputs, classes = maker.train.x.shape[2], len(maker.train.labels)
    if kind == "gru":
        net, config = GatedNet(inputs, sizes, classes, input_scale=r.network.input_scale, dropout=0.2), replace(r.teachers.training, epochs=epochs)
    else:
        net = SpikingNet(inputs, sizes, classes, r.network.model, readout=r.network.readout, input_scale=r.network.input_scale, dropout=0.1,
                         surrogate=r.network.surrogate)
        config = replace(r.training, epochs=epochs, batch=100, activity=ACTIVITY if reg else 0.0)
    fit(net, lambda rng: maker.batches(rng, config.batch, []), len(maker.train.y) // config.batch, config, seed=r.seed,
        progress=lambda line: print(f"{name}: {line}", flush=True), validate=lambda: maker.validate(net), every=10)
    row = {"name": name, "kind": kind, "size": int(size), "regularized": bool(reg), **_measured(maker, net, kind, sizes)}
    work.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(row))
    return row


def _measured(maker: Maker, net: torch.nn.Module, kind: str, sizes: list[int]) -> dict:
    accuracy, activities = {}, []
    for split in ("val", "test"):
        payloads = maker.words[split].payloads(maker.recipe.front_end)
        accuracy[split] = round(100 * float((answers_of(net, payloads) == maker.words[split].y).mean()), 2)
    payloads = maker.words["val"].payloads(maker.recipe.front_end)
    with torch.no_grad():
        parts = [net(torch.from_numpy(p.astype(np.float32)))[1] for p in np.split(payloads, range(256, len(payloads), 256))]
    activities = [float(np.mean([float(part[k].mean()) for part in parts])) for k in range(len(parts[0]))] or [1.0] * len(sizes)
    s_in = [float((payloads != 0).mean()), *activities]
    total, fan_in = 0.0, [payloads.shape[2], *sizes]
    for k, size in enumerate(sizes):
        ops = operations(kind, fan_in[k], size, 1.0 if kind == "gru" else s_in[k], 1.0 if kind == "gru" else activities[k])
        total += ops.mac + ops.ac
    total += len(maker.train.labels) * (sizes[-1] * (1.0 if kind == "gru" else activities[-1]) + 1)
    return {"activity": [round(a, 4) for a in activities] if kind != "gru" else [], "operations": round(total), **accuracy,
            "parameters": sum(p.numel() for p in net.parameters())}


def _plot(rows: list[dict], path: Path) -> None:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for label, chosen, marker in (("GRU", lambda r: r["kind"] == "gru", "s"), ("SpikGRU", lambda r: r["kind"] != "gru" and not r["regularized"], "o"),
                                  ("SpikGRU, spikes regularized", lambda r: r["regularized"], "^")):
        some = [r for r in rows if chosen(r)]
        axes.plot([r["operations"] for r in some], [r["test"] for r in some], marker=marker, label=label)
        for r in some:
            axes.annotate(str(r["size"]), (r["operations"], r["test"]), textcoords="offset points", xytext=(4, -11), fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("operations per timestep (MAC + AC)")
    axes.set_ylabel("test accuracy, %")
    axes.set_title("asc, 40 words: accuracy against operations")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", choices=NAMES, action="append", help="may be given more than once")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"needs the recordings in {args.data}, which is not there", file=sys.stderr)
        return 2
    maker = Maker(load_recipe(ROOT / "models" / "kws-spikgru.toml"), args.data, None, print)
    rows = [one(maker, name, args.epochs, ROOT / "build" / "train" / "operations") for name in (args.only or NAMES)]
    print("| network | parameters | spikes per neuron and timestep | operations per timestep | val, % | test, % |\n|---|---|---|---|---|---|")
    for r in rows:
        active = ", ".join(f"{a:.3f}" for a in r["activity"]) or "-"
        print(f"| {r['name']} | {r['parameters']:,} | {active} | {r['operations']:,} | {r['val']:.2f} | {r['test']:.2f} |")
    if args.write:
        _plot(rows, ROOT / "docs" / "accuracy-operations.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
