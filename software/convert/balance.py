"""From rectified linear units to integrate-and-fire neurons: a threshold for each layer, from what it computes on examples.

A neuron without leak, with reset by subtraction ("soft reset"), fires at the rate of its mean input over its threshold. If a spike of layer l stands
for an activation of lambda_l, the ReLU network with weights W and biases b is

    threshold balancing        V_l = lambda_l / lambda_(l-1)    w = W                            bias = b / lambda_(l-1)
    weight normalization       V_l = 1                          w = W lambda_(l-1) / lambda_l    bias = b / lambda_l

(the same rates), with lambda_l the largest, or a high percentile, of what layer l sees: above it, a neuron fires in every timestep and no more.

Ref: threshold balancing, A. Sengupta et al., "Going deeper in spiking neural networks: VGG and residual architectures", Frontiers in Neuroscience 13,
2019, and N. Rathi et al., "Enabling deep spiking neural networks with hybrid conversion and spike timing dependent backpropagation", ICLR 2020,
algorithm 1 (measured on the spikes of the layers before, ``by="spikes"``); weight normalization, P. U. Diehl et al., IJCNN 2015; percentiles,
B. Rueckauer et al., Frontiers in Neuroscience 11, 2017; soft reset, B. Han et al., CVPR 2020; v at half a threshold to start with, which
makes a rate the nearest count of spikes rather than the one below, T. Bu et al., ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.errors import NetworkError
from ...spec.network import Model, Readout, Reset
from .activations import activations, check_feed_forward

__all__ = ["convert"]

METHODS, SOURCES = ("balance", "normalize"), ("activations", "spikes")
MAX_STEPS = 1 << 16


def convert(net: FloatNetwork, x: np.ndarray, *, method: str = "balance", by: str = "activations", percentile: float = 100.0, start: float = 0.5,
            steps: int = 100, input_value: float = 1.0) -> FloatNetwork:
    """The spiking network of a ReLU network.

    Parameters
    ----------
    net : the ReLU network as :func:`~.activations.activations` reads it: populations that fire are the ReLUs, leaky integrators its linear output.
    x : examples, ``[N, channels]``: the same payloads in every timestep; or ``[N, T, channels]``, events such as those of a Poisson encoder.
    method : ``"balance"`` leaves weights as they are (so those that layers share stay shared); ``"normalize"`` leaves thresholds at 1.
    by : lambda from the ``"activations"`` of the ReLU network, or layer by layer from the sums that the ``"spikes"`` of the layers before give.
    percentile : of the values above 0 of all neurons of a layer over the examples; 100: the largest. By spikes: in each timestep, then the largest.
    start : v at the start, in thresholds.
    steps : timesteps of examples ``[N, channels]``, where spikes are counted.
    input_value : activation that an input payload of 1 stands for on average: 1 of graded payloads; of a Poisson encoder the activation at which it
        sends an event in every timestep.

    The result has IF neurons, reset by subtraction, v >= threshold fires, and leaky integrators without leak; it is as good as it can get in as many
    timesteps as it is run for, and can be run for any number. ``metadata["conversion"]`` has lambda of each layer.

    Raises NetworkError for a parameter out of range, for a layer that never is above 0, for layers of different lambda that lead to one population
    when they are balanced (normalize them), and as :func:`~.activations.check_feed_forward`.
    """
    for name, value, known in (("method", method, METHODS), ("by", by, SOURCES)):
        if value not in known:
            raise NetworkError(f"Conversion: {name} must be one of {', '.join(known)}, not {value!r}")
    if not 0 < percentile <= 100:
        raise NetworkError(f"Conversion: percentile must be above 0 and at most 100, not {percentile}")
    if not 0 <= start < 1:
        raise NetworkError(f"Conversion: start must be 0 thresholds or more, and less than 1, not {start}")
    if not 1 <= steps <= MAX_STEPS:
        raise NetworkError(f"Conversion: steps must be 1 to {MAX_STEPS}, not {steps}")
    if not 0 < input_value < float("inf"):
        raise NetworkError(f"Conversion: input_value must be above 0, not {input_value}")
    check_feed_forward(net, "conversion")
    x = np.asarray(x)
    if x.ndim not in (2, 3) or not len(x):
        raise NetworkError(f"Conversion: examples must be [N, channels] or [N, T, channels], at least one, not of shape {list(x.shape)}")
    worth = {p.name: input_value for p in net.inputs}
    z = activations(net, (x if x.ndim == 2 else x.mean(axis=1)) * input_value) if by == "activations" else {}
    spikes = _Spikes(net, x, steps)
    populations: dict[str, FloatPopulation] = {p.name: p for p in net.populations}
    projections: dict[int, FloatProjection] = {}
    for name in net.order:
        p = net.population(name)
        if p.model is Model.INPUT:
            continue
        incoming = [(k, q) for k, q in enumerate(net.projections) if q.target == name]
        if not p.spikes:
            largest = 1.0
        elif by == "activations":
            largest = _largest(z[name], percentile, name)
        else:
            largest = max(_largest(total, percentile, "") for total in spikes.sums(name, worth))
        if p.spikes and not largest > 0:
            raise NetworkError(f"Population {name!r}: it is never above 0 on {len(x)} examples, so it would never fire; give more examples, or leave "
                               "it out")
        unit = 1.0
        for k, q in incoming:
            if method == "normalize":
                projections[k] = replace(q, weights=q.weights * np.float32(worth[q.source] / largest), matrix="")
                unit = largest
            else:
                projections[k], unit = q, _common(net, name, worth)
        worth[name] = largest
        bias = np.asarray(p.bias) / unit
        if p.spikes:
            threshold = largest / unit
            populations[name] = replace(p, model=Model.IF, beta=1.0, threshold=threshold, bias=bias, v_init=start * threshold, reset=Reset.SUBTRACT,
                                        strict=False)
        else:
            readout = p.readout if p.readout is not Readout.NONE else Readout.LAST
            populations[name] = replace(p, beta=1.0, bias=bias, readout=readout)
        spikes.add(populations[name], [projections[k] for k, _ in incoming])
    said = {"method": method, "by": by, "percentile": percentile, "start": start,
            "lambda": {p.name: float(worth[p.name]) for p in net.populations if p.spikes and p.model is not Model.INPUT}}
    return replace(net, populations=tuple(populations[p.name] for p in net.populations), metadata={**net.metadata, "conversion": said},
                   projections=tuple(projections[k] for k in range(len(net.projections))))


def _largest(z: np.ndarray, percentile: float, name: str) -> float:
    """The percentile of what is above 0."""
    above = z[z > 0]
    return float(np.percentile(above, percentile)) if above.size else 0.0


def _common(net: FloatNetwork, name: str, worth: dict[str, float]) -> float:
    """What a spike stands for that arrives at a population."""
    sources = {q.source: worth[q.source] for q in net.incoming(name)}
    if max(sources.values()) > min(sources.values()) * (1 + 1e-6):
        said = ", ".join(f"{source} {value:.4g}" for source, value in sources.items())
        raise NetworkError(f"Population {name!r}: spikes of its sources stand for different activations ({said}), which weights have to take up; "
                           "use the method 'normalize'")
    return next(iter(sources.values()))


class _Spikes:
    """The spikes of the layers that are converted, on the examples."""

    def __init__(self, net: FloatNetwork, x: np.ndarray, steps: int) -> None:
        self.net, self.steps = net, steps if x.ndim == 2 else x.shape[1]
        ends = np.cumsum([0, *(p.size for p in net.inputs)])
        self._held: dict[str, np.ndarray] = {
            p.name: x[..., first:last].astype(np.float32) for p, first, last in zip(net.inputs, ends, ends[1:], strict=False)}

    def _of(self, name: str, t: int) -> np.ndarray:
        x = self._held[name]
        return x if x.ndim == 2 else x[:, t]

    def sums(self, name: str, worth: dict[str, float]) -> Iterator[np.ndarray]:
        """What arrives at a population in each timestep with its bias, ``[N, size]``, as activations."""
        p = self.net.population(name)
        for t in range(self.steps):
            yield np.asarray(p.bias) + sum(q.apply(self._of(q.source, t)) * worth[q.source] for q in self.net.incoming(name))

    def add(self, p: FloatPopulation, incoming: list[FloatProjection]) -> None:
        """A converted population: simulated once, its spikes kept."""
        if not p.spikes:
            return
        n = len(next(iter(self._held.values())))
        v = np.broadcast_to(p.of_each("v_init").astype(np.float32), (n, p.size)).copy()
        theta, out = np.asarray(p.threshold), np.zeros((n, self.steps, p.size), np.uint8)
        for t in range(self.steps):
            v += np.asarray(p.bias) + sum(q.apply(self._of(q.source, t).astype(np.float32)) for q in incoming)
            out[:, t] = v >= theta
            v -= theta * out[:, t]
        self._held[p.name] = out
