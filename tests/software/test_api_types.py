"""What the public functions take beside a Network: its path; and what they say of anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikeloom
from spikeloom.software import api
from spikeloom.spec.errors import FileFormatError, NetworkError, SpikeLoomError

from ..linked import network

NET = network()
X = np.ones((2, 6, 8), np.int16)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, Path]:
    spikeloom.save(NET, tmp_path / "net.npz")
    np.save(tmp_path / "x.npy", X)
    return str(tmp_path / "net.npz"), tmp_path / "x.npy"


def test_a_network_may_be_given_by_its_path(files) -> None:
    net, x = files
    want = spikeloom.simulate(NET, x)
    for path in (net, Path(net)):
        assert spikeloom.simulate(path, str(x)).answers.tolist() == want.answers.tolist()
    assert spikeloom.energy(net, x) == spikeloom.energy(NET, x)
    assert api.simulate_faults(net, x, "ber=0", n_seeds=1).clips == 2
    assert [w.word for w in spikeloom.spot(net, str(x), step_s=0.01)] == [w.word for w in spikeloom.spot(NET, x, step_s=0.01)]


@pytest.mark.parametrize("call", [
    lambda given, x: spikeloom.simulate(given, x), lambda given, x: spikeloom.energy(given, x), lambda given, x: spikeloom.spot(given, x),
    lambda given, x: spikeloom.compile(given, "out"), lambda given, x: spikeloom.run(given, x, device="sim:x"),
    lambda given, x: spikeloom.save(given, "out.npz"), lambda given, x: spikeloom.to_nir(given),
    lambda given, x: spikeloom.deploy("out", given, device="sim:x"),
    lambda given, x: spikeloom.cosim("out", x, network=given), lambda given, x: spikeloom.compile(NET, "out", also=[given]),
])
@pytest.mark.parametrize("given", [5, [NET], object(), {"a": 1}, np.zeros(3)])
def test_what_is_no_network_is_said_to_be_none(call, given, files) -> None:
    with pytest.raises(NetworkError, match="A network must be a Network, or the path of one .* of type"):
        call(given, files[1])


@pytest.mark.parametrize(("call", "text"), [
    (lambda: spikeloom.load(5), "The file of a network must be a path, not '5' of type int"),
    (lambda: spikeloom.simulate(NET, X), r"Clips must be Clips \(of an array: Clips.from_dense\) or the path of a file, not .* of type ndarray"),
    (lambda: spikeloom.spot(NET, ["a.wav"]), "A stream must be the path of a file, not .* of type list"),
    (lambda: spikeloom.compile(NET, None), "The folder of a project must be a path, not 'None' of type NoneType"),
    (lambda: spikeloom.quantize(["net.pt"]), r"A source must be the path of a state dict .* a nir.NIRGraph or a FloatNetwork, not .* of type list"),
    (lambda: spikeloom.quantize(NET), "A source must be the path .* of type Network"),
])
def test_what_is_no_path_is_said_to_be_none(call, text: str) -> None:
    with pytest.raises(SpikeLoomError, match=text) as refused:
        call()
    assert isinstance(refused.value, FileFormatError | NetworkError)
