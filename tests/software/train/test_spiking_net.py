"""Networks to train: what they export, what they start from, and the ANNs beside them."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_network import run_float
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Readout

from .nets import MODELS, payloads, quantized, small_net, torch

from spikeloom.software.train.ann import GatedNet, LightGRU  # isort: skip
from spikeloom.software.train.layers import RATE_SCORE, CountLayer  # isort: skip
from spikeloom.software.train.spiking_net import SpikingNet  # isort: skip


def test_the_exported_network_computes_the_same() -> None:
    for model in MODELS:
        for layer in ({}, {"per_layer": True}, {"recurrent": False}, {"input_delays": (0, 1, 3)}):
            net = small_net(model, Readout.COUNT if layer.get("recurrent") is False else Readout.MAX, **layer)
            if layer.get("per_layer"):
                with torch.no_grad():
                    for k in net.layers:
                        k.threshold.fill_(0.8)
            x = payloads(seed=3)
            scores, spikes = net(torch.from_numpy(x).float())
            result = run_float(net.to_float("small", (-31, 31), ()), x)
            assert sum(float(s.detach().sum()) for s in spikes) > 0
            unit = RATE_SCORE / x.shape[1] if net.readout.__class__ is CountLayer else 1.0
            np.testing.assert_allclose(result.readouts["words"] * unit, scores.detach().numpy(), atol=2e-4, err_msg=str((model, layer)))


def test_a_batch_norm_is_folded_into_what_is_exported() -> None:
    for model in MODELS:
        for layer in ({}, {"per_layer": True}, {"input_delays": (0, 2)}):
            net = small_net(model, Readout.MAX, normalize=True, **layer)
            with torch.no_grad():
                for k in net.layers:
                    k.spread.uniform_(0.5, 1.5)
                    k.b.uniform_(-0.2, 0.3)
                for seed in range(40):  # its running means and variances
                    net(torch.from_numpy(payloads(seed=seed)).float())
            net.eval()
            x = payloads(seed=3)
            scores, spikes = net(torch.from_numpy(x).float())
            result = run_float(net.to_float("small", (-31, 31), ()), x)
            assert sum(float(s.detach().sum()) for s in spikes) > 0
            np.testing.assert_allclose(result.readouts["words"], scores.detach().numpy(), atol=2e-4, err_msg=str((model, layer)))


def test_a_batch_norm_does_not_start_from_integers() -> None:
    _, network = quantized(small_net(Model.LIF))
    with pytest.raises(NetworkError, match="without normalize"):
        small_net(Model.LIF, normalize=True).load(network)


def test_layers_start_from_integers() -> None:
    for model, layer in ((Model.LIF, {}), (Model.CUBALIF, {}), (Model.SPIKGRU, {}), (Model.SPIKGRU, {"input_delays": (0, 2)})):
        net = small_net(model, **layer)
        _, network = quantized(net)
        other = small_net(model, seed=9, **layer)
        other.load(network)
        for (name, a), b in zip(net.layers.named_parameters(), other.layers.parameters(), strict=True):
            assert float((a - b).detach().abs().max()) < 0.02 * max(float(a.detach().abs().max()), 0.1), (model, name)
        assert not torch.equal(net.readout.w, other.readout.w)


def test_other_layers_are_no_start() -> None:
    _, network = quantized(small_net(Model.LIF))
    with pytest.raises(NetworkError, match="start from a network of the same layers"):
        small_net(Model.SPIKGRU).load(network)


def test_a_network_starts_from_the_first_layers_of_a_deeper_one() -> None:
    net = small_net(Model.LIF)
    _, network = quantized(net)
    torch.manual_seed(9)
    one = SpikingNet(9, [14], 4, Model.LIF, input_scale=0.25)
    one.load(network)
    assert float((one.layers[0].u - net.layers[0].u).detach().abs().max()) < 0.02 * float(net.layers[0].u.detach().abs().max())
    three = SpikingNet(9, [14, 11, 5], 4, Model.LIF, input_scale=0.25)
    with pytest.raises(NetworkError, match="has 2 layers before its readout, and this one 3"):
        three.load(network)


def test_light_gru_is_its_equations() -> None:
    torch.manual_seed(0)
    layer = LightGRU(3, 4)
    x = torch.randn(6, 2, 3)
    w, u, b = (p.detach().numpy() for p in (layer.w, layer.u, layer.b))
    h = np.zeros((2, 4))
    for step, got in zip(x.numpy(), layer(x).detach().numpy(), strict=True):
        total = step @ w.T + h @ u.T + b
        z = 1 / (1 + np.exp(-total[:, 4:]))
        h = z * h + (1 - z) * np.tanh(total[:, :4])
        np.testing.assert_allclose(got, h, atol=1e-6)


def test_gated_nets() -> None:
    for kind in ("gru", "light_gru"):
        scores, spikes = GatedNet(9, [6, 5], 4, kind)(torch.from_numpy(payloads()).float())
        assert scores.shape == (10, 4) and not spikes
    with pytest.raises(NetworkError, match="gru or light_gru"):
        GatedNet(9, [6], 4, "lstm")
