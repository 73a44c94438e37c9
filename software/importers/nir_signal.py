"""What travels along an edge of a NIR graph: a weighted sum of the outputs of neurons and inputs, each at its delay, and a constant.

A weight matrix is ``[values, size of the source]``, or only its diagonal ``[values]`` where values and neurons are one to one. A convolution keeps
its kernel, ``[out channels, in channels of a group, height, width]``, as long as what comes behind it is a factor per channel, or comes behind a
pool; anything else multiplies it out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...spec.convolution import Conv
from ...spec.network import MAX_SYNAPSES
from .nir_file import RawNode
from .nir_flat import FlatGraph
from .nir_maps import MAPS, behind, is_pool, weights_of

__all__ = ["Key", "Signal", "apply", "scaled", "total"]

Key = tuple[str, int, Conv | None]  # source, delay in timesteps, and of a convolution its geometry


@dataclass(frozen=True)
class Signal:
    """``parts`` by :data:`Key`, and ``bias [size]``."""

    size: int
    parts: dict[Key, np.ndarray]
    bias: np.ndarray

    @classmethod
    def of(cls, source: str, size: int) -> Signal:
        """The output of a source, as it is."""
        return cls(size, {(source, 0, None): np.ones(size)}, np.zeros(size))

    def is_identity(self) -> bool:
        """Whether it is the output of one source, at some delay."""
        return len(self.parts) == 1 and not self.bias.any() and all(m.ndim == 1 and (m == 1).all() for m in self.parts.values())

    def delayed(self, steps: np.ndarray, name: str, flat: FlatGraph) -> Signal:
        """Every value later by its number of timesteps."""
        parts: dict[Key, np.ndarray] = {}
        several = len(np.unique(steps)) > 1
        for key, m in self.parts.items():
            source, delay, conv = key
            if several and conv is not None:
                m, conv = _matrix(key, m, name, flat), None
            for d in np.unique(steps):
                if delay + d > 63:
                    raise flat.error(name, f"makes a delay of {delay + d} timesteps; at most 63 are possible. Give a larger --dt.")
                rows = steps == d
                late = m if not several else m * (rows if m.ndim == 1 else rows[:, None])
                _add(parts, (source, delay + int(d), conv), late, name, flat)
        return Signal(self.size, parts, self.bias)


def total(signals: list[Signal], size: int, name: str, flat: FlatGraph) -> Signal:
    """The sum of what meets at the node ``name``."""
    if not signals:
        raise flat.error(name, "has no edge that leads to it")
    parts: dict[Key, np.ndarray] = {}
    bias = np.zeros(size)
    for signal in signals:
        bias = bias + signal.bias
        for key, m in signal.parts.items():
            _add(parts, key, m, name, flat)
    return Signal(size, parts, bias)


def scaled(signal: Signal, factor: np.ndarray, name: str, flat: FlatGraph) -> Signal:
    """Every value times its factor ``[size]``; a convolution stays one where the factors of a channel are equal."""
    parts: dict[Key, np.ndarray] = {}
    for key, m in signal.parts.items():
        source, delay, conv = key
        each = None if conv is None else factor.reshape(conv.out_channels, -1)
        if each is not None and (each == each[:, :1]).all():
            _add(parts, key, m * each[:, :1].reshape(-1, 1, 1, 1), name, flat)
        elif conv is not None:
            _add(parts, (source, delay, None), _matrix(key, m, name, flat) * factor[:, None], name, flat)
        else:
            _add(parts, key, m * (factor if m.ndim == 1 else factor[:, None]), name, flat)
    return Signal(signal.size, parts, signal.bias * factor)


def apply(flat: FlatGraph, name: str, node: RawNode, signal: Signal) -> Signal:
    """A signal behind a Linear, Affine, Scale, convolution, pool, Flatten or a subgraph's Input or Output (a Flatten keeps the order of values)."""
    if node.kind in MAPS:
        return _convolved(flat, name, node, signal)
    if node.kind not in ("Linear", "Affine", "Scale"):
        return signal
    key, out = ("scale" if node.kind == "Scale" else "weight"), flat.size_out[name]
    if key not in node.values:
        raise flat.error(name, f"has no {key}; write the node with it")
    factor = _numbers(flat, name, key, node.values[key])
    if node.kind == "Scale":
        return scaled(signal, np.broadcast_to(factor.reshape(-1), (out,)), name, flat)
    bias = factor @ signal.bias
    if node.kind == "Affine":
        own = _numbers(flat, name, "bias", node.values.get("bias", np.zeros(1))).reshape(-1)
        if own.size not in (1, out):
            raise flat.error(name, f"has {out} outputs and {own.size} values of bias")
        bias = bias + own
    parts: dict[Key, np.ndarray] = {}
    for at, m in signal.parts.items():
        source, delay, conv = at
        if conv is not None and is_pool(conv) and conv.pool != (1, 1):  # the kernel is the whole map
            whole = Conv(shape=conv.out_shape, out_channels=out, kernel=conv.pooled)
            conv, weights = behind(conv, m, whole, factor.reshape(whole.weights_shape))
            _add(parts, (source, delay, conv), weights, name, flat)
            continue
        m = m if conv is None else _matrix(at, m, name, flat)
        _limit(out, m.size if m.ndim == 1 else m.shape[1], name, flat)
        _add(parts, (source, delay, None), factor * m if m.ndim == 1 else factor @ m, name, flat)
    return Signal(out, parts, bias)


def _convolved(flat: FlatGraph, name: str, node: RawNode, signal: Signal) -> Signal:
    """A signal behind a convolution or a pool."""
    conv = flat.maps[name]
    weights, bias = weights_of(flat, name, node)
    parts: dict[Key, np.ndarray] = {}
    for key, m in signal.parts.items():
        source, delay, before = key
        if before is None and m.ndim == 1:
            each = m.reshape(conv.shape[0], -1)
            if (each == each[:, :1]).all():
                before = Conv(shape=conv.shape, out_channels=conv.shape[0], kernel=(1, 1),
                              groups=conv.shape[0])  # as it is, with a factor per channel
                m = each[:, 0]
        if before is not None and is_pool(before):
            both, held = behind(before, m, conv, weights)
            _add(parts, (source, delay, both), held, name, flat)
            continue
        m = _dense(m, name, flat) if key[2] is None else _matrix(key, m, name, flat)
        _limit(conv.target_size, m.shape[1], name, flat)
        _add(parts, (source, delay, None), conv.apply(weights, np.ascontiguousarray(m.T)).T, name, flat)
    return Signal(conv.target_size, parts, bias + conv.apply(weights, signal.bias[None])[0])


def _add(parts: dict[Key, np.ndarray], key: Key, m: np.ndarray, name: str, flat: FlatGraph) -> None:
    """Adds weights to those of the same key."""
    old = parts.get(key)
    if old is not None and old.ndim != m.ndim:
        old, m = (_dense(x, name, flat) for x in (old, m))
    parts[key] = m if old is None else old + m


def _dense(m: np.ndarray, name: str, flat: FlatGraph) -> np.ndarray:
    if m.ndim == 1:
        _limit(m.size, m.size, name, flat)
    return np.diag(m) if m.ndim == 1 else m


def _matrix(key: Key, m: np.ndarray, name: str, flat: FlatGraph) -> np.ndarray:
    """A convolution multiplied out."""
    conv = key[2]
    assert conv is not None
    _limit(conv.target_size, conv.source_size, name, flat)
    return conv.matrix(m.reshape(conv.weights_shape))


def _limit(rows: int, columns: int, name: str, flat: FlatGraph) -> None:
    if rows * columns > MAX_SYNAPSES:
        raise flat.error(name, f"needs a matrix of {rows} by {columns} weights; at most {MAX_SYNAPSES} are possible")


def _numbers(flat: FlatGraph, name: str, key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all():
        raise flat.error(name, f"has values of {key} that are infinite or no numbers")
    return values.astype(np.float64)
