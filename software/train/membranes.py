"""The float equations of the spiking models, and their gradients by hand; see docs/numerics.md and :class:`~.loop.Dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...spec.errors import NetworkError
from ...spec.neuron import Gain, Model, Reset
from .loop import Dynamics, Trace
from .surrogate import Surrogate

__all__ = ["LIF", "AdaptiveLIF", "CubaLIF", "SpikGRU", "dynamics_of"]


def _stores(names: str, drive: torch.Tensor, size: int) -> Trace:
    return {name: drive.new_empty(*drive.shape[:2], size) for name in names}


class LIF(Dynamics):
    """v = beta v_prev + I - s_prev (Dampfhoffer 2023, 4.1); constants: beta."""

    names = ("beta",)

    def slopes(self, trace: Trace) -> Callable[[int], torch.Tensor]:
        """ds/dv ``[B, H]`` by timestep: one at a time, which stays in the cache, where it needs no other."""
        v, s = trace["v"], trace["s"]
        if self.surrogate.kind == "exponential":
            return self.surrogate.slope(v - 1.0, s, self.max_spikes).__getitem__
        return lambda t: self.surrogate.slope(v[t] - 1.0, s[t], self.max_spikes)

    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        (beta,) = constants
        trace = _stores("vs", drive, len(beta))
        v = s = torch.zeros_like(drive[0])
        for t, total in enumerate(drive):
            if u is not None and t:
                total = torch.addmm(total, s, u.T)
            v = self.reset_(torch.addcmul(total, v, beta, out=trace["v"][t]), s)
            s = self.fire(v, out=trace["s"][t])
        return trace

    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        (beta,) = constants
        v = trace["v"]
        slopes = self.slopes(trace)
        g = torch.empty_like(v)
        for t in range(len(v) - 1, -1, -1):
            g_s = out[t] if u is None or t == len(v) - 1 else torch.addmm(out[t], g[t + 1], u)
            torch.mul(g_s, slopes(t), out=g[t])
            if t < len(v) - 1:
                g[t].addcmul_(g[t + 1], beta)
        return g, [(g[1:] * v[:-1]).sum(dim=(0, 1))]


class AdaptiveLIF(LIF):
    """A LIF whose threshold is 1 + a, a = rho a_prev + jump s_prev (Bellec et al. 2020); constants: beta; rho and jump are not trained."""

    def __init__(self, surrogate: Surrogate, rho: float, jump: float) -> None:
        super().__init__(surrogate)
        self.rho, self.jump = rho, jump

    @property
    def fields(self) -> dict[str, Any]:
        return {"rho": self.rho, "jump": self.jump}

    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        (beta,) = constants
        trace = _stores("vas", drive, len(beta))
        v = s = a = torch.zeros_like(drive[0])
        for t, total in enumerate(drive):
            if u is not None and t:
                total = torch.addmm(total, s, u.T)
            v = torch.addcmul(total, v, beta).sub_(s)
            a = a * self.rho + s * self.jump
            trace["v"][t], trace["a"][t] = v, a
            s = torch.ge(v, 1.0 + a, out=trace["s"][t])
        return trace

    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        (beta,) = constants
        v = trace["v"]
        slope = self.surrogate.slope(v - 1.0 - trace["a"], trace["s"])
        g = torch.empty_like(v)
        g_a = torch.zeros_like(v[0])
        for t in range(len(v) - 1, -1, -1):
            g_s = out[t]
            if t < len(v) - 1:
                g_s = g_s + self.jump * g_a if u is None else torch.addmm(out[t], g[t + 1], u).add_(g_a, alpha=self.jump)
            torch.mul(g_s, slope[t], out=g[t])
            g_a = self.rho * g_a - g[t]
            if t < len(v) - 1:
                g[t].addcmul_(g[t + 1], beta)
        return g, [(g[1:] * v[:-1]).sum(dim=(0, 1))]


class CubaLIF(Dynamics):
    """i = alpha i_prev + I; v = beta v_prev + k i - s_prev, k = 1 - beta or 1 (Dampfhoffer 2023, 4.3 to 4.5); constants: alpha, beta."""

    names = ("alpha", "beta")

    def __init__(self, surrogate: Surrogate, gain: Gain, max_spikes: int = 1, reset: Reset = Reset.SUBTRACT) -> None:
        super().__init__(surrogate, max_spikes, reset)
        self.gain = gain

    @property
    def fields(self) -> dict[str, Any]:
        return super().fields | {"gain": self.gain}

    def _k(self, beta: torch.Tensor) -> torch.Tensor:
        return 1.0 - beta if self.gain is Gain.COMPLEMENT else torch.ones_like(beta)

    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        alpha, beta = constants
        trace = _stores("ivs", drive, len(beta))
        i = v = s = torch.zeros_like(drive[0])
        k = self._k(beta)
        for t, total in enumerate(drive):
            if u is not None and t:
                total = torch.addmm(total, s, u.T)
            i = torch.addcmul(total, i, alpha)
            v = self.reset_(torch.addcmul(i * k, v, beta), s)
            trace["i"][t], trace["v"][t] = i, v
            s = self.fire(v, out=trace["s"][t])
        return trace

    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        alpha, beta = constants
        i, v = trace["i"], trace["v"]
        slope = self.surrogate.slope(v - 1.0, trace["s"], self.max_spikes)
        g_v, g_i, k = torch.empty_like(v), torch.empty_like(v), self._k(beta)
        for t in range(len(v) - 1, -1, -1):
            last = t == len(v) - 1
            g_s = out[t] if u is None or last else torch.addmm(out[t], g_i[t + 1], u)
            torch.mul(g_s, slope[t], out=g_v[t])
            if not last:
                g_v[t].addcmul_(g_v[t + 1], beta)
            torch.mul(g_v[t], k, out=g_i[t])
            if not last:
                g_i[t].addcmul_(g_i[t + 1], alpha)
        g_beta = (g_v[1:] * v[:-1]).sum(dim=(0, 1))
        if self.gain is Gain.COMPLEMENT:
            g_beta = g_beta - (g_v * i).sum(dim=(0, 1))
        return g_i, [(g_i[1:] * i[:-1]).sum(dim=(0, 1)), g_beta]


class SpikGRU(Dynamics):
    """i = alpha i_prev + I; z = sigmoid(Z); v = z v_prev + (1 - z) i - s_prev (Dampfhoffer 2023, 4.10 to 4.13); constants: alpha.

    The feed-forward input is that of the current timestep.
    """

    names = ("alpha",)
    n_ports = 2

    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        (alpha,) = constants
        size = len(alpha)
        trace = _stores("izvs", drive, size)
        i = v = s = torch.zeros_like(drive[0, :, :size])
        for t, total in enumerate(drive):
            if u is not None and t:
                total = torch.addmm(total, s, u.T)
            i = torch.addcmul(total[:, :size], i, alpha)
            z = torch.sigmoid(total[:, size:])
            v = self.reset_(torch.lerp(i, v, z), s)
            trace["i"][t], trace["z"][t], trace["v"][t] = i, z, v
            s = self.fire(v, out=trace["s"][t])
        return trace

    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        (alpha,) = constants
        i, z, v = trace["i"], trace["z"], trace["v"]
        size = len(alpha)
        slope = self.surrogate.slope(v - 1.0, trace["s"], self.max_spikes)
        keep, gate = 1.0 - z, z * (1.0 - z)
        g = out.new_empty(*out.shape[:2], 2 * size)
        g_v = g_i = torch.zeros_like(v[0])
        for t in range(len(v) - 1, -1, -1):
            last = t == len(v) - 1
            g_s = out[t] if u is None or last else torch.addmm(out[t], g[t + 1], u)
            g_v = g_s * slope[t] if last else torch.addcmul(g_v * z[t + 1], g_s, slope[t])
            g_i = torch.addcmul(g_i * alpha, g_v, keep[t])
            g[t, :, :size] = g_i
            torch.mul(g_v, ((v[t - 1] - i[t]) if t else -i[t]) * gate[t], out=g[t, :, size:])
        return g, [(g[1:, :, :size] * i[:-1]).sum(dim=(0, 1))]


def dynamics_of(model: Model, surrogate: Surrogate, *, max_spikes: int = 1, reset: Reset = Reset.SUBTRACT, gain: Gain = Gain.COMPLEMENT,
                rho: float = 0.97, jump: float = 0.1) -> Dynamics:
    """The equations of LIF, CUBALIF (with its gain), SPIKGRU or ALIF (with rho and jump).

    Raises NetworkError for an ALIF of several spikes in a timestep, or without reset.
    """
    if model is Model.CUBALIF:
        return CubaLIF(surrogate, gain, max_spikes, reset)
    if model is Model.ALIF:
        if max_spikes > 1 or reset is not Reset.SUBTRACT:
            raise NetworkError("An ALIF neuron is trained with one spike in a timestep and the reset by subtraction; "
                               "leave max_spikes and reset as they are")
        return AdaptiveLIF(surrogate, rho, jump)
    return {Model.LIF: LIF, Model.SPIKGRU: SpikGRU}[model](surrogate, max_spikes, reset)
