"""Random input clips, where a user gave none: for the co-simulation that a project carries and for its self-test."""

from __future__ import annotations

import numpy as np

from ..spec.clips import Clips
from ..spec.network import Network

__all__ = ["random_clips"]


def random_clips(network: Network, *, n_clips: int, n_steps: int, density: float = 0.2) -> Clips:
    """Clips of random events with random payloads in range; the same for the same network.

    ``density`` is the probability that an input neuron fires in a timestep.
    """
    rng = np.random.default_rng(int(network.digest[:16], 16))
    parts = []
    for population in network.inputs:
        shape = (n_clips, n_steps, population.size)
        payloads = rng.integers(population.payload_min, population.payload_max, shape, endpoint=True)
        parts.append(payloads * (rng.random(shape) < density))
    return Clips.from_dense(np.concatenate(parts, axis=2))
