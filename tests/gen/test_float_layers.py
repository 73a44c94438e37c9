"""Layers of deep networks as float projections: against explicit loops, against PyTorch, and what the quantizer makes of them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.batch_norm import fold_batch_norm
from spikeloom.gen.float_layers import convolution, fully_connected, pooled, spread
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.sim import golden
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Port, Readout

CASES = [  # shape of the map, shape of the weights, arguments
    ((3, 7, 6), (4, 3, 3, 3), {"padding": 1}),
    ((2, 8, 9), (6, 1, 2, 3), {"stride": (2, 1), "groups": 2, "padding": (1, 0)}),
    ((4, 7, 8), (4, 1, 3, 2), {"dilation": (2, 3), "groups": 4, "padding": (2, 3)}),
    ((3, 5, 5), (2, 3, 4, 3), {"padding": "same", "dilation": (1, 2)}),
    ((2, 8, 6), (5, 2, 3, 3), {"padding": 1, "pool": 2, "average": True}),
    ((2, 9, 7), (3, 2, 2, 2), {"pool": (3, 2)}),
    ((3, 14), (4, 3, 5), {"padding": 2, "stride": 2}),
    ((4, 13), (2, 2, 3), {"groups": 2, "dilation": 2, "padding": "same"}),
    ((2, 12), (3, 2, 4), {"pool": 3, "average": True, "padding": 1}),
]


def by_loops(shape, weights, x, stride=1, padding=0, dilation=1, groups=1, pool=1, average=False):
    """The definition, one product at a time; any number of dimensions is brought to two."""
    two = len(shape) == 3
    w = weights if two else weights[:, :, None]
    maps = x.reshape(len(x), shape[0], *(shape[1:] if two else (1, shape[1])))

    def pair(value):
        return (value if two else (1 if value is not padding else 0, value)) if np.ndim(value) else ((value, value) if two else (1, value))

    (sy, sx), (dy, dx), (py, px) = pair(stride), pair(dilation), pair(pool)
    sides = [(0, 0), (0, 0)]
    if padding == "same":
        sides = [((d * (k - 1)) // 2, d * (k - 1) - (d * (k - 1)) // 2) for d, k in zip((dy, dx), w.shape[2:], strict=True)]
    else:
        both = padding if np.ndim(padding) else (padding, padding) if two else (0, padding)
        sides = [(n, n) for n in both]
    small = np.zeros((len(x), shape[0], maps.shape[2] // py, maps.shape[3] // px))
    for y in range(small.shape[2]):
        for k in range(small.shape[3]):
            block = maps[:, :, y * py:(y + 1) * py, k * px:(k + 1) * px]
            small[:, :, y, k] = block.mean(axis=(2, 3)) if average else block.sum(axis=(2, 3))
    small = np.pad(small, ((0, 0), (0, 0), *sides))
    height = (small.shape[2] - dy * (w.shape[2] - 1) - 1) // sy + 1
    width = (small.shape[3] - dx * (w.shape[3] - 1) - 1) // sx + 1
    out = np.zeros((len(x), len(w), height, width))
    own, into = len(w) // groups, shape[0] // groups
    for n, c, y, k in np.ndindex(out.shape):
        for i, a, b in np.ndindex(w.shape[1:]):
            out[n, c, y, k] += w[c, i, a, b] * small[n, c // own * into + i, y * sy + a * dy, k * sx + b * dx]
    return out.reshape(len(x), -1)


@pytest.mark.parametrize(("shape", "size", "more"), CASES)
def test_a_convolution_is_its_definition(shape, size, more):
    rng = np.random.default_rng(1)
    weights, x = rng.normal(0, 1, size).astype(np.float32), rng.integers(-3, 4, (2, int(np.prod(shape)))).astype(np.float32)
    q = convolution("x", "y", weights, shape, **more)
    np.testing.assert_allclose(q.apply(x), by_loops(shape, weights, x, **more), atol=1e-4)
    low, high = q.sum_bounds(-3, 3)
    np.testing.assert_allclose(high, q.conv.apply(abs(q.weights) * 3, np.ones((1, x.shape[1])))[0], atol=1e-4)
    np.testing.assert_allclose(low, -high)


@pytest.mark.parametrize(("shape", "size", "more"), CASES)
def test_a_convolution_is_that_of_torch(shape, size, more):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    rng = np.random.default_rng(2)
    weights, x = rng.normal(0, 1, size).astype(np.float32), rng.normal(0, 1, (2, *shape)).astype(np.float32)
    of = {name: value for name, value in more.items() if name in ("stride", "padding", "dilation", "groups")}
    f, two = torch.nn.functional, len(shape) == 3
    warnings.simplefilter("ignore")  # of torch about its own speed
    maps = torch.from_numpy(x)
    if "pool" in more:
        blocks = more["pool"]
        maps = (f.avg_pool2d if two else f.avg_pool1d)(maps, blocks)
        maps = maps if more.get("average") else maps * float(np.prod(blocks) if np.ndim(blocks) else blocks ** (len(shape) - 1))
    theirs = (f.conv2d if two else f.conv1d)(maps, torch.from_numpy(weights), **of)
    np.testing.assert_allclose(convolution("x", "y", weights, shape, **more).apply(x.reshape(2, -1)), theirs.flatten(1).numpy(), atol=1e-4)


@pytest.mark.parametrize(("shape", "size", "more"), CASES)
def test_the_golden_model_computes_torchs_convolution_of_integers(shape, size, more):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    rng = np.random.default_rng(3)
    weights, x = rng.integers(-8, 8, size), rng.integers(-2, 3, (2, 3, int(np.prod(shape))))
    more = more | {"average": False}
    q = convolution("x", "y", weights, shape, **more)
    net = FloatNetwork(name="n", projections=(q,), populations=(
        FloatPopulation(name="x", size=q.shape[1], model=Model.INPUT, payload_min=-2, payload_max=2),
        FloatPopulation(name="y", size=q.shape[0], model=Model.LI, beta=0.0, readout=Readout.SUM)))
    network = quantize(net, weight_bits=4, guard_bits=0, v_bits=16).network
    assert np.array_equal(network.projections[0].weights, q.weights)  # integers come through as they are
    ours = golden.run(network, x, record=True).potentials["y"]
    f = torch.nn.functional
    maps = torch.from_numpy(x.reshape(6, *shape))
    if "pool" in more:
        py, px = more["pool"] if np.ndim(more["pool"]) else (more["pool"], more["pool"])
        maps = maps.unfold(2, py, py).unfold(3, px, px).sum(dim=(4, 5)) if len(shape) == 3 else maps.unfold(2, px, px).sum(dim=3)
    of = {name: value for name, value in more.items() if name in ("stride", "padding", "dilation", "groups")}
    theirs = (f.conv2d if len(shape) == 3 else f.conv1d)(maps, torch.from_numpy(weights), **of)
    np.testing.assert_array_equal(ours.reshape(6, -1), theirs.flatten(1).numpy())


def small(average=False, neurons=Model.LIF, seed=0, readout=Readout.COUNT):
    """Graded input, a convolution, a strided one behind a pool, and classes behind another."""
    rng = np.random.default_rng(seed)
    a = convolution("x", "a", rng.normal(0.05, 0.3, (4, 2, 3, 3)), (2, 8, 8), padding=1)
    b = convolution("a", "b", rng.normal(0.1, 0.3, (6, 2, 3, 2)), (4, 8, 8), groups=2, padding=(1, 0, 1, 0), pool=2, average=average)
    y = fully_connected("b", "y", rng.normal(0.1, 0.4, (5, 6 * 3 * 2)), b.conv.out_shape, pool=(1, 2), average=average)
    decay = {} if neurons is Model.IF else {"beta": 0.9}
    populations = (
        FloatPopulation(name="x", size=128, model=Model.INPUT, payload_max=3),
        FloatPopulation(name="a", size=a.shape[0], model=neurons, threshold=spread([1.0, 0.8, 1.2, 1.1], (4, 8, 8)),
                        bias=spread([0.0, 0.1, -0.05, 0.02], (4, 8, 8)), **decay),
        FloatPopulation(name="b", size=b.shape[0], model=neurons, **decay),
        FloatPopulation(name="y", size=5, model=neurons, readout=readout, **decay) if readout is Readout.COUNT else
        FloatPopulation(name="y", size=5, model=Model.LI, readout=readout, **decay))
    return FloatNetwork(name="small", populations=populations, projections=(a, b, y))


def clips_of(net, n=6, steps=12, seed=5):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 4, (n, steps, 128)) * (rng.random((n, steps, 128)) < 0.2)


def test_quantized_maps_have_a_scale_per_channel_and_do_what_the_floats_do():
    net = small()
    x = clips_of(net)
    result = quantize(net, weight_bits=8, clips=Clips.from_dense(x))
    network = result.network
    assert [q.kind for q in network.projections] == [Kind.CONV] * 3 and [q.conv for q in network.projections] == [q.conv for q in net.projections]
    theta = network.population("a").theta.reshape(4, 64)
    assert (theta == theta[:, :1]).all() and len(set(theta[:, 0])) == 4
    scale = net.population("a").threshold.reshape(4, 64)[:, 0] / theta[:, 0] * 2 ** network.population("a").guard_bits
    error = network.projections[0].weights * scale.reshape(4, 1, 1, 1) - net.projections[0].weights
    assert abs(error).max() < scale.max() and result.report.projections[0].relative_error < 0.01
    layers = {layer.name: layer for layer in result.report.comparison.layers}
    assert set(layers) == {"a", "b", "y"} and all(layer.agreement > 0.95 for layer in layers.values()) and not result.report.comparison.warnings
    assert min(layer.rate_float for layer in layers.values()) > 0.05
    one = quantize(net, weight_bits=8, scale="layer").network.population("b").theta
    assert len(set(one)) == 1


def test_an_average_is_a_sum_with_thresholds_times_its_size_and_nothing_is_rounded():
    total = small(average=False)
    averaged = small(average=True)
    for bits in (2, 4, 8):
        ours, theirs = (quantize(net, weight_bits=bits, guard_bits=2, v_bits=24).network for net in (averaged, total))
        for q, r in zip(ours.projections, theirs.projections, strict=True):
            assert np.array_equal(q.weights, r.weights) and q.conv == r.conv
        for name, blocks in (("b", 4), ("y", 2)):
            exact = replace(total, populations=tuple(replace(p, threshold=p.threshold * blocks, bias=p.bias * blocks) if p.name == name else p
                                                     for p in total.populations))
            wanted = quantize(exact, weight_bits=bits, guard_bits=2, v_bits=24).network.population(name)
            assert np.array_equal(ours.population(name).theta, wanted.theta) and np.array_equal(ours.population(name).bias, wanted.bias)


@pytest.mark.parametrize("average", [False, True])
def test_whole_numbers_are_computed_as_by_the_golden_model(average):
    """Weights that are multiples of the scale, no leak: floats and integers agree on every spike."""
    rng = np.random.default_rng(7)
    a = convolution("x", "a", rng.integers(-4, 5, (3, 2, 3, 3)), (2, 8, 8), stride=2, padding=1)
    b = fully_connected("a", "b", rng.integers(-4, 5, (4, 3 * 2 * 2)), a.conv.out_shape, pool=2, average=average)
    net = FloatNetwork(name="whole", projections=(a, b), populations=(
        FloatPopulation(name="x", size=128, model=Model.INPUT, payload_min=-1),
        FloatPopulation(name="a", size=a.shape[0], model=Model.IF, threshold=3.0, strict=False),
        FloatPopulation(name="b", size=4, model=Model.IF, threshold=2.0, strict=False, readout=Readout.COUNT)))
    x = rng.integers(-1, 2, (3, 30, 128))
    network = quantize(net, weight_bits=4, v_bits=24, guard_bits=0).network
    ours, exact = run_float(net, x, record=True), golden.run(network, x, record=True)
    for name in "ab":
        np.testing.assert_array_equal(ours.spikes[name], exact.spikes[name])
    assert ours.spikes["b"].sum() > 20


def test_a_dense_and_a_sparse_way_into_a_map_share_the_scale_of_its_channels():
    net = small()
    rng = np.random.default_rng(3)
    more = FloatProjection(source="y", target="b", weights=rng.normal(0, 0.2, (net.population("b").size, 5)), delay=1)
    net = replace(net, projections=(*net.projections, more))
    x = clips_of(net)
    result = quantize(net, clips=Clips.from_dense(x))
    assert [q.kind for q in result.network.projections][-1] is Kind.DENSE
    assert result.report.projections[-1].relative_error < 0.03 and result.report.comparison.agreement is not None
    assert all(layer.agreement > 0.9 for layer in result.report.comparison.layers)


def test_shared_matrices_stay_shared():
    rng = np.random.default_rng(4)
    w = rng.normal(0, 0.4, (4, 4, 3, 3))
    passes = [convolution("x" if k == 0 else f"c{k}", f"c{k + 1}", w, (4, 6, 6), padding=1, matrix="c") for k in range(3)]
    populations = [FloatPopulation(name="x", size=144, model=Model.INPUT)] + [
        FloatPopulation(name=f"c{k}", size=144, model=Model.IF, threshold=10.0 ** k * 0.01,
                        readout=Readout.COUNT if k == 3 else Readout.NONE) for k in (1, 2, 3)]
    net = FloatNetwork(name="back", populations=tuple(populations), projections=tuple(passes))
    for options in ({}, {"v_bits": 12}, {"weight_bits": {1: 4}}, {"scale": "layer"}):
        network = quantize(net, **options).network
        first = network.projections[0]
        assert {q.matrix for q in network.projections} == {"c"} and all(np.array_equal(q.weights, first.weights) for q in network.projections)
    assert {q.weight_bits for q in quantize(net, weight_bits={1: 4}).network.projections} == {4}
    labels = np.arange(6) % 2
    clips = Clips.from_dense((rng.random((6, 8, 144)) < 0.2).astype(int), labels=labels)
    assert len({q.weight_bits for q in quantize(net, weight_bits="auto", max_drop=100.0, clips=clips).network.projections}) == 1
    with pytest.raises(NetworkError, match="shares the matrix 'c' with x -> c1, but its weights"):
        replace(net, projections=(*passes[:2], replace(passes[2], weights=w * 2)))
    with pytest.raises(NetworkError, match="another projection leads to the same port of 'c2'"):
        replace(net, projections=(*passes, FloatProjection(source="x", target="c2", weights=np.ones((144, 144)))))


def test_batch_normalisation_folds_per_channel():
    rng = np.random.default_rng(6)
    w, x = rng.normal(0, 1, (3, 2, 3, 3)), rng.normal(0, 1, (5, 2 * 6 * 6))
    gamma, beta, mean, var = rng.normal(1, 0.3, 3), rng.normal(0, 1, 3), rng.normal(0, 1, 3), rng.uniform(0.5, 2, 3)
    folded, bias = fold_batch_norm(w, 0.5, gamma, beta, mean, var)
    plain, ours = (convolution("x", "y", v, (2, 6, 6), padding=1).apply(x.astype(np.float32)).reshape(5, 3, 36) for v in (w, folded))
    each = (slice(None), None)
    np.testing.assert_allclose(ours + bias[each], gamma[each] * (plain + 0.5 - mean[each]) / np.sqrt(var[each] + 1e-5) + beta[each], atol=1e-4)


def test_a_pool_right_before_neurons_is_a_depthwise_convolution():
    x = np.random.default_rng(8).integers(0, 2, (3, 2 * 6 * 4)).astype(np.float32)
    sums = pooled("x", "y", (2, 6, 4), pool=2)
    np.testing.assert_allclose(sums.apply(x), x.reshape(3, 2, 3, 2, 2, 2).sum(axis=(3, 5)).reshape(3, -1))
    np.testing.assert_allclose(pooled("x", "y", (2, 6, 4), pool=(3, 2), average=True, weight=2.0).apply(x),
                               2 * x.reshape(3, 2, 2, 3, 2, 2).mean(axis=(3, 5)).reshape(3, -1), atol=1e-6)
    assert sums.weights.size == 2


@pytest.mark.parametrize(("make", "text"), [
    (lambda: convolution("a", "b", np.ones((2, 3)), (3, 4)), "Projection a -> b: weights of shape .2, 3. and a map .3, 4. are no convolution"),
    (lambda: convolution("a", "b", np.ones((2, 3, 3, 3)), (4, 5, 5)),
     "Projection a -> b: weights of shape .2, 3, 3, 3. take 3 channels of a group, and the map has 4"),
    (lambda: convolution("a", "b", np.ones((2, 3, 3, 3)), (3, 5, 5), padding="same", stride=2), "with stride 1 'same', not 'same'"),
    (lambda: convolution("a", "b", np.ones((2, 3, 3, 3)), (3, 5, 5), stride=(1, 1, 1)), "stride must be one number, or 2 of them"),
    (lambda: convolution("a", "b", np.ones((2, 3, 6, 6)), (3, 5, 5)), "Projection a -> b: kernel .6, 6. reaches over"),
    (lambda: convolution("a", "b", np.ones((2, 3, 1, 1)), (3, 5, 5), pool=6), "Projection a -> b: pool .6, 6. is larger"),
    (lambda: fully_connected("a", "b", np.ones((2, 13)), (3, 4, 4), pool=2), r"must be \[outputs, 12\]"),
    (lambda: FloatProjection(source="a", target="b", weights=np.ones((2, 3, 1, 1)), port=Port.GATE, conv=convolution(
        "a", "b", np.ones((2, 3, 1, 1)), (3, 4, 4)).conv), "a convolution leads to port 'i', not to 'z'"),
    (lambda: FloatProjection(source="a", target="b", weights=np.ones((2, 3, 1, 1))), "of a convolution give its geometry"),
    (lambda: replace(small(), populations=(FloatPopulation(name="x", size=127, model=Model.INPUT), *small().populations[1:])),
     r"x -> a: its maps are \[2, 8, 8\] and \[4, 8, 8\]"),
    (lambda: replace(small(), projections=(*small().projections, convolution("a", "b", np.ones((6, 4, 5, 6)), (4, 8, 8)))),
     r"Population 'b': the convolutions into it have target maps \[6, 3, 4\], \[6, 4, 3\]"),
])
def test_what_does_not_fit_is_named(make, text):
    with pytest.raises(NetworkError, match=text):
        make()
