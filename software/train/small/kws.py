"""Training of a keyword network: quantization-aware, with early stopping on the validation split."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from ...features import apply_front_end
from .config import TrainConfig
from .data import Split, TrainingSet
from .model import KeywordNet

__all__ = ["score", "train"]


@torch.no_grad()
def score(model: KeywordNet, split: Split, front_end: dict, quantized: bool) -> tuple[float, float, float]:
    """Accuracy, mean cross entropy and hidden spikes per step of a split, as the float model computes them."""
    model.eval()
    x = torch.from_numpy(apply_front_end(split.x, front_end).astype(np.float32))
    y = torch.from_numpy(split.y)
    right, loss, spiked = 0, 0.0, 0.0
    for part, target in zip(x.split(256), y.split(256), strict=True):
        scores, spikes = model(part, quantized)
        right += int((scores.argmax(1) == target).sum())
        loss += float(torch.nn.functional.cross_entropy(scores, target, reduction="sum"))
        spiked += float(spikes.sum()) / spikes.shape[0]
    return right / len(y), loss / len(y), spiked / len(y)


def train(config: TrainConfig, training_set: TrainingSet, validation: Split, progress: Callable[[str], None]) -> KeywordNet:
    """Train and return the running mean of the weights that had the smallest validation loss.

    Deterministic for a seed on one kind of CPU: one thread, and every random number from ``config.seed``.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    t = config.training
    model = KeywordNet(config.front_end["bands"], len(training_set.words), config.network, t,
                       torch.from_numpy(training_set.mean_payload()))
    average = copy.deepcopy(model)
    decayed = [model.w_in, model.w_recurrent, model.w_out]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": t.weight_decay},
                                   {"params": [model.b_hidden, model.b_out], "weight_decay": 0.0}], lr=t.learning_rate)
    n_updates = t.epochs * (len(training_set.y) // t.batch)
    best_loss, best, best_epoch, update, started = math.inf, copy.deepcopy(average), 0, 0, time.monotonic()
    for epoch in range(1, t.epochs + 1):
        model.train()
        total = 0.0
        for payloads, classes in training_set.batches(t.batch, rng):
            # One cycle: up over the first tenth, then down a half cosine.
            place = update / n_updates
            ratio = place / 0.1 if place < 0.1 else 0.5 * (1.0 + math.cos(math.pi * (place - 0.1) / 0.9))
            for group in optimizer.param_groups:
                group["lr"] = t.learning_rate * max(ratio, 0.01)
            scores, spikes = model(torch.from_numpy(payloads))
            loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(classes), label_smoothing=t.label_smoothing)
            rate = spikes.mean(dim=(0, 1))
            excess = torch.relu(rate - t.rate_target) + torch.relu(t.rate_floor - rate)
            optimizer.zero_grad()
            (loss + t.rate_weight * excess.mean()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            update += 1
            total += float(loss.detach())
            keep = min(t.average_decay, update / (update + 10))
            with torch.no_grad():
                for mean, now in zip(average.parameters(), model.parameters(), strict=True):
                    mean.lerp_(now, 1.0 - keep)
        accuracy, validation_loss, rate = score(average, validation, config.front_end, quantized=True)
        if validation_loss < best_loss:
            best_loss, best, best_epoch = validation_loss, copy.deepcopy(average), epoch
        n_batches = len(training_set.y) // t.batch
        progress(f"epoch {epoch}/{t.epochs}: loss {total / n_batches:.3f}, validation {validation_loss:.3f}, {accuracy:.2%}, "
                 f"{rate:.1f} spikes per step, {time.monotonic() - started:.0f} s")
        if epoch - best_epoch >= t.patience:
            break
    return best
