"""Estimate the energy of a network on clips, and of its ANN equivalents.

The golden model counts memory accesses and arithmetic; the equations and relative costs of Dampfhoffer's thesis (2023) price them, in
multiply-accumulates (MACs). It compares networks and shows what they spend energy on; it is no measurement of a chip. See docs/energy.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from .. import api
from ..energy.constants import PRESETS
from ..energy.report import EnergyReport, Layer
from ..progress import Progress
from ..report import table
from .arguments import add_json, add_limit

__all__ = ["add_arguments", "run"]

_RECURRENT = {"light-gru": "light-GRU, twice the weights", "rnn": "RNN, as many weights", "": "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    parser.add_argument("--input", metavar="CLIPS", type=Path, required=True, help="clips: .npz, .npy or .wav")
    add_limit(parser)
    parser.add_argument("--constants", choices=tuple(PRESETS), default="65nm",
                        help="costs of operations: 65 nm and 16 bit, or 45 nm and 8 bit (default 65nm)")
    parser.add_argument("--static", action="store_true", help="a clip shows one input in all its timesteps, for which an ANN needs one inference "
                        "(default: clips are sequences, and an ANN computes every timestep)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measures and shows the energies."""
    network = api.load(args.network)
    with Progress("energy", quiet=args.json) as progress:
        report = api.energy(network, args.input, constants=args.constants, static=args.static, limit=args.limit, progress=progress.update)
    print(json.dumps(_plain(report), allow_nan=False) if args.json else _text(report))
    return 0


def _plain(report: EnergyReport) -> dict[str, object]:
    """The report as JSON values; a layer also with its energy, which is the sum of its shares."""
    out = asdict(report)
    for layer, plain in zip(report.layers, out["layers"], strict=True):
        plain["energy"] = layer.shares.total
    return out


def _text(report: EnergyReport) -> str:
    per = "inference" if report.static else "timestep"
    meaning = ("one static input in all timesteps: one inference of the ANN" if report.static
               else "a sequence: the ANN computes every timestep")
    c = report.constants
    head = table([("clips", f"{report.clips:,}"), ("timesteps of a clip", f"{report.steps:,}"), ("a clip is", meaning),
                  ("costs", f"{c.name}: MAC {c.mac:g}, AC {c.ac:g}, memory access {c.memory:g}, register access {c.register:g}"),
                  (f"spikes per synapse and {per}", f"{report.spikes_per_synapse:.4g}"),
                  ("energy", f"{report.energy:,.0f} MACs per clip")])
    rows = [(name, "input", None, None, activity, *(None,) * 6) for name, activity in report.inputs.items()]
    layers = table([*rows, *(_layer(layer) for layer in report.layers)],
                   ("population", "model", "neurons", "synapses", "spikes/neuron/step", "SOPs", "energy", "weights %", "states %", "arithmetic %",
                    "spikes %"))
    anns = table([(ann.way, _RECURRENT[ann.recurrent], ann.equations, round(ann.energy), ann.ratio, ann.break_even) for ann in report.anns],
                 ("ANN equivalent", "recurrent layers", "equations", "energy", "ANN / SNN", f"equal at spikes/synapse/{per}"))
    return "\n\n".join((head, layers, anns))


def _layer(layer: Layer) -> tuple[object, ...]:
    shares, total = layer.shares, layer.shares.total
    return (layer.name, layer.model, layer.neurons, layer.synapses, layer.spikes_per_neuron_and_step, round(layer.sops), round(total),
            *(100 * share / total if total else None for share in (shares.weights, shares.states, shares.arithmetic, shares.spikes)))
