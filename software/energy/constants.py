"""What one operation costs: the two columns of the thesis' Table 3.1."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["NM45", "NM65", "PRESETS", "Constants", "checked_share"]


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Energies relative to that of one multiply-accumulate, so that every result of this package is a number of MACs.

    Parameters
    ----------
    name : what a report calls them.
    ac : one accumulate (an addition).
    mac : one multiply-accumulate: 1 by definition.
    memory : one read or one write of a word in a memory beside the arithmetic (weights, states, partial sums, events).
    register : one read or one write of a register inside a processing element, where an ANN keeps what it uses again.

    Raises ValueError for an energy that is negative or not finite.
    """

    name: str
    ac: float
    mac: float = 1.0
    memory: float
    register: float = 1.0

    def __post_init__(self) -> None:
        for field in ("ac", "mac", "memory", "register"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Energy {field} of the constants {self.name!r} must be a finite number of at least 0, not {value!r}")


#: Section 3.3 (Horowitz 2014). The thesis gives no register at 45 nm; 1 is that of 65 nm, and reproduces all but one of its numbers.
NM45 = Constants(name="45 nm, 8 bit", ac=0.13, memory=5.4)

#: Sections 3.4 and 4.4 (Eyeriss, 2016).
NM65 = Constants(name="65 nm, 16 bit", ac=0.06, memory=6.0)

#: By the names of the command line.
PRESETS = {"45nm": NM45, "65nm": NM65}


def checked_share(zeros: float) -> float:
    """gamma, a share of activations that are zero; raises ValueError if it is not within 0..1."""
    if not 0 <= zeros <= 1:
        raise ValueError(f"Share of zero activations must be 0 to 1, not {zeros!r}")
    return zeros
