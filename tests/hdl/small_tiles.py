"""Small tiles for the unit tests of what is inside a tile: plans written by hand, not by gen/."""

from __future__ import annotations

from typing import Any

from spikeloom.spec.arithmetic import Decay, Rounding, round_shift
from spikeloom.spec.chip import AxonEntry, FlitSpec, GroupSpec, TileSpec, UpdateSpec
from spikeloom.spec.network import Reset
from spikeloom.spec.tile import SparseSpec

__all__ = ["group", "membrane_steps", "neuron_steps", "profile", "small_flit", "small_tile", "sparse_memories", "sparse_of", "sparse_words"]


def profile(**changes: Any) -> UpdateSpec:
    """An update of 8 bits without decay, bias or reset."""
    fields = {"decay": Decay(), "rounding": Rounding.NEAREST, "reset": Reset.NONE, "v_bits": 8, "input_shift": 0, "v_init": 0,
              "values": False}
    return UpdateSpec(**{**fields, **changes})


def group(size: int, axons: int, update: UpdateSpec | None = None, **changes: Any) -> GroupSpec:
    """A group of ``size`` neurons with ``axons`` input lines."""
    fields = {"population": "p", "first": 0, "size": size, "key": 0, "level": 1, "axons": axons, "update": update or profile()}
    return GroupSpec(**{**fields, **changes})


def small_tile(groups: list[GroupSpec], **changes: Any) -> TileSpec:
    """A tile of 4 lanes, one update lane and one key for all groups."""
    fields = {"lanes": 4, "update_lanes": 1, "slots": 1, "groups": tuple(groups), "entries": {0: (AxonEntry(0, 0, 0),)}, "payload_min": 1,
              "payload_max": 1, "weight_bits": 5, "accumulator_bits": 12, "theta_bits": 7, "bias_bits": 4, "constant_parameters": False}
    return TileSpec(**{**fields, **changes})


def small_flit(**changes: Any) -> FlitSpec:
    """A flit with room for small numbers in every field."""
    fields = {"key_bits": 3, "neuron_bits": 5, "time_bits": 3, "payload_bits": 8, "payload_signed": True}
    return FlitSpec(**{**fields, **changes})


def sparse_words(synapses: dict[int, int], lanes: int) -> list[list[tuple[int, int]]]:
    """Words of one sparse axon, {neuron: weight}: per lane (row, weight), the synapses of a lane by ascending row, (0, 0) where it has no more."""
    by_lane = [[(n // lanes, weight) for n, weight in sorted(synapses.items()) if n % lanes == lane] for lane in range(lanes)]
    return [[listed[k] if k < len(listed) else (0, 0) for listed in by_lane] for k in range(max(map(len, by_lane)))]


def sparse_of(axons: list[dict[int, int]], lanes: int, weight_bits: int) -> SparseSpec:
    """Plan of the sparse axons of a group."""
    return SparseSpec(words=tuple(len(sparse_words(a, lanes)) for a in axons), synapses=tuple(len(a) for a in axons), weight_bits=weight_bits)


def sparse_memories(tile: TileSpec, axons: list[dict[int, int]]) -> tuple[list[int], list[int]]:
    """Contents of the sparse and the pointer memory for all sparse axons of a tile, packed by hand: row below weight, lane 0 lowest; first word
    below number of words."""
    row_bits, weight_bits, sparse, pointers = tile.row_bits, tile.sparse_weight_bits, [], []
    for words in (sparse_words(axon, tile.lanes) for axon in axons):
        pointers.append(len(sparse) | len(words) << tile.pointer_bits[0])
        for word in words:
            fields = [row | (weight & (1 << weight_bits) - 1) << row_bits for row, weight in word]
            sparse.append(sum(field << lane * (row_bits + weight_bits) for lane, field in enumerate(fields)))
    return sparse, pointers


def membrane_steps(update: UpdateSpec, theta: int, bias: int, sums: list[int]) -> list[tuple[int, bool]]:
    """(v, fires) of one plain neuron for a list of synaptic sums."""
    return [(v, n > 0) for v, n in neuron_steps(update, {"theta": theta, "bias": bias}, sums, [0] * len(sums))]


def neuron_steps(update: UpdateSpec, own: dict[str, int], sums: list[int], sides: list[int]) -> list[tuple[int, int]]:
    """(v, number of spikes) of one neuron for lists of sums at its two ports: "One timestep" of docs/numerics.md, in Python's integers."""
    theta, bias, rounding = own["theta"], own["bias"], update.rounding
    v, n, i, a, quiet, steps = own.get("v_init", 0) if update.v_init is None else update.v_init, 0, 0, 0, 0, []

    def factor(name: str, decay: Decay, each: bool) -> int | None:
        return own[name] if each else decay.factor

    def clip(x: int, bits: int) -> int:
        return min(max(x, -(1 << bits - 1)), (1 << bits - 1) - 1)

    for t, (total, side) in enumerate(zip(sums, sides, strict=True)):
        quiet = update.refractory if n else max(quiet - 1, 0)
        if update.inhibition and side > 0:
            quiet = max(quiet, update.inhibition)
        beta = factor("beta", update.decay, update.beta_each)
        drive = (total << update.input_shift) + bias
        if update.current_decay is not None:
            alpha = factor("alpha", update.current_decay, update.alpha_each)
            i = clip((update.current_decay.apply(i, rounding, alpha) if t else 0) + drive, update.i_bits)
            drive = update.decay.complement(i, rounding, beta) if update.complement else i
        left = {Reset.SUBTRACT: v - theta * n, Reset.SUBTRACT_BEFORE_DECAY: v - theta * n, Reset.ZERO: 0 if n else v,
                Reset.ZERO_AFTER: 0 if n else v, Reset.NONE: v}[update.reset]

        def step(x: int, drive: int = drive, beta: int | None = beta, i: int = i, side: int = side) -> int:
            if not update.gate_table:
                return update.decay.apply(x, rounding, beta) + drive
            half = len(update.gate_table) // 2
            argument = round_shift((side << update.side_shift) + own.get("gate_bias", 0), update.gate_shift, rounding)
            z = update.gate_table[min(max(argument, -half), half - 1) + half]
            return round_shift(z * x + (256 - z) * i, 8, rounding)

        if update.holds and quiet:
            v = left
        elif update.reset is Reset.SUBTRACT:
            v = step(v) - theta * n
        elif update.reset is Reset.ZERO_AFTER:
            v = 0 if n else step(v)
        else:
            v = step(left)
        v = max(clip(v, update.v_bits), update.low)
        if update.adaptation_decay is not None:
            a = min(max(update.adaptation_decay.apply(a, rounding) + own.get("jump", 0) * n, 0), (1 << update.a_bits) - 1) if t else 0
        threshold = theta + a
        n = 0 if update.values or quiet or v < threshold else min(v // threshold, update.max_spikes)
        steps.append((v, n))
    return steps
