"""Accuracy of a trained SpikGRU keyword network (bench/gate_network.py), float against integer, by bits: prints a Markdown table.

    python bench/spikgru_accuracy.py [--weights FILE.npz] [--limit N] [--auto]

FILE (build/bench/gate_network.npz) is made by bench/gate_table.py, in 7 minutes of one core. Scores the validation split of ../shared/data/asc. A
row names the bits of a weight and, where they are given, those of v and i; the others are chosen by the quantizer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from gate_data import DATA, INPUT_SHIFT, load

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Port, Readout

ROOT = Path(__file__).resolve().parents[1]
CASES: tuple[dict, ...] = (
    {"weight_bits": 8}, {"weight_bits": 6}, {"weight_bits": 4}, {"weight_bits": 3}, {"weight_bits": 2}, {"weight_bits": 8, "scale": "layer"},
    {"weight_bits": 4, "scale": "layer"}, {"weight_bits": 8, "decay": "shift"}, *({"weight_bits": b, "v_bits": 16, "i_bits": 16} for b in (8, 6, 4)))


def float_network(parameters: dict[str, np.ndarray], payload_bits: int = 8) -> FloatNetwork:
    """The network of gate_network.py, for signed payloads of so many bits."""
    half = 1 << (payload_bits - 1)
    populations = [FloatPopulation(name="audio", size=parameters["w0"].shape[1], model=Model.INPUT, payload_min=-half, payload_max=half - 1)]
    projections = []
    for k in range(sum(name.startswith("alpha") for name in parameters)):
        w, u, b, alpha = (parameters[f"{name}{k}"] for name in ("w", "u", "b", "alpha"))
        size = len(alpha)
        w = w / 2.0 ** (INPUT_SHIFT - 8 + payload_bits) if k == 0 else w
        source = populations[-1].name
        populations.append(FloatPopulation(name=f"layer{k}", size=size, model=Model.SPIKGRU, alpha=alpha, bias=b[:size],
                                           gate_bias=b[size:], strict=False))
        projections += [FloatProjection(source=name, target=f"layer{k}", weights=m[rows], delay=delay, port=port)
                        for port, rows in ((Port.CURRENT, slice(0, size)), (Port.GATE, slice(size, None)))
                        for name, m, delay in ((source, w, 0), (f"layer{k}", u, 1))]
    populations.append(FloatPopulation(name="words", size=len(parameters["b_out"]), model=Model.LI, beta=parameters["beta_out"],
                                       bias=parameters["b_out"],
                                       readout=Readout.MAX))
    projections.append(FloatProjection(source=populations[-2].name, target="words", weights=parameters["w_out"]))
    return FloatNetwork(name="keywords", populations=tuple(populations), projections=tuple(projections))


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=ROOT / "build" / "bench" / "gate_network.npz", help="trained parameters")
    parser.add_argument("--limit", type=int, help="use the first N clips only")
    parser.add_argument("--auto", action="store_true", help="search the bits of each projection too, within 1 point")
    args = parser.parse_args()
    for path, what in ((DATA, "the recordings' features"), (args.weights, "the weights that bench/gate_table.py trains")):
        if not path.exists():
            print(f"needs {what} in {path}, which is not there", file=sys.stderr)
            return 2
    with np.load(args.weights) as data:
        parameters = dict(data)
    x, y, _ = load("val", parameters.pop("mean"))
    clips = Clips.from_dense(x, labels=y).take(args.limit)
    network = float_network(parameters)
    reference = run_float(network, clips.dense())
    print(f"{clips.n_clips} clips, float accuracy {(reference.answers == clips.labels).mean():.2%}\n")
    print("| weights | scale | decay | v bits | i bits | accuracy | change | same answer | equal spikes | saturations per clip |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        result = quantize(network, clips=clips, reference=reference, **case)
        report, c = result.report, result.report.comparison
        assert c is not None and c.accuracy_float is not None and c.accuracy_integer is not None and c.agreement is not None
        print(f"| {report.weight_bits} bit | {report.scale} | {report.decay} | {', '.join(str(p.v_bits) for p in report.populations)} "
              f"| {', '.join(str(p.i_bits) for p in report.populations if p.i_bits)} | {c.accuracy_integer:.2%} "
              f"| {100 * (c.accuracy_integer - c.accuracy_float):+.2f} | {c.agreement:.2%} "
              f"| {', '.join(f'{v.agreement:.2%}' for v in c.layers if v.agreement is not None)} | {sum(c.saturations.values()):.1f} |", flush=True)
    if args.auto:
        print("\n" + quantize(network, clips=clips, reference=reference, weight_bits="auto", max_drop=1.0).report.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
