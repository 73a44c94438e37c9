"""What SpikeLoom needs to know of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Board"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board is data: what its device holds, and which platform knows its pins.

    Parameters
    ----------
    name : as the user types it.
    description : one line.
    budget : resources of the device: ``luts``, ``ffs``, ``brams``, ``bram_bits`` (of one block), ``dsps``; empty without a device.
    clock_mhz : frequency of the oscillator that the chip runs on; None without a device.
    flow : ``"ecp5"``, or ``"none"`` where the Verilog is all there is.
    platform : ``"module:Class"`` of the amaranth-boards platform.
    leds : user LEDs that show the self-test.
    """

    name: str
    description: str
    budget: Mapping[str, int] = field(default_factory=dict)
    clock_mhz: float | None = None
    flow: str = "none"
    platform: str | None = None
    leds: int = 0
