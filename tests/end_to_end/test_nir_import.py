"""`spikeloom quantize` on NIR's published graphs: all import, and the integers agree with the equations as the conversion by hand does."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_network import run_float
from spikeloom.sim import golden
from spikeloom.software import api
from spikeloom.software.importers.nir_graph import read_nir
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import FileFormatError
from spikeloom.spec.network import Reset

from .nir_layers import float_layers, run_graph

pytest.importorskip("h5py", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")

BRAILLE, LIF, TWO = "braille_noDelay_noBias_subtract.nir", "lif_norse.nir", "two_lif_neurons.nir"
SUBTRACT, ZERO = Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO


@pytest.fixture
def folder(shared):
    if not (shared / "truth" / "nir").is_dir():
        pytest.skip("needs the published graphs in shared/truth/nir")
    return shared / "truth" / "nir"


def test_every_graph_imports_or_says_what_is_missing(folder) -> None:
    paths = sorted(folder.glob("*.nir"))
    assert len(paths) >= 3
    for path in paths:
        with pytest.raises(FileFormatError, match="--dt SECONDS"):
            read_nir(path)
        assert api.quantize(path, dt=1e-4).network.metadata["nir"]["assumed"]


@pytest.mark.parametrize(("name", "reset", "rate", "least"), [
    (BRAILLE, SUBTRACT, 0.1, 0.99), (BRAILLE, ZERO, 0.1, 0.99), (LIF, SUBTRACT, 0.1, 0.999), (LIF, ZERO, 0.1, 0.999), (TWO, ZERO, 0.3, 0.99)])
def test_imported_and_quantized_it_is_the_equations(folder, name, reset, rate, least) -> None:
    pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
    layers = float_layers(folder / name, 1e-4)  # the conversion by hand
    x = (np.random.default_rng(5).random((8, 256 if name == BRAILLE else 1000, layers[0].w.shape[1])) < rate).astype(np.int64)
    hand = [run.spikes for run in run_graph(layers, x, reset)]
    net = read_nir(folder / name, dt=1e-4, reset=reset)
    spiking = [p.name for p in net.populations if p.spikes]
    in_float = run_float(net, x, record=True).spikes
    assert sum(int((in_float[n] == h).sum()) for n, h in zip(spiking, hand, strict=True)) >= 0.999 * sum(h.size for h in hand)
    result = api.quantize(net, v_bits=16, i_bits=16, clips=Clips.from_dense(x))
    found = golden.run(result.network, x, record=True)
    same = [float((found.spikes[n] == h).mean()) for n, h in zip(spiking, hand, strict=True)]
    sizes = [h.size for h in hand]
    assert np.average(same, weights=sizes) >= least and min(same) >= least - 0.01
    assert sum(int(h.sum()) for h in hand) > 50
    if any(layer.u.any() for layer in layers):  # another reset is another network
        other = read_nir(folder / name, dt=1e-4, reset=SUBTRACT if reset is ZERO else ZERO)
        assert not np.array_equal(run_float(other, x, record=True).spikes[spiking[0]], in_float[spiking[0]])
