"""The simulation of a float network: all clips of a batch at once, in float32, timestep by timestep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..spec.errors import NetworkError
from ..spec.network import Model, Port, Readout
from .float_neurons import FloatNeurons
from .float_population import FloatPopulation

if TYPE_CHECKING:
    from .float_network import FloatNetwork

__all__ = ["FloatResult", "run_float"]

NO_SPIKE = (1 << 16) - 1  # the first spike of a neuron that has not fired, and the largest count, as in the contract


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatResult:
    """What :func:`run_float` saw, for N clips of T timesteps.

    Parameters
    ----------
    readouts : per population with a readout, ``[N, values]``: int64 spike counts, first spikes or votes, or float32 values of an LI or CUBALI
        population.
    spike_counts : per spiking population, ``[N], int64``: spikes of all its neurons over all timesteps.
    answers : ``[N], int64``, the best entry (the first of equals) of the last population that has a readout, as in the golden model.
    v_low, v_high : per population, ``[size], float32``: range of v over all clips and timesteps.
    i_low, i_high : the same of i, where there is one.
    a_high : the largest rise of the threshold, per ALIF population, ``[size], float32``.
    rates : spikes per neuron and timestep of each spiking population.
    spikes : ``[N, T, size], uint8`` per spiking population; empty unless recorded.
    """

    readouts: dict[str, np.ndarray]
    spike_counts: dict[str, np.ndarray]
    answers: np.ndarray
    v_low: dict[str, np.ndarray]
    v_high: dict[str, np.ndarray]
    i_low: dict[str, np.ndarray] = field(default_factory=dict)
    i_high: dict[str, np.ndarray] = field(default_factory=dict)
    a_high: dict[str, np.ndarray] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    spikes: dict[str, np.ndarray] = field(default_factory=dict)


def run_float(net: FloatNetwork, x: np.ndarray, *, batch: int = 256, record: bool = False,
              progress: Callable[[int, int], None] | None = None) -> FloatResult:
    """Simulate clips ``x [N, T, C]`` (C = channels of all inputs together) in float32, ``batch`` clips at a time.

    ``record`` keeps every spike; ``progress`` is called with (clips done, clips in all).

    Raises NetworkError if C is not what the network's inputs have together.
    """
    channels = sum(p.size for p in net.inputs)
    if x.ndim != 3 or x.shape[2] != channels:
        raise NetworkError(f"Float network {net.name!r} has {channels} input channels; the clips have shape {list(x.shape)} [N, T, C]")
    parts = []
    for k in range(0, max(len(x), 1), batch):
        parts.append(_Batch(net, x[k:k + batch], record).run())
        if progress is not None:
            progress(min(k + batch, len(x)), len(x))

    def joined(name: str, how: Callable = np.concatenate) -> dict:
        return {key: how([getattr(part, name)[key] for part in parts]) for key in getattr(parts[0], name)}

    def lowest(values: list) -> np.ndarray:
        return np.min(values, axis=0)

    def highest(values: list) -> np.ndarray:
        return np.max(values, axis=0)

    readouts, counts = joined("readouts"), joined("spike_counts")
    last = next(reversed(readouts), None)
    values = np.zeros((len(x), 1)) if last is None else readouts[last]
    best = values.argmin(axis=1) if last is not None and net.population(last).readout is Readout.FIRST else values.argmax(axis=1)
    return FloatResult(
        readouts=readouts, spike_counts=counts, answers=best.astype(np.int64), v_low=joined("v_low", lowest), v_high=joined("v_high", highest),
        i_low=joined("i_low", lowest), i_high=joined("i_high", highest), a_high=joined("a_high", highest), spikes=joined("spikes"),
        rates={name: float(count.sum()) / max(len(x) * x.shape[1] * net.population(name).size, 1) for name, count in counts.items()})


class _Batch:
    """Buffers of one batch of n clips."""

    def __init__(self, net: FloatNetwork, x: np.ndarray, record: bool) -> None:
        self.net, self.n, self.steps, self.record = net, x.shape[0], x.shape[1], record
        self.x = np.ascontiguousarray(x.transpose(1, 0, 2), dtype=np.float32)  # [T, N, C]: one step is one block
        self.populations = [p for p in (net.population(name) for name in net.order) if p.model is not Model.INPUT]
        self.neurons = {p.name: FloatNeurons(p, self.n) for p in self.populations}
        self.weights = {id(q): np.ascontiguousarray(q.weights.T) for q in net.projections if q.conv is None}
        depth = max((q.delay for q in net.projections), default=0) + 1
        self.history = {p.name: [np.zeros((self.n, p.size), np.float32)] * depth for p in net.populations}  # [k]: output k timesteps ago
        self.counts = {p.name: np.zeros((self.n, p.size), np.float64) for p in net.populations if p.spikes}
        self.first = {p.name: np.full((self.n, p.size), NO_SPIKE, np.int64) for p in self.populations if p.readout is Readout.FIRST}
        self.values = {p.name: np.full((self.n, p.size), -np.inf if p.readout is Readout.MAX else 0, np.float32)
                       for p in self.populations if not p.spikes and p.readout is not Readout.NONE}
        self.spikes = {p.name: np.zeros((self.n, self.steps, p.size), np.uint8) for p in self.populations if p.spikes and record}
        self.low: dict[str, dict[str, np.ndarray]] = {"v": {}, "i": {}, "a": {}}
        self.high: dict[str, dict[str, np.ndarray]] = {"v": {}, "i": {}, "a": {}}
        for p in self.populations:
            for name in ("v", "i", "a"):
                state = getattr(self.neurons[p.name], name)
                if state is not None:
                    self.low[name][p.name], self.high[name][p.name] = state.min(axis=0, initial=np.inf), state.max(axis=0, initial=-np.inf)

    def run(self) -> FloatResult:
        """All timesteps; ``answers`` and ``rates`` are left to the caller."""
        ends = np.cumsum([0, *(p.size for p in self.net.inputs)])
        for t in range(self.steps):
            for name, past in self.history.items():  # the oldest falls out; this step's own output is filled in below
                self.history[name] = [past[0], *past[:-1]]
            for p, a, b in zip(self.net.inputs, ends, ends[1:], strict=False):
                self.history[p.name][0] = self.x[t, :, a:b]
            for p in self.populations:
                neurons = self.neurons[p.name]
                neurons.step(self._sum(p, Port.CURRENT, np.asarray(p.bias)), self._sum(p, Port.GATE, np.asarray(p.gate_bias)) if p.has_gate else None,
                             self._sum(p, Port.BLOCK, np.zeros(1, np.float32)) if p.inhibition else None)
                self._observe(p, neurons, t)
        return self._finish()

    def _sum(self, p: FloatPopulation, port: Port, offset: np.ndarray) -> np.ndarray:
        """Offset plus synaptic sum at a port, ``[n, size]``."""
        total = np.broadcast_to(offset, (self.n, p.size))
        for q in self.net.incoming(p.name, port):
            x = self.history[q.source][q.delay]
            total = (q.conv.apply(q.weights, x) if q.conv is not None else x @ self.weights[id(q)]) + total
        return total

    def _observe(self, p: FloatPopulation, neurons: FloatNeurons, t: int) -> None:
        for name, low in self.low.items():
            if p.name in low and self.n:
                state = getattr(neurons, name)
                np.minimum(low[p.name], state.min(axis=0), out=low[p.name])
                np.maximum(self.high[name][p.name], state.max(axis=0), out=self.high[name][p.name])
        if p.spikes:
            self.history[p.name][0] = neurons.spikes
            self.counts[p.name] += neurons.spikes
            if self.record:
                self.spikes[p.name][:, t] = neurons.spikes
            if p.name in self.first:
                first = self.first[p.name]
                first[(first == NO_SPIKE) & (neurons.spikes > 0)] = min(t, NO_SPIKE - 1)
        elif p.readout is Readout.LAST:
            self.values[p.name] = neurons.v
        elif p.readout is Readout.SUM:
            self.values[p.name] = self.values[p.name] + neurons.v
        elif p.readout is Readout.MAX:
            self.values[p.name] = np.maximum(self.values[p.name], neurons.v)

    def _readout(self, p: FloatPopulation) -> np.ndarray:
        if p.readout is Readout.FIRST:
            return self.first[p.name]
        if not p.spikes:
            return self.values[p.name]
        counts = self.counts[p.name].astype(np.int64)
        if p.classes is not None:
            votes = np.zeros((self.n, p.n_readouts), np.int64)
            np.add.at(votes.T, p.classes[p.classes >= 0], counts.T[p.classes >= 0])
            counts = votes
        return np.minimum(counts, NO_SPIKE)

    def _finish(self) -> FloatResult:
        return FloatResult(
            readouts={p.name: self._readout(p) for p in self.net.populations if p.model is not Model.INPUT and p.readout is not Readout.NONE},
            spike_counts={p.name: self.counts[p.name].sum(axis=1).astype(np.int64) for p in self.net.populations if p.spikes},
            answers=np.zeros(0, np.int64), v_low=self.low["v"], v_high=self.high["v"], i_low=self.low["i"], i_high=self.high["i"],
            a_high=self.high["a"], spikes=self.spikes)
