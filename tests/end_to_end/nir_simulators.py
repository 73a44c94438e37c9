"""Norse and snnTorch on a NIR graph: spikes of every layer, in their own float32.

Norse loads the whole graph. It resets a LIF to 0 whatever it is told; a Cuba-LIF to 0 or by subtraction. snnTorch's importer (1.0.0) knows no graph
with a loop, one dt and a reset to 0, so its neuron modules are used, with the parameters of the graph. Where v is still above the threshold after a
reset by subtraction (or at the start), its next step compares v less the threshold: that is another reset than Norse's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeloom.spec.network import Reset

from ..float_models import FloatLayer

__all__ = ["SIMULATORS"]


def norse(path: Path, layers: list[FloatLayer], x: np.ndarray, reset: Reset, dt: float) -> list[np.ndarray]:
    """Spikes ``[N, T, n]`` of each layer of the graph in a file."""
    nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
    torch = pytest.importorskip("torch", reason="needs torch: pip install -c constraints.txt torch")
    norse_torch = pytest.importorskip("norse.torch", reason="needs Norse: pip install --no-deps norse (else it brings torchvision, unused here)")
    from norse.torch.functional.reset import reset_subtract, reset_value

    graph = nir.read(path)
    assert reset is Reset.ZERO or not any(isinstance(node, nir.LIF) for node in graph.nodes.values())
    module = norse_torch.from_nir(graph, reset_method=reset_value if reset is Reset.ZERO else reset_subtract, dt=dt)
    seen: dict[int, list] = {}
    # A cell's output is (spikes, state). Hooks record every cell but the one inside a CubaLIF.
    neurons = [child for child in module.modules() if type(child).__name__ in ("LIFBoxCell", "CubaLIF")]
    inner = {id(child.lif) for child in neurons if hasattr(child, "lif")}
    for child in neurons:
        if id(child) not in inner:
            child.register_forward_hook(lambda module, args, out: seen.setdefault(id(module), []).append(out[0].detach().numpy().copy()))
    state = None
    with torch.no_grad():
        for t in range(x.shape[1]):
            _, state = module(torch.from_numpy(x[:, t]).float(), state)
    found = [np.stack(steps, axis=1).astype(np.int64) for steps in seen.values()]  # in the order in which they first ran
    assert [f.shape[2] for f in found] == [len(layer.b) for layer in layers]
    return found


def snntorch(path: Path, layers: list[FloatLayer], x: np.ndarray, reset: Reset, dt: float) -> list[np.ndarray]:
    """Spikes ``[N, T, n]`` of each layer: Leaky and Synaptic modules, connected here."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install -c constraints.txt torch")
    snn = pytest.importorskip("snntorch", reason="needs the extra nir-simulators: pip install -c constraints.txt -e '.[nir-simulators]'")
    how = {"reset_mechanism": "zero" if reset is Reset.ZERO else "subtract", "reset_delay": False}
    found = []
    for layer in layers:
        w, u, b, alpha, beta, theta = (torch.from_numpy(np.broadcast_to(a, np.shape(like)).copy()).float() for a, like in (
            (layer.w, layer.w), (layer.u, layer.u), (layer.b, layer.b), (layer.alpha, layer.b), (layer.beta, layer.b), (layer.theta, layer.b)))
        synaptic = layer.model != "lif"
        cell = snn.Synaptic(alpha=alpha, beta=beta, threshold=theta, **how) if synaptic else snn.Leaky(beta=beta, threshold=theta, **how)
        s, spikes = torch.zeros(len(x), len(b)), []
        v = s + torch.from_numpy(np.asarray(layer.v_init)).float()
        state = (s, v) if synaptic else (v,)
        with torch.no_grad():
            for t in range(x.shape[1]):
                drive = torch.from_numpy(x[:, t]).float() @ w.T + s @ u.T + b
                s, *state = cell(drive, *state)
                spikes.append(s.numpy().copy())
        found.append(np.stack(spikes, axis=1).astype(np.int64))
        x = found[-1]
    return found


SIMULATORS = {"norse": norse, "snntorch": snntorch}
