"""Readouts: what a population is read as, accumulated block by block of timesteps, and the answer of the last of them."""

from __future__ import annotations

import numpy as np

from ..spec.network import Model, Network, Population, Readout

__all__ = ["accumulate", "answers", "empty_readouts"]

MAX_COUNT = (1 << 16) - 1  # where a count of spikes saturates
NO_SPIKE = (1 << 16) - 1  # the first spike of a neuron that has not fired


def empty_readouts(network: Network, n_clips: int) -> dict[str, np.ndarray]:
    """The readouts after RESET, ``[n_clips, values], int64``, of every population that has one."""
    return {p.name: np.full((n_clips, p.n_readouts), {Readout.MAX: p.v_min, Readout.FIRST: NO_SPIKE}.get(p.readout, 0), dtype=np.int64)
            for p in network.populations if p.model is not Model.INPUT and p.readout is not Readout.NONE}


def accumulate(p: Population, readout: np.ndarray, of: np.ndarray, counts: np.ndarray | None, start: int) -> None:
    """Add one block of timesteps to ``readout`` ``[n, values]``, in place.

    ``of`` ``[steps, n, size]`` holds the payloads of the events, or the potentials; ``counts`` ``[n, size]`` the sum of the payloads, or
    None; ``start`` is the timestep of the first, counted from the reset.
    """
    if p.readout is Readout.COUNT:
        np.minimum(readout + counts, MAX_COUNT, out=readout)
    elif p.readout is Readout.FIRST:
        first = np.minimum(start + (of != 0).argmax(axis=0), NO_SPIKE - 1)
        readout[:] = np.where((readout == NO_SPIKE) & (counts != 0), first, readout)
    elif p.readout is Readout.VOTE and counts is not None:
        votes = np.zeros_like(readout)
        np.add.at(votes.T, p.classes[p.classes >= 0], counts.T[p.classes >= 0])
        np.minimum(readout + votes, MAX_COUNT, out=readout)
    elif p.readout is Readout.LAST:
        readout[:] = of[-1]
    elif p.readout is Readout.MAX:
        np.maximum(readout, of.max(axis=0), out=readout)
    elif p.readout is Readout.SUM:
        limit = 1 << (p.v_bits + 15)
        for v in of:
            np.clip(readout + v, -limit, limit - 1, out=readout)


def answers(network: Network, readouts: dict[str, np.ndarray]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Index of the best value of the last population that is read, and its distance from the second; ``[N], int64``, or None without one."""
    read = [p for p in network.populations if p.readout is not Readout.NONE]
    if not read:
        return None, None
    # Of the first spike the smallest is best.
    values = readouts[read[-1].name] * (-1 if read[-1].readout is Readout.FIRST else 1)
    ranked = np.sort(values, axis=1)
    return values.argmax(axis=1), ranked[:, -1] - ranked[:, -2] if values.shape[1] > 1 else np.zeros(len(values), dtype=np.int64)
