"""The trainable keyword network: shadow weights in float, used as the integers that they will become."""

from __future__ import annotations

import torch

from .config import NetworkConfig, TrainingConfig
from .layer import RecurrentLIF

__all__ = ["COUNT_SCALE", "KeywordNet"]

_FINEST = 0.25  # smallest weight range of a neuron, in thresholds: bounds the integer threshold
COUNT_SCALE = 0.2  # scores start small, and the readout learns quickly
_BIAS_RATE = 0.05  # a bias acts in every step, so it learns more slowly than a weight


class _RoundThrough(torch.autograd.Function):
    """Round to nearest; the gradient passes unchanged (straight-through estimator)."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        return grads[0]


class KeywordNet(torch.nn.Module):
    """Graded inputs -> one recurrent LIF population -> leaky integrators, summed over time.

    Everything is in units of the hidden threshold; an input payload p counts as p / 2**input_shift. Each hidden neuron has its
    own weight scale (its integer threshold carries it), the readout has one. Inputs are centred by the mean payload of each
    channel, ``mean [C]``: payloads are never negative, and a neuron pulled far from its threshold learns nothing.
    """

    def __init__(self, n_inputs: int, n_classes: int, network: NetworkConfig, training: TrainingConfig,
                 mean: torch.Tensor) -> None:
        super().__init__()
        size, n_taps = network.hidden, n_inputs * len(network.input_delays)
        self.n_classes, self._network, self._training = n_classes, network, training
        self.w_in = torch.nn.Parameter(torch.randn(size, n_taps) * (0.3 / n_taps**0.5))
        self.w_recurrent = torch.nn.Parameter(torch.randn(size, size) * (0.5 / size**0.5))
        self.w_out = torch.nn.Parameter(torch.randn(n_classes, size) * (0.5 / size**0.5))
        self.b_hidden = torch.nn.Parameter(torch.zeros(size))
        self.b_out = torch.nn.Parameter(torch.zeros(n_classes))
        self.input_scale = 2.0**-network.input_shift
        self.mean: torch.Tensor
        self.register_buffer("mean", mean.repeat(len(network.input_delays)) * self.input_scale)

    def scales(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One weight step of each hidden neuron ``[H, 1]`` and of the readout (a scalar)."""
        largest = (1 << (self._network.weight_bits - 1)) - 1
        reach = torch.maximum(self.w_in.detach().abs().amax(1), self.w_recurrent.detach().abs().amax(1))
        return reach.clamp(min=_FINEST)[:, None] / largest, self.w_out.detach().abs().max() / largest

    def hidden_bias(self) -> torch.Tensor:
        """Bias of uncentred inputs, ``[H]``, with the quantized input weights."""
        return self.b_hidden * _BIAS_RATE - self.weights(True)[0] @ self.mean

    def weights(self, quantized: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Input, recurrent and readout weights, rounded to multiples of their scale if ``quantized``."""
        if not quantized:
            return self.w_in, self.w_recurrent, self.w_out
        hidden, out = self.scales()

        def through(w, scale):
            return _RoundThrough.apply(w / scale) * scale

        return through(self.w_in, hidden), through(self.w_recurrent, hidden), through(self.w_out, out)

    def forward(self, payloads: torch.Tensor, quantized: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores ``[B, classes]`` and spikes ``[T, B, H]`` of payloads ``[B, T, C]``."""
        w_in, w_recurrent, w_out = self.weights(quantized)
        x = payloads.transpose(0, 1) * self.input_scale
        n_steps = x.shape[0]
        # One copy of the inputs per delay, silence before the clip.
        pad = torch.nn.functional.pad
        x = torch.cat([pad(x, (0, 0, 0, 0, delay, 0))[:n_steps] for delay in self._network.input_delays], dim=2)
        current = (x - self.mean) @ w_in.T + self.b_hidden * _BIAS_RATE
        spikes = RecurrentLIF.apply(current, w_recurrent, self._network.beta_hidden / 256, self._training.surrogate_slope)
        # The sum over time of a leaky integrator is a weighted spike count: an early spike is summed more often.
        beta = self._network.beta_readout / 256
        share = (1.0 - beta ** (n_steps - torch.arange(n_steps, dtype=torch.float32))) / (1.0 - beta)
        counts = torch.tensordot(share / share.mean() * COUNT_SCALE, spikes, dims=([0], [0]))
        counts = torch.nn.functional.dropout(counts, self._training.dropout, self.training)
        return counts @ w_out.T + self.b_out, spikes
