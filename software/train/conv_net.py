"""A spiking CNN to train: convolutions with batch norms over one picture that is shown in every timestep, and a readout of potentials.

Ref: the spiking CNN of M. Dampfhoffer, "Models and algorithms for implementing energy-efficient spiking neural networks on neuromorphic hardware at
the edge" (thesis, 2023), chapter 5: the picture repeated 10 times, one time constant for each channel. The batch norms, which are folded into
weights and biases by :meth:`ConvNet.to_float`, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ...gen.batch_norm import fold_batch_norm
from ...gen.float_layers import convolution, spread
from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.neuron import Model, Readout
from .layers import ReadoutLayer
from .loop import run_loop
from .membranes import LIF
from .surrogate import Surrogate

__all__ = ["ConvNet"]

FIRST_DRIVE = 0.2  # thresholds, on average, at the start: more than half of the neurons then fire


class _MapLayer(torch.nn.Module):
    """A convolution, its batch norm, and LIF neurons of threshold 1 whose leak is one of each channel."""

    def __init__(self, channels: int, out: int, surrogate: Surrogate, beta: float, geometry: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        kernel, stride, padding = ((int(pair[0]), int(pair[1])) for pair in geometry.values())
        self.conv = torch.nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
        self.norm = torch.nn.BatchNorm2d(out)
        torch.nn.init.constant_(self.norm.bias, FIRST_DRIVE)
        self.beta = torch.nn.Parameter(torch.full((out,), beta))
        self.dynamics = LIF(surrogate)

    def drive(self, x: torch.Tensor) -> torch.Tensor:
        """What drives the neurons, ``[N, C', H', W']``."""
        # With the channels last in memory a convolution takes half the time.
        return self.norm(self.conv(x.contiguous(memory_format=torch.channels_last)))

    def rates(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """Spikes per timestep that neurons without leak would fire in ``steps`` timesteps of this drive: 0, 1 / steps, .. 1, ``[N, C', H', W']``."""
        share = self.drive(x).clamp(0.0, 1.0)
        return share + ((share * steps).floor() / steps - share).detach()

    def forward(self, x: torch.Tensor, steps: int, *, still: bool = False) -> torch.Tensor:
        """Spikes ``[steps * B, C', H', W']`` of ``[steps * B, C, H, W]``, or of ``[B, C, H, W]`` that is ``still``: the same in all timesteps."""
        drive = self.drive(x).permute(0, 2, 3, 1)
        flat = drive.reshape(1 if still else steps, -1, drive[0].numel()).expand(steps, -1, -1)
        s = run_loop(self.dynamics, flat, None, self.beta.repeat(drive.shape[1] * drive.shape[2]))
        return s.reshape(-1, *drive.shape[1:]).permute(0, 3, 1, 2)

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights ``[C', C, kernel]`` and biases ``[C']`` with the batch norm, as in evaluation, in them."""
        n = self.norm
        gamma, beta, mean, var = (v.detach().cpu().double().numpy() for v in (n.weight, n.bias, n.running_mean, n.running_var))
        return fold_batch_norm(self.conv.weight.detach().cpu().double().numpy(), 0.0, gamma, beta, mean, var, n.eps)


class ConvNet(torch.nn.Module):
    """One picture, shown in each of ``steps`` timesteps as it is -> spiking maps -> leaky integrators, fully connected.

    Parameters
    ----------
    shape : of the picture: channels, height, width.
    channels : of each spiking map.
    classes : values of the readout.
    kernel, stride, padding : height and width, of all convolutions.
    readout : LAST, MAX or SUM (:class:`~.layers.ReadoutLayer`).
    input_scale : what a payload of 1 counts.
    dropout : share of the last map's spikes that do not reach the readout, the same in all timesteps of a clip, in training.
    beta : leaks to start from; each channel then has its own, kept within 0..1 by :meth:`clip`.
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], classes: int, *, kernel: Sequence[int], stride: Sequence[int],
                 padding: Sequence[int], steps: int, readout: Readout = Readout.SUM, input_scale: float = 1.0, dropout: float = 0.0,
                 surrogate: Surrogate | None = None, beta: float = 0.8) -> None:
        super().__init__()
        self.shape, self.steps, self.input_scale, self.dropout = tuple(shape), steps, input_scale, dropout
        self._geometry = {"kernel": kernel, "stride": stride, "padding": padding}
        self.layers = torch.nn.ModuleList(_MapLayer(c, out, surrogate or Surrogate(), beta, self._geometry)
                                          for c, out in zip((shape[0], *channels), channels, strict=False))
        with torch.no_grad():
            x = torch.zeros(1, *shape)
            for layer in self.layers:
                x = layer.conv(x)
        self.readout = ReadoutLayer(x.numel(), classes, readout)
        self.spiking = True

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` and the spikes ``[T, B, C, H, W]`` of each map, of pictures ``[B, ...]`` of as many payloads as the shape has."""
        x, spikes = pictures.reshape(-1, *self.shape) * self.input_scale, []
        if not self.spiking:
            for layer in self.layers:
                x = layer.rates(x, self.steps)
            s = torch.nn.functional.dropout(x.reshape(len(pictures), -1), self.dropout, self.training)
            return self.readout(s.expand(self.steps, -1, -1)), []
        for k, layer in enumerate(self.layers):
            x = layer(x, self.steps, still=k == 0)
            spikes.append(x.unflatten(0, (self.steps, -1)))
        s = spikes[-1].flatten(2)
        if self.training and self.dropout:
            s = s * torch.nn.functional.dropout(torch.ones_like(s[:1]), self.dropout)
        return self.readout(s), spikes

    @torch.no_grad()
    def clip(self) -> None:
        """Bring leaks back to 0..1; call it after every update."""
        for layer in self.layers:
            layer.beta.clamp_(0.0, 1.0)
        self.readout.clip()

    def to_float(self, name: str, payload_range: tuple[int, int], labels: tuple[str, ...], metadata: Mapping | None = None) -> FloatNetwork:
        """The network as :func:`spikeloom.gen.quantize.quantize` takes it, its batch norms folded; the picture comes in every timestep."""
        low, high = payload_range
        populations = [FloatPopulation(name="picture", size=int(np.prod(self.shape)), model=Model.INPUT, payload_min=low, payload_max=high)]
        projections: list[FloatProjection] = []
        shape = self.shape
        for k, layer in enumerate(self.layers):
            weights, bias = layer.folded()
            q = convolution(populations[-1].name, f"map{k}", weights * (1.0 if k else self.input_scale), shape,
                            stride=self._geometry["stride"], padding=self._geometry["padding"])
            assert q.conv is not None
            shape = q.conv.out_shape
            populations.append(FloatPopulation(name=f"map{k}", size=q.shape[0], model=Model.LIF, strict=False, bias=spread(bias, shape),
                                               beta=spread(layer.beta.detach().cpu().double().numpy(), shape)))
            projections.append(q)
        population, more = self.readout.to_float("words", populations[-1].name, labels)
        return FloatNetwork(name=name, populations=(*populations, population), projections=(*projections, *more), metadata=metadata or {})
