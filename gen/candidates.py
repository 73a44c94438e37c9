"""Every chip that a network could get: each number of tiles with each number of lanes, planned, estimated and its cycles predicted.

Nothing is left out by guess, and nothing is synthesised: an estimate (:mod:`.budget`) and a prediction (:mod:`spikeloom.sim.cycles`) take
milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from ..sim import golden
from ..sim.cycles import predict
from ..spec.chip import ChipSpec
from ..spec.clips import Clips
from ..spec.errors import CapacityError
from ..spec.network import Model, Network
from .budget import estimate
from .maps import pieces_of
from .plan import plan
from .storage import choose_storage

__all__ = ["Candidate", "cycles_if_all_fire", "every_candidate", "lanes_to_try", "longest_timestep", "tiles_to_try"]

MOST_LANES, MOST_TILES = 256, 16  # beyond them a tile's adders, or the mesh, are larger than any device here


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A chip that could be built.

    Parameters
    ----------
    lanes, tiles : what the generator is asked for; tiles None is one per population, or as many as the network needs.
    per_tile : (P, U) of each tile that comes of it: a tile with few neurons has fewer lanes.
    needed : estimated ``luts``, ``ffs``, ``brams`` and ``dsps``.
    cycles : clock cycles per timestep, all cycles of the clips over their timesteps.
    longest : clock cycles of the longest timestep.
    chip : its plan.
    """

    lanes: int
    tiles: int | None
    per_tile: tuple[tuple[int, int], ...]
    needed: dict[str, int]
    cycles: float
    longest: int
    chip: ChipSpec = field(repr=False, compare=False)

    @property
    def shape(self) -> str:
        """Tiles with their lanes, in words: ``1 tile of 16 lanes and 1 tile of 12 lanes``."""
        wide = [(p, len(list(same))) for p, same in groupby(p for p, _ in self.per_tile)]
        parts = [f"{n} tile{'s' * (n > 1)} of {p} lane{'s' * (p > 1)}" for p, n in wide]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)

    @property
    def lanes_of_tiles(self) -> str:
        """Synapse and update lanes of the tiles: ``3 x 32/8 + 12/1``."""
        runs = [(pair, len(list(same))) for pair, same in groupby(self.per_tile)]
        return " + ".join(f"{n} x {p}/{u}" if n > 1 else f"{p}/{u}" for (p, u), n in runs)


def lanes_to_try(network: Network) -> tuple[int, ...]:
    """Powers of two, until the largest population has a lane for each neuron."""
    largest = max(p.size for p in network.populations if p.model is not Model.INPUT)
    lanes = [1]
    while lanes[-1] < min(largest, MOST_LANES):
        lanes.append(2 * lanes[-1])
    return tuple(lanes)


def tiles_to_try(network: Network) -> tuple[int | None, ...]:
    """The generator's own choice, then 1, 2, ... up to a tile for each neuron, or channel of a map."""
    pieces = sum(pieces_of(network, p.name) for p in network.populations if p.model is not Model.INPUT)
    return (None, *range(1, min(pieces, MOST_TILES) + 1))


def every_candidate(network: Network, clips: Clips, *, lanes: Sequence[int] | None = None, tiles: Sequence[int | None] | None = None,
                    storage: str = "auto", block_bits: int = 18432, progress: Callable[[int, int], None] | None = None,
                    **options: Any) -> Iterator[Candidate]:
    """All different chips of a network, each once, with their cycles on ``clips``; those of few lanes first.

    Parameters
    ----------
    lanes, tiles : what is tried; default :func:`lanes_to_try` and :func:`tiles_to_try`.
    storage : as of :func:`~spikeloom.gen.storage.choose_storage`, chosen for each chip anew.
    block_bits : of a block RAM of the device.
    progress : called with (combinations done, combinations in all).
    options : further ones of :func:`~spikeloom.gen.plan.plan`.

    Raises CapacityError, that of the last combination, if not one of them can be planned.
    """
    pairs = [(p, n) for p in (lanes or lanes_to_try(network)) for n in (tiles or tiles_to_try(network))]
    x = clips.dense()
    spikes = golden.run(network, x, record=True).spikes  # the same on every chip
    seen: set[object] = set()
    refused: CapacityError | None = None
    for done, (p, n) in enumerate(pairs, start=1):
        try:
            stored, _ = choose_storage(network, lanes=p, tiles=n, storage=storage)
            chip = plan(stored, lanes=p, tiles=n, **options)
        except CapacityError as error:
            refused = error
            chip = None
        if chip is not None:
            key = (stored.digest, tuple((t.lanes, t.update_lanes, tuple((g.population, g.first, g.size) for g in t.groups)) for t in chip.tiles))
            if key not in seen:
                seen.add(key)
                report = predict(chip, stored, spikes, x)
                yield Candidate(lanes=p, tiles=n, per_tile=tuple((t.lanes, t.update_lanes) for t in chip.tiles), needed=estimate(chip, block_bits),
                                cycles=int(report.total.sum()) / (len(x) * x.shape[1]), longest=longest_timestep(chip, report.cycles), chip=chip)
        if progress is not None:
            progress(done, len(pairs))
    if not seen and refused is not None:
        raise refused


def longest_timestep(chip: ChipSpec, cycles: np.ndarray) -> int:
    """Cycles of the longest timestep, a period's phases that follow each other; ``cycles`` is ``[N, Q]``, of the cycle model's report."""
    whole = cycles[:, :cycles.shape[1] // chip.period * chip.period]
    return int(whole.reshape(len(cycles), -1, chip.period).sum(axis=2).max())


def cycles_if_all_fire(chip: ChipSpec, network: Network, n_steps: int = 4) -> int:
    """Cycles of the longest timestep if every input and every neuron fired in each: what no activity exceeds. ``network`` as it was planned."""
    inputs = [np.full((1, n_steps, p.size), p.payload_max or p.payload_min) for p in network.inputs]
    spikes = {p.name: np.ones((1, n_steps, p.size), dtype=bool) for p in network.populations if p.spikes and p.model is not Model.INPUT}
    return longest_timestep(chip, predict(chip, network, spikes, np.concatenate(inputs, axis=2)).cycles)
