"""spikingjelly's own export, read by our importer: the spikes of our float network are those of its modules.

It exports a hard reset to 0 alone ("NIR does not distinguish soft reset"), its time constants in units of dt = 1e-4 s, and r = 1 / dt of an IF.
"""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_network import run_float
from spikeloom.software.importers.nir_graph import read_nir

nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
WHY = "needs spikingjelly and the extra nir-simulators: pip install --no-deps spikingjelly loguru (it asks for torchvision, torchaudio and more)"


@pytest.mark.parametrize("case", ["lif", "lif without decay of the input", "if"])
def test_an_exported_network_fires_as_its_modules_do(case: str, tmp_path) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    pytest.importorskip("spikingjelly", reason=WHY)
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    torch.manual_seed(1)

    def layer(tau: float, threshold: float):
        if case == "if":
            return neuron.IFNode(v_threshold=threshold, v_reset=0.0)
        return neuron.LIFNode(tau=tau, decay_input=case == "lif", v_threshold=threshold, v_reset=0.0)

    net = torch.nn.Sequential(torch.nn.Linear(6, 8), layer(2.0, 0.5), torch.nn.Linear(8, 3), layer(4.0, 0.25))
    for part in (net[0], net[2]):  # enough for spikes
        part.weight.data += 0.15
    nir.write(tmp_path / "net.nir", export_to_nir(net, torch.zeros(1, 6)), compression=None)
    ours = read_nir(tmp_path / "net.nir", dt=1e-4, reset="zero")
    x = (np.random.default_rng(2).random((6, 80, 6)) < 0.5).astype(np.int64)
    theirs = []
    functional.reset_net(net)
    with torch.no_grad():
        for step in torch.from_numpy(x).float().swapaxes(0, 1):
            theirs.append(net(step).numpy())
    wanted = np.stack(theirs, axis=1)
    assert 0.02 < wanted.mean() < 0.9
    last = [p.name for p in ours.populations if p.spikes and p.size == 3]
    np.testing.assert_array_equal(run_float(ours, x, record=True).spikes[last[-1]], wanted.astype(bool))
