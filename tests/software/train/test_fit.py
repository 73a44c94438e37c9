"""The training loop: the same numbers from the same seed, checkpoints, and its objective."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.spec.errors import FileFormatError
from spikeloom.spec.network import Model

from .nets import payloads, small_net, torch

from spikeloom.software.train.fit import FitConfig, fit, objective  # isort: skip

CONFIG = FitConfig(epochs=4, batch=5, rate=1e-2, activity=0.5)
X, Y = payloads(), np.arange(10) % 4


def batches(rng: np.random.Generator):
    """Two batches, a little noisy."""
    for rows in rng.permutation(10).reshape(2, 5):
        yield X[rows].astype(np.float32) + rng.integers(0, 2, X[rows].shape).astype(np.float32), Y[rows], None


def trained(config: FitConfig = CONFIG, checkpoint: Path | None = None, seed: int = 3, stop: int | None = None) -> tuple[list, list[str]]:
    lines: list[str] = []
    net = small_net(Model.SPIKGRU)
    net.dropout = 0.2

    def validate() -> str:
        if stop is not None and len(lines) == stop:
            raise KeyboardInterrupt
        return "val 0"

    try:
        fit(net, batches, 2, config, seed=seed, progress=lines.append, validate=validate, every=1, checkpoint=checkpoint)
    except KeyboardInterrupt:
        lines.append("stopped")
    return [p.detach().clone() for p in net.parameters()], lines


def equal(a: list, b: list) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_same_seed_same_weights() -> None:
    first, lines = trained()
    assert equal(first, trained()[0]) and not equal(first, trained(seed=4)[0])
    assert len(lines) == 4 and lines[0].startswith("epoch 1/4: loss ") and "spikes per neuron and timestep" in lines[0]


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    path = tmp_path / "work" / "float.pt"
    assert trained(checkpoint=path, stop=2)[1][-1] == "stopped"
    weights, lines = trained(checkpoint=path)
    assert lines[0] == f"going on from {path}, epoch 3"
    assert equal(weights, trained()[0])


def test_checkpoints_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.pt"
    trained(checkpoint=path)
    with pytest.raises(FileFormatError, match="other settings"):
        trained(replace(CONFIG, epochs=5), path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(FileFormatError, match="no checkpoint"):
        trained(checkpoint=path)
    torch.save({"words": eval}, path)  # a pickle that names a function: weights_only refuses it
    with pytest.raises(FileFormatError, match="no checkpoint"):
        trained(checkpoint=path)


def test_it_learns() -> None:
    net, lines = small_net(Model.LIF), []
    fit(net, batches, 2, replace(CONFIG, epochs=40, activity=0.0, label_smoothing=0.0), seed=0, progress=lines.append, every=1)
    assert float(lines[-1].split("loss ")[1].split(",")[0]) < 0.5 * float(lines[0].split("loss ")[1].split(",")[0])


def test_objective() -> None:
    scores, y = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    spikes = [torch.tensor([1.0, 0.0]).reshape(2, 1, 1), torch.ones(2, 1, 1)]
    config = FitConfig(epochs=1, label_smoothing=0.0, activity=2.0)
    right = math.log(1 + math.exp(-2))
    assert float(objective(scores, spikes, y, None, config)) == pytest.approx(right + 2.0 * (0.25 + 0.5))
    taught = torch.tensor([[0.25, 0.75]])
    both = 0.3 * right + 0.7 * (0.25 * right + 0.75 * (right + 2))
    assert float(objective(scores, [], y, taught, replace(config, activity=0.0))) == pytest.approx(both)
