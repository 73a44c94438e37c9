"""State dicts: what a chain of Linear and Leaky becomes, and that nothing else comes through."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from spikeloom.gen.float_network import run_float
from spikeloom.software.importers.state_dict import read_state_dict
from spikeloom.spec.errors import FileFormatError, NetworkError, ToolError
from spikeloom.spec.network import Model, Readout, Reset

RNG = np.random.default_rng(0)
ARRAYS = {"w0": RNG.normal(size=(7, 4)).astype(np.float32), "b0": RNG.normal(size=7).astype(np.float32),
          "w1": RNG.normal(size=(3, 7)).astype(np.float32), "b1": RNG.normal(size=3).astype(np.float32)}


@pytest.fixture
def npz(tmp_path):
    """Writes the arrays of this file, some changed, or left out where None."""
    def write(**changes):
        path = tmp_path / "my-net.npz"
        np.savez(path, **{k: v for k, v in {**ARRAYS, **changes}.items() if v is not None})
        return path
    return write


@pytest.fixture
def pt(tmp_path):
    """Writes a dict of arrays as a .pt."""
    torch = pytest.importorskip("torch")

    def write(arrays, wrap=lambda d: d):
        path = tmp_path / "net.pt"
        torch.save(wrap({k: torch.as_tensor(np.asarray(v)) for k, v in arrays.items()}), path)
        return path
    return write


def leaky(beta=0.8, threshold=1.5, mechanism=0, factor=1.0):
    return {"threshold": threshold, "graded_spikes_factor": factor, "reset_mechanism_val": mechanism, "beta": np.float32(beta)}


def model(**options):
    """The state dict of fc1, lif1, fc2, lif2 as snnTorch writes it."""
    out = {}
    for i in range(2):
        out |= {f"fc{i + 1}.weight": ARRAYS[f"w{i}"], f"fc{i + 1}.bias": ARRAYS[f"b{i}"]}
        out |= {f"lif{i + 1}.{k}": v for k, v in leaky(**options).items()}
    return out


def test_npz_becomes_a_chain_with_the_given_neurons(npz):
    net = read_state_dict(npz(), beta=0.75, threshold=2.0, reset="zero", labels=("a", "b", "c"))
    assert net.name == "my_net"
    assert [(p.name, p.size, p.model) for p in net.populations] == [
        ("input", 4, Model.INPUT), ("hidden1", 7, Model.LIF), ("output", 3, Model.LIF)]
    assert [(p.source, p.target, p.delay) for p in net.projections] == [("input", "hidden1", 0), ("hidden1", "output", 0)]
    assert (net.populations[0].payload_min, net.populations[0].payload_max) == (-1, 1)
    for p in net.populations[1:]:
        assert (p.beta, p.strict, p.reset) == (0.75, True, Reset.ZERO) and (p.threshold == 2.0).all()
    assert net.populations[2].readout is Readout.COUNT and net.populations[2].labels == ("a", "b", "c")
    np.testing.assert_array_equal(net.projections[1].weights, ARRAYS["w1"])
    np.testing.assert_array_equal(net.populations[1].bias, ARRAYS["b0"])


def test_biases_may_be_missing_and_neurons_have_the_documented_defaults(npz):
    net = read_state_dict(npz(b0=None, b1=None))
    assert all((p.beta, p.reset, p.threshold[0], p.bias[0]) == (0.9, Reset.SUBTRACT, 1.0, 0.0) for p in net.populations[1:])
    net = read_state_dict(npz(beta=np.float32(0.7), threshold=np.float64(2)))
    assert all((p.beta, p.threshold[0]) == (0.7, 2.0) for p in net.populations[1:])


def test_last_layer_read_as_a_value_does_not_fire(npz):
    net = read_state_dict(npz(), readout="max")
    assert (net.populations[-1].model, net.populations[-1].readout, net.populations[-1].reset) == (Model.LI, Readout.MAX, Reset.NONE)
    assert net.populations[1].model is Model.LIF


def test_pt_gives_the_same_network_as_npz_and_its_own_neurons(npz, pt):
    a, b = read_state_dict(npz(), beta=0.8, threshold=1.5), read_state_dict(pt(model()))
    x = RNG.integers(-1, 2, (4, 20, 4))
    for name, counts in run_float(a, x).spike_counts.items():
        np.testing.assert_array_equal(run_float(b, x).spike_counts[name], counts)
    assert all((p.beta, p.threshold[0]) == (0.8, 1.5) for p in b.populations[1:])
    # What the caller says comes first.
    assert read_state_dict(pt(model()), beta=0.5, threshold=3.0).populations[1].beta == 0.5
    assert [read_state_dict(pt(model(mechanism=m))).populations[1].reset for m in range(3)] == [
        Reset.SUBTRACT, Reset.ZERO, Reset.NONE]


def test_sequential_keys_separate_registration_and_wrapped_checkpoints_are_read(pt):
    sequential = {"0.weight": ARRAYS["w0"], "1.beta": 0.8, "2.weight": ARRAYS["w1"], "2.bias": ARRAYS["b1"], "3.beta": 0.7}
    net = read_state_dict(pt(sequential))
    assert [p.beta for p in net.populations[1:]] == [0.8, 0.7] and net.populations[1].bias.any() == 0
    apart = {"fc1.weight": ARRAYS["w0"], "fc2.weight": ARRAYS["w1"], "lif1.beta": 0.8, "lif2.beta": 0.7}
    assert [p.beta for p in read_state_dict(pt(apart)).populations[1:]] == [0.8, 0.7]
    assert read_state_dict(pt(model(), wrap=lambda d: {"epoch": 3, "state_dict": d})).populations[1].beta == 0.8
    assert read_state_dict(pt({k: v for k, v in model().items() if k.startswith("fc")})).populations[1].beta == 0.9


@pytest.mark.parametrize(("changes", "text"), [
    ({"w0": None}, "w0 is missing, though there are 1 weight matrices"),
    ({"w1": np.ones((3, 8))}, "w1 takes 8 inputs, and w0 before it gives 7"),
    ({"b1": np.ones(4)}, r"w1 has 3 neurons and a bias of shape \[4\]"),
    ({"w1": np.ones(3)}, "'w1' must be numbers of 2 dimensions"),
    ({"b1": np.ones((3, 1))}, "'b1' must be numbers of 1 dimension"),
    ({"w0": np.full((7, 4), np.nan)}, "w0: 28 weights are infinite or not a number"),
    ({"w0": np.full((7, 4), 1e300)}, "w0: 28 weights are infinite"),
    ({"b0": np.full(7, np.inf)}, "w0: 7 biases are infinite"),
    ({"w0": np.array([["a"]])}, "must be numbers"),
    ({"w0": np.array([[None]])}, "never pickled objects"),
    ({"b7": np.ones(3)}, "no state dict: .* has 'b7'"),
    ({"x": np.ones(3)}, "no state dict: .* has 'x'"),
    ({"w0": np.ones((7, 0))}, "a layer has 1 to 65536 neurons"),
    ({"beta": np.ones(3)}, "beta must be one number for all layers"),
    ({k: None for k in ARRAYS}, "no state dict: it needs w0"),
])
def test_wrong_npz_is_refused(npz, changes, text):
    with pytest.raises(FileFormatError, match=text) as error:
        read_state_dict(npz(**changes))
    assert "\n" not in str(error.value)


def test_parameters_out_of_range_are_refused(npz):
    for options, text in (({"beta": 1.5}, "beta must be 0 to 1, not 1.5"), ({"threshold": 0.0}, "thresholds must be above 0"),
                          ({"readout": "none"}, "needs a readout"), ({"beta": float("nan")}, "beta must be 0 to 1")):
        with pytest.raises(NetworkError, match=text):
            read_state_dict(npz(), **options)


@pytest.mark.parametrize(("arrays", "text"), [
    ({"conv.weight": np.ones((2, 2, 3, 3))}, "'conv.weight' must be numbers of 2 dimensions"),
    ({"fc.weight": np.ones((2, 2)), "rlif.recurrent.weight": np.ones((2, 2))}, "is a recurrent layer"),
    ({"fc.weight": np.ones((2, 2)), "bn.running_mean": np.ones(2)}, "'bn.running_mean' belongs to no Linear and no Leaky"),
    ({"fc.weight": np.ones((2, 2)), "syn.alpha": 0.5}, "'syn.alpha' belongs to no Linear"),
    ({"fc.bias": np.ones(2)}, "has a bias and no weight"),
    ({"fc.weight": np.ones((2, 2)), "a.beta": 0.5, "b.beta": 0.5}, "1 Linear layers and 2 Leaky layers"),
    ({"fc.weight": np.ones((2, 2)), "a.beta": np.array([0.5, 0.6])}, "its neurons have 2 different betas"),
    ({"fc.weight": np.ones((2, 2)), "a.threshold": np.ones(3)}, "3 thresholds for 2 neurons"),
    ({"fc.weight": np.ones((2, 2)), "a.graded_spikes_factor": 2.0}, "graded_spikes_factor is not 1"),
    ({"fc.weight": np.ones((2, 2)), "a.reset_mechanism_val": 7}, "reset mechanism 7 is unknown"),
    ({"fc.weight": np.ones((2, 2)), "a.beta": float("nan")}, "1 beta are infinite or not a number"),
    ({"fc1.weight": np.ones((2, 2)), "fc2.weight": np.ones((3, 4))}, "layer 'fc2' takes 4 inputs, and layer 'fc1' before it gives 2"),
    ({}, "no state dict: it has no weights"),
])
def test_wrong_pt_is_refused(pt, arrays, text):
    with pytest.raises(FileFormatError, match=text) as error:
        read_state_dict(pt(arrays))
    assert "\n" not in str(error.value)


class Evil:
    """An object that runs code when it is unpickled: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pt_with_other_objects_damage_or_huge_views_is_refused(pt, tmp_path):
    torch = pytest.importorskip("torch")
    good = pt(model()).read_bytes()
    path = tmp_path / "bad.pt"
    for content in (b"", b"hello", good[:100], good[:-200], good[:len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="damaged"):
            read_state_dict(path)
    torch.save(Evil(tmp_path / "was_here"), path)
    with pytest.raises(FileFormatError, match="not a state dict that can be read safely"):
        read_state_dict(path)
    assert not (tmp_path / "was_here").exists()
    for value in ([1, 2], {"a": 1}, torch.ones(2), {1: torch.ones(2)}):
        torch.save(value, path)
        with pytest.raises(FileFormatError, match="names with tensors are needed"):
            read_state_dict(path)
    torch.save({"fc.weight": torch.ones(1).expand(1 << 20, 1 << 16)}, path)
    with pytest.raises(FileFormatError, match="68719476736 numbers; at most"):
        read_state_dict(path)
    with pytest.raises(FileFormatError, match="No such file"):
        read_state_dict(tmp_path / "none.pt")
    with pytest.raises(FileFormatError, match="not .onnx"):
        read_state_dict(tmp_path / "a.onnx")


def test_missing_torch_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "net.pt").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=r"pip install 'spikeloom\[train\]'"):
        read_state_dict(tmp_path / "net.pt")


@pytest.mark.parametrize("mechanism", ["subtract", "zero", "none"])
def test_resets_are_those_of_the_installed_snntorch(mechanism, pt):
    torch = pytest.importorskip("torch")
    snntorch = pytest.importorskip("snntorch", reason="snnTorch is in the extra nir-simulators")
    torch.manual_seed(3)
    fc, lif = torch.nn.Linear(4, 6), snntorch.Leaky(beta=0.85, threshold=1.0, reset_mechanism=mechanism)
    with torch.no_grad():
        fc.weight.abs_()
    x = (np.random.default_rng(2).random((1, 60, 4)) < 0.5).astype(np.int64)
    state = {f"fc.{k}": v for k, v in fc.state_dict().items()} | {f"lif.{k}": v for k, v in lif.state_dict().items()}
    net = read_state_dict(pt({k: v.numpy() for k, v in state.items()}))
    membrane, wanted = lif.reset_mem(), []
    with torch.no_grad():
        for row in torch.as_tensor(x[0], dtype=torch.float32):
            spike, membrane = lif(fc(row), membrane)
            wanted.append(spike.numpy())
    got = run_float(net, x, record=True).spikes[net.populations[-1].name][0]
    assert got.any() and np.mean(got != np.array(wanted)) < 0.01  # float32 against float64 at the threshold
