"""Networks without spikes that a spiking one is compared with: two-gate GRU and light GRU, trained by the same code."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...spec.errors import NetworkError

__all__ = ["GatedNet", "LightGRU"]


class LightGRU(torch.nn.Module):
    """One layer of a GRU with one gate (Dampfhoffer 2023, 4.16 to 4.18), the counterpart of SpikGRU.

    c = tanh(W_c x + U_c h_prev + b_c), z = sigmoid(W_z x + U_z h_prev + b_z), h = z h_prev + (1 - z) c; tanh as in its chapter 5, where chapter 4
    has a ReLU.
    """

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.size = size
        for name, fan_in in (("w", inputs), ("u", size)):
            self.register_parameter(name, torch.nn.Parameter((torch.rand(2 * size, fan_in) * 2 - 1) * fan_in**-0.5))
        self.b = torch.nn.Parameter(torch.zeros(2 * size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """h ``[T, B, size]`` of ``[T, B, inputs]``."""
        drive = torch.nn.functional.linear(x, self.w, self.b)
        h = torch.zeros_like(drive[0, :, : self.size])
        out = []
        for step in drive:
            total = torch.addmm(step, h, self.u.T)
            h = torch.lerp(torch.tanh(total[:, : self.size]), h, torch.sigmoid(total[:, self.size:]))
            out.append(h)
        return torch.stack(out)


class GatedNet(torch.nn.Module):
    """Layers of ``kind`` ``"gru"`` or ``"light_gru"``, and a linear readout whose score is its mean over time.

    Arguments as :class:`~.spiking_net.SpikingNet`; NetworkError for another kind.
    """

    def __init__(self, inputs: int, sizes: Sequence[int], classes: int, kind: str = "gru", *, input_scale: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        if kind not in ("gru", "light_gru"):
            raise NetworkError(f"An ANN to compare with is gru or light_gru, not {kind!r}")
        self.input_scale, self.dropout = input_scale, dropout
        make = torch.nn.GRU if kind == "gru" else LightGRU
        self.layers = torch.nn.ModuleList(make(fan_in, size) for fan_in, size in zip((inputs, *sizes), sizes, strict=False))
        self.out = torch.nn.Linear(sizes[-1], classes)

    def forward(self, payloads: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` of payloads ``[B, T, C]``, and no spikes."""
        x = payloads.transpose(0, 1) * self.input_scale
        for layer in self.layers:
            h = layer(x)
            x = torch.nn.functional.dropout(h[0] if isinstance(h, tuple) else h, self.dropout, self.training)
        return self.out(x.mean(dim=0)), []

    def clip(self) -> None:
        """Nothing has a range."""
