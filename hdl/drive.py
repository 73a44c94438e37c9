"""What drives a membrane: from the state and the sums of a beat to v before saturation, for each neuron model."""

from amaranth import *
from amaranth.lib import memory

from ..spec.arithmetic import Rounding
from ..spec.neuron import Reset
from ..spec.update import UpdateSpec
from .membrane import add_with_carry, round_up, rounded, saturated
from .pipeline import Pipeline

__all__ = ["drive"]


def drive(m: Module, pipe: Pipeline, profile: UpdateSpec, name: str) -> int:
    """Puts ``total_<name>`` into the pipeline, v before saturation and ZERO_AFTER, and (with a current) ``i_<name>``.

    It takes from the pipeline, stage 0: ``u``, ``sum``, of a loadable tile ``shift``, and where the model has them ``current``, ``side``, ``spent``,
    ``taken``, ``hold``;
    stage 1: ``theta``, ``gate_bias``, ``beta``, ``clear``. Returns the stage in which the total is known, which is
    1 + ``profile.drive_latency`` (for an adaptive threshold 1: there it is the threshold that takes longer).
    """
    shifted = pipe.at("sum", 0) << (pipe.at("shift", 0) if "shift" in pipe else profile.input_shift)
    if not profile.has_current:
        if profile.holds:
            shifted = Mux(pipe.at("hold", 0), 0, shifted)
        pipe.register(f"total_{name}", pipe.at("u", 0) + shifted, 0)
        return 1
    pipe.register(f"sum_{name}", pipe.at("current", 0) + shifted, 0)
    half = 1 << (profile.i_bits - 1)
    i = Signal(signed(profile.i_bits), name=f"{name}_i_now")
    m.d.comb += i.eq(Mux(pipe.at("clear", 1), 0, saturated(pipe.at(f"sum_{name}", 1), -half, half - 1)))
    pipe.register(f"i_{name}", i, 1)
    if profile.has_gate:
        return _mixed(m, pipe, profile, name)
    if not profile.complement:
        gain, stage = pipe.at(f"i_{name}", 2), 2
    else:
        _complement(pipe, profile, name)
        gain, stage = _rounded_gain(pipe, profile, name), 3
    if profile.holds:
        gain = Mux(pipe.at("hold", stage), 0, gain)
    pipe.register(f"total_{name}", pipe.at("u", stage) + gain, stage)
    return stage + 1


def _complement(pipe: Pipeline, profile: UpdateSpec, name: str) -> None:
    """(1 - beta) * i, before its rounding where there is a multiplier: known in stage 3."""
    i, decay = pipe.at(f"i_{name}", 2), profile.decay
    if decay.factor is not None and decay.fraction_bits is not None:
        factor = pipe.at("beta", 2) if profile.beta_each else Const(decay.factor)
        rest = ((1 << decay.fraction_bits) - factor)[:decay.fraction_bits + 1]
        pipe.register(f"gain_{name}", i * rest, 2)
    else:
        terms = [rounded(i, shift, profile.rounding) for shift in (decay.shift_a, decay.shift_b) if shift is not None]
        pipe.register(f"gain_{name}", sum(terms, Const(0, signed(1))), 2)


def _rounded_gain(pipe: Pipeline, profile: UpdateSpec, name: str):
    gain = pipe.at(f"gain_{name}", 3)
    return rounded(gain, profile.decay.fraction_bits, profile.rounding) if profile.decay.fraction_bits is not None else gain


def _mixed(m: Module, pipe: Pipeline, profile: UpdateSpec, name: str) -> int:
    """Gate and mix with one multiplier: round_shift(z * x + (256 - z) * i, 8) is i + round_shift(z * (x - i), 8), but for ``toward_zero``."""
    argument = pipe.at("side", 1) << profile.side_shift
    pipe.register(f"argument_{name}", argument + (pipe.at("gate_bias", 1) if "gate_bias" in pipe else 0), 1)
    half = len(profile.gate_table) // 2
    index = Signal(range(len(profile.gate_table)), name=f"{name}_index")
    m.d.comb += index.eq(saturated(rounded(pipe.at(f"argument_{name}", 2), profile.gate_shift, profile.rounding), -half, half - 1) + half)
    pipe.register(f"index_{name}", index, 2)
    m.submodules[f"gate_{name}"] = table = memory.Memory(shape=unsigned(8), depth=len(profile.gate_table), init=profile.gate_table)
    read = table.read_port()
    m.d.comb += read.addr.eq(pipe.at(f"index_{name}", 3))
    pipe.put(f"z_{name}", read.data, 4)

    u, i, removed = pipe.at("u", 2), pipe.at(f"i_{name}", 2), _removed(pipe, profile, 2)
    x = u[:profile.v_bits].as_signed() if len(u) > profile.v_bits else u  # with a gate, what is stored is a membrane
    pipe.register(f"difference_{name}", x - i, 2)
    pipe.register(f"rest_{name}", i - removed, 2)
    pipe.register(f"product_{name}", pipe.at(f"z_{name}", 4) * pipe.at(f"difference_{name}", 4), 4)
    product, rest = pipe.at(f"product_{name}", 5), pipe.at(f"rest_{name}", 5)
    if profile.rounding is Rounding.TOWARD_ZERO:
        # The sign is that of the whole, i included.
        floor = pipe.at(f"i_{name}", 5) + (product >> 8)
        carry = (floor < 0) & product[:8].any()
    else:
        carry = round_up(product, 8, profile.rounding)
    total = add_with_carry(product >> 8, rest, carry)
    if profile.holds:
        total = Mux(pipe.at("hold", 5), pipe.at("u", 5) - _removed(pipe, profile, 5), total)
    pipe.register(f"total_{name}", total, 5)
    return 6


def _removed(pipe: Pipeline, profile: UpdateSpec, stage: int):
    """theta * n of the step before, which the first reset takes from the mix."""
    if profile.keeps_taken:
        return pipe.at("taken", stage)
    if profile.marks_spent and profile.reset is Reset.SUBTRACT:
        return Mux(pipe.at("spent", stage), pipe.at("theta", stage), 0)
    return Const(0)
