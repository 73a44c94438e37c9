"""From the trained model to the integer network."""

from __future__ import annotations

import numpy as np
import torch

from ....spec.arithmetic import Decay
from ....spec.network import Model, Network, Population, Projection, Readout, Reset
from .config import TrainConfig
from .model import COUNT_SCALE, KeywordNet

__all__ = ["to_network"]


def _integers(x: torch.Tensor) -> np.ndarray:
    return np.rint(x.detach().double().numpy()).astype(np.int64)


@torch.no_grad()
def to_network(model: KeywordNet, config: TrainConfig, words: tuple[str, ...], metadata: dict) -> Network:
    """The integer network of a model.

    One unit of v is the neuron's weight step divided by 2**(input_shift + guard_bits): payloads enter unscaled, so recurrent
    weights are shifted left by input_shift, and both sums by guard_bits.
    """
    n = config.network
    step, step_out = model.scales()
    hidden_unit = (1 << (n.input_shift + n.guard_bits)) / step[:, 0].double()
    out_unit = (1 << n.readout_guard_bits) / float(step_out)
    # The model adds its bias once, to counts times COUNT_SCALE over the mean share of a spike in the sum over time. Here it enters
    # every timestep, and the sum over time gives it those same shares, so the mean share cancels.
    bias_out = model.b_out.double() / (COUNT_SCALE * config.front_end["frames"]) * out_unit
    decay = {name: Decay(factor=factor, fraction_bits=8) for name, factor in (("hidden", n.beta_hidden), ("out", n.beta_readout))}
    populations = (
        Population(name="mel", size=config.front_end["bands"], model=Model.INPUT, payload_max=config.front_end["max"]),
        Population(name="hidden", size=n.hidden, model=Model.LIF, decay=decay["hidden"], reset=Reset.SUBTRACT, v_bits=n.v_bits,
                   theta=_integers(hidden_unit), bias=_integers(model.hidden_bias().double() * hidden_unit),
                   guard_bits=n.guard_bits),
        Population(name="word", size=len(words), model=Model.LI, decay=decay["out"], v_bits=n.v_bits, readout=Readout.SUM,
                   bias=_integers(bias_out), guard_bits=n.readout_guard_bits, labels=words),
    )
    by_delay = np.split(_integers(model.w_in / step), len(n.input_delays), axis=1)
    projections = (
        *(Projection(source="mel", target="hidden", weight_bits=n.weight_bits, weights=weights, delay=delay)
          for weights, delay in zip(by_delay, n.input_delays, strict=True)),
        Projection(source="hidden", target="hidden", weight_bits=n.weight_bits, weights=_integers(model.w_recurrent / step),
                   delay=1, shift=n.input_shift),
        Projection(source="hidden", target="word", weight_bits=n.weight_bits, weights=_integers(model.w_out / step_out)),
    )
    return Network(name=config.name, populations=populations, projections=projections, metadata=metadata)
