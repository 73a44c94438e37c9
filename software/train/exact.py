"""The integer contract as a forward pass: a population of docs/numerics.md in torch integers, bit for bit what the golden model computes.

Only the forward loop: its gradient is that of the float equations at the states that the integers reached (straight through every rounding). The
arithmetic is :mod:`spikeloom.spec.arithmetic`'s own, on int64 tensors.
"""

from __future__ import annotations

import numpy as np
import torch

from ...spec.arithmetic import round_shift
from ...spec.errors import NetworkError
from ...spec.neuron import Gain, Model, Refractory, Reset
from ...spec.population import Population
from .loop import Dynamics, Trace
from .membranes import dynamics_of
from .surrogate import Surrogate

__all__ = ["ExactDynamics", "entry_of", "exact_hold", "exact_leak"]


class ExactDynamics(Dynamics):
    """A spiking population in integers.

    ``drive`` holds integers (float64): (A << G) + b, then Az + gate_bias; ``u`` the recurrent weights in the same units. There are no constants.

    Of a population that holds its current ``drive`` is what :func:`exact_hold` makes of A << G, with the bias.

    Raises NetworkError for what has no gradient here: another reset than by subtraction or none, refractory timesteps, inhibition, a lower clip, an
    initial potential.
    """

    def __init__(self, population: Population, surrogate: Surrogate) -> None:
        super().__init__(surrogate, population.max_spikes, Reset.SUBTRACT if population.reset is Reset.SUBTRACT else Reset.NONE)
        p = self.population = population
        plain = p.reset in (Reset.SUBTRACT, Reset.NONE) and not (p.refractory or p.inhibition) and p.v_floor is None and not p.v_init.any()
        if not plain or p.refractory_mode is not Refractory.FIRE:
            raise NetworkError(f"Population {p.name!r}: quantization-aware training knows the reset by subtraction or none, no "
                               "refractory timesteps, inhibition, lower clip or initial potential; train it in floating point, and quantize it")
        self.n_ports = 2 if p.has_gate else 1
        self.theta = torch.from_numpy(p.theta.astype("int64"))
        self._alpha, self._beta = _factor(p, "alpha"), _factor(p, "beta")
        self.potentials: torch.Tensor | None = None
        if p.has_gate:
            self._table = torch.from_numpy(p.gate_table.astype("int64"))
            self._entry = entry_of(p.gate_table)
        # ALIF's rho and jump in thresholds; the jump of each neuron in integers is that of the float network.
        jump = float((p.jump / p.theta).mean()) if p.adapts else 0.0
        model = Model.LIF if p.model is Model.IF else p.model
        self._float = dynamics_of(model, surrogate, max_spikes=p.max_spikes, reset=p.reset, gain=p.gain, rho=p.adaptation_decay.beta, jump=jump)
        beta, alpha = (torch.full((p.size,), decay.beta) if factor is None else (factor / (1 << (decay.fraction_bits or 0))).float()
                       for decay, factor in ((p.decay, self._beta), (p.current_decay, self._alpha)))
        self._constants = [{"alpha": alpha, "beta": beta}[name] for name in self._float.names]

    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        """The states of every timestep, in thresholds; ``potentials`` then holds v in integers, ``[T, B, H], int64``."""
        p, size = self.population, self.population.size
        own_current = p.has_current and not p.held
        states = "iz" if p.has_gate else "i" if own_current else "a" if p.adapts else ""
        trace = {name: torch.empty(*drive.shape[:2], size) for name in states + "vs"}
        self.potentials = torch.empty(*drive.shape[:2], size, dtype=torch.int64)
        n_clips = drive.shape[1]
        v = n = i = a = torch.zeros(n_clips, size, dtype=torch.int64)
        theta = self.theta
        feedback = None if u is None else _exact_matrix(u, p.max_spikes)
        drive = drive.long()
        for t, total in enumerate(drive):
            if feedback is not None and t:
                total = total + (n.to(feedback.dtype) @ feedback).long()
            current = total[:, :size]
            if own_current:
                i = _saturate(p.current_decay.apply(i, p.rounding, self._alpha) + current, p.i_bits)
                current = i if p.gain is Gain.UNIT else p.decay.complement(i, p.rounding, self._beta)
                trace["i"][t] = i / theta
            if p.has_gate:
                half = len(self._table) // 2
                z = self._table[round_shift(total[:, size:], p.gate_shift, p.rounding).clamp(-half, half - 1) + half]
                v = round_shift(z * v + (256 - z) * current, 8, p.rounding)
                trace["z"][t] = z / 256
            else:
                v = p.decay.apply(v, p.rounding, self._beta) + current
            v = _saturate(self.reset_(v, theta * n), p.v_bits)
            threshold = theta
            if p.adapts:
                a = (p.adaptation_decay.apply(a, p.rounding) + torch.from_numpy(p.jump.astype("int64")) * n).clamp(0, (1 << p.a_bits) - 1)
                threshold = theta + a
                trace["a"][t] = a / theta
            n = (v >= threshold).long() if p.max_spikes == 1 else (v // threshold).clamp(0, p.max_spikes)
            self.potentials[t], trace["v"][t], trace["s"][t] = v, v / theta, n
        return trace

    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        # The float equations are in thresholds (and, of the gate, in arguments of the sigmoid): divide here what they would multiply by.
        unit = 1.0 / self.theta.float()
        if self.population.has_gate:
            unit = torch.cat([unit, torch.full_like(unit, self._entry / 2.0**self.population.gate_shift)])
        scaled = None if u is None else (u.float() * unit[:, None])
        g, _ = self._float.gradients(trace, out, scaled, *self._constants)
        return g * unit, []


def exact_hold(p: Population, sums: torch.Tensor) -> torch.Tensor:
    """The held current ``[T, B, H], float64``: what arrived so far, A << G of each timestep ``[T, B, H]``, saturated at every write-back."""
    i, out = torch.zeros_like(sums[0]), []
    for total in sums:
        i = _saturate(i + total, p.i_bits)
        out.append(i)
    return torch.stack(out)


def exact_leak(p: Population, drive: torch.Tensor) -> torch.Tensor:
    """Potentials ``[T, B, H], float64`` of LI neurons, from (A << G) + b; its gradient is that of o = beta o_prev + drive."""
    return _ExactLeak.apply(drive, p)


class _ExactLeak(torch.autograd.Function):
    @staticmethod
    def forward(ctx, drive: torch.Tensor, p: Population) -> torch.Tensor:
        factor = _factor(p, "beta")
        ctx.beta = p.decay.beta if factor is None else (factor / (1 << (p.decay.fraction_bits or 0))).double()
        out = torch.empty_like(drive)
        v = torch.zeros_like(drive[0], dtype=torch.int64)
        for t, total in enumerate(drive.long()):
            v = _saturate(p.decay.apply(v, p.rounding, factor) + total, p.v_bits)
            out[t] = v
        return out

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        g = grads[0].clone()
        for t in range(len(g) - 2, -1, -1):
            g[t] += g[t + 1] * ctx.beta
        return g, None


def entry_of(table: np.ndarray) -> float:
    """What one index of a table of the logistic function is worth as its argument: the least-squares slope of its logits, away from both ends."""
    index = np.arange(len(table)) - len(table) // 2
    inner = (table >= 16) & (table <= 240)
    logits = np.log(table[inner] / (256.0 - table[inner]))
    return float((logits * index[inner]).sum() / max((index[inner] ** 2).sum(), 1))


def _factor(p: Population, name: str) -> torch.Tensor | None:
    factors = getattr(p, name)
    return None if factors is None else torch.from_numpy(factors.astype("int64"))


def _saturate(x: torch.Tensor, bits: int) -> torch.Tensor:
    return x.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _exact_matrix(u: torch.Tensor, payload: int) -> torch.Tensor:
    """The transpose of integers, in the narrower float format in which every sum of them, ``payload`` times each, is exact."""
    bound = float(u.abs().sum(dim=1).max()) * payload
    return u.T.to(torch.float32 if bound < 2.0**24 else torch.float64).contiguous()
