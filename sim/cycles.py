"""The cycle model: how many clock cycles every phase of every clip takes, exactly, and where they go.

Written from docs/architecture.md, sections 2 to 5; co-simulation of the Verilog must give the same numbers. It takes what the
neurons do from the golden model and only counts clocks:

    KeyEvents, tile_cycles      when each tile computes and offers its flits (closed form)
    FabricCycles                when the network delivers them (closed form; cycle by cycle where flits meet)
    barrier                     a phase ends with the first cycle in which nothing is busy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..spec.chip import ChipSpec
from ..spec.errors import MismatchError, NetworkError
from ..spec.network import Network
from . import golden
from .fabric_cycles import FabricCycles
from .tile_cycles import Flits, KeyEvents, tile_cycles

__all__ = ["HOST", "NETWORK", "CycleReport", "cycles_of", "predict"]

HOST, NETWORK = -1, -2  # in CycleReport.bound

_CHUNK = 1 << 24  # neurons times timesteps that are worked on at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class CycleReport:
    """Clock cycles of N clips of T timesteps on a chip of K tiles; Q = PI * (T - 1) + 1 + levels phases.

    Parameters
    ----------
    cycles : ``[N, Q], int64``, length of each phase, from ``start`` through ``finish``.
    floor : ``[N, Q], int64``, what the phase would take if no tile sent a flit: its slowest tile, or the host's events.
    bound : ``[N, Q], int16``, what a phase waited for: a tile's number, :data:`HOST`, or :data:`NETWORK` where it is longer than
        its floor and one last flit's way. A phase of nothing but the barrier is the host's.
    slowest_walk : ``[N, Q], int64``, cycles in which the slowest tile of the phase walked its rows.
    walk : ``[N, K], int64``, cycles in which a tile walked its rows.
    busy : ``[N, K], int64``, cycles in which a tile was busy (section 3), its input register included; otherwise it idles.
    events, sops, updates : ``[N, K], int64``, axon events, synaptic operations (dense: zero weights count) and neuron updates.
    sent : ``[N, K], int64``, flits that a tile sent, each counted once.
    hops : ``[N], int64``, links that flits passed, copies counted one by one.
    contended : ``[N, Q], bool``, phases in which two flits wanted the same link or input register at the same time.
    """

    cycles: np.ndarray
    floor: np.ndarray
    bound: np.ndarray
    slowest_walk: np.ndarray
    walk: np.ndarray
    busy: np.ndarray
    events: np.ndarray
    sops: np.ndarray
    updates: np.ndarray
    sent: np.ndarray
    hops: np.ndarray
    contended: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Cycles of each clip, ``[N], int64``."""
        return self.cycles.sum(axis=1)

    @property
    def idle(self) -> np.ndarray:
        """Cycles in which a tile was not busy, ``[N, K], int64``."""
        return self.total[:, None] - self.busy


def cycles_of(chip: ChipSpec, network: Network, x: np.ndarray) -> CycleReport:
    """Cycle report of the clips ``x`` ``[N, T, C]``; runs the golden model for the spikes."""
    return predict(chip, network, golden.run(network, x, record=True).spikes, x)


def predict(chip: ChipSpec, network: Network, spikes: Mapping[str, np.ndarray], inputs: np.ndarray, *,
            stepwise: bool = False) -> CycleReport:
    """Cycles of clips that run one after the other, the first after power-up, each followed by READ and RESET.

    Parameters
    ----------
    chip, network : the plan and what it was planned for.
    spikes : ``[N, T, size], bool`` of every spiking population: the golden model's record.
    inputs : ``[N, T, C]``, payloads, 0 where there is no event; C concatenates the inputs in the network's order.
    stepwise : go through the network on chip cycle by cycle in every phase: slow, the same result.

    Raises NetworkError if the arrays do not fit, MismatchError if the chip was planned for another network.
    """
    inputs = np.asarray(inputs)
    _check(chip, network, spikes, inputs)
    n_clips, n_steps = inputs.shape[:2]
    n_phases = chip.period * (n_steps - 1) + 1 + chip.levels
    fabric = FabricCycles(chip, stepwise=stepwise)
    size = sum(p.size for p in network.populations) * n_steps
    chunk = max(1, _CHUNK // size)
    parts = []
    for first in range(0, max(n_clips, 1), chunk):
        some = slice(first, first + chunk)
        parts.append(_predict(chip, network, fabric, {name: s[some] for name, s in spikes.items()}, inputs[some], n_phases))
    names = CycleReport.__dataclass_fields__
    return CycleReport(**{name: np.concatenate([p[name] for p in parts]) for name in names})


def _check(chip: ChipSpec, network: Network, spikes: Mapping[str, np.ndarray], inputs: np.ndarray) -> None:
    if chip.network_digest != network.digest:
        raise MismatchError(f"Chip {chip.name!r} was planned for network {chip.network_digest[:12]}, not for {network.name!r}, "
                            f"which is {network.digest[:12]}; generate it again")
    channels = sum(p.size for p in network.inputs)
    if inputs.ndim != 3 or inputs.shape[1] < 1 or inputs.shape[2] != channels:
        raise NetworkError(f"Network {network.name!r}: inputs must have shape [clips, timesteps >= 1, {channels}], "
                           f"not {inputs.shape}")
    for population in network.populations:
        if population.spikes:
            expected = (*inputs.shape[:2], population.size)
            found = spikes[population.name].shape if population.name in spikes else "none at all"
            if found != expected:
                raise NetworkError(f"Population {population.name!r}: recorded spikes must have shape {expected}, not {found}; "
                                   "run the golden model with record=True")


def _predict(chip: ChipSpec, network: Network, fabric: FabricCycles, spikes: Mapping[str, np.ndarray], inputs: np.ndarray,
             n_phases: int) -> dict[str, np.ndarray]:
    """The fields of a CycleReport for some clips."""
    n, n_steps = inputs.shape[:2]
    ends = np.cumsum([0, *(p.size for p in network.inputs)]).tolist()
    channels = {p.name: first for p, first in zip(network.inputs, ends)}
    events = KeyEvents(chip=chip, spikes=spikes, inputs=inputs, channels=channels)
    tiles = [tile_cycles(chip, tile, events, n_phases) for tile in chip.tiles]
    host, offered = _host_flits(chip, network, inputs, n_phases)
    flits = [host, *(t.flits for t in tiles)]
    delivery = fabric.deliver(flits, n * n_phases)

    compute = np.stack([t.done for t in tiles])  # [K, n, Q]: first idle cycle without flits
    left = delivery.left.reshape(len(flits), n, n_phases)
    idle = np.maximum(np.maximum(compute.max(axis=0), left.max(axis=0)), delivery.done.reshape(n, n_phases))
    # finish is the first idle cycle, 1 at the earliest: cycle 0 has start, and a command taken in it is pending from 1 on. STEP is
    # taken in the cycle after the last event was, so it is pending when that event has left the host's register at the earliest.
    cycles = idle + 1

    # Host alone: E events leave the register in cycles 1 .. E and are in a sink one cycle longer.
    host_floor = np.where(offered > 0, offered + 3, 2)
    floor = np.maximum(compute.max(axis=0) + 1, host_floor)
    bound = np.where(host_floor > compute.max(axis=0) + 1, HOST, compute.argmax(axis=0)).astype(np.int16)
    none_active = compute.max(axis=0) == 1
    bound[none_active] = HOST
    bound[cycles > floor + 2 + fabric.longest] = NETWORK

    sent = [np.bincount(t.flits.segment // n_phases, minlength=n) for t in tiles]
    heard = [(f.segment[f.key >= 0] // n_phases, f.key[f.key >= 0]) for f in flits]
    by_key = sum(np.bincount(clip * len(chip.keys) + key, minlength=n * len(chip.keys)) for clip, key in heard)
    hops = np.asarray(by_key).reshape(n, len(chip.keys)) @ np.array(fabric.hops, dtype=np.int64)
    own = np.maximum(compute, left[1:])  # first cycle in which the tile would be idle if no flit came
    busy = [_busy(own[k], *delivery.arrivals[k]) for k in range(len(tiles))]
    return {
        "cycles": cycles, "floor": floor, "bound": bound,
        "slowest_walk": np.max([t.walk for t in tiles], axis=0), "walk": np.stack([t.walk.sum(axis=1) for t in tiles], axis=1),
        "busy": np.stack(busy, axis=1), "events": np.stack([t.events for t in tiles], axis=1),
        "sops": np.stack([t.sops for t in tiles], axis=1), "updates": np.stack([t.updates for t in tiles], axis=1),
        "sent": np.stack(sent, axis=1).astype(np.int64), "hops": hops,
        "contended": delivery.contended.reshape(n, n_phases)}


def _host_flits(chip: ChipSpec, network: Network, inputs: np.ndarray, n_phases: int) -> tuple[Flits, np.ndarray]:
    """What the host port offers, in ascending channel order, and its events per phase, ``[n, Q], int64``.

    An event is taken into the register when the one before leaves it, and is offered in the cycle after: the first in cycle 1, each
    later one in the cycle after the one before was taken by the network.
    """
    keys = {i.population: -1 if i.key is None else i.key for i in chip.inputs}
    by_channel = np.repeat([keys[p.name] for p in network.inputs], [p.size for p in network.inputs]).astype(np.int64)
    clip, step, channel = np.nonzero(inputs)
    segment = clip * n_phases + chip.period * step
    offered = np.bincount(segment, minlength=len(inputs) * n_phases).reshape(len(inputs), n_phases)
    return Flits(segment=segment, ready=np.ones(len(segment), dtype=np.int64), key=by_channel[channel]), offered


def _busy(own: np.ndarray, segment: np.ndarray, cycle: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Busy cycles of a tile per clip, ``[n], int64``: cycles 1 .. own - 1, and those of its input register after them."""
    n, n_phases = own.shape
    # A flit taken in cycle c is in the register in c + 1 .. c + entries; no two of these overlap.
    later = np.maximum(cycle + entries + 1 - np.maximum(cycle + 1, own.reshape(-1)[segment]), 0)
    return (own - 1).sum(axis=1) + np.bincount(segment // n_phases, weights=later, minlength=n).astype(np.int64)
