"""Accuracy of the published NeuroBench keyword network, float against integer: prints a Markdown table.

    python bench/neurobench_accuracy.py [--limit N]

Reads ../shared/truth/neurobench beside the repository (see its README for where the network and the clips come from).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spikeloom.gen.float_network import run_float
from spikeloom.gen.quantize import quantize
from spikeloom.software.clips import read_clips
from spikeloom.software.importers.state_dict import read_state_dict

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "truth" / "neurobench"
CASES: tuple[dict, ...] = (
    *({"weight_bits": bits, "scale": scale} for bits in (8, 6, 5, 4) for scale in ("neuron", "layer")),
    {"fraction_bits": 8}, {"decay": "shift"}, {"decay": "shift", "weight_bits": 6},
    {"v_bits": 16}, {"v_bits": 16, "weight_bits": 6},
)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="use the first N clips only")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"needs the published network and clips in {DATA}, which is not there", file=sys.stderr)
        return 2
    network = read_state_dict(DATA / "neurobench_gsc_lif.npz", beta=0.9)
    clips = read_clips(DATA / "gsc_test_events.npz", network, args.limit)
    reference = run_float(network, clips.dense())
    print(f"{clips.n_clips} clips, float accuracy {(reference.answers == clips.labels).mean():.2%}\n")
    print("| weights | scale | beta 0.9 as | v bits | guard bits | accuracy | change | same answer | spikes, change | saturations per clip |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        report = quantize(network, clips=clips, reference=reference, **case).report
        c = report.comparison
        assert c is not None and c.accuracy_float is not None and c.accuracy_integer is not None and c.agreement is not None
        spikes = sum(c.spikes_integer.values()) / sum(c.spikes_float.values()) - 1
        p = report.populations
        print(f"| {report.weight_bits} bit | {report.scale} | {p[0].decay} | {', '.join(str(q.v_bits) for q in p)} "
              f"| {', '.join(str(q.guard_bits) for q in p)} | {c.accuracy_integer:.2%} "
              f"| {100 * (c.accuracy_integer - c.accuracy_float):+.2f} | {c.agreement:.2%} | {spikes:+.2%} "
              f"| {sum(c.saturations.values()):.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
