"""The work of a run, counted from the events that every neuron sent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..spec.network import Model, Network
from .counters import Counters

__all__ = ["tally"]


def tally(network: Network, n_steps: int, sent: Mapping[str, np.ndarray], graded: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray],
          after: Mapping[str, np.ndarray]) -> dict[str, Counters]:
    """Counters of every population.

    Parameters
    ----------
    network, n_steps : what ran, for how many timesteps.
    sent : events of each neuron in these, ``[N, size]``, of every population that sends any.
    graded : those of them with another payload than -1 or 1, of every population that sends such.
    before, after : the last payloads before and at the end, ``[N, longest delay, size]``, of every population.
    """
    result = {}
    for p in network.populations:
        n_clips = len(before[p.name])
        events, sops, multiplied = (np.zeros(n_clips, dtype=np.int64) for _ in range(3))
        for projection in network.incoming(p.name):
            source = network.population(projection.source)
            # Arrived = sent now + under way before - under way now; those under way are the last `delay` timesteps.
            at = before[source.name].shape[1] - projection.delay
            first, last = before[source.name][:, at:], after[source.name][:, at:]
            synapses = projection.fan_out
            arrived = sent[source.name] + np.count_nonzero(first, axis=1) - np.count_nonzero(last, axis=1)
            events += arrived.sum(axis=1)
            sops += arrived @ synapses
            if source.name in graded:
                arrived = graded[source.name] + np.count_nonzero(abs(first) > 1, axis=1) - np.count_nonzero(abs(last) > 1, axis=1)
                multiplied += arrived @ synapses
        updates = 0 if p.model is Model.INPUT else n_steps * p.size
        spikes = sent[p.name].sum(axis=1, dtype=np.int64) if p.name in sent else np.zeros(n_clips, dtype=np.int64)
        result[p.name] = Counters(events=events, sops=sops, multiplied=multiplied, updates=np.full(n_clips, updates, dtype=np.int64), spikes=spikes)
    return result
