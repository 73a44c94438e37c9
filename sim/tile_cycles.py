"""When a tile computes and when its spikes reach its encoder, vectorised over clips and phases.

Section 3 of docs/architecture.md in closed form: what a tile computes never waits for the network, so all of it follows from
the number of events that each timestep brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..spec.chip import ChipSpec, TileSpec

__all__ = ["Flits", "TileCycles", "key_events", "tile_cycles"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Flits:
    """Flits of one source, in the order in which it sends them; F flits.

    Parameters
    ----------
    segment : ``[F], int64``, ascending: clip * n_phases + phase.
    ready : ``[F], int64``, cycle of the phase from which the flit is offered if no earlier one is in its way; within a
        segment it never falls.
    key : ``[F], int64``, its key; -1 for an event that nobody listens to.
    """

    segment: np.ndarray
    ready: np.ndarray
    key: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class TileCycles:
    """What a tile does; n clips, Q phases.

    Parameters
    ----------
    walk : ``[n, Q], int64``, cycles in which rows are walked (the end e of the last row); 0 where no group is active.
    done : ``[n, Q], int64``, first idle cycle as far as the computation is concerned; 1 where no group is active.
    flits : spikes and values that it sends.
    events, sops, updates : ``[n], int64``: axon events (each once per list, however many rows), synaptic operations, neuron updates.
    """

    walk: np.ndarray
    done: np.ndarray
    flits: Flits
    events: np.ndarray
    sops: np.ndarray
    updates: np.ndarray


def key_events(chip: ChipSpec, spikes: Mapping[str, np.ndarray], inputs: np.ndarray,
               channels: Mapping[str, int]) -> list[np.ndarray]:
    """Events that each key sends per timestep, ``[n, T], int64`` per key.

    ``spikes`` ``[n, T, size], bool`` per spiking population; ``inputs`` ``[n, T, C]``; ``channels``: first channel of each input.
    """
    shape = inputs.shape[:2]
    counts = []
    for key in chip.keys:
        if key.population in channels:
            first = channels[key.population] + key.first
            counts.append(np.count_nonzero(inputs[:, :, first : first + key.size], axis=2).astype(np.int64))
        elif key.population in spikes:
            counts.append(np.count_nonzero(spikes[key.population][:, :, key.first : key.first + key.size], axis=2).astype(np.int64))
        else:  # a leaky integrator sends the value of every neuron in every timestep
            counts.append(np.full(shape, key.size, dtype=np.int64))
    return counts


def tile_cycles(chip: ChipSpec, tile: TileSpec, counts: list[np.ndarray], spikes: Mapping[str, np.ndarray],
                n_phases: int) -> TileCycles:
    """Follow one tile through all phases of all clips; ``counts`` is what :func:`key_events` returns."""
    n, n_steps = counts[0].shape
    walk = np.zeros((n, n_phases), dtype=np.int64)
    active = np.zeros(n_phases, dtype=bool)
    events, sops, updates = (np.zeros(n, dtype=np.int64) for _ in range(3))
    parts: list[Flits] = []
    for index, group in enumerate(tile.groups):
        phase = chip.period * np.arange(n_steps) + group.level
        lists = [_arrived(tile, index, port, counts) for owner, port in tile.lists if owner == index]
        arrived = np.sum(lists, axis=0)
        row = np.sum([np.maximum(events, tile.beats) for events in lists], axis=0)  # the lists of a row follow each other
        start = walk[:, phase]
        walk[:, phase] += tile.rows(index) * row
        active[phase] = True
        events += arrived.sum(axis=1)
        sops += arrived.sum(axis=1) * group.size
        updates += n_steps * group.size
        if group.key is None:
            continue
        if group.update.values:
            clip, step, neuron = (a.reshape(-1) for a in np.indices((n, n_steps, group.size)))
        else:
            clip, step, neuron = np.nonzero(spikes[group.population][:, :, group.first : group.first + group.size])
        beat = neuron % tile.lanes // tile.update_lanes
        end = start[clip, step] + (neuron // tile.lanes + 1) * row[clip, step]
        parts.append(Flits(segment=clip * n_phases + phase[step], ready=tile.front_latency + end + beat + tile.update_latency + 1,
                           key=np.full(len(clip), group.key, dtype=np.int64)))
    done = np.where(active, tile.front_latency + walk + tile.beats + tile.update_latency, 1)
    return TileCycles(walk=walk, done=done, flits=_joined(parts), events=events, sops=sops, updates=updates)


def _arrived(tile: TileSpec, index: int, port: int, counts: list[np.ndarray]) -> np.ndarray:
    """Events in the slot of each timestep of a group's list, ``[n, T], int64``."""
    arrived = np.zeros_like(counts[0])
    for key, entries in tile.entries.items():
        for entry in entries:
            if (entry.group, entry.port) == (index, port) and entry.delay < arrived.shape[1]:
                arrived[:, entry.delay :] += counts[key][:, : arrived.shape[1] - entry.delay]
    return arrived


def _joined(parts: list[Flits]) -> Flits:
    """Flits of all groups of a tile; within a phase the groups follow each other in their order."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Flits(segment=none, ready=none, key=none)
    segment, ready, key = (np.concatenate([getattr(p, name) for p in parts]) for name in ("segment", "ready", "key"))
    order = np.argsort(segment, kind="stable")
    return Flits(segment=segment[order], ready=ready[order], key=key[order])
