"""A chain of PyTorch layers with ReLUs as a float network for :func:`~.balance.convert`: batch norms folded, pools made part of what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...gen.batch_norm import fold_batch_norm
from ...gen.float_layers import convolution, fully_connected, spread
from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.errors import NetworkError
from ...spec.network import Model, Readout

__all__ = ["read_chain"]

_IGNORED = ("Dropout", "Dropout1d", "Dropout2d", "Identity")
KNOWN = "Conv1d, Conv2d, Linear, BatchNorm1d, BatchNorm2d, ReLU, AvgPool1d, AvgPool2d, AdaptiveAvgPool (of size 1), Flatten, Dropout, Identity"


@dataclass
class _Layer:
    """A convolution or linear layer whose ReLU has not come yet."""

    where: str
    module: Any
    weights: np.ndarray
    bias: np.ndarray


def read_chain(module: Any, shape: Sequence[int], *, name: str = "ann", input_scale: float = 1.0, payload: tuple[int, int] = (0, 1),
               labels: tuple[str, ...] = (), metadata: dict | None = None) -> FloatNetwork:
    """A ``torch.nn.Sequential`` (of Sequentials) as a float network: populations ``input``, ``layer1``, ..., ``output``.

    Parameters
    ----------
    module : layers in order; the last is a Linear or convolution without ReLU. A layer that occurs more than once is a backward-residual pass: its
        projections share a matrix. Batch norms are as they are in evaluation (running statistics).
    shape : of the input: channels, height, width; channels, length; or values.
    input_scale : what an input payload of 1 counts.
    payload : range of the input's payloads.

    Raises NetworkError, which names the module, for a layer or an order that is not known.
    """
    leaves = list(_leaves(module, ""))
    times = Counter(id(layer) for _, layer in leaves)
    reader = _Reader(shape, input_scale, {key for key, n in times.items() if n > 1})
    for where, layer in leaves:
        reader.take(where, layer)
    if reader.pending is None:
        raise NetworkError("The chain must end with a Linear or a convolution, whose values are the answer; it ends with "
                           + (f"{leaves[-1][0]} ({type(leaves[-1][1]).__name__})" if leaves else "nothing"))
    reader.close("output", Model.LI, readout=Readout.LAST, labels=labels)
    first = FloatPopulation(name="input", size=int(np.prod(shape)), model=Model.INPUT, payload_min=payload[0], payload_max=payload[1])
    return FloatNetwork(name=name, populations=(first, *reader.populations), projections=tuple(reader.projections), metadata=metadata or {})


def _leaves(module: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Modules that are no Sequentials, in order, with their paths."""
    if type(module).__name__ != "Sequential":
        yield where or "the module", module
        return
    for name, child in module._modules.items():  # named_children leaves out what occurs twice
        yield from _leaves(child, f"{where}.{name}" if where else name)


class _Reader:
    """Layers one after the other: ``source`` is the last population, ``before`` its map, ``pool`` what was pooled behind it."""

    def __init__(self, shape: Sequence[int], input_scale: float, repeated: set[int]) -> None:
        self.before = tuple(int(n) for n in shape)
        if len(self.before) not in (1, 2, 3) or min(self.before) < 1:
            raise NetworkError(f"The shape of the input is a number of values, or channels and one or two lengths, not {list(shape)}")
        self.source, self.scale, self.repeated = "input", input_scale, repeated
        self.pool, self.flat = (1,) * (len(self.before) - 1), len(self.before) == 1
        self.pending: _Layer | None = None
        self.populations: list[FloatPopulation] = []
        self.projections: list[FloatProjection] = []
        self._names: dict[int, str] = {}

    def take(self, where: str, module: Any) -> None:
        """One module."""
        kind = type(module).__name__
        if kind in _IGNORED:
            return
        if kind in ("Conv1d", "Conv2d", "Linear"):
            self._weighted(where, module, kind)
        elif kind in ("BatchNorm1d", "BatchNorm2d"):
            self._normalised(where, module, kind)
        elif kind == "ReLU":
            if self.pending is None:
                raise NetworkError(f"Module {where} (ReLU): it must follow a Linear or a convolution, with a batch norm at most between them")
            self.close(f"layer{len(self.populations) + 1}", Model.IF)
        elif kind in ("AvgPool1d", "AvgPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d"):
            self._pooled(where, module, kind)
        elif kind == "Flatten":
            if self.pending is not None:
                raise NetworkError(f"Module {where} (Flatten): it must follow a ReLU, a pool or the input")
            self.flat = True
        else:
            raise NetworkError(f"Module {where} ({kind}): not known; known are {KNOWN}")

    def close(self, name: str, model: Model, **fields: Any) -> None:
        """The pending layer becomes a population and the projection into it."""
        layer = self.pending
        assert layer is not None
        try:
            q = self._projection(name, layer)
        except NetworkError as error:
            raise NetworkError(f"Module {layer.where} ({type(layer.module).__name__}): {error}") from None
        shape = q.conv.out_shape if q.conv is not None else (len(layer.weights), 1, 1)
        self.populations.append(FloatPopulation(name=name, size=q.shape[0], model=model, bias=spread(layer.bias, shape), **fields))
        self.projections.append(q)
        linear = type(layer.module).__name__ == "Linear"
        self.before = shape[:1] if linear else shape if type(layer.module).__name__ == "Conv2d" else (shape[0], shape[2])
        self.pool, self.flat, self.source, self.pending = (1,) * (len(self.before) - 1), linear, name, None

    def _weighted(self, where: str, module: Any, kind: str) -> None:
        if self.pending is not None:
            raise NetworkError(f"Module {where} ({kind}): it follows {self.pending.where} without a ReLU between them; multiply the two out")
        if kind != "Linear" and (self.flat or len(self.before) != int(kind[4]) + 1):
            raise NetworkError(f"Module {where} ({kind}): what comes before it has shape {list(self.before)}{', flattened' * self.flat}")
        if kind != "Linear" and module.padding_mode != "zeros":
            raise NetworkError(f"Module {where} ({kind}): it pads with {module.padding_mode!r}; only zeros are possible")
        if kind == "Linear" and not self.flat:
            raise NetworkError(f"Module {where} (Linear): put a Flatten before it, for what comes before it is a map {list(self.before)}")
        weights = _numpy(module.weight)
        bias = np.zeros(len(weights)) if module.bias is None else _numpy(module.bias)
        self.pending = _Layer(where, module, weights * self.scale, bias)
        self.scale = 1.0

    def _normalised(self, where: str, module: Any, kind: str) -> None:
        layer = self.pending
        if layer is None or module.running_mean is None:
            raise NetworkError(f"Module {where} ({kind}): it must follow a Linear or a convolution, and have running statistics")
        gamma, beta = (1.0, 0.0) if module.weight is None else (_numpy(module.weight), _numpy(module.bias))
        try:
            layer.weights, layer.bias = fold_batch_norm(layer.weights, layer.bias, gamma, beta, _numpy(module.running_mean),
                                                        _numpy(module.running_var), module.eps)
        except NetworkError as error:
            raise NetworkError(f"Module {where} ({kind}): {error}") from None

    def _pooled(self, where: str, module: Any, kind: str) -> None:
        n = int(kind[-2])
        if self.pending is not None or self.flat or len(self.before) != n + 1:
            raise NetworkError(f"Module {where} ({kind}): a pool must follow the ReLU of a convolution, or an input that is a map of its dimensions")
        if kind.startswith("Adaptive"):
            if set(_tuple(module.output_size, n)) != {1}:
                raise NetworkError(f"Module {where} ({kind}): only an output of size 1 is possible, not {module.output_size}")
            blocks = tuple(size // block for size, block in zip(self.before[1:], self.pool, strict=True))
        else:
            blocks = _tuple(module.kernel_size, n)
            if _tuple(module.stride, n) != blocks or any(_tuple(module.padding, n)):
                raise NetworkError(f"Module {where} ({kind}): its blocks must not overlap or be padded: stride as large as the kernel, padding 0")
        self.pool = tuple(a * b for a, b in zip(self.pool, blocks, strict=True))
        if any(size < block for size, block in zip(self.before[1:], self.pool, strict=True)):
            raise NetworkError(f"Module {where} ({kind}): nothing is left of the map {list(self.before)} behind it")

    def _projection(self, target: str, layer: _Layer) -> FloatProjection:
        m, n = layer.module, len(self.before) - 1
        matrix = self._names.setdefault(id(m), target) if id(m) in self.repeated else ""
        if type(m).__name__ != "Linear":
            padding = m.padding if isinstance(m.padding, str) else _tuple(m.padding, n)
            return convolution(self.source, target, layer.weights, self.before, stride=_tuple(m.stride, n), padding=padding,
                               dilation=_tuple(m.dilation, n), groups=m.groups, pool=self.pool, average=True, matrix=matrix)
        if set(self.pool) <= {1}:
            return FloatProjection(source=self.source, target=target, weights=layer.weights, matrix=matrix)
        return fully_connected(self.source, target, layer.weights, self.before, pool=self.pool if n == 2 else self.pool[0], average=True)


def _numpy(values: Any) -> np.ndarray:
    return values.detach().cpu().double().numpy()


def _tuple(value: Any, n: int) -> tuple[int, ...]:
    """One number for each dimension."""
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * n
