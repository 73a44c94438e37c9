"""How long a timestep of a network is."""

from __future__ import annotations

from ..spec.network import Network

__all__ = ["step_ms"]

_DEFAULT_STEP_MS = 10.0


def step_ms(network: Network) -> float:
    """Length of a timestep in milliseconds: what the network's metadata says, or 10."""
    given = network.metadata.get("step_ms")
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) and given > 0 else _DEFAULT_STEP_MS
