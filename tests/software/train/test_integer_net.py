"""Quantization-aware training: its forward pass is the golden model's, its gradient goes to the float weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.faults import Fault, faulty
from spikeloom.sim.golden import run
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Readout, Reset

from .nets import MODELS, payloads, quantized, small_net, torch

from spikeloom.software.train.integer_net import IntegerNet  # isort: skip


def test_every_model_is_the_golden_model_bit_for_bit() -> None:
    for model in MODELS:
        several = {} if model is Model.ALIF else {"max_spikes": 3, "input_delays": (0, 2)}
        free = {} if model is Model.ALIF else several | {"reset": "none"}
        for readout, options, layer in ((Readout.SUM, {}, {}), (Readout.SUM, {}, several), (Readout.SUM, {}, free),
                                        (Readout.MAX, {"weight_bits": 3}, {"per_layer": True}),
                                        (Readout.LAST, {"weight_bits": 4, "decay": "shift"}, {"recurrent": False}), (Readout.COUNT, {}, {})):
            floats, network = quantized(small_net(model, readout, **layer), **options)
            net, x = IntegerNet(network, floats), payloads(seed=5)
            optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
            for _ in range(3):  # the weights move: the network is not only the one that was quantized
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(net(torch.from_numpy(x))[0], torch.arange(10) % 4).backward()
                optimizer.step()
            scores, spikes = net(torch.from_numpy(x))
            trained = net.to_network()
            assert any((a.weights != b.weights).any() for a, b in zip(trained.projections, network.projections, strict=True))
            result = run(trained, x, record=True)
            for name, potentials in net.potentials.items():
                assert np.array_equal(result.potentials[name].swapaxes(0, 1), potentials.numpy()), (model, readout, name)
            for name, s in zip(("layer0", "layer1"), spikes, strict=True):
                assert np.array_equal(result.spikes[name].swapaxes(0, 1), s.detach().numpy()), (model, readout, name)
            assert sum(float(s.detach().sum()) for s in spikes) > 0
            assert np.array_equal(result.answers, scores.detach().numpy().argmax(1))


def test_a_wrong_step_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeloom.software.train import exact
    monkeypatch.setattr(exact, "_saturate", lambda x, bits: x + 1)
    with pytest.raises(AssertionError):
        test_every_model_is_the_golden_model_bit_for_bit()


def test_scores_are_in_the_unit_of_the_float_network() -> None:
    net = small_net(Model.LIF, recurrent=False)
    floats, network = quantized(net)
    x = torch.from_numpy(payloads(seed=6))
    ours, wanted = IntegerNet(network, floats)(x)[0], net(x.float())[0]
    assert float((ours - wanted).abs().mean()) < 0.1 * float(wanted.abs().mean())


def test_its_gradient_points_where_that_of_floats_does() -> None:
    for model in MODELS:
        net = small_net(model)
        floats, network = quantized(net)
        exact, x, y = IntegerNet(network, floats), torch.from_numpy(payloads(seed=7)), torch.arange(10) % 4
        for n in (net, exact):
            torch.nn.functional.cross_entropy(n(x.float())[0], y).backward()
        rows = range(2) if model is Model.SPIKGRU else range(1)
        by_ends = {(p.source, p.target, p.port.value): w.grad for p, w in zip(network.projections, exact.weights, strict=True)}
        # A projection's weights include the scale of the input, so their gradient is that of the layer's weights divided by it.
        first = [by_ends["audio", "layer0", "iz"[k]].flatten() * net.input_scale for k in rows]
        ours = torch.cat([*first, by_ends["layer1", "words", "i"].flatten()])
        wanted = torch.cat([net.layers[0].w.grad.flatten(), net.readout.w.grad.flatten()])
        cosine = torch.nn.functional.cosine_similarity(ours, wanted, dim=0)
        assert float(cosine) > 0.8, model


def test_errors_of_the_weights_are_those_of_the_faulty_network() -> None:
    floats, network = quantized(small_net(Model.SPIKGRU), weight_bits=3)
    net, x, fault = IntegerNet(network, floats), payloads(seed=8), Fault(levels=8, sigma=0.5)
    net(torch.from_numpy(x), net.faulty_weights(fault, np.random.default_rng(4)))
    wanted = run(faulty(net.to_network(), fault, np.random.default_rng(4)), x, record=True)
    clean = run(network, x, record=True)
    for name, potentials in net.potentials.items():
        assert np.array_equal(wanted.potentials[name].swapaxes(0, 1), potentials.numpy())
        assert not np.array_equal(wanted.potentials[name], clean.potentials[name])


@pytest.mark.parametrize(("change", "message"), [
    ({"reset": Reset.ZERO}, "reset by subtraction or none"), ({"refractory": 1}, "refractory"),
    ({"v_floor": 0}, "lower clip"), ({"v_init": 1}, "initial potential")])
def test_what_it_does_not_train_is_refused(change: dict, message: str) -> None:
    floats, network = quantized(small_net(Model.LIF))
    other = replace(network, populations=tuple(replace(p, **change) if p.name == "layer0" else p for p in network.populations))
    with pytest.raises(NetworkError, match=message):
        IntegerNet(other, floats)


def test_other_shapes_are_refused() -> None:
    floats, network = quantized(small_net(Model.LIF))
    with pytest.raises(NetworkError, match="are not those of the float network"):
        IntegerNet(network, replace(floats, projections=floats.projections[:-1]))
    late = tuple(replace(p, delay=2) if p.source == p.target == "layer0" else p for p in network.projections)
    with pytest.raises(NetworkError, match="delay of 1"):
        IntegerNet(replace(network, projections=late), floats)
    binary = tuple(replace(p, weights=np.where(p.weights < 0, -1, 1), weight_bits=1) if p.source == "audio" else p for p in network.projections)
    with pytest.raises(NetworkError, match="codebooks"):
        IntegerNet(replace(network, projections=binary), floats)
