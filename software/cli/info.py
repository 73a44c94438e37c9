"""Show what a quantized network is made of, when its populations work, and what its weights take.

A timestep takes as many phases as the period says; a population handles its first timestep in the phase of its level, and its tile holds the events
of so many timesteps as it has slots. Bits of weights are for tiles of 16 lanes; `spikeloom build` stores each projection the smaller way.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ...spec.arithmetic import Decay
from ...spec.network import Model, Network, Population
from .. import api
from ..description import Description, describe, neurons, shared_bits, weight_bits, weight_format
from ..report import table
from .arguments import add_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("network", metavar="NET.npz", type=Path, help="a quantized network")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Reads the network and shows it."""
    network = api.load(args.network)
    print(json.dumps(describe(network), allow_nan=False) if args.json else _describe(network))
    return 0


def _describe(network: Network) -> str:
    d, saved = Description(network), shared_bits(network)
    totals = table([("network", network.name), ("digest", network.digest), ("neurons", f"{neurons(network):,}"),
                    ("synapses", f"{sum(p.synapses for p in network.projections):,}"),
                    ("weight bits", f"{weight_bits(network):,}" + (f"; {saved:,} more without shared matrices" if saved else "")),
                    ("period", str(d.reason))])
    populations = table([_population(p) for p in network.populations],
                        ("population", "model", "size", "v bits", "decay", "reset", "theta", "readout"))
    more = [(p.name, *row) for p in network.populations for row in _details(p)]
    details = table(more, ("population", "beside", "value")) if more else ""
    schedule = table([(p.name, d.levels[p.name], d.slots.get(p.name)) for p in network.populations], ("population", "level", "slots"))
    projections = table([(f"{p.source} -> {p.target}", p.port.value, p.delay, weight_format(p), p.shift, p.matrix or "-")
                         for p in network.projections], ("projection", "port", "delay", "weights", "shift", "matrix"))
    # Free text of whoever made the file: as JSON, it cannot carry control characters to a terminal.
    metadata = table([(json.dumps(key), json.dumps(value, default=str)) for key, value in network.metadata.items()])
    return "\n\n".join(part for part in (totals, populations, details, schedule, projections, _storage(d), metadata) if part)


def _storage(d: Description) -> str:
    """What each projection takes stored either way."""
    if d.storage is None:
        return f"No storage is shown: {d.obstacle}"
    return table([(f"{c.source} -> {c.target}", c.kind.value, c.synapses, c.existing, c.dense_bits, c.sparse_bits,
                   "-" if c.break_even is None else f"{c.break_even:.1%}", f"{c.density:.1%}") for c in d.storage],
                 ("projection", "kind", "synapses", "existing", "bits if dense", "bits if sparse", "equal at", "density"))


def _population(p: Population) -> tuple[object, ...]:
    if p.model is Model.INPUT:
        return p.name, "input", p.size, None, "-", "-", f"payload {p.payload_min}..{p.payload_max}", "-"
    theta = _range(p.theta) if p.spikes else "-"
    decay = "gate" if p.has_gate else _factors(p.decay, p.beta)
    return p.name, p.model.value, p.size, p.v_bits, decay, p.reset.value, theta, p.readout.value


def _details(p: Population) -> list[tuple[str, str]]:
    """What a population has beside a membrane and a threshold: names and values."""
    out = []
    if p.has_current:
        gain = "" if p.has_gate else f", gain {p.gain.value}"
        out.append(("synaptic current", f"{p.i_bits} bits, decay {_factors(p.current_decay, p.alpha)}{gain}"))
    if p.has_gate:
        out.append(("gate", f"{len(p.gate_table)} entries of {_range(p.gate_table)}, shift {p.gate_shift}, bias {_range(p.gate_bias)}"))
    if p.adapts:
        out.append(("rise of the threshold", f"{p.a_bits} bits, decay {_factors(p.adaptation_decay, None)}, jump {_range(p.jump)}"))
    if p.max_spikes > 1:
        out.append(("spikes per timestep", f"up to {p.max_spikes}"))
    if p.refractory:
        out.append(("refractory", f"{p.refractory} timesteps, mode {p.refractory_mode.value}"))
    if p.inhibition:
        out.append(("inhibition", f"{p.inhibition} timesteps"))
    if p.v_floor is not None:
        out.append(("lower clip of v", str(p.v_floor)))
    if p.v_init.any():
        out.append(("v after a reset", _range(p.v_init)))
    if p.classes is not None:
        out.append(("classes of the vote", str(p.n_readouts)))
    return out


def _factors(decay: Decay, each: np.ndarray | None) -> str:
    """The factor of a decay, or the range of one per neuron."""
    if each is None:
        return f"{decay.beta:.5g}"
    return "..".join(f"{int(k) / (1 << (decay.fraction_bits or 0)):.5g}" for k in (each.min(), each.max()))


def _range(values: np.ndarray) -> str:
    """``[n], int64`` as one number or as the smallest and the largest."""
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low}..{high}"
