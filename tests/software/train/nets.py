"""Small networks and payloads that the training tests share."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra train: make venv-train")

from spikeloom.gen.float_network import FloatNetwork  # noqa: E402
from spikeloom.gen.quantize import quantize  # noqa: E402
from spikeloom.sim.golden import Result, run  # noqa: E402
from spikeloom.software.train.spiking_net import SpikingNet  # noqa: E402
from spikeloom.spec.clips import Clips  # noqa: E402
from spikeloom.spec.network import Model, Network, Readout  # noqa: E402

MODELS = (Model.LIF, Model.CUBALIF, Model.SPIKGRU, Model.ALIF)


def payloads(n_clips: int = 10, n_steps: int = 25, channels: int = 9, seed: int = 0) -> np.ndarray:
    """Signed payloads, half of them 0, ``[N, T, C], int16``."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 21, (n_clips, n_steps, channels))
    return np.where(rng.random(x.shape) < 0.5, 0, x).astype(np.int16)


def small_net(model: Model, readout: Readout = Readout.SUM, seed: int = 0, **layer) -> SpikingNet:
    """9 channels, layers of 14 and 11 neurons that do fire, 4 classes."""
    torch.manual_seed(seed)
    delays = layer.pop("input_delays", (0,))
    scale = 0.25 if model is not Model.CUBALIF else 1.0
    net = SpikingNet(9, [14, 11], 4, model, readout=readout, input_scale=scale, layer=layer, input_delays=delays)
    with torch.no_grad():
        for parameter in net.layers[1].parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)
    return net


def quantized(net: SpikingNet, **options) -> tuple[FloatNetwork, Network]:
    """Its float network, and that in integers."""
    floats = net.to_float("small", (-31, 31), ("a", "b", "c", "d"))
    return floats, quantize(floats, clips=Clips.from_dense(payloads(seed=1)), **options).network


class PlainSpike(torch.autograd.Function):
    """A spike as torch records it, with the default surrogate gradient: a triangle of height 0.4."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z >= 0).float()

    @staticmethod
    def backward(ctx, *grads):
        (z,) = ctx.saved_tensors
        return grads[0] * 0.4 * (1 - z.abs()).clamp(min=0)


def same_as_golden(net, x: np.ndarray, before: Network) -> tuple[Network, Result]:
    """The integers of a trained net and the golden model's run of them: every potential and answer equal, every matrix another than ``before``."""
    scores, spikes = net(torch.from_numpy(x))
    after = net.to_network()
    result = run(after, x, record=True)
    for name, potentials in net.potentials.items():
        assert np.array_equal(result.potentials[name].swapaxes(0, 1), potentials.numpy()), name
    assert np.array_equal(result.answers, scores.detach().numpy().argmax(1)) and all(float(s.detach().sum()) > 0 for s in spikes)
    assert all((a.weights != b.weights).any() for a, b in zip(after.projections, before.projections, strict=True))
    return after, result
