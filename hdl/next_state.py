"""What a neuron keeps for the next timestep: decay, bias and reset of the membrane, and of the states that some models have beside it."""

from amaranth import *

from ..spec.arithmetic import Decay, Rounding
from ..spec.neuron import Reset
from ..spec.update import UpdateSpec
from .membrane import add_with_carry, decayed, round_up
from .pipeline import Pipeline

__all__ = ["next_state"]


def next_state(m: Module, pipe: Pipeline, profile: UpdateSpec, name: str, stage: int, written: int) -> dict:
    """The fields of the stored state, in stage ``written`` (``stage``, or one later where a multiplier is at work).

    From the pipeline, in ``stage``: ``v``, ``fired``, ``theta``, ``bias``, ``lowered`` (bias - theta), and where the model has them ``rest_n_<name>``
    and ``taken_n_<name>`` (v - theta * n and theta * n), ``i_<name>``, ``a``, ``jump``, ``quiet``, ``beta``, ``alpha``, ``clear``.
    """
    v, fired, theta, bias = (pipe.at(what, stage) for what in ("v", "fired", "theta", "bias"))
    v = v[:profile.v_bits].as_signed() if len(v) > profile.v_bits else v
    several = profile.counts
    reduced = Signal(signed(len(v) if several or profile.reset is Reset.ZERO else max(len(v), len(theta)) + 2), name=f"{name}_reduced")
    if profile.reset in (Reset.ZERO, Reset.ZERO_AFTER):
        m.d.comb += reduced.eq(Mux(fired, 0, v))
    elif profile.reset in (Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY):
        m.d.comb += reduced.eq(pipe.at(f"rest_n_{name}", stage) if several else v - Mux(fired, theta, 0))
    else:
        m.d.comb += reduced.eq(v)
    fields: dict = {}
    if profile.has_gate:
        kept = reduced if profile.reset in (Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO) else v
        pipe.put(f"u_{name}", kept, stage)
        fields["u"] = pipe.at(f"u_{name}", written)
    else:
        fields["u"] = _membrane(m, pipe, profile, name, stage, written, v, reduced)
    if profile.has_current and profile.current_decay is not None:
        factor = pipe.at("alpha", stage) if profile.alpha_each else None
        fields["current"] = _decayed_sum(m, pipe, profile.current_decay, profile.rounding, pipe.at(f"i_{name}", stage), factor,
                                         bias if profile.biases_current else Const(0, 1), f"{name}_current", stage, written)
    if profile.adaptation_decay is not None:
        a = Signal(signed(profile.a_bits + 1), name=f"{name}_a_now")
        jump = pipe.at("jump", stage) if "jump" in pipe else Const(0, 1)
        rise = Signal(signed(len(jump) + 1), name=f"{name}_rise")
        m.d.comb += [a.eq(Mux(pipe.at("clear", stage), 0, pipe.at("a", stage))), rise.eq(Mux(fired, jump, 0))]
        total = _decayed_sum(m, pipe, profile.adaptation_decay, profile.rounding, a, None, rise, f"{name}_a", stage, written)
        # A decay by shifts may step below 0; a is 0 at least.
        most = (1 << profile.a_bits) - 1
        fields["a"] = Mux(total < 0, 0, Mux(total > most, most, total))[:profile.a_bits]
    if profile.quiet_bits:
        pipe.put(f"quiet_{name}", _quiet(pipe, profile, stage), stage)
        fields["quiet"] = pipe.at(f"quiet_{name}", written)
    if profile.marks_spent:
        fields["spent"] = pipe.at("fired", written)
    if profile.changes:
        fields["sent"] = pipe.at(f"n_n_{name}", written)
    if profile.keeps_taken:
        fields["taken"] = pipe.at(f"taken_n_{name}", written)
    return fields


def _quiet(pipe: Pipeline, profile: UpdateSpec, stage: int):
    """Timesteps, from the next on, for which the neuron must not fire."""
    quiet, fired = pipe.at("quiet", stage), pipe.at("fired", stage)
    left = Mux((quiet == 0) | pipe.at("clear", stage), 0, quiet - 1)
    return Mux(fired, profile.refractory, left)[:profile.quiet_bits] if profile.refractory else left[:profile.quiet_bits]


def _membrane(m: Module, pipe: Pipeline, profile: UpdateSpec, name: str, stage: int, written: int, v, reduced):
    """u' = decay(v) + b - theta * n, by the reset of the profile; what the reset left where the neuron is refractory and integrates nothing."""
    before = reduced if profile.reset in (Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO) else v
    bias = Const(0, signed(1)) if profile.biases_current else pipe.at("bias", stage)
    if profile.reset is not Reset.SUBTRACT:
        chosen = bias
    elif profile.max_spikes > 1:
        chosen = pipe.at(f"lowered_{name}", stage)
    elif profile.biases_current:
        chosen = Mux(pipe.at("fired", stage), -pipe.at("theta", stage), 0)
    else:
        chosen = Mux(pipe.at("fired", stage), pipe.at("lowered", stage), bias)
    addend = Signal(signed(max(len(chosen), len(bias), 1)), name=f"{name}_addend")
    m.d.comb += addend.eq(chosen)
    factor = pipe.at("beta", stage) if profile.beta_each else None
    u = _decayed_sum(m, pipe, profile.decay, profile.rounding, before, factor, addend, name, stage, written)
    if not profile.holds:
        return u
    pipe.put(f"holds_{name}", _quiet(pipe, profile, stage) != 0, stage)
    pipe.put(f"held_{name}", reduced, stage)
    return Mux(pipe.at(f"holds_{name}", written), pipe.at(f"held_{name}", written), u)


def _decayed_sum(m: Module, pipe: Pipeline, decay: Decay, rounding: Rounding, x, factor, addend, name: str, stage: int, written: int):
    """decay(x) + addend in stage ``written``; the sum is made there, its terms in ``stage``."""
    if decay.factor is None or decay.fraction_bits is None:
        pipe.put(f"{name}_decayed", decayed(m, decay, rounding, x, f"{name}_decayed"), stage)
        pipe.put(f"{name}_term", addend, stage)
        return pipe.at(f"{name}_decayed", written) + pipe.at(f"{name}_term", written)
    product = Signal(signed(len(x) + decay.fraction_bits + 1), name=f"{name}_product")
    late = Signal(signed(len(addend) + (not addend.shape().signed)), name=f"{name}_late_addend")
    m.d.sync += [product.eq(x * (Const(decay.factor) if factor is None else factor)), late.eq(addend)]
    return add_with_carry(product >> decay.fraction_bits, late, round_up(product, decay.fraction_bits, rounding))
