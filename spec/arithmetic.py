"""Integer arithmetic of the numeric contract: rounding shifts, saturation and decay.

Everything here takes and returns signed integers, Python's or NumPy's, and is exact: the caller chooses a dtype that holds
the intermediate values (:meth:`Decay.growth_bits` says how many bits a decay adds). See docs/numerics.md.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

import numpy as np

from .errors import NetworkError
from .fields import check_fields

__all__ = ["Decay", "Rounding", "bits_signed", "bits_unsigned", "round_shift", "saturate"]


class Rounding(enum.Enum):
    """Rounding of a right shift by n bits."""

    NEAREST = "nearest"  # (x + (1 << (n - 1))) >> n: halves go up, towards plus infinity
    FLOOR = "floor"  # x >> n
    TOWARD_ZERO = "toward_zero"  # sign(x) * (|x| >> n), what Lava and Loihi do


def round_shift(x, n: int, rounding: Rounding):
    """Shift ``x`` right by ``n`` bits with a named rounding; n = 0 is the identity.

    ``x`` is an int or an integer array, and so is the result. Raises ValueError if n is negative.
    """
    if n < 0:
        raise ValueError(f"Shift must be a non-negative integer, not {n!r}")
    if n == 0:
        return x
    if rounding is Rounding.NEAREST:
        return (x + (1 << (n - 1))) >> n
    if rounding is Rounding.FLOOR:
        return x >> n
    # Toward zero: a negative number is first lifted by 2**n - 1, then floored.
    return (x + ((x < 0) * ((1 << n) - 1))) >> n


def saturate(x, low: int, high: int):
    """Clip ``x`` (int or integer array) to low..high, both included."""
    if isinstance(x, np.ndarray):
        return np.clip(x, low, high)
    return min(max(x, low), high)


def bits_signed(low: int, high: int) -> int:
    """Width in bits of the smallest two's complement format that holds low..high (at least 1)."""
    return max((int(low) if low >= 0 else ~int(low)).bit_length(), (int(high) if high >= 0 else ~int(high)).bit_length()) + 1


def bits_unsigned(high: int) -> int:
    """Width in bits of the smallest unsigned format that holds 0..high (0 for high = 0)."""
    return int(high).bit_length()


@dataclass(frozen=True)
class Decay:
    """One step of exponential decay, ``beta * x`` rounded.

    Three forms, told apart by which fields are set:

    * identity (the IF neuron): no field set, beta = 1;
    * multiplier: ``factor`` / 2**``fraction_bits``, round_shift(x * factor, fraction_bits);
    * shifts, without a multiplier: x - round_shift(x, shift_a) [- round_shift(x, shift_b)],
      beta = 1 - 2**-shift_a [- 2**-shift_b].

    Raises NetworkError for a combination that is none of these, or out of range.
    """

    factor: int | None = None
    fraction_bits: int | None = None
    shift_a: int | None = None
    shift_b: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, "Decay", (f.name for f in fields(self) if getattr(self, f.name) is not None), {})
        if self.factor is not None:
            if self.fraction_bits is None or self.shift_a is not None or self.shift_b is not None:
                raise NetworkError("Decay: a factor goes with fraction_bits and without shifts")
            if not 1 <= self.fraction_bits <= 12:
                raise NetworkError(f"Decay: fraction_bits must be 1 to 12, not {self.fraction_bits}")
            if not 0 <= self.factor <= 1 << self.fraction_bits:
                raise NetworkError(f"Decay: factor must be 0 to {1 << self.fraction_bits}, not {self.factor}")
        else:
            if self.fraction_bits is not None:
                raise NetworkError("Decay: fraction_bits goes with a factor")
            if self.shift_b is not None and self.shift_a is None:
                raise NetworkError("Decay: shift_b goes with shift_a")
            for shift in (self.shift_a, self.shift_b):
                if shift is not None and not 1 <= shift <= 15:
                    raise NetworkError(f"Decay: a shift must be 1 to 15, not {shift}")

    @property
    def kind(self) -> str:
        """``"none"``, ``"multiply"`` or ``"shift"``."""
        return "multiply" if self.factor is not None else "shift" if self.shift_a is not None else "none"

    @property
    def beta(self) -> float:
        """The factor that this decay stands for."""
        if self.factor is not None and self.fraction_bits is not None:
            return self.factor / (1 << self.fraction_bits)
        return 1.0 - sum(2.0**-shift for shift in (self.shift_a, self.shift_b) if shift is not None)

    @property
    def growth_bits(self) -> int:
        """Bits by which intermediate values are wider than x."""
        return self.fraction_bits + 1 if self.fraction_bits is not None else 2

    def apply(self, x, rounding: Rounding, factor=None):
        """Decay ``x`` (int or integer array) once; ``factor`` replaces that of a multiplier (one per neuron, say)."""
        if self.factor is not None and self.fraction_bits is not None:
            return round_shift(x * (self.factor if factor is None else factor), self.fraction_bits, rounding)
        y = x
        if self.shift_a is not None:
            y = y - round_shift(x, self.shift_a, rounding)
        if self.shift_b is not None:
            y = y - round_shift(x, self.shift_b, rounding)
        return y

    def complement(self, x, rounding: Rounding, factor=None):
        """(1 - beta) * x: round_shift(x * (2**fraction_bits - factor), fraction_bits), or the sum of round_shift(x, shift); 0 for the identity."""
        if self.factor is not None and self.fraction_bits is not None:
            rest = (1 << self.fraction_bits) - (self.factor if factor is None else factor)
            return round_shift(x * rest, self.fraction_bits, rounding)
        return sum((round_shift(x, shift, rounding) for shift in (self.shift_a, self.shift_b) if shift is not None), x * 0)

    def bounds(self, low: int, high: int, rounding: Rounding) -> tuple[int, int]:
        """Smallest and largest value of :meth:`apply` over low..high.

        A multiplier is monotone; two shifts may step down by one where both roundings advance at once, which the margin covers.
        """
        a, b = self.apply(low, rounding), self.apply(high, rounding)
        margin = 0 if self.shift_a is None else 2
        return min(a, b) - margin, max(a, b) + margin
