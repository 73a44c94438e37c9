"""Small tiles for the unit tests of what is inside a tile: plans written by hand, not by gen/."""

from __future__ import annotations

from typing import Any

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.chip import AxonEntry, FlitSpec, GroupSpec, TileSpec, UpdateSpec
from spikeloom.spec.network import Reset

__all__ = ["group", "membrane_steps", "profile", "small_flit", "small_tile"]


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


def membrane_steps(update: UpdateSpec, theta: int, bias: int, sums: list[int]) -> list[tuple[int, bool]]:
    """(v, fires) of one neuron for a list of synaptic sums, from the equations of :class:`Reset`, in Python's integers."""
    v, fired, steps = update.v_init, False, []
    for total in sums:
        current = (total << update.input_shift) + bias
        if update.reset is Reset.SUBTRACT:
            v = update.decay.apply(v, update.rounding) + current - theta * fired
        elif update.reset is Reset.SUBTRACT_BEFORE_DECAY:
            v = update.decay.apply(v - theta * fired, update.rounding) + current
        elif update.reset is Reset.ZERO:
            v = update.decay.apply(0 if fired else v, update.rounding) + current
        elif update.reset is Reset.ZERO_AFTER:
            v = 0 if fired else update.decay.apply(v, update.rounding) + current
        else:
            v = update.decay.apply(v, update.rounding) + current
        v = min(max(v, -(1 << update.v_bits - 1)), (1 << update.v_bits - 1) - 1)
        fired = not update.values and v >= theta
        steps.append((v, fired))
    return steps
