"""Arithmetic of the membrane update as expressions: saturation, rounding, decay. Shared by every update lane."""

from amaranth import *

from ..spec.arithmetic import Decay, Rounding, bits_signed

__all__ = ["add_with_carry", "decayed", "digits", "limited", "multiple", "round_up", "rounded", "saturated"]


def saturated(x, low: int, high: int):
    """x clipped to low..high; nothing where its width admits no more."""
    width = len(x) if x.shape().signed else len(x) + 1
    bits = bits_signed(low, high)
    if low <= -(1 << (width - 1)) and (1 << (width - 1)) - 1 <= high:
        return x
    return Mux(x < low, low, Mux(x > high, high, x[:bits].as_signed()))


def limited(x, high):
    """x clipped to -high - 1 .. high, where ``high`` is a signal, one less than a power of two: so no comparison carries."""
    beyond = ((x ^ (x < 0).replicate(len(x))) & ~Cat(high, Const(0, max(len(x) - len(high), 1)))[:len(x)]).any()
    end = Cat(high, 0).as_signed()
    return Mux(beyond, Mux(x < 0, ~end, end), x[:len(high) + 1].as_signed())


def round_up(x, shift: int, rounding: Rounding):
    """The bit by which round_shift(x, shift) exceeds x >> shift: the rounding rule as the carry-in of the next adder."""
    if shift == 0 or rounding is Rounding.FLOOR:
        return Const(0, 1)
    if rounding is Rounding.NEAREST:
        return (x >> (shift - 1))[0]
    return (x < 0) & x[:shift].any()


def rounded(x, shift: int, rounding: Rounding):
    """round_shift(x, shift)."""
    return x if shift == 0 else (x >> shift) + round_up(x, shift, rounding)


def add_with_carry(x, y, carry):
    """x + y + carry as one adder: an extra low bit of 1 + carry makes the carry."""
    return (Cat(1, x).as_signed() + Cat(carry, y).as_signed()) >> 1


def decayed(m, decay: Decay, rounding: Rounding, v, name: str):
    """decay(v), by shifts: v - round_shift(v, a) [- round_shift(v, b)], each a single adder (v + ~(v >> a) + 1 - rounding bit)."""
    value = v
    for term, shift in enumerate(s for s in (decay.shift_a, decay.shift_b) if s is not None):
        y = Signal(signed(len(v) + 1 + term), name=f"{name}_{term}")
        m.d.comb += y.eq(add_with_carry(value, ~(v >> shift), ~round_up(v, shift, rounding)))
        value = y
    return value


def digits(most: int) -> list[int]:
    """Numbers that, taken greedily, make every n of 0..most, and no more than most whatever is left: 5 is 3, 1, 1."""
    found = []
    while most:
        found.append(most - most // 2)
        most //= 2
    return found


def multiple(x, factor: int):
    """x * factor as a sum of shifts: no multiplier is taken for it."""
    return sum((x << bit for bit in range(factor.bit_length()) if factor >> bit & 1), Const(0))
