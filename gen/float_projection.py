"""All synapses from one population of a float network to another: a matrix, or the kernel of a convolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.convolution import Conv
from ..spec.errors import NetworkError
from ..spec.fields import array_of, check_fields, check_texts
from ..spec.network import Port
from .float_population import frozen

__all__ = ["FloatProjection"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatProjection:
    """Weights and where they lead.

    Parameters
    ----------
    source, target : names of populations.
    weights : ``[target size, source size], float32``; of a convolution ``[out channels, in channels of a group, kernel height, kernel width]``.
    delay : timesteps from a spike to its effect, 0 to 63.
    port : what the events do at the target; a convolution leads to port ``i``.
    conv : geometry of a convolution, or None. Its pool is a sum: :func:`~.float_layers.convolution` makes an average of it.
    matrix : projections that give the same name here have the same weights, and share their storage; each is then the only one into its population.

    Raises NetworkError for weights of another shape or not finite, a delay out of range, a convolution into another port.
    """

    source: str
    target: str
    weights: np.ndarray
    delay: int = 0
    port: Port = Port.CURRENT
    conv: Conv | None = None
    matrix: str = ""

    def __post_init__(self) -> None:
        where = f"Projection {self.source} -> {self.target}"
        check_texts(self, where, ("source", "target", "matrix"))
        check_fields(self, where, ("delay",), {"port": Port})
        if self.conv is not None and not isinstance(self.conv, Conv):
            raise NetworkError(f"{where}: conv must be the geometry of a convolution, a Conv, or None, not {self.conv!r}")
        shape = array_of(self.weights, f"{where}: weights").shape
        if self.conv is None and len(shape) != 2:
            raise NetworkError(f"{where}: weights must be a matrix [target, source], not of shape {list(shape)}; of a convolution "
                               "give its geometry, conv")
        if self.conv is not None and shape != self.conv.weights_shape:
            raise NetworkError(f"{where}: weights of its convolution must have shape {list(self.conv.weights_shape)} (out channels, in channels of a "
                               f"group, kernel), not {list(shape)}")
        if self.conv is not None and self.port is not Port.CURRENT:
            raise NetworkError(f"{where}: a convolution leads to port 'i', not to {self.port.value!r}; make it a matrix")
        object.__setattr__(self, "weights", frozen(self.weights, shape, f"{where}: weights"))
        if not 0 <= self.delay <= 63:
            raise NetworkError(f"{where}: delay must be 0 to 63 timesteps, not {self.delay}")

    @property
    def name(self) -> str:
        """``source->target``, and the port where it is not ``i``: how the quantizer and its report call it."""
        return f"{self.source}->{self.target}" + ("" if self.port is Port.CURRENT else f".{self.port.value}")

    @property
    def shape(self) -> tuple[int, int]:
        """Neurons of the target, and of the source."""
        return self.weights.shape if self.conv is None else (self.conv.target_size, self.conv.source_size)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """What events ``x [n, source size]`` add to the target's sums, ``[n, target size]``."""
        return x @ self.weights.T if self.conv is None else self.conv.apply(self.weights, x)

    def sum_bounds(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest sum of each neuron of the target, ``[target size], float64``, for payloads of ``low`` to ``high`` or none."""
        w = self.weights.astype(np.float64)
        ends = np.stack([w * low, w * high, 0 * w])
        if self.conv is None:
            return ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        ones = np.ones((1, self.conv.source_size))
        return self.conv.apply(ends.min(axis=0), ones)[0], self.conv.apply(ends.max(axis=0), ones)[0]
