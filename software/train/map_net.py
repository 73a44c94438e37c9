"""A float network of maps to train on: hybrid training after a conversion, and DIET-SNN, which learns a leak and a threshold for each layer as well.

Ref: N. Rathi et al., "Enabling deep spiking neural networks with hybrid conversion and spike timing dependent backpropagation", ICLR 2020; N.
Rathi and K. Roy, "DIET-SNN: a low-latency spiking neural network with direct input encoding and leakage and threshold optimization", IEEE TNNLS
34(6), 2023.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.errors import NetworkError
from ...spec.network import Model, Projection, Readout, Reset
from ..convert.activations import check_feed_forward
from .layers import read
from .loop import run_loop
from .membranes import dynamics_of
from .surrogate import Surrogate

__all__ = ["MapNet", "applied", "per_channel"]

LEAST_THRESHOLD = 0.01  # of the one it began with


class MapNet(torch.nn.Module):
    """A feed-forward float network with trainable weights and biases and, where asked for, a leak and a threshold per layer.

    Weights of one ``matrix`` are one parameter; the neurons of a map have one bias per channel. A payload that is the same in all timesteps (direct
    encoding) is no special case.

    Parameters
    ----------
    net : where everything starts: IF and LIF populations with reset by subtraction that fire at v >= threshold, one spike in a timestep, and one LI
        population that is read as LAST, MAX or SUM (of MAX and SUM see :func:`~.layers.read`).
    surrogate : gradient of a spike.
    leaks, thresholds : whether the leak and the threshold of each layer are trained (DIET-SNN), or stay (hybrid training). One number per layer then:
        that of the layer must be one number already.
    dropout : share of the spikes that reach nobody, the same in all timesteps of a clip (Rathi et al. 2020), in training.

    Raises NetworkError for a network of another kind.
    """

    def __init__(self, net: FloatNetwork, *, surrogate: Surrogate | None = None, leaks: bool = False, thresholds: bool = False,
                 dropout: float = 0.0) -> None:
        super().__init__()
        check_feed_forward(net, "training")
        self.net, self.dropout, self.leaks, self.thresholds = net, dropout, leaks, thresholds
        self.dynamics = dynamics_of(Model.LIF, surrogate or Surrogate())
        self._order = [net.population(name) for name in net.order if net.population(name).model is not Model.INPUT]
        readers = [p for p in self._order if not p.spikes]
        if len(readers) != 1 or readers[0].readout not in (Readout.LAST, Readout.MAX, Readout.SUM) or readers[0] is not self._order[-1]:
            raise NetworkError(f"Float network {net.name!r}: training needs one population of leaky integrators, the last, read as last, max or sum")
        self.keys = [f"matrix_{q.matrix}" if q.matrix else f"w{k}" for k, q in enumerate(net.projections)]
        self.weights = torch.nn.ParameterDict({key: torch.nn.Parameter(torch.tensor(q.weights)) for key, q in zip(self.keys, net.projections,
                                                                                                                    strict=True)})
        self.biases, self.betas, self.scales = torch.nn.ParameterDict(), torch.nn.ParameterDict(), torch.nn.ParameterDict()
        for p in self._order:
            self._check(p)
            self.biases[p.name] = torch.nn.Parameter(torch.tensor(per_channel(net, p.name, np.asarray(p.bias))))
            self.betas[p.name] = torch.nn.Parameter(torch.tensor(np.atleast_1d(np.float32(p.beta))), requires_grad=leaks and p.spikes)
            if p.spikes:  # thresholds are trained as a share of what they were, so that one learning rate suits all layers
                self.scales[p.name] = torch.nn.Parameter(torch.ones(1), requires_grad=thresholds)

    def _check(self, p: FloatPopulation) -> None:
        plain = not p.spikes or (p.reset is Reset.SUBTRACT and p.max_spikes == 1 and not p.refractory and not p.inhibition and not p.strict)
        if not plain or p.v_floor is not None:
            raise NetworkError(f"Population {p.name!r}: training knows the reset by subtraction, spikes at v >= threshold, one in a timestep, no "
                               "refractory timesteps, inhibition or lower clip")
        if self.leaks and p.spikes and np.ptp(p.of_each("beta")):
            raise NetworkError(f"Population {p.name!r}: its neurons have decays of their own; a trained leak is one of the layer: give it one")
        if not p.spikes and np.any(p.of_each("v_init")):
            raise NetworkError(f"Population {p.name!r}: training knows leaky integrators that start at 0")

    def bias_of(self, p: FloatPopulation) -> torch.Tensor:
        """``[size]``."""
        bias = self.biases[p.name]
        return bias.repeat_interleave(p.size // len(bias))

    def forward(self, payloads: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` and the spikes ``[T, B, H]`` of each spiking population, of payloads ``[B, T, C]``."""
        events: dict[str, torch.Tensor] = {}
        first = 0
        for source in self.net.inputs:
            events[source.name] = payloads[:, :, first:first + source.size].transpose(0, 1).float()
            first += source.size
        spikes: list[torch.Tensor] = []
        for p in self._order:
            into = [(key, q) for key, q in zip(self.keys, self.net.projections, strict=True) if q.target == p.name]
            drive = self.bias_of(p) + sum(applied(q, self.weights[key], events[q.source]) for key, q in into)
            beta = self.betas[p.name].expand(p.size)
            if not p.spikes:
                return read(_integrated(drive, beta), p.readout), spikes
            theta = torch.tensor(np.asarray(p.threshold)) * self.scales[p.name]
            drive = drive / theta
            if np.any(p.of_each("v_init")):  # v_init decays into the first timestep, as whatever was there before
                start = beta * torch.tensor(p.of_each("v_init"), dtype=torch.float32) / theta
                drive = torch.cat([drive[:1] + start, drive[1:]])
            s = run_loop(self.dynamics, drive, None, beta)
            spikes.append(s)
            if self.training and self.dropout:
                s = s * torch.nn.functional.dropout(torch.ones_like(s[:1]), self.dropout)
            events[p.name] = s
        raise AssertionError("the last population is read")

    @torch.no_grad()
    def clip(self) -> None:
        """Bring leaks back to 0..1 and thresholds above 0; call it after every update."""
        for beta in self.betas.values():
            beta.clamp_(0.0, 1.0)
        for scale in self.scales.values():
            scale.clamp_(min=LEAST_THRESHOLD)

    @torch.no_grad()
    def to_float(self) -> FloatNetwork:
        """The network as it is trained."""
        populations = []
        for p in self.net.populations:
            if p.model is Model.INPUT:
                populations.append(p)
                continue
            fields: dict = {"bias": self.bias_of(p).numpy()}
            if p.spikes and self.leaks:
                fields |= {"beta": float(self.betas[p.name][0]), "model": Model.LIF}
            if p.spikes and self.thresholds:
                fields["threshold"] = np.asarray(p.threshold) * float(self.scales[p.name][0])
            populations.append(replace(p, **fields))
        projections: list[FloatProjection] = [replace(q, weights=self.weights[key].numpy())
                                              for key, q in zip(self.keys, self.net.projections, strict=True)]
        return replace(self.net, populations=tuple(populations), projections=tuple(projections))


def per_channel(net: FloatNetwork, name: str, values: np.ndarray) -> np.ndarray:
    """Values ``[size]`` of a population as one per channel of its map; as they are where they differ within a channel, or it has no map."""
    shape = net.map_of(name)
    each = values.reshape(-1, 1) if shape is None else values.reshape(shape[0], -1)
    return each[:, 0].copy() if (each == each[:, :1]).all() else values.copy()


def applied(q: FloatProjection | Projection, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What events ``x [T, B, source size]`` add to the sums of the target, ``[T, B, target size]``, through weights of projection ``q``."""
    conv = q.conv
    if conv is None:
        return torch.nn.functional.linear(x, weights)
    maps = x.reshape(-1, *conv.shape)
    if conv.pool != (1, 1):
        maps = torch.nn.functional.avg_pool2d(maps, conv.pool, divisor_override=1)  # a sum
    top, bottom, left, right = conv.padding
    maps = torch.nn.functional.pad(maps, (left, right, top, bottom))
    return torch.nn.functional.conv2d(maps, weights, stride=conv.stride, dilation=conv.dilation, groups=conv.groups).reshape(*x.shape[:2], -1)


def _integrated(drive: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """o = beta o_prev + drive, ``[T, B, H]``."""
    out = [drive[0]]
    for step in drive[1:]:
        out.append(beta * out[-1] + step)
    return torch.stack(out)
