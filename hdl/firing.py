"""From v to spikes: saturation, threshold, refractory timesteps, and how often a neuron fires."""

from __future__ import annotations

from amaranth import *

from ..spec.neuron import Reset
from ..spec.tile import TileSpec
from .drive import drive
from .membrane import digits, limited, multiple, saturated
from .pipeline import Pipeline
from .profiles import Profiles

__all__ = ["check_threshold", "count_shape", "count_spikes", "put_quiet"]


def count_shape(tile: TileSpec) -> Shape:
    """Of how often a neuron fired in a timestep, or how its activation changed."""
    return signed(tile.count_bits) if tile.has_changes else unsigned(tile.count_bits)


def put_quiet(pipe: Pipeline, beats: Pipeline, profiles: Profiles, stored) -> None:
    """Puts ``quiet``, timesteps left in which the neuron must not fire, in stage 1, and ``hold``, that it does not integrate either, in stage 0."""
    inhibitions = [p.inhibition for p in profiles]
    quiet = stored
    if any(inhibitions):
        most = profiles.choose(inhibitions, beats.at("group", 0))
        quiet = Mux((pipe.at("side", 0) > 0) & (stored < most), most, stored)
    if any(p.holds for p in profiles):
        pipe.put("hold", stored != 0, 0)
    pipe.register("quiet", quiet[:len(stored)], 0)


def check_threshold(m: Module, pipe: Pipeline, beats: Pipeline, profiles: Profiles, tile: TileSpec, lane: int) -> None:
    """Puts ``v`` and ``fired`` into the pipeline, known behind stage ``tile.check_latency``."""
    stage = tile.check_latency
    group, clear = beats.at("group", stage), beats.at("clear", stage)
    total, value, alone = _membrane(m, pipe, profiles, lane, stage, group)
    zeroes = [int(p.reset is Reset.ZERO_AFTER) for p in profiles]
    if any(zeroes):
        value = Mux(pipe.at("spent", stage) & profiles.choose(zeroes, group), 0, value)
    width = signed(max(p.v_bits for p in profiles))
    starts = [pipe.at("v_init", stage) if p.v_init is None else Const(p.v_init, width) for p in profiles]
    if len({p.v_init for p in profiles}) == 1:
        starts = starts[:1] * len(starts)
    v, fires = Signal(width, name=f"v_{lane}"), Signal(name=f"fires_{lane}")
    m.d.comb += v.eq(Mux(clear, profiles.choose(starts, group), value))
    threshold = pipe.at("theta", stage)
    if tile.a_bits:
        adapts = profiles.choose([int(p.adaptation_decay is not None) for p in profiles], beats.at("group", 1))
        pipe.register("threshold", pipe.at("theta", 1) + Mux(adapts, pipe.at("a", 1), 0), 1)
        threshold = pipe.at("threshold", stage)
    # The comparison reads the unsaturated sum where it may: theta lies within the range of v, so saturation cannot change it.
    reached = (total if alone and not any(zeroes) and not tile.a_bits else v) >= threshold
    # LI: every neuron sends v
    always = pipe.at("values", stage) if "values" in pipe else profiles.choose([int(p.values) for p in profiles], group)
    quiet = pipe.at("quiet", stage) != 0 if tile.quiet_bits else Const(0, 1)
    m.d.comb += fires.eq((reached | always) & ~clear & beats.at("exists", stage)[lane] & ~quiet)
    pipe.register("v", v, stage)
    pipe.register("fired", fires, stage)


def _membrane(m: Module, pipe: Pipeline, profiles: Profiles, lane: int, stage: int, group):
    """v before and behind saturation in ``stage``, and whether there is but one of them for all profiles."""
    names: dict[tuple, str] = {}
    totals = []
    for k, p in enumerate(profiles):
        # Plain models share a sum, whatever their decays: what differs comes behind it.
        key = ("plain", p.input_shift) if not p.has_current and not p.holds else ("own", k)
        if key not in names:
            names[key] = f"lane_{lane}_{k}"
            drive(m, pipe, p, names[key])
        totals.append(pipe.at(f"total_{names[key]}", stage))
    values: dict[tuple, Value] = {}
    for p, total in zip(profiles, totals):
        clipped = limited(total, pipe.at("limit", stage)) if "limit" in pipe else saturated(total, p.low, p.v_max)
        values.setdefault((id(total), p.v_bits, p.low), clipped)
    chosen = [values[id(total), p.v_bits, p.low] for p, total in zip(profiles, totals)]
    return profiles.choose(totals, group), profiles.choose(chosen, group), len(values) == 1


def count_spikes(m: Module, pipe: Pipeline, profiles: Profiles, tile: TileSpec, lane: str) -> None:
    """Where neurons fire several times in a timestep: how often, and what that takes from the membrane; of an activation how it changed.

    For an activation (RELU) puts ``change_<lane>_<k>`` and ``changed_...``, whether it is not 0.
    Puts, per such profile k and known in stage ``tile.update_latency`` at the latest, ``n_n_<lane>_<k>``, ``rest_n_...`` (v - theta * n) and
    ``taken_n_...`` (theta * n); and for all ``lowered``, bias - theta (or ``lowered_...``, bias - theta * n), which the first reset adds.
    """
    done = tile.update_latency
    pipe.register("lowered", pipe.at("bias", done - 1) - pipe.at("theta", done - 1), done - 1)
    for k, p in enumerate(profiles):
        if not p.counts:
            continue
        name, stage = f"{lane}_{k}", tile.check_latency + 1
        n, rest, taken = Const(0, 1), pipe.at("v", stage), Const(0, 1)
        for digit in digits(p.max_spikes):  # one comparison per stage: a division that cannot exceed max_spikes
            step = multiple(pipe.at("theta", stage), digit)
            hit = Signal(name=f"{name}_hit_{stage}")
            m.d.comb += hit.eq(pipe.at("fired", stage) & (rest >= step))
            for what, value, shape in (("n", n + Mux(hit, digit, 0), unsigned(tile.count_bits)),
                                       ("rest", rest - Mux(hit, step, 0), signed(p.v_bits)),
                                       ("taken", taken + Mux(hit, step, 0), unsigned(p.v_bits - 1))):
                narrow = Signal(shape, name=f"{name}_{what}_after_{stage}")
                m.d.comb += narrow.eq(value)
                pipe.register(f"{what}_{stage}_{name}", narrow, stage)
            stage += 1
            n, rest, taken = (pipe.at(f"{what}_{stage - 1}_{name}", stage) for what in ("n", "rest", "taken"))
        for what, value in (("n", n), ("rest", rest), ("taken", taken)):
            pipe.put(f"{what}_n_{name}", value, stage)
        if p.changes:
            change = Signal(signed(tile.count_bits), name=f"{name}_change")
            m.d.comb += change.eq(n - pipe.at("sent", stage)[:p.sent_bits])
            pipe.register(f"change_{name}", change, stage)
            pipe.register(f"changed_{name}", (change != 0) & ~pipe.at("clear", stage), stage)
            continue
        bias = Const(0, 1) if p.biases_current else pipe.at("bias", done - 1)
        pipe.register(f"lowered_{name}", bias - pipe.at(f"taken_n_{name}", done - 1), done - 1)
