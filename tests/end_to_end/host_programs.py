"""Random lists of what a host may do with a chip, with what the golden model must be given to follow them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spikeloom.gen.pack import pack
from spikeloom.sim import golden
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.network import Network

from .chip_bench import Run, compare, describe, play
from .host_items import FLUSH, READ, RESET, Item, events, idle, step

__all__ = ["Told", "prove_program", "random_clip", "random_program"]


@dataclass
class Told:
    """What a chip was told from one RESET to the next: the rows ``[C]`` of each timestep, and after how many of them each READ came."""

    rows: list[np.ndarray] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)


def random_clip(network: Network, n_steps: int, rng: np.random.Generator, density: float) -> np.ndarray:
    """Payloads ``[T, C]`` in the ranges of the network's inputs."""
    parts = [rng.integers(p.payload_min, p.payload_max + 1, (n_steps, p.size)) * (rng.random((n_steps, p.size)) < density)
             for p in network.inputs]
    return np.concatenate(parts, axis=1)


def random_program(chip: ChipSpec, network: Network, rng: np.random.Generator, length: int) -> tuple[list[Item], list[Told]]:
    """Timesteps, some of them interrupted by pauses, FLUSH or READ; STEP of several timesteps; RESET; at the end READ."""
    items: list[Item] = []
    told = [Told()]
    for _ in range(length):
        now, kind = told[-1], rng.random()
        row = random_clip(network, 1, rng, float(rng.choice([0, 0.3, 0.9])))[0]
        if kind < 0.15:
            items.append(FLUSH)
        elif kind < 0.3:
            items.append(READ)
            now.reads.append(len(now.rows))
        elif kind < 0.4:
            # Events that no STEP follows are forgotten with all the rest.
            items += [*(events(chip, row) if rng.random() < 0.5 else ()), RESET]
            told.append(Told())
        else:
            first = rng.random(len(row)) < 0.5
            between: list[Item] = [[], [], [FLUSH], [READ], [idle(int(rng.integers(1, 60)))]][rng.integers(5)]  # type: ignore[assignment]
            if READ in between:
                now.reads.append(len(now.rows))
            count = int(rng.choice([0, 1, 1, 2, 5]))
            items += [*events(chip, row * first), *between, *events(chip, row * ~first), step(count)]
            now.rows += [row, *[row * 0] * (count - 1)]
    told[-1].reads.append(len(told[-1].rows))
    return [*items, READ], told


def prove_program(network: Network, chip: ChipSpec, items: list[Item], told: list[Told], *, seed: int = 0, stall: float = 0.0) -> list[Run]:
    """Play a program and assert that all that comes out is what the golden model says."""
    runs = play(chip, pack(chip, network), items, seed=seed, stall=stall)
    assert len(runs) == len(told), f"{len(runs)} runs, and {len(told)} were asked for"
    channels = sum(p.size for p in network.inputs)
    for number, (run, what) in enumerate(zip(runs, told)):
        x = np.array(what.rows, dtype=np.int64).reshape(len(what.rows), channels)
        result = golden.run(network, x[None], record=True) if len(x) else None
        wrong = compare(chip, network, x, run, result=result, lengths=False, reads=what.reads) if len(x) else [str(s) for s in run.spikes]
        assert not wrong, f"run {number}: {'; '.join(wrong[:6])}\n{describe(network, chip, x)}\n{items}"
    return runs
