"""Surrogate gradients: what stands for the derivative of a spike, which has none."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...spec.errors import NetworkError

__all__ = ["KINDS", "Surrogate"]

KINDS = ("triangle", "fast_sigmoid", "exponential")


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """ds/dv of s = (v >= T), with v and T in units of the threshold.

    ==============  ==========================================  =================================================================
    kind            ds/dv                                       source
    ==============  ==========================================  =================================================================
    triangle        height * max(0, 1 - steepness * abs(v-T))   Dampfhoffer 2023, section 4.2.3; DIET-SNN, Rathi and Roy 2021
    fast_sigmoid    height / (1 + steepness * abs(v-T))**2      Neftci, Mostafa, Zenke, IEEE SPM 2019 (SuperSpike)
    exponential     height * exp(-steepness * (t - t_s))        STDB, Rathi et al., ICLR 2020: height 0.3, steepness 0.01
    ==============  ==========================================  =================================================================

    t_s is the timestep of the neuron's last spike, t itself where it fires; a neuron that has not fired yet counts from before the first timestep.
    A height below 1 keeps the gradient from growing through many recurrent timesteps.

    Raises NetworkError for an unknown kind, or a height or steepness that is not above 0.
    """

    kind: str = "triangle"
    height: float = 0.4
    steepness: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise NetworkError(f"A surrogate gradient is {', '.join(KINDS)}, not {self.kind!r}")
        if not (self.height > 0 and self.steepness > 0):
            raise NetworkError(f"Height and steepness of a surrogate gradient must be above 0, not {self.height} and {self.steepness}")

    def slope(self, distance: torch.Tensor, spikes: torch.Tensor, max_spikes: int = 1) -> torch.Tensor:
        """ds/dv, of ``distance`` v - T in thresholds and ``spikes``, both ``[T, B, H]``.

        A neuron of up to ``max_spikes`` spikes has a step at T, 2T, ...: its slope is the sum of theirs. The exponential, which knows the time alone,
        stays what it is.
        """
        if max_spikes > 1 and self.kind != "exponential":
            return torch.stack([self.slope(distance - k, spikes) for k in range(max_spikes)]).sum(dim=0)
        if self.kind == "triangle":
            return distance.abs().mul_(-self.steepness).add_(1.0).clamp_(min=0.0).mul_(self.height)
        if self.kind == "fast_sigmoid":
            return distance.abs().mul_(self.steepness).add_(1.0).pow_(-2).mul_(self.height)
        steps = torch.arange(1, len(spikes) + 1, dtype=spikes.dtype).reshape(-1, 1, 1).to(spikes.device)
        last = torch.cummax(torch.where(spikes > 0, steps, 0.0), dim=0).values
        return torch.exp((last - steps) * self.steepness).mul_(self.height)
