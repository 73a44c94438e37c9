"""Whether a chip keeps up with its input: cycles of a timestep at most, against those between two timesteps."""

from __future__ import annotations

from ..spec.chip import ChipSpec
from ..spec.network import Network

__all__ = ["most_cycles", "step_ms"]

_DEFAULT_STEP_MS = 10.0
_SWITCHING = 32  # cycles of sequencer, registers and switches per phase, generously


def step_ms(network: Network) -> float:
    """Length of a timestep in milliseconds: what the network's metadata says, or 10."""
    given = network.metadata.get("step_ms") if isinstance(network.metadata, dict) else None
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) and given > 0 else _DEFAULT_STEP_MS


def most_cycles(chip: ChipSpec) -> int:
    """Cycles that no timestep of a chip exceeds, whatever comes: every axon of every tile has an event, and every neuron sends as many flits.

    By docs/architecture.md, section 3: each row walks its lists or waits for the update of the row before, whichever is longer; scattered events
    take their words. Then the spikes leave one by one, and each takes a cycle per axon entry at every tile, which is counted as if all of them
    queued for one place.
    """
    walks, flits = [], 0
    for tile in chip.tiles:
        cycles = tile.front_latency + tile.update_latency + tile.beats
        for number, group in enumerate(tile.groups):
            cycles += tile.rows(number) * max(group.axons + group.side_axons, tile.beats)
            cycles += 3 + sum(max(words, 1) for words in group.sparse.words) if group.sparse is not None else 0
        walks.append(cycles)
    for number, key in enumerate(chip.keys):
        entries = max((len(tile.entries[number]) for tile in chip.tiles if number in tile.entries), default=1)
        flits += key.size * max(entries, 1)
    return chip.period * (max(walks) + flits + _SWITCHING)
