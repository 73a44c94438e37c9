"""Layers to train: recurrent or feed-forward spiking populations, and the leaky integrators that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ...gen.float_population import FloatPopulation
from ...gen.float_projection import FloatProjection
from ...spec.errors import NetworkError
from ...spec.network import Network
from ...spec.neuron import Gain, Model, Port, Readout, Reset
from ...spec.population import Population
from .exact import entry_of
from .loop import run_loop
from .membranes import dynamics_of
from .surrogate import Surrogate

__all__ = ["RATE_SCORE", "CountLayer", "ReadoutLayer", "SpikingLayer", "rate_scores", "read"]

RATE_SCORE = 20.0  # one spike in 50 timesteps then makes a word e**0.4 times as likely


def uniform(rows: int, fan_in: int) -> torch.nn.Parameter:
    """``[rows, fan_in]``, uniform within 1 / sqrt(fan_in)."""
    return torch.nn.Parameter((torch.rand(rows, fan_in) * 2 - 1) * fan_in**-0.5)


class SpikingLayer(torch.nn.Module):
    """A population of spiking neurons with trainable weights, biases and decays, and a threshold of 1 unless that is trained.

    Parameters
    ----------
    inputs, size : channels in, neurons.
    model : LIF, CUBALIF, SPIKGRU or ALIF.
    recurrent : every spike reaches all neurons of the layer one timestep later.
    delays : timesteps after which inputs arrive, in rising order, each with weights of its own.
    alpha, beta : decays of current and membrane to start from, kept within 0..1 by :meth:`clip`.
    per_layer : one alpha, one beta and one trained threshold for the whole layer (DIET-SNN: Rathi and Roy 2021), else decays per neuron. The
        threshold divides what arrives, which is the same neuron as one with another threshold.
    normalize : batch norm of what the inputs add up to (Ioffe and Szegedy 2015; over timesteps and clips, not of what comes back from the layer
        itself, as in Ravanelli et al.'s light GRU, 2018). :meth:`to_float` folds it into weights and biases: hardware has none of it.
    max_spikes, reset, gain, rho, jump : see :func:`~.membranes.dynamics_of`.

    Raises NetworkError for a model that is none of these.
    """

    def __init__(self, inputs: int, size: int, model: Model, *, recurrent: bool = True, surrogate: Surrogate | None = None, max_spikes: int = 1,
                 reset: Reset | str = Reset.SUBTRACT, delays: Sequence[int] = (0,), alpha: float = 0.8, beta: float = 0.9, per_layer: bool = False,
                 normalize: bool = False, gain: Gain = Gain.COMPLEMENT, rho: float = 0.97, jump: float = 0.1) -> None:
        super().__init__()
        if model not in (Model.LIF, Model.CUBALIF, Model.SPIKGRU, Model.ALIF):
            raise NetworkError(f"Layers of lif, cubalif, spikgru and alif can be trained, not {model.value}")
        self.model, self.size, self.per_layer = model, size, per_layer
        self.dynamics = dynamics_of(model, surrogate or Surrogate(), max_spikes=max_spikes, reset=Reset(reset), gain=gain, rho=rho, jump=jump)
        rows = size * self.dynamics.n_ports
        self.delays = tuple(delays)
        self.w = uniform(rows, inputs * len(self.delays))
        self.u = uniform(rows, size) if recurrent else None
        self.b = torch.nn.Parameter(torch.zeros(rows))
        self.norm = torch.nn.BatchNorm1d(rows, affine=False) if normalize else None
        self.spread = torch.nn.Parameter(torch.ones(rows)) if normalize else None
        self.constants = torch.nn.ParameterDict({
            name: torch.nn.Parameter(torch.full((1 if per_layer else size,), {"alpha": alpha, "beta": beta}[name])) for name in self.dynamics.names})
        self.threshold = torch.nn.Parameter(torch.ones(1)) if per_layer else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes ``[T, B, size], float32`` of inputs ``[T, B, inputs]``."""
        share = self._share()
        if self.delays != (0,):
            x = torch.cat([torch.nn.functional.pad(x, (0, 0, 0, 0, delay, 0))[: len(x)] for delay in self.delays], dim=2)
        if self.norm is None:
            drive = torch.nn.functional.linear(x, self.w * share, (self.b * share[:, 0]))
        else:
            sums = self.norm(torch.nn.functional.linear(x, self.w).flatten(0, 1)).unflatten(0, x.shape[:2])
            drive = torch.addcmul(self.b * share[:, 0], sums, self.spread * share[:, 0])
        constants = [self.constants[name].expand(self.size) for name in self.dynamics.names]
        return run_loop(self.dynamics, drive, None if self.u is None else self.u * share, *constants)

    def _share(self) -> torch.Tensor:
        """What a weight counts, in thresholds, ``[rows, 1]``: a gate has no threshold."""
        share = torch.ones(len(self.w), 1, device=self.w.device)
        if self.threshold is not None:
            share = torch.cat([share[: self.size] / self.threshold, share[self.size:]])
        return share

    def _folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights ``[rows, inputs]`` and biases ``[rows]`` of the inputs, in thresholds, with what the batch norm makes of them."""
        share = self._share()
        w, b = self.w.double(), self.b.double()
        if self.norm is not None:
            factor = self.spread * torch.rsqrt(self.norm.running_var.double() + self.norm.eps)
            w, b = w * factor[:, None], b - self.norm.running_mean * factor
        return w * share, b * share[:, 0]

    @torch.no_grad()
    def clip(self) -> None:
        """Bring decays back to 0..1 and the threshold to 0.01 or more; call it after every update."""
        for value in self.constants.values():
            value.clamp_(0.0, 1.0)
        if self.threshold is not None:
            self.threshold.clamp_(min=0.01)

    @torch.no_grad()
    def load(self, network: Network, p: Population, input_scale: float) -> None:
        """Weights, biases and decays of a population of integers, in thresholds; NetworkError where its model or its shape is another."""
        if self.norm is not None:
            raise NetworkError(f"Population {p.name!r}: integers have no batch norm to go on with; start this layer without normalize")
        if p.model is not self.model or p.size != self.size or self.per_layer:
            raise NetworkError(f"Population {p.name!r} is {p.size} {p.model.value}, this layer {self.size} {self.model.value}"
                               + (" with constants per layer" if self.per_layer else "") + ": start from a network of the same layers")
        units = {Port.CURRENT: 2.0**p.guard_bits / p.theta[:, None]}
        biases = [p.bias / p.theta]
        if p.has_gate:
            units[Port.GATE] = np.full((p.size, 1), entry_of(p.gate_table) / 2.0**p.gate_shift)
            biases.append(p.gate_bias * units[Port.GATE][:, 0])
        self.b.copy_(torch.from_numpy(np.concatenate(biases)))
        for own, target in ((False, self.w), (True, self.u)):
            if target is None:
                continue
            matrices = []
            for port, unit in units.items():
                parts = sorted((q for q in network.incoming(p.name, port) if (q.source == p.name) == own), key=lambda q: q.delay)
                matrices.append(np.concatenate([np.zeros((p.size, 0)), *(q.weights * 2.0**q.shift for q in parts)], axis=1) * unit)
            weights = np.concatenate(matrices)
            if weights.shape != tuple(target.shape):
                raise NetworkError(f"Population {p.name!r} gets weights {list(weights.shape)}, this layer has {list(target.shape)}")
            target.copy_(torch.from_numpy(weights / (1.0 if own else input_scale)))
        for name, decay in (("alpha", p.current_decay), ("beta", p.decay)):
            if name in self.constants:
                factors = getattr(p, name)
                values = np.full(p.size, decay.beta) if factors is None else factors / 2.0 ** (decay.fraction_bits or 0)
                self.constants[name].copy_(torch.from_numpy(values))

    @torch.no_grad()
    def to_float(self, name: str, source: str, input_scale: float) -> tuple[FloatPopulation, list[FloatProjection]]:
        """The population and its projections; an input event of payload 1 counts ``input_scale``."""
        w, b = (part.numpy() for part in self._folded())
        w = w * input_scale
        fields: dict = {key: value.double().expand(self.size).numpy() for key, value in self.constants.items()}
        if self.per_layer:
            fields = {key: float(value[0]) for key, value in fields.items()}
        if self.model is Model.SPIKGRU:
            fields["gate_bias"] = b[self.size:]
        fields |= self.dynamics.fields
        population = FloatPopulation(name=name, size=self.size, model=self.model, bias=b[: self.size], strict=False, **fields)
        matrices = [(source, part, delay) for part, delay in zip(np.split(w, len(self.delays), axis=1), self.delays, strict=True)]
        matrices += ([] if self.u is None else [(name, (self.u.double() * self._share()).numpy(), 1)])
        ports = (Port.CURRENT, Port.GATE)[: self.dynamics.n_ports]
        return population, [FloatProjection(source=origin, target=name, weights=m[k * self.size:(k + 1) * self.size], delay=delay, port=port)
                            for k, port in enumerate(ports) for origin, m, delay in matrices]


class _Leak(torch.autograd.Function):
    """o = beta o_prev + drive, ``[T, B, C]``; the loop by hand, as that of the spiking layers."""

    @staticmethod
    def forward(ctx, drive: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(drive)
        o = torch.zeros_like(drive[0])
        for t, step in enumerate(drive):
            o = torch.addcmul(step, o, beta, out=out[t])
        ctx.save_for_backward(out, beta)
        return out

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        o, beta = ctx.saved_tensors
        g = grads[0].clone()
        for t in range(len(g) - 2, -1, -1):
            g[t].addcmul_(g[t + 1], beta)
        return g, (g[1:] * o[:-1]).sum(dim=(0, 1))


class ReadoutLayer(torch.nn.Module):
    """Leaky integrators, one per class (Dampfhoffer 2023, section 4.2.1): o = beta o_prev + W s + b, read as LAST, MAX or SUM of o over time.

    The score of SUM is the mean over time: the same answer, and a scale that does not grow with the clip.
    """

    def __init__(self, inputs: int, classes: int, readout: Readout = Readout.SUM, beta: float = 0.9) -> None:
        super().__init__()
        if readout not in (Readout.LAST, Readout.MAX, Readout.SUM):
            raise NetworkError(f"A readout of leaky integrators is last, max or sum, not {readout.value}")
        self.readout = readout
        self.w, self.b = uniform(classes, inputs), torch.nn.Parameter(torch.zeros(classes))
        self.beta = torch.nn.Parameter(torch.full((classes,), beta))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores ``[B, classes]`` of spikes ``[T, B, inputs]``."""
        return read(_Leak.apply(torch.nn.functional.linear(x, self.w, self.b), self.beta), self.readout)

    @torch.no_grad()
    def clip(self) -> None:
        """Bring decays back to 0..1."""
        self.beta.clamp_(0.0, 1.0)

    @torch.no_grad()
    def to_float(self, name: str, source: str, labels: tuple[str, ...]) -> tuple[FloatPopulation, list[FloatProjection]]:
        """The population, with its readout, and its projection."""
        population = FloatPopulation(name=name, size=len(self.b), model=Model.LI, beta=self.beta.double().numpy(), bias=self.b.numpy(),
                                     readout=self.readout, labels=labels)
        return population, [FloatProjection(source=source, target=name, weights=self.w.numpy())]


class CountLayer(SpikingLayer):
    """A readout of spiking neurons, LIF without recurrence, one per class: the score is the rate of a neuron's spikes times :data:`RATE_SCORE`."""

    def __init__(self, inputs: int, classes: int, surrogate: Surrogate | None = None, beta: float = 0.9) -> None:
        super().__init__(inputs, classes, Model.LIF, recurrent=False, surrogate=surrogate, beta=beta)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores ``[B, classes]`` of spikes ``[T, B, inputs]``."""
        return rate_scores(super().forward(x))

    @torch.no_grad()
    def to_float(self, name: str, source: str, labels: tuple[str, ...]) -> tuple[FloatPopulation, list[FloatProjection]]:
        """The population, with its readout, and its projection."""
        population, projections = super().to_float(name, source, 1.0)
        return replace(population, readout=Readout.COUNT, labels=labels), projections


def rate_scores(spikes: torch.Tensor) -> torch.Tensor:
    """Scores ``[B, C]`` of spikes ``[T, B, C]``: what a neuron fires per timestep, times :data:`RATE_SCORE`."""
    return spikes.mean(dim=0) * RATE_SCORE


def read(o: torch.Tensor, readout: Readout) -> torch.Tensor:
    """Scores ``[B, C]`` of potentials ``[T, B, C]``: the last, the largest or the mean over time."""
    if readout is Readout.LAST:
        return o[-1]
    return o.amax(dim=0) if readout is Readout.MAX else o.mean(dim=0)
