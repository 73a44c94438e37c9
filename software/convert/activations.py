"""A float network read as one of rectified linear units: what its populations would compute if they had a ReLU instead of a membrane."""

from __future__ import annotations

import numpy as np

from ...gen.float_network import FloatNetwork
from ...spec.errors import NetworkError
from ...spec.network import Model, Port

__all__ = ["activations", "check_feed_forward"]


def check_feed_forward(net: FloatNetwork, what: str) -> None:
    """Raises NetworkError unless the network is IF, LIF and LI populations, with projections into port i and without delays: ``what`` needs that."""
    for p in net.populations:
        if p.model not in (Model.INPUT, Model.IF, Model.LIF, Model.LI):
            raise NetworkError(f"Population {p.name!r}: {what} takes populations of the models if, lif and li, not {p.model.value}")
        if p.model is not Model.INPUT and not net.incoming(p.name):
            raise NetworkError(f"Population {p.name!r}: no projection leads to it")
    for q in net.projections:
        if q.port is not Port.CURRENT or q.delay:
            raise NetworkError(f"Projection {q.name}: {what} takes a network without delays, whose projections lead to port 'i'; leave this one out")


def activations(net: FloatNetwork, x: np.ndarray) -> dict[str, np.ndarray]:
    """Pre-activations z of every population but the inputs, ``[N, size], float32``, of inputs ``x [N, channels of all inputs]``.

    ``z = bias + sum of W a``, where a is x of an input and ``max(z, 0)`` of a population that fires; leaky integrators are linear.

    Raises NetworkError for an ``x`` of another shape, and as :func:`check_feed_forward`.
    """
    check_feed_forward(net, "an ANN")
    channels = sum(p.size for p in net.inputs)
    if np.ndim(x) != 2 or np.shape(x)[1] != channels:
        raise NetworkError(f"Float network {net.name!r} has {channels} input channels; x has shape {list(np.shape(x))}, and must be [N, {channels}]")
    ends = np.cumsum([0, *(p.size for p in net.inputs)])
    a = {p.name: np.asarray(x[:, first:last], np.float32) for p, first, last in zip(net.inputs, ends, ends[1:], strict=False)}
    z: dict[str, np.ndarray] = {}
    for name in net.order:
        p = net.population(name)
        if p.model is Model.INPUT:
            continue
        z[name] = np.asarray(p.bias) + sum(q.apply(a[q.source]) for q in net.incoming(name))
        a[name] = np.maximum(z[name], 0) if p.spikes else z[name]
    return z
