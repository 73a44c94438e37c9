"""The training loop: any of our networks, any batches; progress, checkpoints that resume, the same numbers from the same seed."""

from __future__ import annotations

import json
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ...spec.errors import FileFormatError

__all__ = ["Batch", "FitConfig", "device_of", "fit", "objective"]

# Payloads [B, T, C] float32, classes [B] int64, and what teachers say of the same clips, [B, classes] float32 (sums to 1), or None.
Batch = tuple[np.ndarray, np.ndarray, np.ndarray | None]


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """AdamW under one cycle of the learning rate: a linear rise over the first tenth, then half a cosine.

    Parameters
    ----------
    epochs, batch : passes over the clips, clips per update.
    rate, weight_decay : largest learning rate, AdamW's decay.
    label_smoothing : of the cross entropy.
    activity : weight of the spike regularization (:func:`objective`).
    taught : share of the loss that is the cross entropy with the teachers' answer, where there are teachers.
    clip_norm : largest norm of the gradient.
    """

    epochs: int
    batch: int = 64
    rate: float = 5e-3
    weight_decay: float = 1e-3
    label_smoothing: float = 0.1
    activity: float = 0.0
    taught: float = 0.7
    clip_norm: float = 2.0


def objective(scores: torch.Tensor, spikes: list[torch.Tensor], y: torch.Tensor, taught: torch.Tensor | None, config: FitConfig) -> torch.Tensor:
    """Cross entropy of the scores (of whatever readout: last, max over time, sum or count), and the regularization of the spikes.

    The latter is, per layer, 0.5 mean over timesteps, clips and neurons of S**2 (Dampfhoffer 2023, 4.14).
    """
    loss = torch.nn.functional.cross_entropy(scores, y, label_smoothing=config.label_smoothing)
    if taught is not None:
        loss = (1 - config.taught) * loss - config.taught * (taught * scores.log_softmax(dim=1)).sum(dim=1).mean()
    if config.activity:
        loss = loss + config.activity * sum(0.5 * s.square().mean() for s in spikes)
    return loss


def fit(net: torch.nn.Module, batches: Callable[[np.random.Generator], Iterator[Batch]], n_batches: int, config: FitConfig, *, seed: int,
        progress: Callable[[str], None], validate: Callable[[], str] | None = None, every: int = 5, checkpoint: Path | None = None,
        forward: Callable[[torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]] | None = None) -> None:
    """Train ``net`` in place, on the device where it is.

    Parameters
    ----------
    batches : one epoch of ``n_batches`` batches, drawn with the generator that it gets.
    validate : words about how good the network is, asked for ``every`` so many epochs and at the end; nothing is chosen by it here.
    checkpoint : file that holds the state after every epoch; a run that finds one of the same configuration and seed goes on from there, and ends
        with the same weights as one that was not interrupted.
    forward : replaces ``net(x)`` (errors of the weights, say).

    Raises FileFormatError for a checkpoint that cannot be read or is of another configuration.
    """
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing reads it: a debugging aid that takes up to half of the time
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    first, words = 1, json.dumps([asdict(config), seed, n_batches])
    if checkpoint is not None and checkpoint.exists():
        first = 1 + _resume(checkpoint, words, net, optimizer, rng)
        progress(f"going on from {checkpoint}, epoch {first - 1}")
    begin, device = time.monotonic(), device_of(net)
    for epoch in range(first, config.epochs + 1):
        net.train()
        total, rates = 0.0, np.zeros(0)
        for k, (x, y, taught) in enumerate(batches(rng)):
            for group in optimizer.param_groups:
                group["lr"] = config.rate * _cycle(((epoch - 1) * n_batches + k) / (config.epochs * n_batches))
            scores, spikes = (forward or net)(torch.from_numpy(x).to(device))
            loss = objective(scores, spikes, torch.from_numpy(y).to(device), None if taught is None else torch.from_numpy(taught).to(device), config)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
            optimizer.step()
            net.clip()
            total += float(loss.detach())
            rates = np.array([float(s.detach().mean()) for s in spikes])
        if checkpoint is not None:
            _save(checkpoint, words, epoch, net, optimizer, rng)
        if epoch % every == 0 or epoch == config.epochs:
            active = ", spikes per neuron and timestep " + ", ".join(f"{r:.3f}" for r in rates) if len(rates) else ""
            said = ", " + validate() if validate else ""
            progress(f"epoch {epoch}/{config.epochs}: loss {total / n_batches:.3f}{said}{active}, {time.monotonic() - begin:.0f} s")


def device_of(net: torch.nn.Module) -> torch.device:
    """Where the parameters of a network are."""
    return next(net.parameters()).device


def _cycle(place: float) -> float:
    """Share of the learning rate at ``place`` 0..1 of a training."""
    return max(place / 0.1 if place < 0.1 else 0.5 + 0.5 * math.cos(math.pi * (place - 0.1) / 0.9), 0.005)


def _save(path: Path, words: str, epoch: int, net: torch.nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"words": words, "epoch": epoch, "net": net.state_dict(), "optimizer": optimizer.state_dict(),
                "rng": json.dumps(rng.bit_generator.state), "torch": torch.get_rng_state()}, partial)
    os.replace(partial, path)


def _resume(path: Path, words: str, net: torch.nn.Module, optimizer: torch.optim.Optimizer, rng: np.random.Generator) -> int:
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        same = state["words"] == words
    except (OSError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise FileFormatError(f"{path} is no checkpoint of a training: {str(error)[:200]}; remove it to start anew.") from None
    if not same:
        raise FileFormatError(f"{path} is the checkpoint of a training with other settings; remove it to start anew.")
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    rng.bit_generator.state = json.loads(state["rng"])
    torch.set_rng_state(state["torch"])
    return int(state["epoch"])
