"""What the flow must know of a family of devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Tools of a family, and how their reports are read.

    Parameters
    ----------
    tools : variable by which the amaranth platform is told a tool -> command.
    cells : of :class:`~spikeloom.boards.flow.Utilization` -> name of the cell in nextpnr's report, or names with what each
        counts for; what is absent is not counted there.
    bitstream : file that a device is programmed with, of the design ``chip``.
    adapters : variable by which the platform is told a tool -> shell script that takes its place, and may call ``tools`` by their variables.
    overrides : of the amaranth platform's build, besides those that every family has.
    ffs_in_log : pattern of the lines of nextpnr's log that count flip-flops, where the report does not.
    pll : ``pll(oscillator_hz, hz)`` is an elaboratable with the attribute ``hz`` that makes the domain ``sync`` from the platform's default clock;
        raises ValueError where the frequency cannot be made. None where only the oscillator itself is used.
    """

    tools: Mapping[str, str]
    cells: Mapping[str, str | Mapping[str, int]]
    bitstream: str
    adapters: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    ffs_in_log: str | None = None
    pll: Callable[[int, int], Any] | None = None
