"""What the counters of a chip's tiles must show after a clip, from the golden model and the plan."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..spec.chip import ChipSpec
from ..spec.network import Model, Network
from .counters import Counters

__all__ = ["expected_counters"]


def expected_counters(chip: ChipSpec, network: Network, x: np.ndarray, spikes: Mapping[str, np.ndarray],
                      counters: Mapping[str, Counters]) -> tuple[np.ndarray, np.ndarray]:
    """Events of each group, and what the groups of a population did together.

    An event reaches each slice of a population that has an axon for it, ``delay`` timesteps later; all else adds up to what the golden model says
    of the population. One that is read as a value sends it in each timestep: its spikes are its updates.

    Parameters
    ----------
    x : ``[N, T, C]``, the inputs. spikes, counters : of the golden model's run of them.

    Returns
    -------
    ``[N, groups], int64``, the groups of all tiles in their order, and ``[N, populations, 4], int64``: synaptic operations, those that multiply,
    updates and spikes, of the populations with a state. No groups and no populations where the chip does not count.
    """
    if not chip.counters:
        return np.zeros((len(x), 0), dtype=np.int64), np.zeros((len(x), 0, 4), dtype=np.int64)
    sent = {name: fired != 0 for name, fired in spikes.items()}
    first = 0
    for p in network.inputs:
        sent[p.name] = x[:, :, first:first + p.size] != 0
        first += p.size
    steps, events = x.shape[1], []
    for tile in chip.tiles:
        for index in range(len(tile.groups)):
            heard = [(chip.keys[key], entry.delay) for key, entries in tile.entries.items() for entry in entries if entry.group == index]
            events.append(sum((sent[key.population][:, :max(steps - delay, 0), key.neurons.neurons].sum(axis=(1, 2), dtype=np.int64)
                               for key, delay in heard), np.zeros(len(x), dtype=np.int64)))
    work = [np.stack([c.sops, c.multiplied, c.updates, c.spikes if p.spikes else c.updates], axis=1)
            for p in network.populations if p.model is not Model.INPUT for c in (counters[p.name],)]
    return np.stack(events, axis=1), np.stack(work, axis=1)
