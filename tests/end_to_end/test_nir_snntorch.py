"""snnTorch's own export, read by our importer: the spikes of our float network are those of the torch modules.

snnTorch writes decays as tau = dt / (1 - beta) with dt = 1e-4, one number for all neurons, in shapes that nir 1.0.8 refuses; its check is left out,
as older releases did. It does not write its reset, subtraction one step late, which is our ``subtract``.
"""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_network import run_float
from spikeloom.software.importers.nir_graph import read_nir

nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
WHY = "needs the extra nir-simulators: pip install -c constraints.txt -e '.[nir-simulators]'"


def modules(torch, snn, reset):
    """Chains with and without recurrence, LIF and Cuba-LIF."""
    def chain(first, last):
        return torch.nn.Sequential(torch.nn.Linear(6, 8), first, torch.nn.Linear(8, 3), last)

    more = {"init_hidden": True, "reset_mechanism": reset}
    loop = {**more, "all_to_all": True, "linear_features": 8}
    yield chain(snn.Leaky(beta=0.9, **more), snn.Leaky(beta=0.8, threshold=0.7, output=True, **more))
    yield chain(snn.RLeaky(beta=0.9, **loop), snn.Leaky(beta=0.8, threshold=0.2, output=True, **more))
    yield chain(snn.RSynaptic(alpha=0.7, beta=0.9, **loop), snn.Synaptic(alpha=0.5, beta=0.8, output=True, **more))


# snnTorch 1.0's reset "zero" clears v before the step in Leaky, and after it in RLeaky, Synaptic and RSynaptic.
@pytest.mark.parametrize(("case", "reset", "asked"), [(0, "subtract", "subtract"), (1, "subtract", "subtract"), (2, "subtract", "subtract"),
                                                     (0, "zero", "zero"), (2, "zero", "zero_after"), (0, "none", "none")])
def test_an_exported_network_fires_as_its_modules_do(case, reset, asked, tmp_path, monkeypatch) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    snn = pytest.importorskip("snntorch", reason=WHY)
    export = pytest.importorskip("snntorch.export_nir", reason=WHY)
    torch.manual_seed(case)
    net = list(modules(torch, snn, reset))[case]
    for part in (net[0], net[2]):  # enough for spikes
        part.weight.data += 0.15
    for name in ("infer_types", "check_types"):
        monkeypatch.setattr(nir.NIRGraph, name, lambda self: True)
    nir.write(tmp_path / "net.nir", export.export_to_nir(net, torch.zeros(6)), compression=None)
    ours = read_nir(tmp_path / "net.nir", dt=1e-4, reset=asked)
    x = (np.random.default_rng(case).random((6, 80, 6)) < 0.5).astype(np.int64)
    for part in net:
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    theirs = []
    with torch.no_grad():
        for t in range(x.shape[1]):
            theirs.append(net(torch.from_numpy(x[:, t]).float())[0].numpy())
    expected = np.stack(theirs, axis=1)
    found = run_float(ours, x, record=True).spikes[ours.populations[-1].name]
    assert expected.sum() > 20 and (found == expected).mean() > 0.999  # both compute in float32
