"""What a run of the golden model did, counted per population and clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

__all__ = ["Counters"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counters:
    """Work of one population over one call, one entry per clip.

    Parameters
    ----------
    events : events that arrived, ``[N], int64``: one per source event and incoming projection, in the timestep of arrival.
    sops : synaptic operations, ``[N], int64``: one weight accumulated per event and synapse that exists: every target neuron of a dense
        projection, zero weights included; of a sparse one those with a weight.
    multiplied : those of the sops whose event has another payload than -1 or 1, ``[N], int64``.
    updates : neuron updates, ``[N], int64``: timesteps times neurons; 0 for an input.
    spikes : events sent, ``[N], int64``: one per neuron and timestep in which it spikes, however often; input events of an input, 0 for
        a population that is read as a value.
    """

    events: np.ndarray
    sops: np.ndarray
    multiplied: np.ndarray
    updates: np.ndarray
    spikes: np.ndarray

    @classmethod
    def concatenate(cls, parts: Iterable[Counters]) -> Counters:
        """Counters of clips that were run in separate chunks, in the order of ``parts``."""
        parts = list(parts)
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})
