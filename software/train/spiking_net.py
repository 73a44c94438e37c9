"""A network to train: spiking layers one after the other, and a readout of potentials or of spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ...gen.float_network import FloatNetwork, FloatPopulation
from ...spec.errors import NetworkError
from ...spec.network import Network
from ...spec.neuron import Model, Readout
from .layers import CountLayer, ReadoutLayer, SpikingLayer
from .surrogate import Surrogate

__all__ = ["SpikingNet"]


class SpikingNet(torch.nn.Module):
    """Graded input events -> spiking layers -> readout.

    Parameters
    ----------
    inputs, sizes, classes : channels in, neurons of each layer, classes.
    model : of every layer.
    readout : LAST, MAX or SUM of leaky integrators (:class:`~.layers.ReadoutLayer`), or COUNT of spikes (:class:`~.layers.CountLayer`).
    input_scale : what a payload of 1 counts.
    dropout : share of the spikes that do not reach the next layer, in training.
    layer : further arguments of :class:`~.layers.SpikingLayer`.
    input_delays : timesteps after which the inputs arrive at the first layer, each with weights of its own.
    """

    def __init__(self, inputs: int, sizes: Sequence[int], classes: int, model: Model, *, readout: Readout = Readout.SUM, input_scale: float = 1.0,
                 dropout: float = 0.0, surrogate: Surrogate | None = None, layer: Mapping | None = None, input_delays: Sequence[int] = (0,)) -> None:
        super().__init__()
        self.inputs, self.input_scale, self.dropout = inputs, input_scale, dropout
        self.layers = torch.nn.ModuleList(
            SpikingLayer(fan_in, size, model, surrogate=surrogate, delays=(0,) if k else input_delays, **(layer or {}))
            for k, (fan_in, size) in enumerate(zip((inputs, *sizes), sizes, strict=False)))
        self.readout = CountLayer(sizes[-1], classes, surrogate) if readout is Readout.COUNT else ReadoutLayer(sizes[-1], classes, readout)

    def forward(self, payloads: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` and the spikes ``[T, B, H]`` of each layer, of payloads ``[B, T, C], float32``.

        """
        x, spikes = payloads.transpose(0, 1) * self.input_scale, []
        for layer in self.layers:
            s = layer(x)
            spikes.append(s)
            x = torch.nn.functional.dropout(s, self.dropout, self.training)
        return self.readout(x), spikes

    def clip(self) -> None:
        """Bring every constant back into its range; call it after every update."""
        for layer in (*self.layers, self.readout):
            layer.clip()

    @torch.no_grad()
    def load(self, network: Network) -> None:
        """Start from the integers of a network that begins with the same layers, as its populations stand after the input; the readout starts anew.

        Raises NetworkError where a layer differs or is missing.
        """
        populations = [p for p in network.populations if p.model is not Model.INPUT]
        if len(populations) <= len(self.layers):
            raise NetworkError(f"Network {network.name!r} has {len(populations) - 1} layers before its readout, and this one {len(self.layers)}: "
                               "start from one of as many at least")
        for k, (layer, p) in enumerate(zip(self.layers, populations, strict=False)):
            layer.load(network, p, self.input_scale if k == 0 else 1.0)

    def to_float(self, name: str, payload_range: tuple[int, int], labels: tuple[str, ...], metadata: Mapping | None = None) -> FloatNetwork:
        """The network as :func:`spikeloom.gen.quantize.quantize` takes it; its inputs send payloads within ``payload_range``."""
        low, high = payload_range
        populations = [FloatPopulation(name="audio", size=self.inputs, model=Model.INPUT, payload_min=low, payload_max=high)]
        projections = []
        for k, layer in enumerate(self.layers):
            population, more = layer.to_float(f"layer{k}", populations[-1].name, self.input_scale if k == 0 else 1.0)
            populations.append(population)
            projections += more
        population, more = self.readout.to_float("words", populations[-1].name, labels)
        return FloatNetwork(name=name, populations=(*populations, population), projections=(*projections, *more), metadata=metadata or {})
