"""The inner loop of the golden model: one chunk of clips through all timesteps, in blocks of timesteps that fit the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..spec.network import Model, Network, Population, Readout
from ._neuron_steps import Membrane
from ._plan import Group, Layer, Plan, Synapses, plan
from .counters import Counters

__all__ = ["MAX_COUNT", "ChunkResult", "State", "chunk_clips", "initial_state", "run_chunk"]

MAX_COUNT = (1 << 16) - 1  # where a spike count saturates
# Neurons updated by one NumPy call: long enough that two threads do not spend their time handing over the interpreter lock
# (bench/golden_speed.py; 8,192 gave no gain from a second core).
_STEP_ELEMENTS = 1 << 15
_BLOCK_ELEMENTS = 1 << 17  # entries of one block of currents or spikes: a few of these share the L2 cache


@dataclass(frozen=True, eq=False)
class State:
    """All that a network remembers between calls of ``run``; every array has the clips as its first axis.

    ``v`` ``[N, size], int32``; ``fired`` ``[N, size], bool`` (s_prev); ``history`` ``[N, delay, size], int16``, the payloads of the
    last timesteps that a delayed projection still needs; ``readouts`` ``[N, size], int64``.
    """

    digest: str
    n_clips: int
    v: dict[str, np.ndarray]
    fired: dict[str, np.ndarray]
    history: dict[str, np.ndarray]
    readouts: dict[str, np.ndarray]

    def take(self, first: int, last: int) -> State:
        """The state of clips first..last-1 (views)."""
        return State(self.digest, last - first, *({name: a[first:last] for name, a in part.items()}
                                                  for part in (self.v, self.fired, self.history, self.readouts)))


@dataclass(eq=False)
class ChunkResult:
    """What :func:`run_chunk` returns; the fields mean what they mean in ``golden.Result``."""

    state: State
    spike_counts: dict[str, np.ndarray] = field(default_factory=dict)
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    potentials: dict[str, np.ndarray] = field(default_factory=dict)
    counters: dict[str, Counters] = field(default_factory=dict)
    saturations: dict[str, int] = field(default_factory=dict)


def initial_state(network: Network, n_clips: int) -> State:
    """The state after RESET: v_init, nobody fired, no event under way, empty readouts (MAX: v_min, the others 0)."""
    neurons = [p for p in network.populations if p.model is not Model.INPUT]
    history = plan(network).history
    return State(
        digest=network.digest, n_clips=n_clips,
        v={p.name: np.full((n_clips, p.size), p.v_init, dtype=np.int32) for p in neurons},
        fired={p.name: np.zeros((n_clips, p.size), dtype=bool) for p in neurons},
        history={p.name: np.zeros((n_clips, history[p.name], p.size), dtype=np.int16) for p in network.populations},
        readouts={p.name: np.full((n_clips, p.size), p.v_min if p.readout is Readout.MAX else 0, dtype=np.int64)
                  for p in neurons if p.readout is not Readout.NONE})


def chunk_clips(network: Network, n_steps: int) -> int:
    """Clips per chunk for which a population's state stays in the cache, and the dense input of the chunk within 64 MiB."""
    n_channels = sum(p.size for p in network.inputs)
    return max(1, min(512, _STEP_ELEMENTS // max(p.size for p in network.populations), (1 << 25) // max(1, n_steps * n_channels)))


def run_chunk(network: Network, x: np.ndarray, state: State, record: bool) -> ChunkResult:
    """Run one chunk: ``x`` ``[n, T, C]`` integers, already validated. ``state`` is not changed."""
    return _Chunk(network, x, state, record).run()


class _Chunk:
    """Buffers of one chunk. Time is the first axis, so that a timestep of all clips is one contiguous piece."""

    def __init__(self, network: Network, x: np.ndarray, state: State, record: bool) -> None:
        self.network, self.x, self.before, self.record = network, x, state, record
        self.plan: Plan = plan(network)
        self.n, self.n_steps = x.shape[:2]
        widest = max(p.size for p in network.populations)
        self.block = max(1, min(self.n_steps, _BLOCK_ELEMENTS // max(1, self.n * widest)))
        # Events as floats, ready to be multiplied: [history + block, n, size] per sending population.
        self.events: dict[str, np.ndarray] = {}
        for name, history in state.history.items():
            self.events[name] = np.zeros((history.shape[1] + self.block, self.n, history.shape[2]), dtype=np.float32)
            self.events[name][: history.shape[1]] = history.swapaxes(0, 1)
        layers = [layer for group in self.plan.groups for layer in group.layers]
        self.membranes = {k.population.name: Membrane(k.population, state.v[k.population.name], k.dtype) for k in layers}
        # Masks of the block's timesteps, entry 0 that of the step before.
        self.quiet: dict[str, np.ndarray] = {}
        self.potentials: dict[str, np.ndarray] = {}
        self.result = ChunkResult(state)
        for layer in layers:
            p = layer.population
            self.quiet[p.name] = np.empty((self.block + 1, self.n * p.size), dtype=layer.dtype)
            self.quiet[p.name][0] = ~-state.fired[p.name].astype(layer.dtype).ravel()
            if record or not p.spikes:
                self.potentials[p.name] = np.empty((self.block, self.n * p.size), dtype=layer.dtype)
            if record:
                self.result.potentials[p.name] = np.empty((self.n, self.n_steps, p.size), dtype=np.int32)
            if p.spikes:
                self.result.spike_counts[p.name] = np.zeros((self.n, p.size), dtype=np.int64)
                if record:
                    self.result.spikes[p.name] = np.empty((self.n, self.n_steps, p.size), dtype=bool)
        self.readouts = {name: value.copy() for name, value in state.readouts.items()}

    def run(self) -> ChunkResult:
        for start in range(0, self.n_steps, self.block):
            n_steps = min(self.block, self.n_steps - start)
            channel = 0
            for p in self.network.inputs:
                block = self.x[:, start : start + n_steps, channel : channel + p.size]
                self.events[p.name][self.plan.history[p.name] :][:n_steps] = block.swapaxes(0, 1)
                channel += p.size
            for group in self.plan.groups:
                self._run_group(group, n_steps)
                for layer in group.layers:
                    self._collect(layer.population, start, n_steps)
            for name, history in self.plan.history.items():
                if history:
                    self.events[name][:history] = self.events[name][n_steps : n_steps + history].copy()
        return self._finish()

    def _sums(self, synapses: tuple[Synapses, ...], first: int, n_steps: int) -> np.ndarray:
        """A << G of some projections for timesteps of the block, ``[n_steps * n, size]``, exact in floating point."""
        total: np.ndarray | None = None
        for synapse in synapses:
            at = self.plan.history[synapse.source] + first - synapse.delay
            events = self.events[synapse.source][at : at + n_steps]
            rows = events.reshape(n_steps * self.n, events.shape[2]).astype(synapse.weights.dtype, copy=False)
            product = rows @ synapse.weights
            total = product if total is None else np.add(total, product, out=total)
        assert total is not None
        return total

    def _run_group(self, group: Group, n_steps: int) -> None:
        currents = {layer.population.name: self._currents(layer, n_steps) for layer in group.layers}
        if not group.stepwise:
            (layer,) = group.layers
            name = layer.population.name
            for k in range(n_steps):
                self._step(layer, currents[name][k], k)
            self._send(layer.population, 0, n_steps)
            return
        for k in range(n_steps):
            for layer in group.layers:
                current = currents[layer.population.name][k]
                if layer.inner:
                    current += self._sums(layer.inner, k, 1).astype(layer.dtype).ravel()
                self._step(layer, current, k)
                self._send(layer.population, k, 1)

    def _currents(self, layer: Layer, n_steps: int) -> np.ndarray:
        """(A << G) + offset from outside the group, ``[n_steps, n * size]`` of the layer's dtype."""
        currents: np.ndarray
        if layer.outer:
            currents = self._sums(layer.outer, 0, n_steps).astype(layer.dtype)
        else:
            currents = np.zeros((n_steps * self.n, layer.population.size), dtype=layer.dtype)
        if layer.offset is not None:
            currents += layer.offset
        return currents.reshape(n_steps, self.n * layer.population.size)

    def _step(self, layer: Layer, current: np.ndarray, k: int) -> None:
        name = layer.population.name
        membrane, quiet = self.membranes[name], self.quiet[name]
        membrane.step(current, quiet[k], quiet[k + 1])
        if name in self.potentials:
            self.potentials[name][k] = membrane.v

    def _send(self, population: Population, first: int, n_steps: int) -> None:
        """Turn the masks of some timesteps into events: 1 where the mask is 0."""
        if population.spikes:
            at = self.plan.history[population.name] + first
            out = self.events[population.name][at : at + n_steps].reshape(n_steps, self.n * population.size)
            np.add(self.quiet[population.name][first + 1 : first + 1 + n_steps], 1, out=out, casting="unsafe")

    def _collect(self, p: Population, start: int, n_steps: int) -> None:
        """Readouts, counts and records of one block."""
        shape = (n_steps, self.n, p.size)
        potentials = self.potentials[p.name][:n_steps].reshape(shape) if p.name in self.potentials else None
        if potentials is not None and self.record:
            self.result.potentials[p.name][:, start : start + n_steps] = potentials.swapaxes(0, 1)
        if p.spikes:
            self.quiet[p.name][0] = self.quiet[p.name][n_steps]
            events = self.events[p.name][self.plan.history[p.name] :][:n_steps]
            counts = events.sum(axis=0, dtype=np.float32).astype(np.int64)
            self.result.spike_counts[p.name] += counts
            if self.record:
                self.result.spikes[p.name][:, start : start + n_steps] = events.swapaxes(0, 1) != 0
            if p.readout is Readout.COUNT:
                np.minimum(self.readouts[p.name] + counts, MAX_COUNT, out=self.readouts[p.name])
            return
        assert potentials is not None
        readout = self.readouts[p.name]
        if p.readout is Readout.LAST:
            readout[:] = potentials[-1]
        elif p.readout is Readout.MAX:
            np.maximum(readout, potentials.max(axis=0), out=readout)
        elif p.readout is Readout.SUM:
            limit = 1 << (p.v_bits + 15)
            for v in potentials:
                np.clip(readout + v, -limit, limit - 1, out=readout)

    def _finish(self) -> ChunkResult:
        history = {name: self.events[name][:steps].swapaxes(0, 1).astype(np.int16) for name, steps in self.plan.history.items()}
        shapes = {p.name: (self.n, p.size) for p in self.network.populations}
        self.result.state = State(
            self.before.digest, self.n,
            v={name: m.v.reshape(shapes[name]).astype(np.int32) for name, m in self.membranes.items()},
            fired={name: (quiet[0] == 0).reshape(shapes[name]) for name, quiet in self.quiet.items()},
            history=history, readouts=self.readouts)
        self.result.saturations = {name: m.saturations for name, m in self.membranes.items()}
        sent, channel = {}, 0
        for p in self.network.inputs:
            sent[p.name] = np.count_nonzero(self.x[:, :, channel : channel + p.size], axis=(1, 2)).astype(np.int64)
            channel += p.size
        sent.update({name: counts.sum(axis=1) for name, counts in self.result.spike_counts.items()})
        for p in self.network.populations:
            events = np.zeros(self.n, dtype=np.int64)
            for projection in self.network.incoming(p.name):
                # Arrived = sent now + under way before - under way now; those under way are the last `delay` timesteps.
                at = self.plan.history[projection.source] - projection.delay
                under_way = [np.count_nonzero(h[projection.source][:, at:], axis=(1, 2)) for h in (self.before.history, history)]
                events += sent[projection.source] + under_way[0] - under_way[1]
            updates = 0 if p.model is Model.INPUT else self.n_steps * p.size
            self.result.counters[p.name] = Counters(
                events=events, sops=events * p.size, updates=np.full(self.n, updates, dtype=np.int64),
                spikes=sent.get(p.name, np.zeros(self.n, dtype=np.int64)))
        return self.result
