"""Chains of PyTorch layers: the float network computes what the module does, and what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.software.convert.activations import activations
from spikeloom.software.convert.chain import read_chain
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Model, Readout

torch = pytest.importorskip("torch", reason="needs the extra train: make venv-train")
nn = torch.nn


def same(module, shape, scale=1.0):
    """Both on the same inputs."""
    module.eval()
    net = read_chain(module, shape, input_scale=scale, payload=(0, 15), labels=("a", "b", "c"))
    x = np.random.default_rng(0).integers(0, 16, (5, int(np.prod(shape))))
    with torch.no_grad():
        theirs = module(torch.from_numpy(x * scale).float().reshape(5, *shape)).reshape(5, -1).numpy()
    np.testing.assert_allclose(activations(net, x)["output"], theirs, rtol=1e-3, atol=1e-4)
    last = net.population("output")
    assert (last.model, last.readout, last.labels) == (Model.LI, Readout.LAST, ("a", "b", "c"))
    return net


def normalised(channels, kind=nn.BatchNorm2d):
    """A batch norm with statistics of its own."""
    layer = kind(channels)
    for name, low, high in (("weight", 0.5, 1.5), ("bias", -0.2, 0.2), ("running_mean", -0.2, 0.2), ("running_var", 0.5, 2.0)):
        getattr(layer, name).data.uniform_(low, high)
    return layer


def test_a_vgg_of_two_dimensions():
    torch.manual_seed(1)
    net = same(nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), normalised(4), nn.ReLU(), nn.Dropout(0.5)),
        nn.Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), groups=2, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.AvgPool2d((2, 1)),
        nn.Conv2d(6, 6, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), normalised(8, nn.BatchNorm1d),
        nn.ReLU(), nn.Identity(),
        nn.Linear(8, 3)), (2, 9, 9), scale=1 / 16)
    assert [p.name for p in net.populations] == ["input", "layer1", "layer2", "layer3", "layer4", "output"]
    assert [None if q.conv is None else q.conv.pool for q in net.projections] == [(1, 1), (1, 1), (4, 2), (2, 2), None]


def test_sequences_pools_before_a_flatten_and_padding_by_name():
    torch.manual_seed(2)
    net = same(nn.Sequential(nn.AvgPool1d(2), nn.Conv1d(3, 4, 3, padding="same", dilation=2), normalised(4, nn.BatchNorm1d), nn.ReLU(),
                             nn.AvgPool1d(3),
                             nn.Flatten(), nn.Linear(12, 3)), (3, 20))
    assert [q.conv.pool for q in net.projections] == [(1, 2), (1, 3)]
    same(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3)), (3, 2, 2))
    same(nn.Sequential(nn.Linear(7, 3)), (7,))
    same(nn.Sequential(nn.Conv2d(1, 3, 4)), (1, 4, 4))  # a convolution may be the end


def test_a_layer_that_occurs_again_shares_its_matrix():
    torch.manual_seed(3)
    again = nn.Conv2d(3, 3, 3, padding=1)
    net = same(nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), again, nn.ReLU(), again, nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)), (1, 4, 4))
    assert [q.matrix for q in net.projections] == ["", "layer2", "layer2", ""]
    different = nn.Sequential(again, normalised(3), nn.ReLU(), again, normalised(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))
    with pytest.raises(NetworkError, match="shares the matrix 'layer1' with input -> layer1, but its weights"):
        read_chain(different, (3, 4, 4))


@pytest.mark.parametrize(("layers", "shape", "text"), [
    ([nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)], (1, 8, 8), r"Module 1 \(MaxPool2d\): not known; known are Conv1d"),
    ([nn.Conv2d(1, 2, 3), nn.ReLU()], (1, 8, 8), r"must end with a Linear or a convolution.*it ends with 1 \(ReLU\)"),
    ([], (1, 8, 8), "it ends with nothing"),
    ([nn.ReLU()], (1, 8, 8), r"Module 0 \(ReLU\): it must follow"),
    ([nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)], (1, 8, 8), r"Module 1 \(Conv2d\): it follows 0 without a ReLU"),
    ([nn.Conv2d(1, 2, 3), nn.AvgPool2d(2)], (1, 8, 8), r"Module 1 \(AvgPool2d\): a pool must follow the ReLU"),
    ([nn.AvgPool2d(3, 2)], (1, 8, 8), "its blocks must not overlap"), ([nn.AvgPool2d(9)], (1, 8, 8), "nothing is left of the map"),
    ([nn.AdaptiveAvgPool2d(2)], (1, 8, 8), "only an output of size 1"),
    ([nn.Linear(64, 3)], (1, 8, 8), r"Module 0 \(Linear\): put a Flatten before it"),
    ([nn.Flatten(), nn.Linear(63, 3)], (1, 8, 8), "populations need|must be"),
    ([nn.Conv2d(3, 2, 3)], (1, 8, 8), r"Module 0 \(Conv2d\): .*take 3 channels of a group, and the map has 1"),
    ([nn.Conv2d(1, 2, 9)], (1, 8, 8), r"Module 0 \(Conv2d\): .*reaches over"),
    ([nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")], (1, 8, 8), "it pads with 'circular'"),
    ([nn.Flatten(), nn.Conv2d(1, 2, 3)], (1, 8, 8), r"has shape \[1, 8, 8\], flattened"),
    ([nn.BatchNorm2d(1)], (1, 8, 8), r"Module 0 \(BatchNorm2d\): it must follow"),
    ([nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)], (1, 8, 8), "have running statistics"),
    ([nn.Conv2d(1, 2, 3), nn.BatchNorm2d(3)], (1, 8, 8), "Module 1 .BatchNorm2d.: Batch normalisation: "),
    ([nn.Linear(4, 2)], (1, 2, 3, 4), "The shape of the input is")])
def test_what_cannot_be_read_is_named(layers, shape, text):
    with pytest.raises(NetworkError, match=text):
        read_chain(nn.Sequential(*layers), shape)
