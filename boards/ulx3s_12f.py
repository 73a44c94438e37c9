"""Radiona ULX3S with the Lattice LFE5U-12F (speed grade 6).

The budget is that of the data sheet; the open tools place on the whole die, which is that of an LFE5U-25F.
"""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s_12f",
    description="Radiona ULX3S, Lattice ECP5 LFE5U-12F-6, 25 MHz oscillator",
    budget={"luts": 12096, "ffs": 12096, "brams": 32, "bram_bits": 18432, "dsps": 28},
    flow="ecp5",
    platform="amaranth_boards.ulx3s:ULX3S_12F_Platform",
    oscillator_mhz=25.0,
    uart=0,
    leds=8,
    loader="ulx3s",
    tried="built",
)
