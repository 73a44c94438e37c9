"""A recurrent LIF layer with surrogate gradient, as one autograd function over all timesteps."""

from __future__ import annotations

import torch

__all__ = ["RecurrentLIF"]

DAMPING = 0.4  # keeps the gradient from growing through fifty recurrent steps


class RecurrentLIF(torch.autograd.Function):
    """Spikes of one recurrent population; threshold 1, reset by subtraction, recurrent delay 1.

    v[t] = beta v[t-1] + current[t] + s[t-1] (R^T - 1),  s[t] = v[t] >= 1.

    Backward: ds/dv = DAMPING / (1 + slope |v - 1|)**2 (fast sigmoid), no gradient through the reset. Ref: Neftci, Mostafa, Zenke,
    "Surrogate gradient learning in spiking neural networks", IEEE SPM 2019. Written by hand because the loop over time then does
    one matrix product per step and the gradient of R one in all: some three times faster than recorded operations.

    Arguments: current ``[T, B, H]``, recurrent R ``[H, H]`` (target, source), beta, slope. Returns s ``[T, B, H]``, float32.
    """

    @staticmethod
    def forward(ctx, current: torch.Tensor, recurrent: torch.Tensor, beta: float, slope: float) -> torch.Tensor:
        n_steps, n_clips, size = current.shape
        feedback = recurrent.T - torch.eye(size)
        v = torch.zeros(n_clips, size)
        potentials, spikes = torch.empty_like(current), torch.zeros_like(current)
        for t in range(n_steps):
            v = v.mul_(beta).add_(current[t])
            if t:
                v.addmm_(spikes[t - 1], feedback)
            potentials[t] = v
            torch.ge(v, 1.0, out=spikes[t])
        ctx.save_for_backward(potentials, spikes, recurrent)
        ctx.beta, ctx.slope = beta, slope
        return spikes

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        (grad_spikes,) = grads
        potentials, spikes, recurrent = ctx.saved_tensors
        n_steps, _, size = spikes.shape
        surrogate = potentials.sub(1.0).abs_().mul_(ctx.slope).add_(1.0).pow_(-2).mul_(DAMPING)
        grad_v = torch.empty_like(spikes)
        grad_v[-1] = grad_spikes[-1] * surrogate[-1]
        for t in range(n_steps - 2, -1, -1):
            into = torch.addmm(grad_spikes[t], grad_v[t + 1], recurrent)
            torch.mul(into, surrogate[t], out=grad_v[t])
            grad_v[t].add_(grad_v[t + 1], alpha=ctx.beta)
        grad_recurrent = grad_v[1:].reshape(-1, size).T @ spikes[:-1].reshape(-1, size)
        return grad_v, grad_recurrent, None, None
