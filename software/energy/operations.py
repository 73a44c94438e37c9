"""Table 4.2: arithmetic of one layer in one timestep, without memory."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LAYERS", "Operations", "operations"]

#: The layers that :func:`operations` knows.
LAYERS = ("gru", "rnn", "lif", "cubalif", "spikgru")


class Operations(NamedTuple):
    """Multiply-accumulates and accumulates; the thesis' "#Ops" is their sum."""

    mac: float
    ac: float


def operations(layer: str, m: float, n: float, s_in: float = 1.0, s_out: float = 1.0) -> Operations:
    """Operations of a recurrent layer of ``n`` neurons, each of which fires ``s_out`` times, with ``m`` inputs of ``s_in`` spikes (ANN: no matter).

    Raises ValueError for a layer that is not in :data:`LAYERS`.
    """
    if layer not in LAYERS:
        raise ValueError(f"Layer must be one of {', '.join(LAYERS)}, not {layer!r}")
    if layer == "gru":
        return Operations(3 * m * n + 3 * n * n + 3 * n, 3 * n)
    if layer == "rnn":
        return Operations(m * n + n * n, n)
    rows = 2 if layer == "spikgru" else 1  # weights per synapse: those of the current and of the gate
    return Operations(n if layer == "lif" else 3 * n, rows * m * n * s_in + (rows * n * n + n) * s_out + rows * n)
