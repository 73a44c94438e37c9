"""A trained network in floating point, and its simulation: what the quantizer starts from and is measured against.

The simulation follows snnTorch's order of operations (Leaky with a delayed reset), in float32:

    v = beta * v_prev + (W s + b) - theta * s_prev        s = v > theta (strict) or v >= theta

Ref: J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep Learning", Proc. IEEE 111(9), 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..spec.errors import NetworkError
from ..spec.network import Model, Readout, Reset

__all__ = ["FloatNetwork", "FloatPopulation", "FloatProjection", "FloatResult", "run_float"]


def _frozen(value, shape: tuple[int, ...], what: str) -> np.ndarray:
    """``value`` as a read-only float32 array of ``shape`` (a scalar is spread); NetworkError if it is not finite or not that shape."""
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise NetworkError(f"{what} must be numbers, not {array.dtype}")
    array = np.array(np.broadcast_to(array, shape) if array.ndim == 0 else array, dtype=np.float32, order="C")
    if array.shape != shape:
        raise NetworkError(f"{what} must have shape {list(shape)}, not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise NetworkError(f"{what} hold {int((~np.isfinite(array)).sum())} values that are infinite or not a number")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatPopulation:
    """A group of neurons with one model, in float.

    Parameters
    ----------
    name, size, model, reset, readout, labels : as in :class:`spikeloom.spec.network.Population`.
    payload_min, payload_max : range of the integer payloads of an INPUT population's events.
    beta : decay of v per timestep, 0..1.
    threshold : ``[size], float32`` or a number, above 0 (ignored for INPUT and LI).
    strict : fires at v > threshold, as snnTorch does; else at v >= threshold.
    bias : ``[size], float32`` or a number, added each timestep.
    v_init : membrane potential at the start.
    """

    name: str
    size: int
    model: Model
    payload_min: int = 1
    payload_max: int = 1
    beta: float = 1.0
    threshold: np.ndarray | float = 1.0
    strict: bool = True
    reset: Reset = Reset.SUBTRACT
    bias: np.ndarray | float = 0.0
    v_init: float = 0.0
    readout: Readout = Readout.NONE
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        if self.size < 1:
            raise NetworkError(f"{where}: size must be at least 1, not {self.size}")
        if not 0.0 <= self.beta <= 1.0:  # also refuses not-a-number
            raise NetworkError(f"{where}: beta must be 0 to 1, not {self.beta}")
        if not np.isfinite(self.v_init):
            raise NetworkError(f"{where}: v_init must be finite, not {self.v_init}")
        object.__setattr__(self, "threshold", _frozen(self.threshold, (self.size,), f"{where}: thresholds"))
        object.__setattr__(self, "bias", _frozen(self.bias, (self.size,), f"{where}: biases"))
        if self.spikes and not (np.asarray(self.threshold) > 0).all():
            raise NetworkError(f"{where}: thresholds must be above 0, the smallest is {np.min(self.threshold)}")

    @property
    def spikes(self) -> bool:
        """Whether its neurons send spikes."""
        return self.model in (Model.IF, Model.LIF)


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatProjection:
    """All synapses from one population to another: ``weights [target size, source size], float32``, ``delay`` in timesteps."""

    source: str
    target: str
    weights: np.ndarray
    delay: int = 0

    def __post_init__(self) -> None:
        where = f"Projection {self.source} -> {self.target}"
        shape = np.shape(self.weights)
        if len(shape) != 2:
            raise NetworkError(f"{where}: weights must be a matrix [target, source], not of shape {list(shape)}")
        object.__setattr__(self, "weights", _frozen(self.weights, shape, f"{where}: weights"))
        if not 0 <= self.delay <= 63:
            raise NetworkError(f"{where}: delay must be 0 to 63 timesteps, not {self.delay}")


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNetwork:
    """A float network: checked as far as its simulation needs; the quantized :class:`Network` checks the rest.

    ``metadata`` is handed on to the quantized network (front end, training set).
    """

    name: str
    populations: tuple[FloatPopulation, ...]
    projections: tuple[FloatProjection, ...]
    metadata: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        sizes = {p.name: p.size for p in self.populations}
        if len(sizes) != len(self.populations):
            raise NetworkError(f"Float network {self.name!r}: two populations have the same name")
        for p in self.projections:
            for end in (p.source, p.target):
                if end not in sizes:
                    raise NetworkError(f"Projection {p.source} -> {p.target}: no population {end!r}; there are {', '.join(sizes)}")
            if p.weights.shape != (sizes[p.target], sizes[p.source]):
                raise NetworkError(f"Projection {p.source} -> {p.target}: weights have shape {list(p.weights.shape)}, "
                                   f"the populations need [{sizes[p.target]}, {sizes[p.source]}]")
        _ = self.order  # raises on a cycle of delay 0

    def population(self, name: str) -> FloatPopulation:
        """The population of that name."""
        return next(p for p in self.populations if p.name == name)

    def incoming(self, name: str) -> tuple[FloatProjection, ...]:
        """Projections whose target is ``name``, in their order."""
        return tuple(p for p in self.projections if p.target == name)

    @property
    def inputs(self) -> tuple[FloatPopulation, ...]:
        """The input populations; their channels, one after the other, are those of the clips."""
        return tuple(p for p in self.populations if p.model is Model.INPUT)

    @property
    def order(self) -> tuple[str, ...]:
        """Names in an order in which every projection of delay 0 goes forward. Raises NetworkError on a cycle."""
        remaining, done = [p.name for p in self.populations], []
        while remaining:
            ready = [n for n in remaining if all(p.delay > 0 or p.source in done for p in self.incoming(n))]
            if not ready:
                raise NetworkError(f"Float network {self.name!r}: projections of delay 0 form a cycle through {', '.join(remaining)}; "
                                   "a recurrent projection needs a delay of at least 1")
            done.append(ready[0])
            remaining.remove(ready[0])
        return tuple(done)


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatResult:
    """What :func:`run_float` saw, for N clips.

    Parameters
    ----------
    readouts : per population with a readout, ``[N, size]``: int64 spike counts, or float32 values of an LI population.
    spike_counts : per spiking population, ``[N], int64``: spikes of all its neurons over all timesteps.
    answers : ``[N], int64``, the largest entry (the first of equals) of the last population that has a readout, as in the golden model.
    v_low, v_high : per population, ``[size], float32``: range of v over all clips and timesteps.
    """

    readouts: dict[str, np.ndarray]
    spike_counts: dict[str, np.ndarray]
    answers: np.ndarray
    v_low: dict[str, np.ndarray]
    v_high: dict[str, np.ndarray]


def run_float(net: FloatNetwork, x: np.ndarray, *, batch: int = 256, progress: Callable[[int, int], None] | None = None) -> FloatResult:
    """Simulate clips ``x [N, T, C]`` (integers; C = channels of all inputs together) in float32, ``batch`` clips at a time.

    ``progress`` is called with (clips done, clips in all).

    Raises NetworkError if C is not what the network's inputs have together.
    """
    channels = sum(p.size for p in net.inputs)
    if x.ndim != 3 or x.shape[2] != channels:
        raise NetworkError(f"Float network {net.name!r} has {channels} input channels; the clips have shape {list(x.shape)} [N, T, C]")
    parts = []
    for i in range(0, max(len(x), 1), batch):
        parts.append(_run_batch(net, x[i:i + batch]))
        if progress is not None:
            progress(min(i + batch, len(x)), len(x))
    readouts = {k: np.concatenate([p.readouts[k] for p in parts]) for k in parts[0].readouts}
    last = next(reversed(readouts.values()), np.zeros((len(x), 1)))
    return FloatResult(
        readouts=readouts,
        spike_counts={k: np.concatenate([p.spike_counts[k] for p in parts]) for k in parts[0].spike_counts},
        answers=last.argmax(axis=1).astype(np.int64),
        v_low={k: np.min([p.v_low[k] for p in parts], axis=0) for k in parts[0].v_low},
        v_high={k: np.max([p.v_high[k] for p in parts], axis=0) for k in parts[0].v_high},
    )


def _run_batch(net: FloatNetwork, x: np.ndarray) -> FloatResult:
    """As :func:`run_float` for one batch; ``answers`` is left empty for the caller."""
    n, steps = x.shape[:2]
    x = np.ascontiguousarray(x.transpose(1, 0, 2), dtype=np.float32)  # [T, N, C]: one step is one block
    order = net.order
    neurons = [net.population(name) for name in order if net.population(name).model is not Model.INPUT]
    weights = {id(p): np.ascontiguousarray(p.weights.T) for p in net.projections}
    depth = max((p.delay for p in net.projections), default=0) + 1
    history = {p.name: [np.zeros((n, p.size), np.float32)] * depth for p in net.populations}  # [k]: output k timesteps ago
    v = {p.name: np.full((n, p.size), p.v_init, np.float32) for p in neurons}
    counts = {p.name: np.zeros((n, p.size), np.float32) for p in net.populations}
    readouts = {p.name: np.zeros((n, p.size), np.float32) if p.readout is not Readout.MAX
                else np.full((n, p.size), -np.inf, np.float32) for p in neurons if p.readout is not Readout.NONE}
    low = {p.name: v[p.name].min(axis=0, initial=np.inf) for p in neurons}
    high = {p.name: v[p.name].max(axis=0, initial=-np.inf) for p in neurons}
    ends = np.cumsum([0, *(p.size for p in net.inputs)])

    for t in range(steps):
        for name in history:  # the oldest falls out; this step's own output is filled in below
            history[name] = [history[name][0], *history[name][:-1]]
        for p, a, b in zip(net.inputs, ends, ends[1:], strict=False):
            history[p.name][0] = x[t, :, a:b]
        for p in neurons:
            current = np.broadcast_to(p.bias, (n, p.size))
            for q in net.incoming(p.name):
                current = history[q.source][q.delay] @ weights[id(q)] + current
            if p.spikes:
                # Index 0 still holds the spikes of the step before.
                before = history[p.name][0]
                v[p.name] = value = _step(p, v[p.name], current, before)
                spikes = (value > p.threshold if p.strict else value >= p.threshold).astype(np.float32)
                history[p.name][0] = spikes
                counts[p.name] += spikes
            else:
                v[p.name] = value = np.float32(p.beta) * v[p.name] + current
                if p.readout is Readout.LAST:
                    readouts[p.name] = value
                elif p.readout is Readout.SUM:
                    readouts[p.name] = readouts[p.name] + value
                elif p.readout is Readout.MAX:
                    readouts[p.name] = np.maximum(readouts[p.name], value)
            if n:
                np.minimum(low[p.name], value.min(axis=0), out=low[p.name])
                np.maximum(high[p.name], value.max(axis=0), out=high[p.name])

    for p in neurons:
        if p.readout is Readout.COUNT:
            readouts[p.name] = counts[p.name].astype(np.int64)
    return FloatResult(
        readouts={p.name: readouts[p.name] for p in net.populations if p.name in readouts},
        spike_counts={p.name: counts[p.name].sum(axis=1, dtype=np.float64).astype(np.int64) for p in net.populations if p.spikes},
        answers=np.zeros(0, np.int64), v_low=low, v_high=high)


def _step(p: FloatPopulation, v: np.ndarray, current: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Next v ``[N, size]`` of a spiking population; ``before`` holds its spikes of the step before as 0.0 and 1.0."""
    beta = np.float32(p.beta)
    if p.reset is Reset.SUBTRACT:
        return beta * v + current - before * p.threshold
    if p.reset is Reset.SUBTRACT_BEFORE_DECAY:
        return beta * (v - before * p.threshold) + current
    if p.reset is Reset.ZERO:
        return beta * (v * (1 - before)) + current
    if p.reset is Reset.ZERO_AFTER:
        return (beta * v + current) * (1 - before)
    return beta * v + current
