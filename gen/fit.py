"""Which chip a board gets: the fastest that fits, or the smallest that keeps real time. An exhaustive search over :mod:`.candidates`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..spec.chip import ChipSpec
from ..spec.errors import CapacityError
from .budget import NAMES, estimate, narrower
from .candidates import Candidate

__all__ = ["Fit", "Goal", "choose", "usable"]

# Of a device's LUTs and flip-flops a placer can fill so much, with what an estimate may be wrong; and what is around the chip: self-test, or host
# link.
FILL = {"luts": 0.85, "ffs": 0.85, "brams": 1.0, "dsps": 1.0, "sprams": 1.0}
AS_FAST = 1.01  # cycles within 1 % of the fewest count as equal: other clips would order them otherwise, and area decides
AROUND = {"luts": 900, "ffs": 600, "brams": 2, "dsps": 0, "sprams": 0}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is asked for: without ``rate`` the most timesteps per second, with it the least area that keeps so many timesteps per second.

    Parameters
    ----------
    clock_hz : clock of the chip.
    rate : timesteps per second; each timestep of the clips must be over before the next one comes.
    """

    clock_hz: float
    rate: float | None = None

    def __post_init__(self) -> None:
        if not self.clock_hz > 0 or (self.rate is not None and not self.rate > 0):
            raise ValueError(f"Clock and rate must be above 0, not {self.clock_hz} Hz and {self.rate} timesteps/s")

    def meets(self, candidate: Candidate) -> bool:
        """Whether the longest timestep is short enough."""
        return self.rate is None or candidate.longest * self.rate <= self.clock_hz

    def order(self, c: Candidate) -> tuple[float, ...]:
        """What is least for the better of two candidates: cycles, then area; or area (LUTs, block RAMs, multipliers), then cycles."""
        area = (c.needed["luts"], c.needed["brams"], c.needed["dsps"])
        return (c.cycles, *area, len(c.per_tile), c.lanes) if self.rate is None else (*area, c.cycles, len(c.per_tile), c.lanes)

    def best(self, candidates: Sequence[Candidate]) -> Candidate:
        """The best of some that fit and meet the goal: without a rate the smallest of those that are within 1 % of the fastest."""
        first = min(candidates, key=self.order)
        if self.rate is not None:
            return first
        smallest = Goal(clock_hz=self.clock_hz, rate=self.clock_hz)
        return min((c for c in candidates if c.cycles <= AS_FAST * first.cycles), key=smallest.order)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Outcome of a search.

    Parameters
    ----------
    goal, room : what was asked for, and the resources that a chip may take (:func:`usable`).
    tried : all candidates. fitting : those within ``room``. chosen : the best of them that meets the goal.
    """

    goal: Goal
    room: Mapping[str, int]
    tried: tuple[Candidate, ...]
    fitting: tuple[Candidate, ...]
    chosen: Candidate

    @property
    def steps_per_second(self) -> float:
        """Timesteps per second of the chosen chip, on the clips' average."""
        return self.goal.clock_hz / self.chosen.cycles

    @property
    def lowest_clock_hz(self) -> float | None:
        """Clock with which the longest timestep of the clips would still keep the rate; None without a rate."""
        return None if self.goal.rate is None else self.chosen.longest * self.goal.rate


def usable(budget: Mapping[str, int]) -> dict[str, int]:
    """Resources of a device that a chip may take; what the budget lacks is no limit."""
    return {name: int(budget[name] * FILL[name]) - AROUND[name] for name in NAMES if name in budget}


def choose(candidates: Sequence[Candidate], goal: Goal, budget: Mapping[str, int], board: str,
           others: Mapping[str, Mapping[str, int]] | None = None, freer: Callable[[], Sequence[str]] = tuple) -> Fit:
    """The best of all candidates.

    Parameters
    ----------
    candidates : at least one.
    budget : resources of the device, as of :func:`~spikeloom.gen.budget.check_fits`; empty for no limit.
    board : its name.
    others : budgets of other boards by name, to say which one would do.
    freer : if nothing fits, which of the user's choices would let something fit, in words: they are told first.

    Raises
    ------
    CapacityError : nothing fits, or nothing that fits meets the rate: what is needed and available, the nearest candidate, and what to change.
    """
    room = usable(budget)
    fitting = tuple(c for c in candidates if not _over(c.needed, room))
    if not fitting:
        raise CapacityError(_nothing_fits(candidates, budget, board, others or {}, freer()))
    quick = [c for c in fitting if goal.meets(c)]
    if not quick:
        raise CapacityError(_too_slow(candidates, fitting, goal, board, others or {}))
    return Fit(goal=goal, room=room, tried=tuple(candidates), fitting=fitting, chosen=goal.best(quick))


def _over(needed: Mapping[str, int], room: Mapping[str, int]) -> list[str]:
    """Resources of which there is not enough."""
    return [name for name, available in room.items() if needed[name] > available]


def _holds(chip: ChipSpec, budget: Mapping[str, int]) -> bool:
    """Whether a device has room for a chip; one that is not known has not."""
    return bool(budget) and not _over(estimate(chip, budget.get("bram_bits", 18432)), usable(budget))


def _nothing_fits(candidates: Sequence[Candidate], budget: Mapping[str, int], board: str, others: Mapping[str, Mapping[str, int]],
                  freer: Sequence[str]) -> str:
    room = usable(budget)
    nearest = min(candidates, key=lambda c: (max(c.needed[name] / max(available, 1) for name, available in room.items()), c.needed["luts"]))
    lacking = ", ".join(f"{nearest.needed[name]} {NAMES[name]} needed and {max(room[name], 0)} available" for name in _over(nearest.needed, room))
    taken = ", ".join(f"{budget[name]} {NAMES[name]}" for name in room)
    widest = max(t.weight_bits for t in nearest.chip.tiles)
    bits = next((b for b in range(widest - 1, 0, -1) if _holds(narrower(nearest.chip, weight_bits=b), budget)), None)
    ways = [*freer, *([f"weights of {bits} bit{'s' * (bits > 1)} (quantize --weight-bits {bits})"] if bits else [])]
    ways += [f"the board {name}" for name, other in others.items() if _holds(nearest.chip, other)]
    would = f"It would fit with {', or '.join(ways)}." if ways else "Neither narrower weights nor another board would do: take a smaller network."
    return (f"No chip of this network fits {board}. Of {len(candidates)} that were tried, {_ranges(candidates)}, the nearest is {nearest.shape}: "
            f"{lacking} (estimated; of the device's {taken} a part is left free, and for what is around the chip). {would}")


def _ranges(candidates: Sequence[Candidate]) -> str:
    tiles, lanes = [len(c.per_tile) for c in candidates], [c.lanes for c in candidates]
    return f"{_span(tiles)} tile{'s' * (max(tiles) > 1)} of {_span(lanes)} lane{'s' * (max(lanes) > 1)}"


def _span(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _too_slow(candidates: Sequence[Candidate], fitting: Sequence[Candidate], goal: Goal, board: str, others: Mapping[str, Mapping[str, int]]) -> str:
    assert goal.rate is not None
    best = min(fitting, key=lambda c: (c.longest, goal.order(c)))
    quick = [c for c in candidates if goal.meets(c)]
    ways = [f"a rate of {goal.clock_hz // best.longest:g}", f"a clock of {best.longest * goal.rate / 1e6:.4g} MHz"]
    ways += [f"the board {name} (at {goal.clock_hz / 1e6:g} MHz)" for name, other in others.items() if any(_holds(c.chip, other) for c in quick)]
    return (f"No chip that fits {board} keeps {goal.rate:g} timesteps per second at {goal.clock_hz / 1e6:g} MHz. Of {len(fitting)} that fit, the "
            f"nearest is {best.shape}: its longest timestep takes {best.longest} cycles, and {goal.clock_hz // goal.rate:g} are available. It would "
            f"with {', or '.join(ways)}." + ("" if quick else " No chip of this network, however large, is fast enough."))
