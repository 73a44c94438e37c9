"""A recurrent spiking population over all timesteps, as one autograd function.

The loops, forward and backward, are written by hand: each timestep then costs one matrix product, the gradient of the recurrent weights one in
all, and the forward loop can be that of the integer contract (:mod:`.exact`) while the gradient stays that of the float equations: the
straight-through estimator, in one place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from ...spec.errors import NetworkError
from ...spec.neuron import Reset
from .surrogate import Surrogate

__all__ = ["Dynamics", "Trace", "run_loop"]

Trace = dict[str, torch.Tensor]  # states ``[T, B, H]``, float32, in thresholds: v, s, and i, z, a where the model has them


class Dynamics(ABC):
    """Equations of a model, in units of the threshold; reset by subtraction, through which no gradient goes, or none.

    T timesteps, B clips, H neurons, P ports: ``drive`` ``[T, B, P * H]`` is what comes from outside the population with the bias, port after port
    (i, then z), ``u`` ``[P * H, H]`` the recurrent weights of delay 1, or None. ``constants`` are ``[H]`` each, in the order of ``names``. A neuron
    fires up to ``max_spikes`` times in a timestep.
    """

    names: tuple[str, ...] = ()
    n_ports = 1

    @property
    def fields(self) -> dict[str, Any]:
        """What a float population is told beside the constants."""
        return ({"max_spikes": self.max_spikes} if self.max_spikes > 1 else {}) | ({} if self.reset is Reset.SUBTRACT else {"reset": self.reset})

    def __init__(self, surrogate: Surrogate, max_spikes: int = 1, reset: Reset = Reset.SUBTRACT) -> None:
        if reset not in (Reset.SUBTRACT, Reset.NONE):
            raise NetworkError(f"Neurons can be trained with the reset by subtraction, or with none, not {reset.value}")
        self.surrogate, self.max_spikes, self.reset = surrogate, max_spikes, reset

    def fire(self, v: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """``out``, with the spikes of a timestep: whole thresholds within v, up to ``max_spikes``; they travel as one event of that payload."""
        return torch.ge(v, 1.0, out=out) if self.max_spikes == 1 else torch.floor(v, out=out).clamp_(0, self.max_spikes)

    def reset_(self, v: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """``v`` after what the spikes of the timestep before take off it, in place."""
        return v.sub_(s) if self.reset is Reset.SUBTRACT else v

    @abstractmethod
    def run(self, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> Trace:
        """The states of every timestep."""

    @abstractmethod
    def gradients(self, trace: Trace, out: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> tuple[torch.Tensor, list]:
        """Gradient of the drive, and of each constant (or None), from ``out``, that of the spikes."""


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, dynamics: Dynamics, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> torch.Tensor:
        trace = dynamics.run(drive, u, *constants)
        ctx.dynamics, ctx.names, ctx.has_u = dynamics, tuple(trace), u is not None
        ctx.save_for_backward(*trace.values(), *(() if u is None else (u,)), *constants)
        return trace["s"]

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        saved = list(ctx.saved_tensors)
        trace = {name: saved.pop(0) for name in ctx.names}
        u = saved.pop(0) if ctx.has_u else None
        g_drive, g_constants = ctx.dynamics.gradients(trace, grads[0], u, *saved)
        g_u = None
        if u is not None:
            g_u = g_drive[1:].reshape(-1, g_drive.shape[2]).T @ trace["s"][:-1].reshape(-1, trace["s"].shape[2])
        return None, g_drive, g_u, *g_constants


def run_loop(dynamics: Dynamics, drive: torch.Tensor, u: torch.Tensor | None, *constants: torch.Tensor) -> torch.Tensor:
    """Spikes ``[T, B, H], float32`` of a population; differentiable in ``drive``, ``u`` and ``constants``."""
    return _Loop.apply(dynamics, drive, u, *constants)
