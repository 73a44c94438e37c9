"""Lanes and tiles that a build picks for its board, and what it says of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..boards import catalogue
from ..boards.board import Board
from ..gen.budget import estimate
from ..gen.candidates import Candidate, cycles_if_all_fire, every_candidate, lanes_to_try
from ..gen.fit import Fit, Goal, choose, usable
from ..gen.plan import plan
from ..gen.storage import choose_storage
from ..sim.stimulus import random_clips
from ..spec.clips import Clips
from ..spec.errors import CapacityError, MismatchError
from ..spec.network import Model, Network
from .report import table

__all__ = ["Fitted", "fit_network"]

FIT_CLIPS, FIT_STEPS = 2, 32  # random clips, where the user names none
SHOWN = 10  # candidates on the command line; the report has all
HEADER = ("verdict", "tiles", "synapse/update lanes", "cycles/timestep", "longest", "LUTs", "flip-flops", "block RAMs", "multipliers", "timesteps/s")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A choice, and what is told of it.

    Parameters
    ----------
    fit : the choice and all that was tried.
    all_fire : cycles of a timestep of the chosen chip in which every input and neuron fires.
    clips : what the cycles were counted on, in words.
    """

    fit: Fit
    all_fire: int
    clips: str

    def rows(self, most: int | None = None) -> list[tuple[object, ...]]:
        """A row of :data:`HEADER` per candidate: the chosen one, the others that fit by how good they are, then those that do not."""
        fit = self.fit
        within = {id(c) for c in fit.fitting}

        def key(c: Candidate) -> tuple[object, ...]:
            return (c is not fit.chosen, id(c) not in within, not fit.goal.meets(c), fit.goal.order(c))

        return [(self._verdict(c), len(c.per_tile), c.lanes_of_tiles, round(c.cycles, 1), c.longest,
             *(c.needed[name] for name in ("luts", "ffs", "brams", "dsps")),
                 round(fit.goal.clock_hz / c.cycles)) for c in sorted(fit.tried, key=key)[:most]]

    def _verdict(self, c: Candidate) -> str:
        over = [name for name, available in self.fit.room.items() if c.needed[name] > available]
        if over:
            return f"{over[0]} > {max(self.fit.room[over[0]], 0)}"
        return "chosen" if c is self.fit.chosen else "fits" if self.fit.goal.meets(c) else "too slow"

    @property
    def summary(self) -> str:
        """The choice in a few sentences."""
        fit, c, goal = self.fit, self.fit.chosen, self.fit.goal
        text = (f"{len(fit.tried)} chips tried, {len(fit.fitting)} fit. Chosen: {c.shape}, {c.cycles:.1f} cycles per timestep (longest {c.longest}; "
                f"{self.all_fire} if everything fired): {fit.steps_per_second:,.0f} timesteps per second at {goal.clock_hz / 1e6:g} MHz, "
                f"on {self.clips}.")
        if fit.lowest_clock_hz is not None and goal.rate is not None:
            text += (f" {goal.rate:g} timesteps per second are real time with a clock of {fit.lowest_clock_hz / 1e6:.3g} MHz or more "
                     f"({self.all_fire * goal.rate / 1e6:.3g} MHz if everything fired).")
        return text

    @property
    def text(self) -> str:
        """For a terminal: the summary, and the best candidates."""
        more = len(self.fit.tried) - SHOWN
        return f"{self.summary}\n\n{table(self.rows(SHOWN), HEADER)}" + (f"\n... and {more} more in report.md" if more > 0 else "")

    @property
    def section(self) -> str:
        """Of report.md: every candidate, and the choice."""
        lines = [HEADER, ("---",) * len(HEADER), *self.rows()]
        goal = self.fit.goal
        aim = "most timesteps per second" if goal.rate is None else f"least area that keeps {goal.rate:g} timesteps per second"
        room = ", ".join(f"{available} {name}" for name, available in self.fit.room.items()) or "no limit"
        return (f"## Choice of lanes and tiles\n\nAsked for: {aim}. {self.summary} Cycles are predicted exactly, resources are estimated; a chip may "
                f"take: {room}.\n\n" + "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n")

    @property
    def values(self) -> dict[str, object]:
        """The choice as JSON values."""
        fit, c = self.fit, self.fit.chosen
        return {"tried": len(fit.tried), "fitting": len(fit.fitting), "tiles": len(c.per_tile), "lanes": [p for p, _ in c.per_tile],
                "cycles_per_timestep": round(c.cycles, 3), "longest_timestep": c.longest, "longest_if_all_fire": self.all_fire,
                "estimate": dict(c.needed), "clock_hz": fit.goal.clock_hz, "rate": fit.goal.rate,
                "steps_per_second": round(fit.steps_per_second, 3), "lowest_clock_hz": fit.lowest_clock_hz}


def fit_network(network: Network, board: Board, *, rate: float | None, lanes: int | None = None, tiles: int | None = None,
                clock_hz: int | None = None, clips: Clips | None = None, storage: str = "auto",
                progress: Callable[[int, int], None] | None = None, **options: Any) -> Fitted:
    """The chip of a network for a board: the fastest that fits; with ``rate`` the smallest that keeps so many timesteps per second.

    Parameters
    ----------
    lanes, tiles : what the user has fixed; None is tried through.
    clock_hz : default the board's oscillator.
    clips : on which cycles are counted; default random ones (:data:`FIT_CLIPS` of :data:`FIT_STEPS` timesteps, a fifth of the inputs active).
    options : of :func:`~spikeloom.gen.plan.plan`.

    Raises
    ------
    CapacityError : nothing fits or is fast enough, or the board has no clock, or (without a rate) no budget to fill, or no tile could use so many
        lanes.
    MismatchError : the clips are empty.
    """
    hz = clock_hz or round((board.clock_mhz or 0) * 1e6)
    if not hz:
        raise CapacityError(f"The board {board.name} has no clock, which timesteps per second could be counted with: say which one the chip has "
                            "(--clock HZ)")
    if rate is None and not board.budget:
        raise CapacityError(f"The board {board.name} has no device to fill: name another board, or say how fast the chip must be "
                            "(--min-area --rate STEPS_PER_S)")
    largest = max((p for p in network.populations if p.model is not Model.INPUT), key=lambda p: p.size)
    if lanes is not None and lanes > 1 << (largest.size - 1).bit_length():
        raise CapacityError(f"--lanes {lanes}: a tile has a use for as many lanes as a population has neurons, and the largest of network "
                            f"{network.name!r}, {largest.name!r}, has {largest.size}; give at most so many, or leave --lanes out for the best number")
    words = f"{FIT_CLIPS} random clips of {FIT_STEPS} timesteps" if clips is None else f"{clips.n_clips} given clips of {clips.n_steps} timesteps"
    if clips is None:
        clips = random_clips(network, n_clips=FIT_CLIPS, n_steps=FIT_STEPS)
    elif not clips.n_clips or not clips.n_steps:
        raise MismatchError("No cycles to count: the input that lanes and tiles are to be chosen on has no clips")
    tried = list(every_candidate(
        network, clips, lanes=None if lanes is None else (lanes,), tiles=None if tiles is None else (tiles,), storage=storage,
        block_bits=board.budget.get("bram_bits", 18432), progress=progress, **options))
    others = {name: catalogue.find(name).budget for name in catalogue.names() if name != board.name}
    fit = choose(tried, Goal(clock_hz=hz, rate=rate), board.budget, board.name, others,
                 lambda: _freer(network, board, lanes, tiles, storage, options))
    stored, _ = choose_storage(network, lanes=fit.chosen.lanes, tiles=fit.chosen.tiles, storage=storage)
    return Fitted(fit=fit, all_fire=cycles_if_all_fire(fit.chosen.chip, stored), clips=words)


def _freer(network: Network, board: Board, lanes: int | None, tiles: int | None, storage: str, options: Mapping[str, Any]) -> list[str]:
    """Where fixed lanes or tiles do not fit: the most lanes below them that do (estimated); with the tiles, or else with any."""
    room = usable(board.budget)
    fewer = [p for p in reversed(lanes_to_try(network)) if lanes is None or p < lanes]
    for n in (tiles, None) if lanes is not None else (None,) if tiles is not None else ():
        for p in fewer:
            try:
                stored, _ = choose_storage(network, lanes=p, tiles=n, storage=storage)
                needed = estimate(plan(stored, lanes=p, tiles=n, **options), board.budget.get("bram_bits", 18432))
            except CapacityError:
                continue
            if all(needed[name] <= available for name, available in room.items()):
                return [f"--lanes {p}" + (" without --tiles" if n != tiles else "")]
    return []
