"""What an engine saw a chip do: the same arrays whichever simulator ran it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

__all__ = ["Observed"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Everything recorded while n clips of T timesteps were played; K phases a clip, S columns of states.

    Parameters
    ----------
    phase_cycles : ``[n, K], int64``, clocks of each phase; 0 where the phase did not end.
    extra_phases : ``[n], int64``, phases beyond the K that a clip has.
    potentials : ``[n, T, S], int32``, v of every neuron at every timestep, as traced.
    traced : ``[n, T, S], uint8``, how often it was traced (1 is right).
    stray_traces : ``[n], int64``, traces of a group in a phase in which it has no timestep, or of an unknown update.
    spikes : ``[m, 6], int64``: clip, phase, number of the output population, neuron, timestep, payload; in order of arrival.
    readouts : ``[r, 5], int64``: clip, number of the output population, neuron, value, last; in order of arrival.
    answers : ``[n, 3], int64``: valid, index and confidence when READ was over; 0 where the chip has no such ports.
    errors, rejected : ``[n], int64``, sticky error flags and whether an input event was rejected, after the clip.
    counters : ``[n, groups, 5], int64``, what the tiles counted in the clip (:data:`~.layout.COUNTERS`); no groups where they do not.
    hang : what the last clip was doing when its watchdog ended it, or empty. Clips behind it were not played: n is smaller.
    """

    phase_cycles: np.ndarray
    extra_phases: np.ndarray
    potentials: np.ndarray
    traced: np.ndarray
    stray_traces: np.ndarray
    spikes: np.ndarray
    readouts: np.ndarray
    answers: np.ndarray
    errors: np.ndarray
    rejected: np.ndarray
    counters: np.ndarray
    hang: str = ""

    @classmethod
    def load(cls, path: Path) -> Observed:
        """Read the file that chip_tests.py writes (names of fields to arrays; ``hang`` as UTF-8 bytes)."""
        with np.load(path, allow_pickle=False) as data:
            arrays = {f.name: data[f.name] for f in fields(cls) if f.name != "hang"}
            return cls(**arrays, hang=data["hang"].tobytes().decode())
