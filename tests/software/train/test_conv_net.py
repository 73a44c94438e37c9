"""Training of a spiking CNN: what it computes is the float simulation, its leaks are those of the channels, its integers hold their current."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.float_network import FloatNetwork, run_float
from spikeloom.gen.held import hold_current
from spikeloom.gen.quantize import quantize
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection

from .nets import PlainSpike, same_as_golden, torch

from spikeloom.software.train import integer_net  # isort: skip
from spikeloom.software.train.conv_net import ConvNet  # isort: skip
from spikeloom.software.train.integer_net import IntegerNet  # isort: skip
from spikeloom.software.train.surrogate import Surrogate  # isort: skip

STEPS = 6


def pictures(n: int = 5, seed: int = 1) -> np.ndarray:
    """``[n, 12, 10]``, payloads of -9..9."""
    return np.random.default_rng(seed).integers(-9, 10, (n, 12, 10))


def small(seed: int = 0) -> ConvNet:
    """Maps of 4 and 6 channels, three classes; leaks that differ, batch norms that have seen something."""
    torch.manual_seed(seed)
    net = ConvNet((1, 12, 10), [4, 6], 3, kernel=(5, 4), stride=(2, 2), padding=(2, 1), steps=STEPS, input_scale=0.25,
                  surrogate=Surrogate(height=0.4))
    with torch.no_grad():
        for layer in net.layers:
            layer.beta.copy_(torch.linspace(0.4, 1.0, len(layer.beta)))
            layer.norm.weight.copy_(torch.linspace(0.5, 1.5, len(layer.beta)))
    for seed in range(20):
        net(torch.from_numpy(pictures(8, seed)))
    return net.eval()


def floats_of(net: ConvNet) -> FloatNetwork:
    return net.to_float("small", (-9, 9), ("a", "b", "c"))


def shown(x: np.ndarray, once: bool) -> np.ndarray:
    """``[n, STEPS, 120]``: in every timestep, or in the first alone."""
    out = np.repeat(x.reshape(len(x), 1, -1), STEPS, axis=1)
    out[:, once:] *= not once
    return out


def integers_of(floats: FloatNetwork, **options) -> Network:
    return hold_current(quantize(floats, clips=Clips.from_dense(shown(pictures(8, 3), False)), **options).network, "map0")


def test_it_computes_what_the_float_simulation_does():
    net, x = small(), pictures()
    floats = floats_of(net)
    result = run_float(floats, shown(x, False), record=True)
    scores, spikes = net(torch.from_numpy(x))
    for name, s in zip(("map0", "map1"), spikes, strict=True):
        assert np.array_equal(s.detach().flatten(2).numpy().swapaxes(0, 1), result.spikes[name]) and 0.05 < result.spikes[name].mean() < 0.6
    np.testing.assert_allclose(scores.detach().numpy() * STEPS, result.readouts["words"], rtol=1e-4, atol=1e-4)  # ours is the mean
    for layer, name in zip(net.layers, ("map0", "map1"), strict=True):  # a leak for each channel, and one for all its neurons
        beta = floats.population(name).of_each("beta").reshape(len(layer.beta), -1)
        assert (beta == beta[:, :1]).all() and np.allclose(beta[:, 0], layer.beta.detach()) and len(set(beta[:, 0])) == len(beta)


def test_rates_are_those_of_spikes_without_leak():
    net, x = small(), pictures()
    with torch.no_grad():
        net.layers[0].beta.fill_(1.0)
        rates = net.layers[0].rates(torch.from_numpy(x).float()[:, None] * 0.25, STEPS)
        fired = net(torch.from_numpy(x))[1][0].mean(dim=0)
    assert 0.2 < float(rates.mean()) < 0.8 and set((rates * STEPS).round().flatten().tolist()) == set(range(STEPS + 1))
    assert ((rates - fired).abs() < 1e-5).float().mean() > 0.99  # a drive of a whole number of steps may be rounded either way
    net.spiking = False
    net(torch.from_numpy(x))[0].sum().backward()
    assert all(float(layer.conv.weight.grad.abs().sum()) > 0 for layer in net.layers)


def test_gradients_are_those_of_the_plain_equations():
    net, x = small(), torch.from_numpy(pictures()).float()
    weight = torch.tensor([1.0, -2.0, 0.5])
    (net(x)[0] * weight).sum().backward()
    betas = [layer.beta.detach().clone().requires_grad_() for layer in net.layers]
    kernels = [layer.conv.weight.detach().clone().requires_grad_() for layer in net.layers]
    v, s, o, total = [0.0, 0.0], [0.0, 0.0], 0.0, 0.0
    for _ in range(STEPS):
        a = x[:, None] * 0.25
        for k, layer in enumerate(net.layers):
            drive = layer.norm(torch.nn.functional.conv2d(a, kernels[k], stride=2, padding=(2, 1)))
            v[k] = betas[k][:, None, None] * v[k] + drive - (s[k].detach() if torch.is_tensor(s[k]) else s[k])
            a = s[k] = PlainSpike.apply(v[k] - 1)
        o = net.readout.beta.detach() * o + a.flatten(1) @ net.readout.w.detach().T + net.readout.b.detach()
        total = total + o / STEPS
    (total * weight).sum().backward()
    for layer, beta, kernel in zip(net.layers, betas, kernels, strict=True):
        torch.testing.assert_close(layer.beta.grad, beta.grad, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(layer.conv.weight.grad, kernel.grad, rtol=2e-3, atol=2e-3)
        assert len(set(np.round(beta.grad.numpy(), 6))) == len(beta)


def trained_is_golden(narrow: int = 0) -> Network:
    """Three updates, then every potential against the golden model's; ``narrow``: bits that the held current lacks."""
    floats = floats_of(small())
    network = integers_of(floats, weight_bits=5)
    p = network.population("map0")
    network = replace(network, populations=tuple(replace(q, i_bits=p.i_bits - narrow) if q is p else q for q in network.populations))
    net, x = IntegerNet(network, floats), shown(pictures(6, 8), True)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x))[0], torch.arange(6) % 3).backward()
        optimizer.step()
    after, result = same_as_golden(net, x, network)
    assert (result.saturations["map0"] > 0) == bool(narrow)
    return after


def test_its_integers_are_the_golden_model_bit_for_bit():
    after = trained_is_golden()
    p = after.population("map0")
    beta = p.beta.reshape(4, -1)
    assert p.held and (beta == beta[:, :1]).all() and len(set(beta[:, 0])) == 4


def test_a_held_current_that_saturates_is_the_golden_models_too():
    trained_is_golden(narrow=4)


def test_a_current_that_is_not_held_is_seen(monkeypatch):
    monkeypatch.setattr(integer_net, "exact_hold", lambda p, sums: sums)
    with pytest.raises(AssertionError, match="map0"):
        trained_is_golden()


def test_a_population_that_holds_its_own_spikes_is_refused():
    ones = np.ones((2, 2), np.int64)
    network = Network(name="n", populations=(
        Population(name="x", size=2, model=Model.INPUT), Population(name="h", size=2, model=Model.IF, held=True, theta=2, reset="subtract"),
        Population(name="y", size=2, model=Model.LI, readout="last")), projections=(
        Projection(source="x", target="h", weights=ones), Projection(source="h", target="h", weights=ones, delay=1),
        Projection(source="h", target="y", weights=ones)))
    with pytest.raises(NetworkError, match="Population 'h'.*holds its current"):
        IntegerNet(network, network)
