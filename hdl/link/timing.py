"""How long a bit lasts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LinkTiming"]

_BITS = 24
_LEAST_CLOCKS = 4
_LARGEST_ERROR = 0.005


@dataclass(frozen=True, kw_only=True)
class LinkTiming:
    """A baud rate made from a clock: an accumulator of ``bits`` bits grows by ``increment`` each clock, and a bit ends where it overflows.

    So any rate up to a quarter of the clock is met on the average, with edges at most one clock late; 25 MHz and 3 Mbaud is 8 1/3 clocks per bit.

    Parameters
    ----------
    clock_hz : of the domain ``sync``, in hertz.
    baud : bits per second.
    silence_bits : bit times without a byte that end a frame which is not complete.

    Raises ValueError for a rate that the clock cannot give.
    """

    clock_hz: int
    baud: int
    silence_bits: int = 20_000

    def __post_init__(self) -> None:
        if self.baud < 1 or self.clock_hz < _LEAST_CLOCKS * self.baud:
            raise ValueError(f"Baud rate must be 1 to {self.clock_hz // _LEAST_CLOCKS} (a quarter of the clock of {self.clock_hz} Hz), "
                             f"not {self.baud}")
        if abs(self.error) > _LARGEST_ERROR:
            raise ValueError(f"Baud rate must be at least {self.clock_hz >> (_BITS - 7)} with a clock of {self.clock_hz} Hz, not {self.baud}")
        if self.silence_bits < 20:
            raise ValueError(f"Silence must be at least 20 bits, or it would end every frame, not {self.silence_bits}")

    @property
    def bits(self) -> int:
        """Width of the accumulator."""
        return _BITS

    @property
    def increment(self) -> int:
        """What is added to the accumulator in each clock."""
        return max(round(self.baud * (1 << _BITS) / self.clock_hz), 1)

    @property
    def error(self) -> float:
        """How far the rate is from the one asked for, relative."""
        return self.increment * self.clock_hz / (1 << _BITS) / self.baud - 1

    @property
    def clocks_per_bit(self) -> float:
        """Length of a bit, in clocks, on the average."""
        return (1 << _BITS) / self.increment

    @property
    def silence_clocks(self) -> int:
        """Clocks without a byte that end a frame which is not complete."""
        return int(self.silence_bits * self.clocks_per_bit)
