"""The gradients that are written by hand, against torch's own of the same equations written plainly."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra train: make venv-train")

from spikeloom.software.train.layers import ReadoutLayer, SpikingLayer  # noqa: E402
from spikeloom.software.train.loop import run_loop  # noqa: E402
from spikeloom.software.train.membranes import LIF, dynamics_of  # noqa: E402
from spikeloom.software.train.surrogate import Surrogate  # noqa: E402
from spikeloom.spec.errors import NetworkError  # noqa: E402
from spikeloom.spec.network import Gain, Model, Readout, Reset  # noqa: E402

T, B, H = 7, 3, 5
SURROGATES = (Surrogate(), Surrogate(kind="fast_sigmoid", height=1.0, steepness=3.0))


class Spike(torch.autograd.Function):
    """A step whose derivative is a surrogate's."""

    @staticmethod
    def forward(ctx, distance, surrogate):
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, *grads):
        (distance,) = ctx.saved_tensors
        return grads[0] * ctx.surrogate.slope(distance, (distance >= 0).to(distance.dtype)), None


def plain(model, gain, surrogate, drive, u, constants, max_spikes=1, reset=Reset.SUBTRACT, rho=0.97, jump=0.1):
    """Spikes by the equations of docs/numerics.md; no gradient through the reset."""
    i = v = s = a = torch.zeros(B, H, dtype=drive.dtype)
    off, out = 1.0 if reset is Reset.SUBTRACT else 0.0, []
    for t in range(T):
        total = drive[t] + s @ u.T
        if model is Model.SPIKGRU:
            i = constants[0] * i + total[:, :H]
            z = torch.sigmoid(total[:, H:])
            v = z * v + (1 - z) * i - off * s.detach()
        elif model is Model.CUBALIF:
            i = constants[0] * i + total
            v = constants[1] * v + ((1 - constants[1]) if gain is Gain.COMPLEMENT else 1.0) * i - off * s.detach()
        else:
            v = constants[0] * v + total - off * s.detach()
        if model is Model.ALIF:
            a = rho * a + jump * s
        s = sum(Spike.apply(v - k - a, surrogate) for k in range(1, max_spikes + 1))
        out.append(s)
    return torch.stack(out)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: s.kind)
@pytest.mark.parametrize(("model", "gain", "max_spikes"), [
    (Model.LIF, Gain.UNIT, 1), (Model.CUBALIF, Gain.UNIT, 1), (Model.CUBALIF, Gain.COMPLEMENT, 1), (Model.SPIKGRU, Gain.UNIT, 1),
    (Model.ALIF, Gain.UNIT, 1), (Model.LIF, Gain.UNIT, 2), (Model.CUBALIF, Gain.COMPLEMENT, 3), (Model.SPIKGRU, Gain.UNIT, 3)])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.NONE])
def test_gradients_are_those_of_the_equations(model, gain, max_spikes, reset, surrogate) -> None:
    if model is Model.ALIF and reset is Reset.NONE:
        with pytest.raises(NetworkError, match="leave max_spikes and reset as they are"):
            dynamics_of(model, surrogate, reset=reset)
        return
    torch.manual_seed(1)
    dynamics = dynamics_of(model, surrogate, gain=gain, max_spikes=max_spikes, reset=reset)
    rows = H * dynamics.n_ports

    def leaf(*shape, scale=1.0, low=None):
        value = torch.randn(*shape, dtype=torch.float64) * scale if low is None else low + 0.1 * torch.rand(*shape, dtype=torch.float64)
        return value.requires_grad_()

    leaves = [leaf(T, B, rows, scale=4.0 * max_spikes - 2.0), leaf(rows, H), *(leaf(H, low=0.8) for _ in dynamics.names)]
    weight = torch.randn(T, B, H, dtype=torch.float64)
    spikes = run_loop(dynamics, *leaves)
    ours = torch.autograd.grad((spikes * weight).sum(), leaves)
    expected = plain(model, gain, surrogate, leaves[0], leaves[1], leaves[2:], max_spikes, reset)
    assert torch.equal(spikes, expected)
    assert float(spikes.detach().max()) == max_spikes
    assert 0.05 < float((spikes > 0).double().mean().detach()) < 0.9
    for got, wanted in zip(ours, torch.autograd.grad((expected * weight).sum(), leaves), strict=True):
        assert float(wanted.abs().max()) > 0
        torch.testing.assert_close(got, wanted)


def test_a_wrong_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = LIF.gradients

    def wrong(self, trace, out, u, beta):
        return right(self, trace, out, u * 0.9, beta)

    monkeypatch.setattr(LIF, "gradients", wrong)
    with pytest.raises(AssertionError, match="Tensor-likes are not close"):
        test_gradients_are_those_of_the_equations(Model.LIF, Gain.UNIT, 1, Reset.SUBTRACT, SURROGATES[0])


@pytest.mark.parametrize("readout", [Readout.LAST, Readout.MAX, Readout.SUM])
def test_gradient_of_the_readout(readout: Readout) -> None:
    torch.manual_seed(2)
    layer = ReadoutLayer(4, 3, readout).double()
    x = torch.rand(T, B, 4, dtype=torch.float64, requires_grad=True)
    scores = layer(x)
    o, states = torch.zeros(B, 3, dtype=torch.float64), []
    for step in x:
        o = layer.beta * o + step @ layer.w.T + layer.b
        states.append(o)
    states = torch.stack(states)
    expected = states[-1] if readout is Readout.LAST else states.amax(0) if readout is Readout.MAX else states.mean(0)
    torch.testing.assert_close(scores, expected)
    leaves = [x, *layer.parameters()]
    weight = torch.randn(B, 3, dtype=torch.float64)
    for got, wanted in zip(torch.autograd.grad((scores * weight).sum(), leaves), torch.autograd.grad((expected * weight).sum(), leaves), strict=True):
        torch.testing.assert_close(got, wanted)


def test_surrogates_have_their_shapes() -> None:
    distance = torch.tensor([-2.0, -0.5, 0.0, 0.25, 3.0]).reshape(5, 1, 1)
    spikes = (distance >= 0).float()
    slope = {kind: Surrogate(kind=kind, height=0.3, steepness=2.0).slope(distance, spikes).flatten().tolist() for kind in
             ("triangle", "fast_sigmoid", "exponential")}
    assert slope["triangle"] == pytest.approx([0.0, 0.0, 0.3, 0.15, 0.0])
    assert slope["fast_sigmoid"] == pytest.approx([0.3 / 25, 0.3 / 4, 0.3, 0.3 / 2.25, 0.3 / 49])
    # Timesteps since the last spike, counted from before the first: 1, 2, then it fires in each.
    assert slope["exponential"] == pytest.approx([0.3 * math.exp(-2), 0.3 * math.exp(-4), 0.3, 0.3, 0.3])


@pytest.mark.parametrize("wrong", [{"kind": "box"}, {"height": 0.0}, {"steepness": -1.0}])
def test_bad_surrogates_are_refused(wrong: dict) -> None:
    with pytest.raises(NetworkError, match="surrogate"):
        Surrogate(**wrong)


def test_a_threshold_of_the_layer_is_a_scale_of_its_weights() -> None:
    """DIET-SNN's trained threshold: v >= theta with the same weights fires as v / theta >= 1."""
    torch.manual_seed(3)
    layer = SpikingLayer(6, 8, Model.LIF, per_layer=True)
    x = torch.randn(T, B, 6) * 3
    with torch.no_grad():
        layer.threshold.fill_(0.7)
    spikes = layer(x)
    v, s, expected = torch.zeros(B, 8), torch.zeros(B, 8), []
    for step in x:
        v = layer.constants["beta"] * v + step @ layer.w.T + layer.b + s @ layer.u.T - 0.7 * s
        s = (v >= 0.7).float()
        expected.append(s)
    assert torch.equal(spikes, torch.stack(expected))
    spikes.sum().backward()
    assert layer.threshold.grad is not None and float(layer.threshold.grad.abs()) > 0
    assert layer.constants["beta"].grad.shape == (1,)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(NetworkError, match="lif, cubalif, spikgru and alif"):
        SpikingLayer(2, 2, Model.LI)
    with pytest.raises(NetworkError, match="last, max or sum"):
        ReadoutLayer(2, 2, Readout.COUNT)
