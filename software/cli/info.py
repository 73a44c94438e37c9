"""Show what a quantized network is made of."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ...spec.network import Model, Network, Population
from .. import api
from ..report import table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")


def run(args: argparse.Namespace) -> int:
    """Reads the network and shows it."""
    print(_describe(api.load(args.network)))
    return 0


def _describe(network: Network) -> str:
    totals = table([("network", network.name), ("digest", network.digest),
                    ("neurons", f"{sum(p.size for p in network.populations if p.model is not Model.INPUT):,}"),
                    ("synapses", f"{sum(p.weights.size for p in network.projections):,}"),
                    ("weight bits", f"{sum(p.weights.size * p.weight_bits for p in network.projections):,}")])
    populations = table([_population(p) for p in network.populations],
                        ("population", "model", "size", "v bits", "decay", "reset", "theta", "readout"))
    projections = table([(f"{p.source} -> {p.target}", p.weights.size, p.weight_bits, p.delay, f"{(p.weights == 0).mean():.1%}")
                         for p in network.projections], ("projection", "synapses", "weight bits", "delay", "zeros"))
    # Free text of whoever made the file: as JSON, it cannot carry control characters to a terminal.
    metadata = table([(json.dumps(key), json.dumps(value, default=str)) for key, value in network.metadata.items()])
    return "\n\n".join(part for part in (totals, populations, projections, metadata) if part)


def _population(p: Population) -> tuple[object, ...]:
    if p.model is Model.INPUT:
        return p.name, "input", p.size, None, "-", "-", f"payload {p.payload_min}..{p.payload_max}", "-"
    theta = _range(p.theta) if p.spikes else "-"
    return p.name, p.model.value, p.size, p.v_bits, f"{p.decay.beta:.5g}", p.reset.value, theta, p.readout.value


def _range(values) -> str:
    """``[n], int64`` as one number or as the smallest and the largest."""
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low}..{high}"
