"""Accuracy under faults: a network on clips, with errors that stay or that change with every read.

* ``static``: a read error is there for the whole of a clip, as after programming or drift. As in the thesis, errors are drawn anew for each
  clip, which averages over chips; ``per="run"`` draws one chip for all clips.
* ``dynamic``: errors are drawn anew at each read. A neuron sends at most one event per timestep, and each event reads each of its weights
  once per projection, so drawing all weights anew in every timestep is exactly that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..spec.clips import Clips
from ..spec.errors import NetworkError
from ..spec.network import Network
from . import golden
from .faults import Fault, faulty

__all__ = ["FaultReport", "answers_under_faults", "drawn", "simulate_faults"]


@dataclass(frozen=True, kw_only=True)
class FaultReport:
    """Result of :func:`simulate_faults`.

    Parameters
    ----------
    fault, mode, per : what was injected: see :func:`simulate_faults`.
    clips : how many were run.
    accuracy : without faults, None without labels or a readout.
    seeds, accuracies : each seed, and the accuracy under its faults.
    changed : per seed, the share of clips whose answer is another than without faults.
    """

    fault: str
    mode: str
    per: str
    clips: int
    accuracy: float | None
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    changed: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Mean accuracy under faults."""
        return float(np.mean(self.accuracies)) if self.accuracies else None

    @property
    def spread(self) -> float | None:
        """Standard deviation of the accuracy over the seeds (of a sample), None of one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


def drawn(network: Network, fault: Fault, seed: int, clip: int = 0) -> Network:
    """The network with the static faults of a seed and a clip (0 for all clips of a run): those of :func:`simulate_faults`."""
    return faulty(network, fault, np.random.default_rng([seed, clip]))


def answers_under_faults(network: Network, clips: Clips, fault: Fault, *, mode: str, per: str = "clip", seed: int = 0,
                         progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """The answer of each clip, ``[N], int64``; parameters as of :func:`simulate_faults`. Raises NetworkError without a readout."""
    if mode not in ("static", "dynamic") or per not in ("clip", "run"):
        raise NetworkError(f"Faults are static or dynamic, per clip or per run, not {mode!r} per {per!r}")
    if mode == "static" and per == "run":
        return _answers(network, golden.simulate(drawn(network, fault, seed), clips, progress=progress).answers)
    found = []
    for k in range(clips.n_clips):
        x = clips.dense(k, k + 1)
        if mode == "static":
            result = golden.run(drawn(network, fault, seed, k), x)
        else:
            result = _dynamic(network, x, fault, np.random.default_rng([seed, k]))
        found.append(_answers(network, result.answers))
        if progress is not None:
            progress(k + 1, clips.n_clips)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _answers(network: Network, answers: np.ndarray | None) -> np.ndarray:
    if answers is None:
        raise NetworkError(f"Network {network.name!r} has no readout, so faults cannot be scored by its answers")
    return answers


def _dynamic(network: Network, x: np.ndarray, fault: Fault, rng: np.random.Generator) -> golden.Result:
    """One clip ``[1, T, C]``, step by step, each with a network that was read for it alone."""
    if not x.shape[1]:
        return golden.run(network, x)
    state = None
    for t in range(x.shape[1]):
        now = faulty(network, fault, rng, shared=False)
        if state is not None:  # the same neurons go on, with other weights
            state = replace(state, digest=now.digest)
        result = golden.run(now, x[:, t:t + 1], state=state)
        state = result.state
    return result


def simulate_faults(network: Network, clips: Clips, fault: Fault, *, mode: str, per: str = "clip", seed: int = 0, n_seeds: int = 1,
                    limit: int | None = None, progress: Callable[[int, int], None] | None = None) -> FaultReport:
    """Score a network without faults, and with those of each seed.

    Parameters
    ----------
    mode, per : ``static`` per ``clip`` or per ``run``, or ``dynamic``; see the head of this module.
    seed, n_seeds : the first seed, and how many, one after the other; a seed gives the same faults for a clip whatever else is run.
    progress : called with (clips done, clips in all), over all seeds.

    Raises NetworkError if the network has no readout or does not suit the clips.
    """
    clips = clips.take(limit)
    right = golden.simulate(network, clips)
    _answers(network, right.answers)
    accuracies, changed, total = [], [], n_seeds * clips.n_clips
    for k in range(n_seeds):
        def update(done: int, _: int, before: int = k * clips.n_clips) -> None:
            if progress is not None:
                progress(before + done, total)

        answers = answers_under_faults(network, clips, fault, mode=mode, per=per, seed=seed + k, progress=update)
        changed.append(float(np.mean(answers != right.answers)) if clips.n_clips else 0.0)
        if right.accuracy is not None:
            accuracies.append(float(np.mean(answers == np.asarray(clips.labels))))
    return FaultReport(fault=str(fault), mode=mode, per="read" if mode == "dynamic" else per, clips=clips.n_clips, accuracy=right.accuracy,
                       seeds=tuple(range(seed, seed + n_seeds)), accuracies=tuple(accuracies), changed=tuple(changed))
