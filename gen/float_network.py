"""A trained network in floating point: what the quantizer starts from and is measured against.

Its parts are in :mod:`.float_population` and :mod:`.float_projection`, its simulation in :mod:`.float_run`; all are handed on here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..spec.errors import NetworkError
from ..spec.fields import check_texts
from ..spec.network import Model, Port
from .float_population import FloatPopulation
from .float_projection import FloatProjection
from .float_run import FloatResult, run_float

__all__ = ["FloatNetwork", "FloatPopulation", "FloatProjection", "FloatResult", "run_float"]


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
        check_texts(self, f"Float network {self.name!r}", ("name",))
        for name, kind in (("populations", FloatPopulation), ("projections", FloatProjection)):
            given = getattr(self, name)
            parts = tuple(given) if isinstance(given, Iterable) else (given,)
            if not all(isinstance(part, kind) for part in parts):
                raise NetworkError(f"Float network {self.name!r}: {name} must be a list of {kind.__name__}s, not {str(parts)[:200]}")
            object.__setattr__(self, name, parts)
        by_name = {p.name: p for p in self.populations}
        if len(by_name) != len(self.populations):
            raise NetworkError(f"Float network {self.name!r}: two populations have the same name")
        for p in self.projections:
            where = f"Projection {p.source} -> {p.target}"
            for end in (p.source, p.target):
                if end not in by_name:
                    raise NetworkError(f"{where}: no population {end!r}; there are {', '.join(by_name)}")
            source, target = by_name[p.source], by_name[p.target]
            if p.conv is not None and p.shape != (target.size, source.size):
                maps = [list(p.conv.shape), list(p.conv.out_shape)]
                raise NetworkError(f"{where}: its maps are {maps[0]} and {maps[1]} (channels, height, width), and the populations "
                                   f"have {source.size} and {target.size} neurons; mend the geometry or the sizes")
            if p.shape != (target.size, source.size):
                raise NetworkError(f"{where}: weights have shape {list(p.weights.shape)}, the populations need [{target.size}, {source.size}]")
            if p.port is Port.GATE and not target.has_gate:
                raise NetworkError(f"{where}: port 'z' is that of a gate, and {target.name!r} is {target.model.value}; use SPIKGRU, or port 'i'")
            if p.port is Port.BLOCK and not target.inhibition:
                raise NetworkError(f"{where}: port 'block' needs a target with an inhibition of 1 timestep or more; {target.name!r} has none")
        self._check_maps()
        self._check_matrices()
        _ = self.order  # raises on a cycle of delay 0

    def _check_maps(self) -> None:
        """Convolutions into one population agree on its map."""
        for p in self.populations:
            maps = [q.conv.out_shape for q in self.incoming(p.name) if q.conv is not None]
            if len(set(maps)) > 1:
                raise NetworkError(f"Population {p.name!r}: the convolutions into it have target maps {', '.join(str(list(m)) for m in maps)} "
                                   "(channels, height, width); a population has one map: make them equal")

    def _check_matrices(self) -> None:
        """Projections that share a matrix have the same weights, and nothing beside them that would ask for another scale."""
        first: dict[str, FloatProjection] = {}
        for q in self.projections:
            if not q.matrix:
                continue
            other, where = first.setdefault(q.matrix, q), f"Projection {q.source} -> {q.target}"
            if q.conv != other.conv or q.port is not other.port or not np.array_equal(q.weights, other.weights):
                raise NetworkError(f"{where}: it shares the matrix {q.matrix!r} with {other.source} -> {other.target}, but its weights, geometry "
                                   "or port differ; make them equal, or give it another name")
            if len(self.incoming(q.target, q.port)) > 1:
                raise NetworkError(f"{where}: it shares the matrix {q.matrix!r}, whose integers have one scale, and another projection leads to "
                                   f"the same port of {q.target!r}; leave matrix out, or the other projection")

    def map_of(self, name: str) -> tuple[int, int, int] | None:
        """Channels, height and width of the map that a convolution into a population gives it; None where none leads to it."""
        return next((q.conv.out_shape for q in self.incoming(name) if q.conv is not None), None)

    def population(self, name: str) -> FloatPopulation:
        """The population of that name."""
        return next(p for p in self.populations if p.name == name)

    def incoming(self, name: str, *ports: Port) -> tuple[FloatProjection, ...]:
        """Projections whose target is ``name`` (at one of ``ports``, if any are named), in their order."""
        return tuple(p for p in self.projections if p.target == name and (not ports or p.port in ports))

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
