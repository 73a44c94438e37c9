"""Quantization-aware training: a network whose forward pass is the integer network itself, and whose gradient goes to float weights behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ...gen.float_network import FloatNetwork
from ...sim.faults import Fault, faulty
from ...spec.errors import NetworkError
from ...spec.network import Network
from ...spec.neuron import Model, Port, Readout
from ...spec.population import Population
from ...spec.projection import Projection
from .exact import ExactDynamics, exact_hold, exact_leak
from .layers import rate_scores, read
from .loop import run_loop
from .map_net import applied, per_channel
from .surrogate import Surrogate

__all__ = ["IntegerNet"]


class _Round(torch.autograd.Function):
    """Round and clip; the gradient passes where nothing was clipped (straight through: Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        y = torch.round(x)
        ctx.save_for_backward((y >= low) & (y <= high))
        return y.clamp(low, high)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        (inside,) = ctx.saved_tensors
        return grads[0] * inside, None, None


class IntegerNet(torch.nn.Module):
    """An integer network with trainable float weights and biases behind its integers; formats, scales, thresholds and decays stay as they are.

    Convolutions have one bias per channel where they began with one, and projections of one ``matrix`` one parameter.

    Parameters
    ----------
    network : what :func:`spikeloom.gen.quantize.quantize` made of ``float_network``.
    float_network : where the float weights start; its populations and projections have the same names and order.
    surrogate : gradient of a spike.

    Raises NetworkError for a network of another shape, codebooks, loops through several populations, a BLOCK port, or what
    :class:`~.exact.ExactDynamics` refuses.
    """

    def __init__(self, network: Network, float_network: FloatNetwork, surrogate: Surrogate | None = None) -> None:
        super().__init__()
        ends = [(p.source, p.target, p.port) for p in network.projections]
        if ends != [(p.source, p.target, p.port) for p in float_network.projections]:
            raise NetworkError(f"Network {network.name!r}: its projections are not those of the float network; quantize that one, and give both")
        self.network = network
        self._order = _forward_order(network)
        self._dynamics = {p.name: ExactDynamics(p, surrogate or Surrogate()) for p in network.populations if p.spikes and p.model is not Model.INPUT}
        self._units: dict[str, dict[Port, torch.Tensor]] = {}
        shared: dict[str, torch.nn.Parameter] = {}
        own = [torch.nn.Parameter(torch.tensor(q.weights)) for q in float_network.projections]
        self.weights = torch.nn.ParameterList(shared.setdefault(q.matrix, w) if q.matrix else w
                                              for q, w in zip(float_network.projections, own, strict=True))
        self.biases, self.gate_biases = torch.nn.ParameterDict(), torch.nn.ParameterDict()
        for p in network.populations:
            if p.model is Model.INPUT:
                continue
            of = float_network.population(p.name)
            self.biases[p.name] = torch.nn.Parameter(torch.tensor(per_channel(float_network, p.name, np.asarray(of.bias))))
            if p.has_gate:
                self.gate_biases[p.name] = torch.nn.Parameter(torch.tensor(of.gate_bias))
            self._units[p.name] = {port: _unit(network, float_network, p, port) for port in {q.port for q in network.incoming(p.name)}}

    def integers(self, k: int) -> torch.Tensor:
        """Weights of projection k as integers (float32) that its float weights stand for."""
        q = self.network.projections[k]
        unit = self._units[q.target][q.port] * 2.0**q.shift
        if q.conv is not None:  # the neurons of a channel have one
            unit = unit[::q.conv.positions].reshape(-1, 1, 1, 1)
        half = 1 << (q.weight_bits - 1)
        return _Round.apply(self.weights[k] / unit, -half, half - 1)

    def _bias(self, p: Population, gate: bool) -> torch.Tensor:
        biases, port, guard = (self.gate_biases, Port.GATE, 0) if gate else (self.biases, Port.CURRENT, p.guard_bits)
        limit = float((1 << 30) if gate else (1 << ((p.i_bits if p.has_current and not p.held else p.v_bits) - 1)) - 1)
        unit = self._units[p.name][port][:, 0] if port in self._units[p.name] else torch.ones(p.size)
        bias = biases[p.name].double()
        return _Round.apply(bias.repeat_interleave(p.size // len(bias)) / unit.double() * 2.0**guard, -limit, limit)

    def forward(self, payloads: torch.Tensor, read_as: list[torch.Tensor] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` of the last readout, in the unit of the float network, and spikes ``[T, B, H]`` of each population in order.

        Parameters
        ----------
        payloads : ``[B, T, C]``, integers (any dtype) within the range of the inputs.
        read_as : weights of each projection as a faulty memory gives them (:meth:`faulty_weights`); the gradient passes to the stored ones.
        """
        events: dict[str, torch.Tensor] = {}
        first = 0
        for source in self.network.inputs:
            events[source.name] = payloads[:, :, first:first + source.size].transpose(0, 1).float()
            first += source.size
        weights = [self.integers(k) for k in range(len(self.network.projections))]
        if read_as is not None:
            weights = [w + (r - w).detach() for w, r in zip(weights, read_as, strict=True)]
        self.potentials: dict[str, torch.Tensor] = {}
        scores = None
        for name in self._order:
            p = self.network.population(name)
            drive, u = self._sums(p, weights, events, payloads.shape[:2])
            if p.spikes:
                events[name] = run_loop(self._dynamics[name], drive, u)
                self.potentials[name] = self._dynamics[name].potentials
                if p.readout is Readout.COUNT:
                    scores = rate_scores(events[name])
            else:
                o = exact_leak(p, drive)
                self.potentials[name] = o.detach()
                unit = self._units[name][Port.CURRENT][:, 0].double() / 2.0**p.guard_bits
                scores = (read(o, p.readout) * unit).float()
        if scores is None:
            raise NetworkError(f"Network {self.network.name!r} has no readout to train by; give it leaky integrators (li), or a count of spikes")
        hidden = [p.name for p in map(self.network.population, self._order) if p.spikes and p.readout is Readout.NONE]
        return scores, [events[name] for name in hidden]

    def _sums(self, p: Population, weights: list[torch.Tensor], events: dict[str, torch.Tensor], shape) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What drives a population from outside, exact in float64 ``[T, B, ports * H]``, and the recurrent weights in the same units."""
        drives, own = [], []
        for port in (Port.CURRENT, Port.GATE)[: 2 if p.has_gate else 1]:
            guard = p.guard_bits if port is Port.CURRENT else 0
            bias = self._bias(p, port is Port.GATE).expand(shape[1], shape[0], -1)
            drive, feedback = bias * 0 if p.held else bias, None
            for k, q in enumerate(self.network.projections):
                if q.target != p.name or q.port is not port:
                    continue
                scale = 2.0 ** (q.shift + guard)
                if q.source == p.name:
                    feedback = weights[k].double() * scale
                    continue
                x = events[q.source]
                x = torch.nn.functional.pad(x, (0, 0, 0, 0, q.delay, 0))[: len(x)] if q.delay else x
                exact = torch.float32 if self._narrow(q) else torch.float64
                drive = drive + applied(q, weights[k].to(exact), x.to(exact)).double() * scale
            drives.append(exact_hold(p, drive) + bias if p.held else drive)
            own.append(feedback)
        if all(f is None for f in own):
            return torch.cat(drives, dim=2), None
        return torch.cat(drives, dim=2), torch.cat([torch.zeros(p.size, p.size, dtype=torch.float64) if f is None else f for f in own])

    def _narrow(self, q: Projection) -> bool:
        """Whether sums through a projection are exact in float32: those of products of 8 bits and 8 bits are up to some 500 inputs.

        A convolution of stride 1 takes float64 in any case, for which no library has a fast algorithm that rounds (Winograd).
        """
        if q.conv is None:
            return q.weights.shape[1] * 2.0**15 < 2.0**24
        low, high = self.network.population(q.source).payload_range
        most = max(abs(low), abs(high)) * q.conv.pool[0] * q.conv.pool[1]
        return min(q.conv.stride) > 1 and q.weights[0].size * most * 2.0 ** (q.weight_bits - 1) < 2.0**24

    def clip(self) -> None:
        """Nothing to bring back: what leaves the range of its integers is clipped there."""

    @torch.no_grad()
    def to_network(self) -> Network:
        """The integer network with the weights and biases as they are now."""
        populations = [p if p.model is Model.INPUT else replace(
            p, bias=self._bias(p, False).long().numpy(), **({"gate_bias": self._bias(p, True).long().numpy()} if p.has_gate else {}))
            for p in self.network.populations]
        projections = [replace(q, weights=self.integers(k).numpy().astype(np.int64)) for k, q in enumerate(self.network.projections)]
        return replace(self.network, populations=tuple(populations), projections=tuple(projections))

    def faulty_weights(self, fault: Fault, rng: np.random.Generator) -> list[torch.Tensor]:
        """One draw of what a faulty memory reads, for :meth:`forward`: static errors, frozen for as long as it is used."""
        return [torch.from_numpy(p.weights.astype(np.float32)) for p in faulty(self.to_network(), fault, rng).projections]


def _forward_order(network: Network) -> list[str]:
    """Names of all but the inputs, each after what drives it; NetworkError where one cannot be trained."""
    done = [p.name for p in network.inputs]
    for q in network.projections:
        _check(q)
    for name in network.order:
        if name in done:
            continue
        p = network.population(name)
        late = [q.source for q in network.incoming(name) if q.source != name and q.source not in done]
        own = [q for q in network.incoming(name) if q.source == name]
        if p.held and own:
            raise NetworkError(f"Population {name!r} holds its current, its own spikes' as well: quantization-aware training knows held currents of "
                               "other populations' events alone")
        if late or any(q.delay != 1 for q in own) or len(own) > (2 if p.has_gate else 1):
            raise NetworkError(f"Population {name!r}: quantization-aware training knows layers that drive later ones, and themselves with a delay "
                               f"of 1; it has events from {', '.join(late) or 'itself with another delay'}")
        if not p.spikes and (p.model is not Model.LI or p.readout not in (Readout.LAST, Readout.MAX, Readout.SUM)):
            raise NetworkError(f"Population {name!r}: quantization-aware training reads leaky integrators (li) as last, max or sum, "
                               f"not {p.model.value}")
        done.append(name)
    return [name for name in done if network.population(name).model is not Model.INPUT]


def _check(q: Projection) -> None:
    if q.codebook is not None or q.port is Port.BLOCK:
        raise NetworkError(f"Projection {q.source} -> {q.target}: quantization-aware training knows weights of 2 to 8 bits at the ports i and z, not "
                           + ("codebooks" if q.codebook is not None else "inhibition"))


def _unit(network: Network, float_network: FloatNetwork, p: Population, port: Port) -> torch.Tensor:
    """What 1 of the integer sum of a port is worth in the float network, ``[size or 1, 1]``: the least-squares fit of the weights."""
    pairs = [(np.asarray(f.weights, np.float64), q.weights.astype(np.float64) * 2.0**q.shift)
             for f, q in zip(float_network.projections, network.projections, strict=True) if q.target == p.name and q.port is port]
    shape = float_network.map_of(p.name) if port is Port.CURRENT else None
    rows = p.size if shape is None else shape[0]
    w, q = (np.concatenate([part.reshape(rows, -1) for part in side], axis=1) for side in zip(*pairs, strict=True))
    if not p.spikes or port is Port.GATE:  # one unit for all: readouts are compared with one another, a gate has one table
        w, q = w.reshape(1, -1), q.reshape(1, -1)
    square = (q * q).sum(axis=1, keepdims=True)
    unit = (w * q).sum(axis=1, keepdims=True) / np.maximum(square, 1.0)
    unit = np.where((square > 0) & (unit > 0), unit, np.median(unit[unit > 0]) if (unit > 0).any() else 1.0)
    unit = np.broadcast_to(unit, (rows, 1)) if p.spikes and port is not Port.GATE else np.broadcast_to(unit, (p.size, 1))
    return torch.from_numpy(np.repeat(unit, p.size // len(unit), axis=0).astype(np.float32))
