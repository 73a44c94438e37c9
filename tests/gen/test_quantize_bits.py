"""Bits of each projection: given, searched, one bit, few bits; and batch normalisation folded into weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.batch_norm import fold_batch_norm
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.gen.quantize_bits import projection_names, resolve_bits
from spikeloom.gen.quantize_search import search_bits
from spikeloom.gen.quantize_weights import integers, quantize_weights
from spikeloom.sim.golden import simulate
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Port, Readout


def network(seed: int = 0) -> FloatNetwork:
    """12 - 24 (recurrent, SpikGRU) - 5."""
    rng = np.random.default_rng(seed)
    shapes = [("x", "h", 24, 12, 0, Port.CURRENT), ("h", "h", 24, 24, 1, Port.CURRENT), ("x", "h", 24, 12, 0, Port.GATE),
              ("h", "o", 5, 24, 0, Port.CURRENT)]
    return FloatNetwork(name="n", populations=(
        FloatPopulation(name="x", size=12, model=Model.INPUT), FloatPopulation(name="h", size=24, model=Model.SPIKGRU, alpha=0.8, strict=False),
        FloatPopulation(name="o", size=5, model=Model.LI, beta=0.9, readout=Readout.MAX)),
        projections=tuple(FloatProjection(source=s, target=t, weights=rng.normal(0.02, 0.4, (n, m)), delay=d, port=port)
                          for s, t, n, m, d, port in shapes))


def labelled(net: FloatNetwork, n: int = 150, seed: int = 1) -> Clips:
    """Clips labelled by the float network's answers, so that it is right on all."""
    x = (np.random.default_rng(seed).random((n, 25, 12)) < 0.25).astype(int)
    return Clips.from_dense(x, labels=run_float(net, x).answers)


def test_bits_are_named_by_number_projection_port_index_or_for_the_rest():
    net = network()
    assert projection_names(net) == ("x->h", "h->h", "x->h.z", "h->o")
    assert resolve_bits(net, 5) == (5, 5, 5, 5)
    assert resolve_bits(net, {"x->h": 4}) == (4, 8, 4, 8)  # both ports
    assert resolve_bits(net, {"x->h": 4, "x->h.z": 3, 3: 2, "*": 7}) == (4, 7, 3, 2)
    twice = replace(net, projections=(*net.projections, replace(net.projections[1], delay=2)))
    assert projection_names(twice)[1::3] == ("h->h@1", "h->h@2") and resolve_bits(twice, {"h->h@2": 3})[4] == 3
    for wrong, text in (({"x->y": 4},
                         "'x->y' is no projection of 'n'; there are x->h, h->h, x->h.z, h->o, the indices 0 to 3"), ({4: 2}, "4 is no projection"),
                        ({"h->o": 9}, "Weight bits of h->o must be 1 to 8, not 9"), (0, "must be 1 to 8, not 0"), (True, "must be 1 to 8"),
                        ("many", "must be 1 to 8, a mapping, or 'auto'")):
        with pytest.raises(NetworkError, match=text):
            quantize(net, weight_bits=wrong)


def test_projections_of_different_bits_share_a_scale_by_their_shifts():
    net = network()
    result = quantize(net, weight_bits={"x->h": 8, "x->h.z": 6, "h->h": 3, "h->o": 4})
    assert [q.weight_bits for q in result.network.projections] == [8, 3, 6, 4]
    wide, narrow = result.report.projections[:2]
    assert wide.relative_error < 0.08 and 0.1 < narrow.relative_error < 0.35 and result.network.projections[1].shift >= 3
    assert result.report.weight_bits == {"x->h": 8, "h->h": 3, "x->h.z": 6, "h->o": 4} == dict(result.network.metadata["quantization"]["weight_bits"])
    assert result.report.weight_bits_total == 8 * 288 + 3 * 576 + 6 * 288 + 4 * 120
    assert "weights of 3 to 8 bits" in str(result)


def test_one_bit_is_plus_and_minus_one_with_the_mean_magnitude_as_scale():
    rng = np.random.default_rng(0)
    w = rng.normal(0, 1, (20, 100)) * rng.uniform(0.5, 2, (20, 1))
    q = quantize_weights([w], weight_bits=1, per_neuron=True, floor=np.full(20, 1e-9))
    np.testing.assert_array_equal(q.weights[0], np.where(w < 0, -1, 1))
    np.testing.assert_allclose(q.scale, abs(w).mean(axis=1), rtol=1e-6)
    result = quantize(network(), weight_bits={"x->h": 1, "*": 8})
    assert result.network.projections[0].codebook == (-1, 1) and result.report.projections[0].weight_bits_total == 288
    assert 0.4 < result.report.projections[0].relative_error < 0.75


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform"])
def test_few_bits_clip_where_the_square_error_is_least(bits, draw):
    rng = np.random.default_rng(bits)
    w = {"normal": rng.normal, "laplace": rng.laplace}[draw](0, 1, (8, 200)) if draw != "uniform" else rng.uniform(-1, 1, (8, 200))
    q = quantize_weights([w], weight_bits=bits, per_neuron=True, floor=np.full(8, 1e-9))
    found = np.square(q.weights[0] * q.scale[:, None] - w).mean(axis=1)
    best = [min(np.square(integers(row / s, bits) * s - row).mean() for s in np.linspace(0.02, 3, 1500)) for row in w]
    assert (found <= np.array(best) * 1.03).all() and found.mean() <= np.mean(best) * 1.01


def test_search_narrows_the_largest_first_and_stops_where_accuracy_ends():
    """A made-up network: a projection may go down to its own least bits; below, two points are lost."""
    least, synapses, seen = (3, 6, 2), (10, 1000, 100), []

    def evaluate(bits):
        seen.append(bits)
        return 0.9 - 0.02 * sum(b < m for b, m in zip(bits, least, strict=True)), sum(b * s for b, s in zip(bits, synapses, strict=True))

    calls = []
    found = search_bits(("a", "b", "c"), synapses, evaluate, accuracy_float=0.9, max_drop=1.0,
                        progress=lambda done, total: calls.append((done, total)))
    assert found.weight_bits == least and found.met
    assert [s.projection for s in found.steps[:4]] == ["", "b", "c", "a"] and found.steps[1].bits == 7
    assert len(found.steps) == len(seen) == len(set(seen)) <= 1 + 3 * 6
    assert calls[-1] == (19, 19) and all(a <= b for a, b in zip(calls, calls[1:], strict=False))
    assert next(s for s in found.steps if not s.kept).projection == "b"
    front = [s for s in found.steps if s.pareto]
    assert least in [s.weight_bits for s in front] and len({s.accuracy for s in front}) == len(front) > 1
    loose = search_bits(("a", "b", "c"), synapses, evaluate, accuracy_float=0.9, max_drop=2.0)
    assert loose.weight_bits == (3, 2, 2)  # the largest got what could be lost


def test_search_that_8_bits_fail_narrows_nothing_and_says_so():
    found = search_bits(("a",), (1,), lambda bits: (0.5, 8), accuracy_float=0.9, max_drop=1.0)
    assert not found.met and found.weight_bits == (8,) and len(found.steps) == 1


def test_auto_finds_fewer_bits_within_the_loss_and_is_deterministic():
    net = network()
    clips = labelled(net)
    done = []
    result = quantize(net, weight_bits="auto", max_drop=20.0, clips=clips, progress=lambda k, n: done.append((k, n)))
    report = result.report
    assert report.comparison.accuracy_float == 1.0 and report.comparison.accuracy_integer >= 0.8 - 1e-9
    assert simulate(result.network, clips).accuracy == report.comparison.accuracy_integer
    assert report.weight_bits_total < 7 * sum(q.weights.size for q in net.projections)
    chosen = [s for s in report.search.steps if s.kept][-1]
    assert chosen.memory_bits == report.weight_bits_total + report.state_bits_total and chosen.accuracy == report.comparison.accuracy_integer
    assert tuple(q.weight_bits for q in result.network.projections) == chosen.weight_bits
    assert done[-1][0] == done[-1][1] and all(a[0] <= b[0] for a, b in zip(done, done[1:], strict=False))
    assert "memory bits  accuracy  narrowed" in report.text() and report.as_json()["search"]["steps"][0]["accuracy"] >= 0.8
    assert quantize(net, weight_bits="auto", max_drop=20.0, clips=clips).network.digest == result.network.digest
    tight = quantize(net, weight_bits="auto", max_drop=0.0, clips=clips).report  # some clip is nearly always decided otherwise
    assert tight.weight_bits_total >= report.weight_bits_total
    assert tight.search.met or "! weights of 8 bits already lose more than 0 points" in tight.text()


def test_auto_without_labels_or_readout_is_refused():
    net = network()
    with pytest.raises(NetworkError, match="need clips with labels"):
        quantize(net, weight_bits="auto")
    with pytest.raises(NetworkError, match="need clips with labels"):
        quantize(net, weight_bits="auto", clips=replace(labelled(net, 3), labels=None))
    mute = FloatNetwork(name="m", projections=(net.projections[0], net.projections[1]), populations=(
        net.populations[0], replace(net.populations[1], output=True)))
    with pytest.raises(NetworkError, match="need a population with a readout"):
        quantize(mute, weight_bits="auto", clips=labelled(net, 3))


def test_folded_batch_normalisation_gives_the_same_sums():
    rng = np.random.default_rng(0)
    w, b, x = rng.normal(0, 1, (7, 5)), rng.normal(0, 1, 7), rng.normal(0, 1, (20, 5))
    gamma, beta, mean, var = rng.normal(1, 0.3, 7), rng.normal(0, 1, 7), rng.normal(0, 1, 7), rng.uniform(0.1, 2, 7)
    folded, bias = fold_batch_norm(w, b, gamma, beta, mean, var, 1e-3)
    np.testing.assert_allclose(x @ folded.T + bias, gamma * (x @ w.T + b - mean) / np.sqrt(var + 1e-3) + beta)
    assert bias.shape == (7,)
    plain, none = fold_batch_norm(w, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0)
    np.testing.assert_array_equal(plain, w)
    assert not none.any()
    for wrong, text in (({"gamma": np.ones(3)},
                         r"gamma must have one entry per neuron \(7;"), ({"var": -np.ones(7)}, "variances must be at least 0"),
                        ({"weights": b}, "weights must be a matrix")):
        with pytest.raises(NetworkError, match=text):
            fold_batch_norm(**{"weights": w, "bias": b, "gamma": gamma, "beta": beta, "mean": mean, "var": var, **wrong})
