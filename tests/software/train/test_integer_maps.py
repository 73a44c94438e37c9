"""Quantization-aware training of convolutions: the golden model bit for bit, shared matrices shared, biases per channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.quantize import quantize
from spikeloom.spec.clips import Clips

from .nets import same_as_golden
from .test_map_net import network, payloads, torch

from spikeloom.software.train.integer_net import IntegerNet  # isort: skip


def floats_and_integers(**options):
    net = network(2)
    net = replace(net, populations=tuple(replace(p, v_init=0.0) for p in net.populations))
    return net, quantize(net, clips=Clips.from_dense(payloads(8, seed=7)), **options).network


def trained(floats, integers, x, updates=3):
    net = IntegerNet(integers, floats)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
    for _ in range(updates):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x))[0], torch.arange(len(x)) % 3).backward()
        optimizer.step()
    return net


@pytest.mark.parametrize("options", [{}, {"weight_bits": 4, "decay": "shift"}, {"weight_bits": 5, "scale": "layer"}])
def test_maps_are_the_golden_model_bit_for_bit(options):
    floats, integers = floats_and_integers(**options)
    x = payloads(6, seed=8)
    net = trained(floats, integers, x)
    after, _ = same_as_golden(net, x, integers)
    assert np.array_equal(after.projections[1].weights, after.projections[2].weights) and after.projections[1].matrix == "w"
    bias = after.population("a").bias.reshape(4, 36)
    assert (bias == bias[:, :1]).all() and (bias != integers.population("a").bias.reshape(4, 36)).any()


def test_a_wrong_kernel_is_seen(monkeypatch):
    from spikeloom.software.train import integer_net
    monkeypatch.setattr(integer_net, "applied", lambda q, w, x: applied(q, w.flip(-1) if q.conv is not None else w, x))
    from spikeloom.software.train.map_net import applied
    with pytest.raises(AssertionError):
        test_maps_are_the_golden_model_bit_for_bit({})


def test_without_updates_it_is_nearly_the_network_that_was_quantized():
    """Its units are fits, so a weight on the edge between two integers may fall to the other side."""
    floats, integers = floats_and_integers()
    for ours, theirs in zip(IntegerNet(integers, floats).to_network().projections, integers.projections, strict=True):
        difference = abs(ours.weights.astype(int) - theirs.weights)
        assert difference.max() <= 1 and difference.mean() < 0.03
