"""The clock domain behind a PLL."""

from __future__ import annotations

from amaranth import *
from amaranth.lib.cdc import ResetSynchronizer

__all__ = ["hold_reset"]

_CLOCKS = 1024


def hold_reset(m, clock, locked) -> None:
    """Makes the domain ``sync`` of ``clock``, in reset until 1024 clocks after ``locked`` went high.

    That is longer than the block RAMs of an iCE40 need after configuration (about 3 microseconds).
    """
    m.domains.sync, m.domains.starting = ClockDomain("sync"), ClockDomain("starting", local=True)
    left = Signal(range(_CLOCKS), init=_CLOCKS - 1)
    m.d.comb += [ClockSignal("starting").eq(clock), ClockSignal().eq(clock)]
    m.submodules.starting = ResetSynchronizer(~locked, domain="starting")
    with m.If(left != 0):
        m.d.starting += left.eq(left - 1)
    m.submodules.reset = ResetSynchronizer(left != 0)
