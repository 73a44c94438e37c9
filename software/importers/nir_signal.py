"""What travels along an edge of a NIR graph: a weighted sum of the outputs of neurons and inputs, each at its delay, and a constant.

A weight matrix is ``[values, size of the source]``, or only its diagonal ``[values]`` where values and neurons are one to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...spec.network import MAX_SYNAPSES
from .nir_file import RawNode
from .nir_flat import FlatGraph

__all__ = ["Signal", "apply", "total"]


@dataclass(frozen=True)
class Signal:
    """``parts`` by (source, delay in timesteps), and ``bias [size]``."""

    size: int
    parts: dict[tuple[str, int], np.ndarray]
    bias: np.ndarray

    @classmethod
    def of(cls, source: str, size: int) -> Signal:
        """The output of a source, as it is."""
        return cls(size, {(source, 0): np.ones(size)}, np.zeros(size))

    def is_identity(self) -> bool:
        """Whether it is the output of one source, at some delay."""
        return len(self.parts) == 1 and not self.bias.any() and all(m.ndim == 1 and (m == 1).all() for m in self.parts.values())

    def delayed(self, steps: np.ndarray, name: str, flat: FlatGraph) -> Signal:
        """Every value later by its number of timesteps."""
        parts: dict[tuple[str, int], np.ndarray] = {}
        for (source, delay), m in self.parts.items():
            for d in np.unique(steps):
                if delay + d > 63:
                    raise flat.error(name, f"makes a delay of {delay + d} timesteps; at most 63 are possible. Give a larger --dt.")
                rows = steps == d
                parts[source, delay + int(d)] = m * (rows if m.ndim == 1 else rows[:, None])
        return Signal(self.size, parts, self.bias)


def total(signals: list[Signal], size: int, name: str, flat: FlatGraph) -> Signal:
    """The sum of what meets at the node ``name``."""
    if not signals:
        raise flat.error(name, "has no edge that leads to it")
    parts: dict[tuple[str, int], np.ndarray] = {}
    bias = np.zeros(size)
    for signal in signals:
        bias = bias + signal.bias
        for key, m in signal.parts.items():
            old = parts.get(key)
            if old is not None and old.ndim != m.ndim:
                old, m = (_dense(x, name, flat) for x in (old, m))
            parts[key] = m if old is None else old + m
    return Signal(size, parts, bias)


def _dense(m: np.ndarray, name: str, flat: FlatGraph) -> np.ndarray:
    if m.ndim == 1 and m.size**2 > MAX_SYNAPSES:
        raise flat.error(name, f"needs a matrix of {m.size} by {m.size} weights; at most {MAX_SYNAPSES} are possible")
    return np.diag(m) if m.ndim == 1 else m


def apply(flat: FlatGraph, name: str, node: RawNode, signal: Signal) -> Signal:
    """A signal behind a Linear, Affine, Scale, Flatten or a subgraph's Input or Output (a Flatten keeps the order of values)."""
    if node.kind not in ("Linear", "Affine", "Scale"):
        return signal
    key, out = ("scale" if node.kind == "Scale" else "weight"), flat.size_out[name]
    if key not in node.values:
        raise flat.error(name, f"has no {key}; write the node with it")
    factor = _numbers(flat, name, key, node.values[key])
    if node.kind == "Scale":
        factor = np.broadcast_to(factor.reshape(-1), (out,))
        return Signal(out, {k: m * (factor if m.ndim == 1 else factor[:, None]) for k, m in signal.parts.items()}, signal.bias * factor)
    bias = factor @ signal.bias
    if node.kind == "Affine":
        own = _numbers(flat, name, "bias", node.values.get("bias", np.zeros(1))).reshape(-1)
        if own.size not in (1, out):
            raise flat.error(name, f"has {out} outputs and {own.size} values of bias")
        bias = bias + own
    for m in signal.parts.values():
        columns = m.size if m.ndim == 1 else m.shape[1]
        if out * columns > MAX_SYNAPSES:
            raise flat.error(name, f"needs {out} by {columns} weights; at most {MAX_SYNAPSES} are possible")
    return Signal(out, {k: factor * m if m.ndim == 1 else factor @ m for k, m in signal.parts.items()}, bias)


def _numbers(flat: FlatGraph, name: str, key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all():
        raise flat.error(name, f"has values of {key} that are infinite or no numbers")
    return values.astype(np.float64)
