"""Training of maps: the forward pass is the float simulation, the gradients are those of the plainly written equations, training helps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.float_layers import convolution, fully_connected, spread
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Readout, Reset

from .nets import PlainSpike, torch

from spikeloom.software.train.fit import FitConfig, fit  # isort: skip
from spikeloom.software.train.map_net import MapNet  # isort: skip
from spikeloom.software.train.surrogate import Surrogate  # isort: skip


def network(seed: int = 0, beta: float = 0.9) -> FloatNetwork:
    """A padded convolution, the same kernel twice (one of them behind a pool it is not), groups behind a pool, three values."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0, 0.4, (4, 4, 3, 3))
    a = convolution("x", "a", rng.normal(0, 0.2, (4, 2, 3, 3)), (2, 6, 6), padding=1)
    b = convolution("a", "b", w, (4, 6, 6), padding=1, matrix="w")
    c = convolution("b", "c", w, (4, 6, 6), padding=1, matrix="w")
    d = convolution("c", "d", rng.normal(0.1, 0.4, (6, 2, 2, 3)), (4, 6, 6), groups=2, padding=(1, 0, 0, 2), stride=(1, 2), pool=2, average=True)
    y = fully_connected("d", "y", rng.normal(0, 0.5, (3, d.shape[0])), d.conv.out_shape)
    sizes = {"a": 144, "b": 144, "c": 144, "d": d.shape[0]}
    layers = [FloatPopulation(name=name, size=size, model=Model.LIF, beta=beta - 0.05 * k, threshold=1.0 + 0.25 * k, v_init=0.25, strict=False,
                              bias=spread(rng.normal(0.05, 0.1, 4), (4, 6, 6)) if size == 144 else rng.normal(0.05, 0.1, size))
              for k, (name, size) in enumerate(sizes.items())]
    return FloatNetwork(name="maps", projections=(a, b, c, d, y), populations=(
        FloatPopulation(name="x", size=72, model=Model.INPUT, payload_max=3), *layers,
        FloatPopulation(name="y", size=3, model=Model.LI, beta=0.95, bias=rng.normal(0, 0.1, 3), readout=Readout.LAST)))


def payloads(n: int = 6, steps: int = 8, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 4, (n, steps, 72)) * (rng.random((n, steps, 72)) < 0.3)


def test_it_computes_what_the_float_simulation_does():
    net, x = network(), payloads()
    result = run_float(net, x, record=True)
    for ours in (net, MapNet(net, leaks=True, thresholds=True).to_float()):
        scores, spikes = MapNet(ours, leaks=True, thresholds=True)(torch.from_numpy(x))
        for name, s in zip("abcd", spikes, strict=True):
            assert np.array_equal(s.detach().numpy().swapaxes(0, 1), result.spikes[name]) and 0.02 < result.spikes[name].mean() < 0.8
        np.testing.assert_allclose(scores.detach().numpy(), result.readouts["y"], rtol=1e-4, atol=1e-4)


def plain_scores(net: FloatNetwork, p: dict, x: torch.Tensor) -> torch.Tensor:
    """The equations of DIET-SNN as they are printed, layer by layer with torch's own gradients; weights as matrices."""
    size = {q.name: q.size for q in net.populations}
    state = {name: torch.full((len(x), size[name]), 0.25) for name in "abcd"}
    before = {name: torch.zeros(len(x), size[name]) for name in "abcd"}
    value = torch.zeros(len(x), 3)
    for t in range(x.shape[1]):
        events = {"x": x[:, t].float()}
        for q in net.projections:
            w = p["w" if q.matrix else q.target]
            # A kernel as a matrix, so that no convolution of torch is compared with itself: each entry is one weight, or 0.
            index = torch.from_numpy(q.conv.matrix(np.arange(1, w.numel() + 1).reshape(w.shape)) if q.conv is not None else
                                     np.arange(1, w.numel() + 1).reshape(w.shape))
            matrix = torch.cat([torch.zeros(1), w.reshape(-1)])[index]
            drive = events[q.source] @ matrix.T + p["b" + q.target].repeat_interleave(size[q.target] // len(p["b" + q.target]))
            if q.target == "y":
                value = 0.95 * value + drive
                continue
            theta, leak = p["theta" + q.target], p["leak" + q.target]
            state[q.target] = leak * state[q.target] + drive - (theta * before[q.target]).detach()
            before[q.target] = events[q.target] = PlainSpike.apply(state[q.target] / theta - 1)
    return value


def test_gradients_are_those_of_the_plain_equations():
    net, x = network(3), payloads()
    ours = MapNet(net, surrogate=Surrogate(kind="triangle", height=0.4, steepness=1.0), leaks=True, thresholds=True)
    weight = torch.tensor([1.0, -2.0, 0.5])
    scores, _ = ours(torch.from_numpy(x))
    (scores * weight).sum().backward()
    p = {}
    for key, q in zip(ours.keys, net.projections, strict=True):
        p["w" if q.matrix else q.target] = ours.weights[key].detach().clone().requires_grad_()
        p["b" + q.target] = ours.biases[q.target].detach().clone().requires_grad_()
    for name in "abcd":
        p["theta" + name] = torch.tensor([float(np.asarray(net.population(name).threshold)[0])], requires_grad=True)
        p["leak" + name] = torch.tensor([float(net.population(name).beta)], requires_grad=True)
    plain = plain_scores(net, p, torch.from_numpy(x))
    torch.testing.assert_close(plain, scores, rtol=1e-3, atol=1e-3)
    (plain * weight).sum().backward()
    for key, q in zip(ours.keys, net.projections, strict=True):
        torch.testing.assert_close(ours.weights[key].grad, p["w" if q.matrix else q.target].grad, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(ours.biases[q.target].grad, p["b" + q.target].grad, rtol=2e-3, atol=2e-3)
    for name in "abcd":
        torch.testing.assert_close(ours.betas[name].grad, p["leak" + name].grad, rtol=2e-3, atol=2e-3)
        assert abs(float(p["theta" + name].grad)) > 0
    last = float(np.asarray(net.population("d").threshold)[0])  # ours is a share of the first threshold; v is in thresholds, so v_init's part differs
    assert np.sign(float(ours.scales["d"].grad)) == np.sign(last * float(p["thetad"].grad))


def test_what_is_not_trained_stays_and_ranges_hold():
    net, x = network(4), payloads(16)
    y = np.arange(16) % 3

    def batches(rng):
        yield x.astype(np.float32), y, None

    def loss(model):
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(torch.from_numpy(x))[0], torch.from_numpy(y)))

    for flags in ({}, {"leaks": True, "thresholds": True}):
        ours = MapNet(net, dropout=0.1, **flags)
        before = loss(ours)
        fit(ours, batches, 1, FitConfig(epochs=40, batch=16, rate=5e-3), seed=0, progress=lambda line: None)
        ours.eval()
        assert loss(ours) < 0.8 * before
        trained = ours.to_float()
        changed = any(not np.allclose(trained.population(name).threshold, net.population(name).threshold) for name in "abcd")
        leaked = any(trained.population(name).beta != net.population(name).beta for name in "abcd")
        assert changed == leaked == bool(flags)
        assert np.array_equal(trained.projections[1].weights, trained.projections[2].weights)
        assert all(0 <= trained.population(name).beta <= 1 for name in "abcd") and trained.population("y").beta == 0.95
    with torch.no_grad():
        ours.betas["a"].fill_(1.5)
        ours.scales["a"].fill_(-1.0)
    ours.clip()
    assert float(ours.betas["a"].detach()[0]) == 1.0 and float(ours.scales["a"].detach()[0]) == pytest.approx(0.01)


@pytest.mark.parametrize(("change", "text"), [
    ({"a": {"reset": Reset.ZERO}}, "Population 'a': training knows the reset by subtraction"), ({"b": {"strict": True}}, "v >= threshold"),
    ({"y": {"readout": Readout.NONE}}, "needs one population of leaky integrators, the last"), ({"y": {"v_init": 1.0}}, "that start at 0"),
    ({"c": {"beta": np.linspace(0.5, 0.9, 144)}}, "a trained leak is one of the layer")])
def test_other_networks_are_refused(change, text):
    net = network()
    net = replace(net, populations=tuple(replace(p, **change.get(p.name, {})) for p in net.populations))
    with pytest.raises(NetworkError, match=text):
        MapNet(net, leaks=True)
    loop = replace(network(), projections=(*network().projections, FloatProjection(source="d", target="d", delay=1,
                                                                                    weights=np.zeros((network().population("d").size,) * 2))))
    with pytest.raises(NetworkError, match="without delays"):
        MapNet(loop)
