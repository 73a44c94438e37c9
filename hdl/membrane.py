"""Arithmetic of the membrane update as expressions: decay and its rounding. Shared by every update lane."""

from amaranth import *

from ..spec.arithmetic import Decay, Rounding

__all__ = ["decayed", "round_up"]


def round_up(x, shift: int, rounding: Rounding):
    """The bit by which round_shift(x, shift) exceeds x >> shift: the rounding rule as the carry-in of the next adder."""
    if shift == 0 or rounding is Rounding.FLOOR:
        return Const(0, 1)
    if rounding is Rounding.NEAREST:
        return (x >> (shift - 1))[0]
    return (x < 0) & x[:shift].any()


def _add_with_carry(x, y, carry):
    """x + y + carry as one adder: an extra low bit of 1 + carry makes the carry."""
    return (Cat(1, x).as_signed() + Cat(carry, y).as_signed()) >> 1


def decayed(m, decay: Decay, rounding: Rounding, v, name: str):
    """decay(v), by shifts: v - round_shift(v, a) [- round_shift(v, b)], each a single adder (v + ~(v >> a) + 1 - rounding bit)."""
    value = v
    for term, shift in enumerate(s for s in (decay.shift_a, decay.shift_b) if s is not None):
        y = Signal(signed(len(v) + 1 + term), name=f"{name}_{term}")
        m.d.comb += y.eq(_add_with_carry(value, ~(v >> shift), ~round_up(v, shift, rounding)))
        value = y
    return value
