"""The inner loop of the golden model: one chunk of clips through all timesteps, in blocks of timesteps that fit the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..spec.network import Network, Population
from ._neuron_steps import Membrane
from ._neurons import Neurons
from ._plan import Group, Layer, Plan, PortPlan, Synapses, plan
from ._readouts import accumulate
from ._state import State
from ._tally import tally
from .counters import Counters

__all__ = ["ChunkResult", "chunk_clips", "run_chunk"]

# Neurons updated by one NumPy call: long enough that two threads do not spend their time handing over the interpreter lock
# (bench/golden_speed.py; 8,192 gave no gain from a second core).
_STEP_ELEMENTS = 1 << 15
_BLOCK_ELEMENTS = 1 << 17  # entries of one block of currents or spikes: a few of these share the L2 cache


@dataclass(eq=False)
class ChunkResult:
    """What :func:`run_chunk` returns; the fields mean what they mean in ``golden.Result``."""

    state: State
    spike_counts: dict[str, np.ndarray] = field(default_factory=dict)
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    potentials: dict[str, np.ndarray] = field(default_factory=dict)
    currents: dict[str, np.ndarray] = field(default_factory=dict)
    counters: dict[str, Counters] = field(default_factory=dict)
    saturations: dict[str, int] = field(default_factory=dict)


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
        self.neurons: dict[str, Membrane | Neurons] = {}
        # Spikes less 1 (so -1 and 0 are masks) of the block's timesteps, entry 0 that of the step before.
        self.marks: dict[str, np.ndarray] = {}
        self.potentials: dict[str, np.ndarray] = {}
        self.sent: dict[str, np.ndarray] = {}  # events of each neuron, [n, size]
        self.graded: dict[str, np.ndarray] = {}  # those with another payload than -1 or 1
        self.result = ChunkResult(state)
        for layer in (layer for group in self.plan.groups for layer in group.layers):
            self._prepare(layer)
        self.readouts = {name: value.copy() for name, value in state.readouts.items()}

    def _prepare(self, layer: Layer) -> None:
        """The neurons of a layer, its buffers, and the arrays of its results."""
        p, result = layer.population, self.result
        self.neurons[p.name] = (Membrane(p, self.before.potentials[p.name], layer.dtype) if layer.plain
                                else Neurons(p, self.before, layer.dtype))
        self.marks[p.name] = np.full((self.block + 1, self.n * p.size), -1, dtype=layer.dtype)
        if self.record or not p.spikes:
            self.potentials[p.name] = np.empty((self.block, self.n * p.size), dtype=layer.dtype)
        if self.record:
            result.potentials[p.name] = np.empty((self.n, self.n_steps, p.size), dtype=np.int32)
            if p.has_current:
                result.currents[p.name] = np.empty((self.n, self.n_steps, p.size), dtype=np.int32)
        if p.spikes:
            self.marks[p.name][0] += self.before.spikes[p.name].ravel()
            result.spike_counts[p.name] = np.zeros((self.n, p.size), dtype=np.int64)
            # One event per spike, unless a neuron may send several in one.
            alone = p.payload_range == (1, 1)
            self.sent[p.name] = result.spike_counts[p.name] if alone else np.zeros((self.n, p.size), dtype=np.int64)
            if self.record:
                result.spikes[p.name] = np.empty((self.n, self.n_steps, p.size), dtype=bool if alone else np.int16)

    def run(self) -> ChunkResult:
        for start in range(0, self.n_steps, self.block):
            n_steps = min(self.block, self.n_steps - start)
            channel = 0
            for p in self.network.inputs:
                block = self.x[:, start : start + n_steps, channel : channel + p.size]
                self.events[p.name][self.plan.history[p.name] :][:n_steps] = block.swapaxes(0, 1)
                channel += p.size
            for group in self.plan.groups:
                self._run_group(group, start, n_steps)
                for layer in group.layers:
                    self._collect(layer.population, start, n_steps)
            for name, history in self.plan.history.items():
                if history:
                    self.events[name][:history] = self.events[name][n_steps : n_steps + history].copy()
        return self._finish()

    def _sums(self, synapses: tuple[Synapses, ...], first: int, n_steps: int) -> np.ndarray:
        """The sum of some projections for timesteps of the block, ``[n_steps * n, size]``, exact in floating point."""
        total: np.ndarray | None = None
        for synapse in synapses:
            at = self.plan.history[synapse.source] + first - synapse.delay
            events = self.events[synapse.source][at : at + n_steps]
            rows = events.reshape(n_steps * self.n, events.shape[2]).astype(synapse.weights.dtype, copy=False)
            product = synapse.sums(rows)
            total = product if total is None else np.add(total, product, out=total)
        assert total is not None
        return total

    def _run_group(self, group: Group, start: int, n_steps: int) -> None:
        sums = {layer.population.name: [self._outer_sums(layer, port, n_steps) for port in layer.ports] for layer in group.layers}
        if not group.stepwise:
            (layer,) = group.layers
            for k, rows in enumerate(zip(*sums[layer.population.name], strict=True)):
                self._step(layer, rows, start, k)
            self._send(layer.population, 0, n_steps)
            return
        for k in range(n_steps):
            for layer in group.layers:
                rows = tuple(total[k] for total in sums[layer.population.name])
                for row, port in zip(rows, layer.ports, strict=True):
                    if port.inner:
                        row += self._sums(port.inner, k, 1).astype(layer.dtype).ravel()
                self._step(layer, rows, start, k)
                self._send(layer.population, k, 1)

    def _outer_sums(self, layer: Layer, port: PortPlan, n_steps: int) -> np.ndarray:
        """The offset of a port and what comes from outside the group, ``[n_steps, n * size]`` of the layer's dtype."""
        sums: np.ndarray
        if port.outer:
            sums = self._sums(port.outer, 0, n_steps).astype(layer.dtype)
        else:
            sums = np.zeros((n_steps * self.n, layer.population.size), dtype=layer.dtype)
        if port.offset is not None:
            sums += port.offset
        return sums.reshape(n_steps, self.n * layer.population.size)

    def _step(self, layer: Layer, sums: tuple[np.ndarray, ...], start: int, k: int) -> None:
        """One timestep of a layer: ``sums`` of its ports, ``[n * size]`` each."""
        name = layer.population.name
        neurons, marks = self.neurons[name], self.marks[name]
        neurons.step(marks[k], marks[k + 1], *sums)
        if name in self.potentials:
            self.potentials[name][k] = neurons.v
        if name in self.result.currents and isinstance(neurons, Neurons) and neurons.current is not None:  # recorded
            self.result.currents[name][:, start + k] = neurons.current.i.reshape(self.n, layer.population.size)

    def _send(self, population: Population, first: int, n_steps: int) -> None:
        """Turn the marks of some timesteps into events, whose payload is the number of spikes, or the change of an activation."""
        if population.spikes:
            at, marks = self.plan.history[population.name] + first, self.marks[population.name]
            out = self.events[population.name][at : at + n_steps].reshape(n_steps, self.n * population.size)
            if population.changes:
                np.subtract(marks[first + 1 : first + 1 + n_steps], marks[first : first + n_steps], out=out, casting="unsafe")
            else:
                np.add(marks[first + 1 : first + 1 + n_steps], 1, out=out, casting="unsafe")

    def _collect(self, p: Population, start: int, n_steps: int) -> None:
        """Readouts, counts and records of one block."""
        of = counts = None
        if p.name in self.potentials:
            of = self.potentials[p.name][:n_steps].reshape(n_steps, self.n, p.size)
            if self.record:
                self.result.potentials[p.name][:, start : start + n_steps] = of.swapaxes(0, 1)
        if p.spikes:
            self.marks[p.name][0] = self.marks[p.name][n_steps]
            of = self.events[p.name][self.plan.history[p.name] :][:n_steps]
            # A block has at most 2**17 timesteps: float32 counts those exactly, but not 255 spikes in each.
            counts = of.sum(axis=0, dtype=np.float32 if p.max_spikes == 1 else np.float64).astype(np.int64)
            self.result.spike_counts[p.name] += counts
            if p.payload_range != (1, 1):
                self.sent[p.name] += np.count_nonzero(of, axis=0)
                self.graded[p.name] = self.graded.get(p.name, 0) + np.count_nonzero(abs(of) > 1, axis=0)
            if self.record:
                out = self.result.spikes[p.name]
                out[:, start : start + n_steps] = of.swapaxes(0, 1) != 0 if out.dtype == bool else of.swapaxes(0, 1)
        if p.name in self.readouts and of is not None:
            accumulate(p, self.readouts[p.name], of, counts, self.before.n_steps + start)

    def _finish(self) -> ChunkResult:
        def of(values: dict[str, np.ndarray], dtype: type) -> dict[str, np.ndarray]:
            return {name: value.reshape(self.n, self.network.population(name).size).astype(dtype) for name, value in values.items()}

        composed = {name: k for name, k in self.neurons.items() if isinstance(k, Neurons)}
        history = {name: self.events[name][:steps].swapaxes(0, 1).astype(np.int16) for name, steps in self.plan.history.items()}
        self.result.state = State(
            digest=self.before.digest, n_clips=self.n, n_steps=self.before.n_steps + self.n_steps,
            potentials=of({name: k.v for name, k in self.neurons.items()}, np.int32),
            currents=of({name: k.current.i for name, k in composed.items() if k.current is not None}, np.int32),
            rises=of({name: k.threshold.a for name, k in composed.items() if k.threshold is not None and k.threshold.a is not None}, np.int32),
            quiet=of({name: k.rest.q for name, k in composed.items() if k.rest is not None}, np.int16),
            spikes=of({name: self.marks[name][0] + 1 for name in self.sent}, np.int16), history=history, readouts=self.readouts)
        self.result.saturations = {name: k.saturations for name, k in self.neurons.items()}
        channel = 0
        for p in self.network.inputs:
            x = self.x[:, :, channel : channel + p.size]
            self.sent[p.name] = np.count_nonzero(x, axis=1).astype(np.int64)
            if p.payload_range[0] < -1 or p.payload_range[1] > 1:
                self.graded[p.name] = np.count_nonzero((x < -1) | (x > 1), axis=1).astype(np.int64)
            channel += p.size
        self.result.counters = tally(self.network, self.n_steps, self.sent, self.graded, self.before.history, history)
        return self.result
