"""Convolutions: the geometry against explicit loops and against PyTorch, and what is refused."""

import inspect
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Port, Projection

from ..strategies import convolutions

CASES = [
    Conv(shape=(3, 5, 6), out_channels=4, kernel=(3, 3), padding=(1, 1, 1, 1)),
    Conv(shape=(2, 7, 6), out_channels=3, kernel=(2, 3), stride=(2, 3)),
    Conv(shape=(1, 1, 12), out_channels=3, kernel=(1, 4), padding=(0, 0, 3, 0)),  # one dimension, causal
    Conv(shape=(4, 6, 5), out_channels=8, kernel=(3, 2), groups=4, padding=(2, 0, 0, 1)),
    Conv(shape=(6, 5, 5), out_channels=6, kernel=(3, 3), groups=6, dilation=(2, 1), stride=(1, 2), padding=(2, 2, 1, 1)),  # depthwise
    Conv(shape=(5, 3, 4), out_channels=7, kernel=(1, 1)),
    Conv(shape=(2, 7, 9), out_channels=2, kernel=(2, 2), pool=(2, 3)),  # rows and columns left over
    Conv(shape=(3, 4, 4), out_channels=5, kernel=(4, 4), stride=(4, 4), dilation=(1, 1), padding=(3, 3, 3, 3)),
    Conv(shape=(2, 9, 9), out_channels=2, kernel=(4, 4), stride=(2, 3), dilation=(3, 2), padding=(1, 2, 3, 4)),
    Conv(shape=(1, 2, 2), out_channels=1, kernel=(1, 1), stride=(3, 3)),
]


def loops(conv, weights, x):
    """Sums by the definition: a loop over every target neuron, tap and input channel."""
    channels, height, width = conv.shape
    py, px = conv.pool
    maps = np.array(x).reshape(conv.shape)
    pooled = [[[int(maps[c, y * py:y * py + py, k * px:k * px + px].sum()) for k in range(width // px)] for y in range(height // py)]
              for c in range(channels)]
    own, into = conv.out_channels // conv.groups, channels // conv.groups
    out = []
    for c in range(conv.out_channels):
        for ty in range(conv.out_shape[1]):
            for tx in range(conv.out_shape[2]):
                total = 0
                for i in range(into):
                    for ky in range(conv.kernel[0]):
                        for kx in range(conv.kernel[1]):
                            y = ty * conv.stride[0] + ky * conv.dilation[0] - conv.padding[0]
                            k = tx * conv.stride[1] + kx * conv.dilation[1] - conv.padding[2]
                            if 0 <= y < height // py and 0 <= k < width // px:
                                total += int(weights[c, i, ky, kx]) * pooled[c // own * into + i][y][k]
                out.append(total)
    return out


def drawn(conv, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, conv.weights_shape), rng.integers(-9, 10, (2, conv.source_size))


def prove(conv, seed=0):
    weights, x = drawn(conv, seed)
    wanted = [loops(conv, weights, clip) for clip in x]
    np.testing.assert_array_equal(conv.apply(weights, x), wanted)
    np.testing.assert_array_equal(x @ conv.matrix(weights).T, wanted)
    np.testing.assert_array_equal((conv.matrix(np.ones_like(weights)) != 0).sum(axis=0), conv.fan_out)
    np.testing.assert_array_equal(conv.fan_out, conv.reach * (conv.out_channels // conv.groups))


@pytest.mark.parametrize("conv", CASES)
def test_a_convolution_is_what_explicit_loops_say(conv):
    prove(conv)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 60).flatmap(lambda size: convolutions(size, 150)), st.integers(0, 1 << 20))
def test_any_convolution_is_what_explicit_loops_say(conv, seed):
    if conv is not None:
        prove(conv, seed)


@pytest.mark.parametrize("conv", CASES)
def test_a_convolution_is_what_pytorch_says(conv):
    torch = pytest.importorskip("torch", reason="PyTorch is in the extra train")
    weights, x = drawn(conv)
    top, bottom, left, right = conv.padding
    maps = torch.tensor(x).reshape(2, *conv.shape).double()
    if conv.pool != (1, 1):
        maps = torch.nn.functional.avg_pool2d(maps, conv.pool) * (conv.pool[0] * conv.pool[1])
    maps = torch.nn.functional.pad(maps, (left, right, top, bottom))
    wanted = torch.nn.functional.conv2d(maps, torch.tensor(weights).double(), stride=conv.stride, dilation=conv.dilation, groups=conv.groups)
    np.testing.assert_array_equal(conv.apply(weights, x), wanted.round().long().reshape(2, -1).numpy())


@pytest.mark.parametrize("conv", CASES)
def test_bounds_of_the_sums_are_those_of_the_matrix(conv):
    weights, _ = drawn(conv)
    x = Population(name="x", size=conv.source_size, model=Model.INPUT, payload_min=-2, payload_max=3)
    h = Population(name="h", size=conv.target_size, model=Model.IF, theta=9, v_bits=24, output=True)
    fields = {"source": "x", "target": "h", "shift": 2}
    network = Network(name="n", populations=(x, h), projections=(Projection(**fields, weights=weights, kind=Kind.CONV, conv=conv),))
    dense = Network(name="n", populations=(x, h), projections=(Projection(**fields, weights=conv.matrix(weights)),))
    assert network.sum_bounds("h") == dense.sum_bounds("h") and network.digest != dense.digest
    assert network.projections[0].synapses == int(conv.fan_out.sum())


GOOD = {"shape": (2, 4, 4), "out_channels": 4, "kernel": (3, 3)}
WRONG = [
    ({"shape": (2, 4)}, "shape must be 3 integers of 1"), ({"shape": (2, 4, 0)}, "shape must be 3 integers of 1"),
    ({"kernel": 3}, "kernel must be 2 integers"),
    ({"kernel": (3, True)}, "kernel must be 2 integers"), ({"stride": (0, 1)}, "stride must be 2"),
    ({"padding": (1, 1)}, "padding must be 4 integers of 0"),
    ({"padding": (0, 0, 0, -1)}, "padding must be 4 integers of 0"), ({"dilation": (1, 2.0)}, "dilation must be 2"),
    ({"pool": (5, 1)}, "pool [5, 1] is larger"),
    ({"groups": 3}, "groups must divide the channels of both maps, 2 and 4, and 3 does not"), ({"groups": 0}, "groups must be an integer"),
    ({"out_channels": 1 << 17}, "out_channels must be an integer"), ({"kernel": (5, 3)}, "kernel [5, 3] reaches over [5, 3] neurons"),
    ({"dilation": (2, 1)}, "reaches over [5, 3]"), ({"padding": (60000, 60000, 60000, 0)}, "padding [60000, 60000, 60000, 0] makes a map of"),
]


@pytest.mark.parametrize("fields, text", WRONG)
def test_a_geometry_that_is_none_is_refused(fields, text):
    with pytest.raises(NetworkError) as error:
        Conv(**GOOD | fields)
    assert text in str(error.value), str(error.value)


def network(target=16, conv=GOOD, further=(), **fields):
    conv = Conv(**conv) if isinstance(conv, dict) else conv
    x, h = Population(name="x", size=32, model=Model.INPUT), Population(name="h", size=target, model=Model.IF, theta=9, v_bits=16, output=True)
    shape = conv.weights_shape if conv else (16, 32)
    fields = {"weights": np.ones(shape, int), "kind": Kind.CONV, "conv": conv, **fields}
    return Network(name="n", populations=(x, h), projections=(Projection(source="x", target="h", **fields), *further))


OTHER = Projection(source="x", target="h", weights=np.ones((1, 2, 1, 1), int), kind=Kind.CONV,
                   conv=Conv(shape=(2, 4, 4), out_channels=1, kernel=(1, 1)))
REFUSED = [
    (lambda: network(target=15), "its maps are [2, 4, 4] and [4, 2, 2] (channels, height, width), and the populations have 32 and 15 neurons"),
    (lambda: network(weights=np.ones((4, 2, 3), int)), "weights must be integers of shape [4, 2, 3, 3], not int64 of shape [4, 2, 3]"),
    (lambda: network(conv=None), "kind 'conv' needs its geometry, a Conv, not None"),
    (lambda: network(kind=Kind.DENSE), "a geometry is that of kind 'conv', not of 'dense'"),
    (lambda: network(port=Port.BLOCK), "only projections into port 'i' can be conv, not into 'block'"),
    (lambda: network(codebook=(0, 2)), "weight 1 at [0, 0, 0, 0] is no entry of the codebook"),
    (lambda: network(further=(OTHER,)), "its target map is [1, 4, 4], and that of x -> h is [4, 2, 2]"),
]


@pytest.mark.parametrize("build, text", REFUSED)
def test_a_projection_that_does_not_fit_its_geometry_is_refused(build, text):
    with pytest.raises(NetworkError) as error:
        build()
    assert text in str(error.value), str(error.value)


@pytest.mark.parametrize("old, new", [("top, bottom", "bottom, top"), ("left, right", "right, left"), ("self.dilation[0], kx", "1, kx"),
                                      ("taps[ky, kx]", "taps[-1 - ky, kx]"), ("height - 1) + 1:self.stride[0]", "height - 1) + 1:1")])
def test_a_changed_convolution_is_seen(old, new, monkeypatch):
    source = textwrap.dedent(inspect.getsource(Conv.apply))
    changed = source.replace(old, new, 1) if old.startswith(("top", "left")) else source.replace(old, new)
    assert changed != source
    space = {**vars(inspect.getmodule(Conv))}
    exec(changed, space)
    monkeypatch.setattr(Conv, "apply", space["apply"])
    with pytest.raises((AssertionError, ValueError)):
        for conv in CASES:
            prove(conv)
