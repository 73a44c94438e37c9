"""What a run of the golden model did, counted per population and clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["Counters"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counters:
    """Work of one population over one call, one entry per clip.

    Parameters
    ----------
    events : events that arrived, ``[N], int64``: one per source event and incoming projection, in the timestep of arrival.
    sops : synaptic operations, ``[N], int64``: one weight accumulated per event and target neuron, zero weights included.
    updates : neuron updates, ``[N], int64``: timesteps times neurons; 0 for an input.
    spikes : events sent, ``[N], int64``: spikes of a spiking population, input events of an input, 0 for LI.
    """

    events: np.ndarray
    sops: np.ndarray
    updates: np.ndarray
    spikes: np.ndarray

    @classmethod
    def concatenate(cls, parts: Iterable[Counters]) -> Counters:
        """Counters of clips that were run in separate chunks, in the order of ``parts``."""
        parts = list(parts)
        return cls(events=np.concatenate([p.events for p in parts]), sops=np.concatenate([p.sops for p in parts]),
                   updates=np.concatenate([p.updates for p in parts]), spikes=np.concatenate([p.spikes for p in parts]))
