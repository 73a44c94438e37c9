"""When a tile computes and when its spikes reach its encoder, vectorised over clips and phases.

Section 3 of docs/architecture.md in closed form: what a tile computes never waits for the network, so all of it follows from
the number of events that each timestep brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..spec.chip import ChipSpec, TileSpec
from ..spec.tile import MAIN, SIDE, SPARSE, SparseSpec

__all__ = ["Flits", "KeyEvents", "TileCycles", "tile_cycles"]


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
    walk : ``[n, Q], int64``, cycles in which rows are walked or sparse synapses scattered (the end e of the last row); 0 where no group is
        active.
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


@dataclass(frozen=True, kw_only=True, eq=False)
class KeyEvents:
    """Events that each key sends.

    Parameters
    ----------
    chip, spikes, inputs : the plan, ``[n, T, size]`` per spiking population, and ``[n, T, C]``.
    channels : first channel of each input population.
    """

    chip: ChipSpec
    spikes: Mapping[str, np.ndarray]
    inputs: np.ndarray
    channels: Mapping[str, int]

    def raster(self, key: int) -> np.ndarray:
        """Whether each neuron of a key sends an event, ``[n, T, size], bool``; a leaky integrator does in every timestep."""
        spec = self.chip.keys[key]
        cut = spec.neurons.neurons
        if spec.population in self.channels:
            return self.inputs[:, :, self.channels[spec.population] + cut] != 0
        if spec.population in self.spikes:
            return self.spikes[spec.population][:, :, cut] != 0
        return np.ones((*self.inputs.shape[:2], spec.size), dtype=bool)

    @cached_property
    def counts(self) -> list[np.ndarray]:
        """Events of each key per timestep, ``[n, T], int64`` per key."""
        return [np.count_nonzero(self.raster(key), axis=2).astype(np.int64) for key in range(len(self.chip.keys))]


def tile_cycles(chip: ChipSpec, tile: TileSpec, sent: KeyEvents, n_phases: int) -> TileCycles:
    """Follow one tile through all phases of all clips."""
    n, n_steps = sent.inputs.shape[:2]
    walk = np.zeros((n, n_phases), dtype=np.int64)
    active = np.zeros(n_phases, dtype=bool)
    events, sops, updates = (np.zeros(n, dtype=np.int64) for _ in range(3))
    parts: list[Flits] = []
    for index, group in enumerate(tile.groups):
        phase = chip.period * np.arange(n_steps) + group.level
        arrived = [_arrived(tile, index, port, sent.counts) for port in (MAIN, SIDE) if (index, port) in tile.lists]
        row = np.sum([np.maximum(listed, tile.beats) for listed in arrived], axis=0)  # the lists of a row follow each other
        events += np.sum(arrived, axis=(0, 2))
        sops += np.sum(arrived, axis=(0, 2)) * group.size
        if group.sparse is not None:
            found, words, synapses = _scattered(tile, index, group.sparse, sent)
            walk[:, phase] += np.where(found > 0, 3 + words, 1)
            events += found.sum(axis=1)
            sops += synapses.sum(axis=1)
        start = walk[:, phase]
        walk[:, phase] += tile.rows(index) * row
        active[phase] = True
        updates += n_steps * group.size
        if group.key is None:
            continue
        if group.update.values:
            clip, step, neuron = (a.reshape(-1) for a in np.indices((n, n_steps, group.size)))
        else:
            clip, step, neuron = np.nonzero(sent.spikes[group.population][:, :, group.neurons])
        place = tile.places(index)[neuron]
        if group.positions > 1:  # spikes leave in the order of their places
            order = np.lexsort((place, step, clip))
            clip, step, place = clip[order], step[order], place[order]
        beat = place % tile.lanes // tile.update_lanes
        end = start[clip, step] + (place // tile.lanes + 1) * row[clip, step]
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


def _scattered(tile: TileSpec, index: int, sparse: SparseSpec, sent: KeyEvents) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a group's sparse list, per timestep: events, cycles of their words (an axon without any takes one), synapses. ``[n, T], int64`` each."""
    n_steps = sent.inputs.shape[1]
    costs = np.stack([np.ones(len(sparse.words)), np.maximum(sparse.words, 1), sparse.synapses], axis=1).astype(np.int64)
    totals = np.zeros((*sent.inputs.shape[:2], 3), dtype=np.int64)
    for key, entries in tile.entries.items():
        for entry in entries:
            if (entry.group, entry.port) == (index, SPARSE) and entry.delay < n_steps:
                raster = sent.raster(key)[:, : n_steps - entry.delay].astype(np.int64)
                totals[:, entry.delay :] += raster @ costs[entry.base + sent.chip.keys[key].neurons.numbers]
    return totals[:, :, 0], totals[:, :, 1], totals[:, :, 2]


def _joined(parts: list[Flits]) -> Flits:
    """Flits of all groups of a tile; within a phase the groups follow each other in their order."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Flits(segment=none, ready=none, key=none)
    segment, ready, key = (np.concatenate([getattr(p, name) for p in parts]) for name in ("segment", "ready", "key"))
    order = np.argsort(segment, kind="stable")
    return Flits(segment=segment[order], ready=ready[order], key=key[order])
