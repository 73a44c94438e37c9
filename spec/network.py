"""The quantized network: populations and projections, all integers, validated and frozen.

This is the contract between training and hardware: two networks with the same digest behave the same to the bit, whatever
chip they are mapped on. The equations are in docs/numerics.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from .errors import NetworkError
from .fields import check_texts
from .neuron import Gain, Kind, Model, Port, Readout, Refractory, Reset
from .population import MAX_NEURONS, Population
from .projection import Projection

__all__ = ["MAX_NEURONS", "MAX_POPULATIONS", "MAX_SYNAPSES", "Gain", "Kind", "Model", "Network", "Population", "Port", "Projection", "Readout",
           "Refractory", "Reset"]

MAX_POPULATIONS = 256
MAX_SYNAPSES = 1 << 26  # per network, dense
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


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
        check_texts(self, f"Network {self.name!r}", ("name",))
        if not _NAME.fullmatch(self.name):
            raise NetworkError(f"Network {self.name!r}: a name is a letter, then letters, digits and underscores, at most 63 in all; rename it")
        for name, kind in (("populations", Population), ("projections", Projection)):
            if not isinstance(getattr(self, name), Iterable):
                raise NetworkError(f"Network {self.name!r}: {name} must be a list of {kind.__name__}s, not {getattr(self, name)!r}")
            object.__setattr__(self, name, tuple(getattr(self, name)))
            for number, part in enumerate(getattr(self, name)):
                if not isinstance(part, kind):
                    raise NetworkError(f"Network {self.name!r}: number {number} of its {kind.__name__.lower()}s is {part!r}, not a {kind.__name__}")
        try:
            object.__setattr__(self, "metadata", MappingProxyType(json.loads(json.dumps(dict(self.metadata)))))
        except (TypeError, ValueError) as error:
            raise NetworkError(f"Network {self.name!r}: its metadata must be JSON values ({error}); make text of the others") from None
        if not 1 <= len(self.populations) <= MAX_POPULATIONS:
            raise NetworkError(f"Network {self.name!r}: {len(self.populations)} populations; 1 to {MAX_POPULATIONS} are possible; "
                               "join those with the same parameters, or split the network")
        by_name: dict[str, Population] = {}
        for population in self.populations:
            if population.name in by_name:
                raise NetworkError(f"Network {self.name!r}: two populations are called {population.name!r}; rename one")
            by_name[population.name] = population
        if not any(p.model is Model.INPUT for p in self.populations):
            raise NetworkError(f"Network {self.name!r}: no input population, so nothing can drive it; add one of model 'input'")
        if not any(p.output for p in self.populations):
            raise NetworkError(f"Network {self.name!r}: no population is an output or has a readout, so nothing can be seen of it; "
                               "give one output=True or a readout")
        synapses = 0
        for projection in self.projections:
            where = f"Projection {projection.source} -> {projection.target}"
            for end in (projection.source, projection.target):
                if end not in by_name:
                    raise NetworkError(f"{where}: no population {end!r}; there are {', '.join(by_name)}")
            source, target = by_name[projection.source], by_name[projection.target]
            if target.model is Model.INPUT:
                raise NetworkError(f"{where}: an input cannot be a target: its events come from the host; lead to a population of another model")
            if source.model is not Model.INPUT and not source.spikes:
                raise NetworkError(f"{where}: an {source.model.name} population does not spike, so it cannot be a source; use a model that "
                                   "fires, or lead from a population before it")
            _check_port(projection, target, where)
            if source.changes and not (target.sums_changes and projection.port is Port.CURRENT):
                raise NetworkError(f"{where}: {source.name!r} is a RELU, whose events are changes of its activation, and {target.name!r} does not "
                                   "sum them up at this port; lead to port 'i' of a RELU, of a population with held=True, or of an LI without a "
                                   "decay")
            if projection.conv is not None and projection.shape != (target.size, source.size):
                maps = [list(projection.conv.shape), list(projection.conv.out_shape)]
                raise NetworkError(f"{where}: its maps are {maps[0]} and {maps[1]} (channels, height, width), and the populations have {source.size} "
                                   f"and {target.size} neurons; mend the geometry or the sizes")
            if projection.shape != (target.size, source.size):
                raise NetworkError(f"{where}: weights have shape {list(projection.weights.shape)}, the populations need [{target.size}, "
                                   f"{source.size}], a row per neuron of {target.name!r}; mend them or the sizes"
                                   + ("; they may be transposed" if projection.weights.T.shape == (target.size, source.size) else ""))
            synapses += projection.weights.size
        if synapses > MAX_SYNAPSES:
            raise NetworkError(f"Network {self.name!r}: {synapses} synapses; at most {MAX_SYNAPSES} are possible, missing ones included; "
                               "use smaller populations")
        for population in self.populations:
            if population.model is not Model.INPUT and not self.incoming(population.name):
                raise NetworkError(f"Population {population.name!r}: no projection leads to it, so it has no weights; add one, or leave it out")
            if population.model is not Model.INPUT and not self.incoming(population.name, Port.CURRENT):
                raise NetworkError(f"Population {population.name!r}: no projection leads to its port 'i', so nothing drives its membrane; add one")
        _check_maps(self.projections)
        _check_matrices(self.projections)
        _ = self.order  # raises on a cycle of delay 0

    def population(self, name: str) -> Population:
        """The population of that name; raises NetworkError with the names there are."""
        for population in self.populations:
            if population.name == name:
                return population
        raise NetworkError(f"Network {self.name!r}: no population {name!r}; there are {', '.join(p.name for p in self.populations)}")

    def incoming(self, name: str, *ports: Port) -> tuple[Projection, ...]:
        """Projections whose target is ``name`` (at one of ``ports``, if any are named), in their order."""
        return tuple(p for p in self.projections if p.target == name and (not ports or p.port in ports))

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
                raise NetworkError(f"Network {self.name!r}: projections of delay 0 form a cycle through {' -> '.join(self._cycle(remaining))}; "
                                   "a recurrent projection needs a delay of at least 1")
            done.append(ready[0])
            remaining.remove(ready[0])
        return tuple(done)

    def _cycle(self, names: list[str]) -> list[str]:
        """Populations of one cycle of delay 0 among these, each of which another of them leads to."""
        path = [names[0]]
        while path[-1] not in path[:-1]:
            path.append(next(p.source for p in self.incoming(path[-1]) if p.delay == 0 and p.source in names))
        return path[path.index(path[-1]):][::-1]

    def sum_bounds(self, name: str, port: Port = Port.CURRENT) -> tuple[int, int]:
        """Smallest and largest synaptic sum that any events can give any neuron of a population at a port (before the guard shift)."""
        low = np.zeros(self.population(name).size, dtype=np.int64)
        high = low.copy()
        for projection in self.incoming(name, port):
            smallest, largest = self.population(projection.source).payload_range
            lows, highs = projection.sum_bounds((smallest, largest))
            low += lows << projection.shift
            high += highs << projection.shift
        return int(low.min()), int(high.max())

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of everything that changes behaviour."""
        sha = hashlib.sha256()
        for population in self.populations:
            sha.update(json.dumps(population.header(), sort_keys=True).encode())
            sha.update(population.theta.astype("<i8").tobytes() + population.bias.astype("<i8").tobytes())
            for _, array in sorted(population.arrays.items()):
                sha.update(array.astype("<i8").tobytes())
        for projection in self.projections:
            sha.update(json.dumps(projection.header(), sort_keys=True).encode())
            sha.update(projection.weights.tobytes())
        return sha.hexdigest()


def _check_port(projection: Projection, target: Population, where: str) -> None:
    if projection.kind is not Kind.DENSE and projection.port is not Port.CURRENT:
        raise NetworkError(f"{where}: only projections into port 'i' can be {projection.kind.value}, not into {projection.port.value!r}; "
                           "make it dense")
    if projection.port is Port.GATE and not target.has_gate:
        raise NetworkError(f"{where}: port {projection.port.value!r} is that of a gate, and {target.name!r} is {target.model.value}; "
                           "use a SPIKGRU, or port 'i'")
    if projection.port is Port.BLOCK and not target.inhibition:
        raise NetworkError(f"{where}: port 'block' needs a target with an inhibition of 1 timestep or more; {target.name!r} has none: "
                           "give it inhibition=1 to 63")
    if projection.port is Port.BLOCK and target.has_gate:
        raise NetworkError(f"{where}: {target.name!r} has a gate, and a neuron has one port beside 'i': inhibit it by negative weights at 'i'")


def _check_maps(projections: tuple[Projection, ...]) -> None:
    """Convolutions into one population agree on its map."""
    first: dict[str, Projection] = {}
    for projection in projections:
        if projection.conv is None:
            continue
        other = first.setdefault(projection.target, projection)
        assert other.conv is not None
        if other.conv.out_shape != projection.conv.out_shape:
            own, others = list(projection.conv.out_shape), list(other.conv.out_shape)
            raise NetworkError(f"Projection {projection.source} -> {projection.target}: its target map is {own}, and that of {other.source} -> "
                               f"{other.target} is {others} (channels, height, width); a population has one map: make them equal")


def _check_matrices(projections: tuple[Projection, ...]) -> None:
    """Projections that share a matrix have the same weights in the same format; those of convolutions may lead between maps of other sizes."""
    first: dict[str, Projection] = {}
    for projection in projections:
        if not projection.matrix:
            continue
        other = first.setdefault(projection.matrix, projection)
        formats = [(p.weight_bits, p.shift, p.codebook, p.kind) for p in (projection, other)]
        if projection.weights.shape != other.weights.shape or not np.array_equal(projection.weights, other.weights) or formats[0] != formats[1]:
            raise NetworkError(f"Projection {projection.source} -> {projection.target}: it shares the matrix {projection.matrix!r} with "
                               f"{other.source} -> {other.target}, but its weights, weight_bits, shift, codebook or kind differ; make them equal, "
                               "or give it another name")
