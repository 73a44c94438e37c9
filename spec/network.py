"""The quantized network: populations and projections, all integers, validated and frozen.

This is the contract between training and hardware: two networks with the same digest behave the same to the bit, whatever
chip they are mapped on. The equations are in docs/numerics.md.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from .arithmetic import Decay, Rounding
from .errors import NetworkError

__all__ = ["MAX_NEURONS", "MAX_POPULATIONS", "MAX_SYNAPSES", "Model", "Network", "Population", "Projection", "Readout", "Reset"]

MAX_POPULATIONS = 256
MAX_NEURONS = 1 << 16  # per population
MAX_SYNAPSES = 1 << 26  # per network, dense
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


class Model(enum.Enum):
    """Neuron model of a population."""

    INPUT = "input"  # a source of events: no state
    IF = "if"  # integrate and fire: no decay
    LIF = "lif"  # leaky integrate and fire
    LI = "li"  # leaky integrator: no spike, read as a value


class Reset(enum.Enum):
    """What a spike does to the membrane; s_prev is the neuron's spike of the step before."""

    SUBTRACT = "subtract"  # v = decay(v_prev) + I - theta * s_prev
    SUBTRACT_BEFORE_DECAY = "subtract_before_decay"  # v = decay(v_prev - theta * s_prev) + I
    ZERO = "zero"  # v = decay(0 if s_prev else v_prev) + I
    ZERO_AFTER = "zero_after"  # v = 0 if s_prev else decay(v_prev) + I
    NONE = "none"  # v = decay(v_prev) + I


class Readout(enum.Enum):
    """What the readout of a population accumulates per neuron since the last RESET."""

    NONE = "none"
    COUNT = "count"  # spikes, saturating at 2**16 - 1
    LAST = "last"  # v of the last timestep (LI)
    SUM = "sum"  # sum of v over time, saturating at v_bits + 16 bits (LI)
    MAX = "max"  # largest v over time (LI)


def _frozen_array(value, length: int, what: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise NetworkError(f"{what} must be integers, not {array.dtype}")
    array = np.array(np.broadcast_to(array, (length,)) if array.ndim == 0 else array, dtype=np.int64)
    if array.shape != (length,):
        raise NetworkError(f"{what} must have one entry per neuron ({length}), not shape {array.shape}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """A group of neurons with one model.

    Parameters
    ----------
    name : identifier, unique in the network.
    size : number of neurons.
    model : :class:`Model`.
    payload_min, payload_max : range of the payload of an INPUT population's events (a spike has payload 1; 0 is never sent).
    decay, rounding, reset : membrane dynamics (LIF, LI: ``decay``; IF: the identity).
    theta : firing threshold, ``[size], int64`` (or one integer for all); v >= theta fires; at least 1.
    bias : added each timestep, ``[size], int64`` (or one integer), in units of v.
    v_bits : width of the membrane potential, two's complement, 2..32; v saturates to it at write-back.
    guard_bits : G, the left shift of the synaptic sum into v.
    v_init : membrane potential after RESET.
    readout : :class:`Readout`; any but NONE makes the population an output.
    output : events of this population leave the chip (implied by a readout).
    labels : names of classes, one per neuron, or empty.
    """

    name: str
    size: int
    model: Model
    payload_min: int = 1
    payload_max: int = 1
    decay: Decay = Decay()
    rounding: Rounding = Rounding.NEAREST
    reset: Reset = Reset.NONE
    theta: Any = 1  # an integer or a list becomes [size], int64
    bias: Any = 0
    v_bits: int = 16
    guard_bits: int = 0
    v_init: int = 0
    readout: Readout = Readout.NONE
    output: bool = False
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        if not _NAME.fullmatch(self.name):
            raise NetworkError(f"{where}: a name is a letter, then letters, digits and underscores, at most 63 in all")
        if not 1 <= self.size <= MAX_NEURONS:
            raise NetworkError(f"{where}: size must be 1 to {MAX_NEURONS}, not {self.size}")
        if len(self.labels) not in (0, self.size):
            raise NetworkError(f"{where}: {len(self.labels)} labels for {self.size} neurons")
        if not -256 <= self.payload_min <= self.payload_max <= 255:
            raise NetworkError(f"{where}: payloads must be within -256..255, not {self.payload_min}..{self.payload_max}")
        for name, what in (("theta", "theta"), ("bias", "bias")):
            object.__setattr__(self, name, _frozen_array(getattr(self, name), self.size, f"{where}: {what}"))
        if self.readout is not Readout.NONE:
            object.__setattr__(self, "output", True)
        if self.model is Model.INPUT:
            if self.output:
                raise NetworkError(f"{where}: an input cannot be an output")
            return
        if (self.payload_min, self.payload_max) != (1, 1):
            raise NetworkError(f"{where}: only an input has a payload range; spikes have payload 1")
        if not 2 <= self.v_bits <= 32:
            raise NetworkError(f"{where}: v_bits must be 2 to 32, not {self.v_bits}")
        if not 0 <= self.guard_bits <= 12:
            raise NetworkError(f"{where}: guard_bits must be 0 to 12, not {self.guard_bits}")
        if self.model is Model.IF and self.decay.kind != "none":
            raise NetworkError(f"{where}: an IF neuron has no decay; use LIF")
        if not self.v_min <= self.v_init <= self.v_max:
            raise NetworkError(f"{where}: v_init {self.v_init} does not fit {self.v_bits} bits")
        if abs(self.bias).max() > self.v_max:
            raise NetworkError(f"{where}: a bias of {self.bias[abs(self.bias).argmax()]} does not fit {self.v_bits} bits")
        if self.model is Model.LI:
            if self.reset is not Reset.NONE:
                raise NetworkError(f"{where}: an LI neuron does not fire, so it has no reset")
            if self.readout not in (Readout.LAST, Readout.SUM, Readout.MAX):
                raise NetworkError(f"{where}: an LI population is a readout: last, sum or max, not {self.readout.value}")
        else:
            if self.readout not in (Readout.NONE, Readout.COUNT):
                raise NetworkError(f"{where}: a spiking population is read as a count or not at all, not {self.readout.value}")
            if self.theta.min() < 1 or self.theta.max() > self.v_max:
                raise NetworkError(f"{where}: theta must be 1 to {self.v_max} ({self.v_bits} bits), "
                                   f"not {self.theta.min()}..{self.theta.max()}")

    @property
    def v_min(self) -> int:
        """Smallest membrane potential."""
        return -(1 << (self.v_bits - 1))

    @property
    def v_max(self) -> int:
        """Largest membrane potential."""
        return (1 << (self.v_bits - 1)) - 1

    @property
    def spikes(self) -> bool:
        """Whether its neurons send spikes."""
        return self.model in (Model.IF, Model.LIF)

    def header(self) -> dict:
        """All fields but the arrays, as JSON values."""
        out: dict = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("theta", "bias"):
                continue
            if f.name == "decay":
                value = {g.name: getattr(value, g.name) for g in fields(value)}
            elif isinstance(value, enum.Enum):
                value = value.value
            elif isinstance(value, tuple):
                value = list(value)
            out[f.name] = value
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """All synapses from one population to another.

    Parameters
    ----------
    source, target : names of populations.
    weights : ``[target size, source size]``, signed integers of ``weight_bits`` bits (2..8), stored as int8.
    weight_bits : width of a weight, two's complement.
    delay : timesteps between the spike and its effect; 0 acts in the same timestep (feed-forward), 1 or more otherwise.
    shift : left shift of the weights into the accumulator, 0..12.
    """

    source: str
    target: str
    weights: np.ndarray
    weight_bits: int = 8
    delay: int = 0
    shift: int = 0

    def __post_init__(self) -> None:
        where = f"Projection {self.source} -> {self.target}"
        weights = np.asarray(self.weights)
        if weights.dtype.kind not in "iu" or weights.ndim != 2:
            raise NetworkError(f"{where}: weights must be a matrix of integers, not {weights.dtype} of shape {weights.shape}")
        if not 2 <= self.weight_bits <= 8:
            raise NetworkError(f"{where}: weight_bits must be 2 to 8, not {self.weight_bits}")
        limit = 1 << (self.weight_bits - 1)
        if weights.size and not -limit <= int(weights.min()) <= int(weights.max()) < limit:
            raise NetworkError(f"{where}: weights {weights.min()}..{weights.max()} do not fit {self.weight_bits} bits "
                               f"({-limit}..{limit - 1})")
        if not 0 <= self.delay <= 63:
            raise NetworkError(f"{where}: delay must be 0 to 63 timesteps, not {self.delay}")
        if not 0 <= self.shift <= 12:
            raise NetworkError(f"{where}: shift must be 0 to 12, not {self.shift}")
        weights = np.array(weights, dtype=np.int8, order="C")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    def header(self) -> dict:
        """All fields but the weights, as JSON values."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "weights"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A validated network; raises NetworkError where a rule of the contract is broken.

    Parameters
    ----------
    name : identifier.
    populations, projections : the graph. The projections with delay 0 must not form a cycle.
    metadata : free JSON values that do not change behaviour (front end, training set, accuracy); not part of the digest.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    metadata: Mapping = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NetworkError(f"Network {self.name!r}: a name is a letter, then letters, digits and underscores, at most 63 in all")
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        object.__setattr__(self, "metadata", MappingProxyType(json.loads(json.dumps(dict(self.metadata)))))
        if not 1 <= len(self.populations) <= MAX_POPULATIONS:
            raise NetworkError(f"Network {self.name!r}: {len(self.populations)} populations; 1 to {MAX_POPULATIONS} are possible")
        by_name: dict[str, Population] = {}
        for population in self.populations:
            if population.name in by_name:
                raise NetworkError(f"Network {self.name!r}: two populations are called {population.name!r}")
            by_name[population.name] = population
        if not any(p.model is Model.INPUT for p in self.populations):
            raise NetworkError(f"Network {self.name!r}: no input population")
        if not any(p.output for p in self.populations):
            raise NetworkError(f"Network {self.name!r}: no population is an output or has a readout")
        synapses = 0
        for projection in self.projections:
            where = f"Projection {projection.source} -> {projection.target}"
            for end in (projection.source, projection.target):
                if end not in by_name:
                    raise NetworkError(f"{where}: no population {end!r}; there are {', '.join(by_name)}")
            source, target = by_name[projection.source], by_name[projection.target]
            if target.model is Model.INPUT:
                raise NetworkError(f"{where}: an input cannot be a target")
            if source.model is Model.LI:
                raise NetworkError(f"{where}: an LI population does not spike, so it cannot be a source")
            if projection.weights.shape != (target.size, source.size):
                raise NetworkError(f"{where}: weights have shape {projection.weights.shape}, "
                                   f"the populations need [{target.size}, {source.size}]")
            synapses += projection.weights.size
        if synapses > MAX_SYNAPSES:
            raise NetworkError(f"Network {self.name!r}: {synapses} synapses; at most {MAX_SYNAPSES} are possible")
        for population in self.populations:
            if population.model is not Model.INPUT and not self.incoming(population.name):
                raise NetworkError(f"Population {population.name!r}: no projection leads to it")
        _ = self.order  # raises on a cycle of delay 0

    def population(self, name: str) -> Population:
        """The population of that name; raises NetworkError with the names there are."""
        for population in self.populations:
            if population.name == name:
                return population
        raise NetworkError(f"Network {self.name!r}: no population {name!r}; there are {', '.join(p.name for p in self.populations)}")

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """Projections whose target is ``name``, in their order."""
        return tuple(p for p in self.projections if p.target == name)

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """Projections whose source is ``name``, in their order."""
        return tuple(p for p in self.projections if p.source == name)

    @property
    def inputs(self) -> tuple[Population, ...]:
        """The input populations."""
        return tuple(p for p in self.populations if p.model is Model.INPUT)

    @property
    def outputs(self) -> tuple[Population, ...]:
        """The populations whose events leave the chip."""
        return tuple(p for p in self.populations if p.output)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in an order in which every projection of delay 0 goes forward. Raises NetworkError on a cycle."""
        remaining, done = [p.name for p in self.populations], []
        while remaining:
            ready = [n for n in remaining if all(p.delay > 0 or p.source in done for p in self.incoming(n))]
            if not ready:
                raise NetworkError(f"Network {self.name!r}: projections of delay 0 form a cycle through {', '.join(remaining)}; "
                                   "a recurrent projection needs a delay of at least 1")
            done.append(ready[0])
            remaining.remove(ready[0])
        return tuple(done)

    def sum_bounds(self, name: str) -> tuple[int, int]:
        """Smallest and largest synaptic sum A that any events can give any neuron of a population (before the guard shift)."""
        low = np.zeros(self.population(name).size, dtype=np.int64)
        high = low.copy()
        for projection in self.incoming(name):
            source = self.population(projection.source)
            weights = projection.weights.astype(np.int64) << projection.shift
            ends = np.stack([weights * source.payload_min, weights * source.payload_max, weights * 0])
            low += ends.min(axis=0).sum(axis=1)
            high += ends.max(axis=0).sum(axis=1)
        return int(low.min()), int(high.max())

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of everything that changes behaviour."""
        sha = hashlib.sha256()
        for population in self.populations:
            sha.update(json.dumps(population.header(), sort_keys=True).encode())
            sha.update(population.theta.astype("<i8").tobytes() + population.bias.astype("<i8").tobytes())
        for projection in self.projections:
            sha.update(json.dumps(projection.header(), sort_keys=True).encode())
            sha.update(projection.weights.tobytes())
        return sha.hexdigest()
