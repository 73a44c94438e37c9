"""Convolutions and pools of NIR graphs: what becomes of them, against the same network multiplied out by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_layers import convolution, fully_connected, pooled, spread
from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.software import api
from spikeloom.software.importers.nir_graph import read_nir
from spikeloom.spec.errors import FileFormatError, NetworkError
from spikeloom.spec.network import Kind, Model, Readout

nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
h5py = pytest.importorskip("h5py", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
RNG = np.random.default_rng(1)
W1, W2, W3 = RNG.normal(0.1, 0.4, (4, 2, 3, 3)), RNG.normal(0.1, 0.4, (6, 2, 2, 3)), RNG.normal(0.1, 0.4, (3, 6 * 1 * 2))
B1, B2, B3 = RNG.normal(0, 0.1, 4), RNG.normal(0, 0.1, 6), RNG.normal(0, 0.1, 3)


def neurons(*shape):
    return nir.IF(np.ones(shape), np.ones(shape))


def pool(kind, kernel, stride=None, padding=0):
    return kind(np.array(kernel), np.array(stride or kernel), np.full(2, padding))


def chain(nodes, shape, last=3):
    """Nodes one after the other between an Input of a shape and an Output."""
    names = ["input", *nodes, "output"]
    return nir.NIRGraph(nodes={"input": nir.Input(np.array(shape)), **nodes, "output": nir.Output(np.array([last]))},
                        edges=list(zip(names, names[1:], strict=False)), type_check=False)


def vgg(flat=True, input_shape=True):
    nodes = {"c1": nir.Conv2d((8, 8) if input_shape else None, W1, 1, 1, 1, 1, B1), "n1": neurons(4, 8, 8), "p1": pool(nir.SumPool2d, (2, 2)),
             "c2": nir.Conv2d((4, 4) if input_shape else None, W2, (2, 1), (1, 0), 1, 2, B2), "n2": neurons(6, 3, 2), "p2": pool(nir.AvgPool2d,
                                                                                                                                 (2, 1)),
             "flat": nir.Flatten({"input": np.array([6, 1, 2])}, start_dim=0), "fc": nir.Affine(W3, B3), "n3": neurons(3)}
    return chain(nodes if flat else {n: v for n, v in nodes.items() if n != "flat"}, (2, 8, 8))


def by_hand():
    a = convolution("input", "n1", W1, (2, 8, 8), padding=1)
    b = convolution("n1", "n2", W2, (4, 8, 8), stride=(2, 1), padding=(1, 0), groups=2, pool=2)
    c = fully_connected("n2", "n3", W3, b.conv.out_shape, pool=(2, 1), average=True)
    return FloatNetwork(name="hand", projections=(a, b, c), populations=(
        FloatPopulation(name="input", size=128, model=Model.INPUT, payload_min=-1), FloatPopulation(name="n1", size=256, model=Model.IF, bias=spread(
            B1, (4, 8, 8))), FloatPopulation(name="n2", size=36, model=Model.IF, bias=spread(B2, (6, 3, 2))),
        FloatPopulation(name="n3", size=3, model=Model.IF, bias=B3, readout=Readout.COUNT)))


@pytest.mark.parametrize(("flat", "input_shape"), [(True, True), (True, False), (False, False)])
def test_a_chain_keeps_its_convolutions_and_pools(flat, input_shape):
    net, hand = read_nir(vgg(flat, input_shape), reset="subtract"), by_hand()
    assert [q.conv for q in net.projections] == [q.conv for q in hand.projections]
    for q, r in zip(net.projections, hand.projections, strict=True):
        np.testing.assert_allclose(q.weights, r.weights, rtol=1e-6)
    x = RNG.integers(-1, 2, (3, 10, 128))
    ours, theirs = (run_float(n, x, record=True).spikes for n in (net, hand))
    for name in ("n1", "n2", "n3"):
        assert np.array_equal(ours[name], theirs[name]) and theirs[name].any()


def test_a_file_is_read_as_the_graph_in_memory(tmp_path):
    graph = vgg()
    graph.nodes["c1"].padding = "same"
    nir.write(tmp_path / "vgg.nir", graph)
    ours, theirs = read_nir(tmp_path / "vgg.nir"), read_nir(graph)
    assert [q.conv for q in ours.projections] == [q.conv for q in theirs.projections] and ours.projections[0].conv.padding == (1, 1, 1, 1)
    network = api.quantize(tmp_path / "vgg.nir", weight_bits=4).network
    assert [q.kind for q in network.projections] == [Kind.CONV] * 3


def test_one_dimension():
    w, v = RNG.normal(0, 1, (4, 3, 3)), RNG.normal(0, 1, (3, 4 * 5))
    net = read_nir(chain({"c": nir.Conv1d(10, w, 2, 1, 1, 1, np.zeros(4)), "n": neurons(4, 5),
                          "flat": nir.Flatten({"input": np.array([4, 5])}, start_dim=0),
                          "fc": nir.Linear(v), "o": neurons(3)}, (3, 10)))
    wanted = convolution("input", "n", w, (3, 10), stride=2, padding=1)
    assert net.projections[0].conv == wanted.conv and np.allclose(net.projections[0].weights, wanted.weights)
    assert np.allclose(net.projections[1].weights, v)


def applied(net, x):
    """Sums of the last population before its neurons: everything that is linear, of one input."""
    (q,) = net.projections
    return q.apply(x.astype(np.float32)) + np.asarray(net.population(q.target).bias)


@pytest.mark.parametrize(("nodes", "shape", "how", "kept"), [
    ({"p": pool(nir.SumPool2d, (2, 2))}, (2, 6, 6), lambda x: pooled("a", "b", (2, 6, 6), pool=2).apply(x), True),
    ({"p": pool(nir.AvgPool2d, (3, 2))}, (2, 6, 6), lambda x: pooled("a", "b", (2, 6, 6), pool=(3, 2), average=True).apply(x), True),
    ({"p": pool(nir.AvgPool2d, (3, 3), (2, 2), 1)}, (2, 6, 6),  # overlapping, padded: a depthwise convolution
     lambda x: convolution("a", "b", np.full((2, 1, 3, 3), 1 / 9), (2, 6, 6), stride=2, padding=1, groups=2).apply(x), True),
    ({"p": pool(nir.SumPool2d, (2, 2)), "q": pool(nir.SumPool2d, (1, 2)), "c": nir.Conv2d(None, W1, 1, 1, 1, 1, B1)}, (2, 7, 9),
     lambda x: convolution("a", "b", W1, (2, 7, 9), padding=1, pool=(2, 4)).apply(x) + spread(B1, (4, 3, 2)), True),
    ({"s": nir.Scale(spread([2.0, -1.0], (2, 4, 4))), "c": nir.Conv2d((4, 4), W1, 1, 0, 1, 1, B1), "t": nir.Scale(spread([1.0, 2, 3, 4], (4, 2, 2)))},
     (2, 4, 4), lambda x: (convolution("a", "b", W1, (2, 4, 4)).apply(x * spread([2.0, -1.0], (2, 4, 4)).astype(np.float32)) + spread(B1, (4, 2, 2)))
     * spread([1.0, 2, 3, 4], (4, 2, 2)), True),
    # What stays no convolution is multiplied out: two in a row, factors that differ within a channel, a Linear behind one.
    ({"c": nir.Conv2d((4, 4), W1, 1, 1, 1, 1, B1), "d": nir.Conv2d((4, 4), W2, 1, 0, 1, 2, B2)}, (2, 4, 4), lambda x: convolution(
        "a", "b", W2, (4, 4, 4), groups=2).apply(convolution("a", "b", W1, (2, 4, 4), padding=1).apply(x) + spread(B1, (4, 4, 4)))
     + spread(B2, (6, 3, 2)), False),
    ({"s": nir.Scale(np.arange(32) / 8), "c": nir.Conv2d((4, 4), W1, 1, 0, 1, 1, B1), "t": nir.Scale(np.arange(16) / 8)}, (2, 4, 4),
     lambda x: (convolution("a", "b", W1, (2, 4, 4)).apply(x * np.arange(32, dtype=np.float32) / 8) + spread(B1,
                                                                                                             (4, 2, 2))) * np.arange(16) / 8, False),
    ({"c": nir.Conv2d((4, 4), W2, 1, 0, 1, 1, B2), "fc": nir.Linear(W3[:, :6])}, (2, 3, 3), None, None),
    ({"c": nir.Conv2d((2, 4), W2, 1, 0, 1, 1, B2), "fc": nir.Linear(W3)}, (2, 2, 4),
     lambda x: (convolution("a", "b", W2, (2, 2, 4)).apply(x) + spread(B2, (6, 1, 2))) @ W3.T, False),
    ({"p": pool(nir.SumPool2d, (2, 2)), "fc": nir.Affine(W3, B3)}, (6, 2, 4), lambda x: pooled("a", "b", (6, 2, 4), pool=2).apply(x) @ W3.T + B3,
     True),
])
def test_linear_nodes_between_neurons(nodes, shape, how, kept):
    x = RNG.integers(-2, 3, (4, int(np.prod(shape))))
    if how is None:  # shapes that do not fit are said
        with pytest.raises(FileFormatError, match="'c' .Conv2d. .*do not fit|their shapes do not fit"):
            read_nir(chain({**nodes, "n": neurons(3)}, shape))
        return
    size = how(x.astype(np.float32)).shape[1]
    net = read_nir(chain({**nodes, "n": neurons(size)}, shape, size))
    np.testing.assert_allclose(applied(net, x), how(x.astype(np.float32)), atol=1e-4)
    assert (net.projections[0].conv is not None) is kept


def test_branches_that_meet_in_a_map_are_projections_of_their_own_unless_their_geometry_is_one():
    w, one = RNG.normal(0, 1, (4, 2, 3, 3)), RNG.normal(0, 1, (4, 2, 1, 1))
    nodes = {"input": nir.Input(np.array([2, 5, 5])), "a": nir.Conv2d((5, 5), w, 1, 1, 1, 1, np.zeros(4)),
             "b": nir.Conv2d((5, 5), w, 1, 1, 1, 1, np.zeros(4)),
             "skip": nir.Conv2d((5, 5), one, 1, 0, 1, 1, np.zeros(4)), "n": neurons(4, 5, 5), "output": nir.Output(np.array([4, 5, 5]))}
    net = read_nir(nir.NIRGraph(nodes, [("input", n) for n in ("a", "b", "skip")] + [(n, "n") for n in ("a", "b", "skip")] + [("n", "output")],
                                type_check=False))
    assert sorted(q.conv.kernel for q in net.projections) == [(1, 1), (3, 3)]
    by = {q.conv.kernel: q.weights for q in net.projections}
    assert np.allclose(by[3, 3], 2 * w, rtol=1e-6) and np.allclose(by[1, 1], one)
    quantize(net)


def test_delays_and_gains_of_a_map():
    nodes = {"c": nir.Conv2d((4, 4), W1, 1, 0, 1, 1, B1), "d": nir.Delay(np.full((4, 2, 2), 3e-3)),
             "n": nir.IF(spread([1.0, 2, 3, 4], (4, 2, 2)).reshape(4, 2, 2), np.ones((4, 2, 2)))}
    (q,) = read_nir(chain(nodes, (2, 4, 4), 16), dt=1e-3).projections
    assert q.delay == 3 and np.allclose(q.weights, W1 * np.array([1, 2, 3, 4]).reshape(4, 1, 1, 1), rtol=1e-6)
    nodes["d"] = nir.Delay(1e-3 * np.arange(16).reshape(4, 2, 2))
    net = read_nir(chain(nodes, (2, 4, 4), 16), dt=1e-3)
    assert {q.conv for q in net.projections} == {None} and sorted(q.delay for q in net.projections) == list(range(16))


@pytest.mark.parametrize(("node", "shape", "text"), [
    (nir.Conv2d(None, W1, 1, 1, 1, 1, B1), (128,), r"'c' \(Conv2d\) needs the shape of its map"),
    (nir.Conv2d((8, 8), W1, 1, 1, 1, 3, B1), (2, 8, 8), r"'c' \(Conv2d\) is no convolution of a map \[6, 8, 8\].*groups must divide"),
    (nir.Conv2d(None, W1, 1, 1, 1, 1, B1), (3, 8, 8), r"is no convolution of a map \[3, 8, 8\].*take 2 channels of a group, and the map has 3"),
    (nir.Conv2d(None, W1, 0, 1, 1, 1, B1), (2, 8, 8), r"is no convolution.*stride must be 2 integers of 1"),
    (nir.Conv2d(None, W1, 1, -1, 1, 1, B1), (2, 8, 8), r"is no convolution.*padding must be 4 integers of 0"),
    (nir.Conv2d(None, W1, 1, 1, 1, 1, np.ones(7)), (2, 8, 8), r"has 4 output channels and 7 values of bias"),
    (nir.Conv2d(None, W1 * np.nan, 1, 1, 1, 1, B1), (2, 8, 8), r"has no weight, or one with values that are infinite"),
    (nir.Conv2d(None, W1, 1, 100000, 1, 1, B1), (2, 8, 8), r"is no convolution"),
    (nir.Conv1d(8, np.ones((2, 2, 3)), 1, 0, 1, 1, np.zeros(2)), (2, 8, 8), r"their shapes do not fit|has one dimension"),
    (nir.Conv1d(None, np.ones((2, 2, 3)), 1, 0, 1, 1, np.zeros(2)), (2, 8, 8), r"'c' \(Conv1d\) has one dimension, and its map is \[2, 8, 8\]"),
    (pool(nir.SumPool2d, (9, 2)), (2, 8, 8), r"'c' \(SumPool2d\) is no convolution.*pool \[9, 2\] is larger than the map"),
    (nir.SumPool2d(np.array([0.5, 2]), np.array([2, 2]), np.array([0, 0])), (2, 8, 8), r"needs 2 whole numbers as kernel_size"),
])
def test_what_is_no_convolution_names_the_node(node, shape, text):
    with pytest.raises(FileFormatError, match=text):
        read_nir(chain({"c": node, "n": nir.IF(np.ones(1), np.ones(1))}, shape, 256))


def test_maps_are_exported_and_come_back(tmp_path):
    net = by_hand()
    nir.write(tmp_path / "net.nir", api.to_nir(net, dt=1e-3))
    back = read_nir(tmp_path / "net.nir")
    assert [q.conv for q in back.projections] == [q.conv for q in net.projections]
    for q, r in zip(back.projections, net.projections, strict=True):
        np.testing.assert_allclose(q.weights, r.weights, rtol=1e-6)
    x = RNG.integers(-1, 2, (2, 10, 128))
    assert np.array_equal(run_float(back, x).readouts["n3"], run_float(net, x).readouts["n3"])
    integers = quantize(net).network
    again = read_nir(api.to_nir(integers))
    assert [q.conv for q in again.projections] == [q.conv for q in net.projections]
    causal = convolution("input", "n1", W1, (2, 8, 8), padding=(2, 0, 1, 1))
    uneven = FloatNetwork(name="causal", populations=net.populations, projections=(causal, *net.projections[1:]))
    with pytest.raises(NetworkError, match="NIR pads both sides of a map alike"):
        api.to_nir(uneven)
