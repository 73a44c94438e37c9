"""Radiona ULX3S with the Lattice LFE5U-45F (speed grade 6)."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s_45f",
    description="Radiona ULX3S, Lattice ECP5 LFE5U-45F-6, 25 MHz oscillator",
    budget={"luts": 43848, "ffs": 43848, "brams": 108, "bram_bits": 18432, "dsps": 72},
    flow="ecp5",
    platform="amaranth_boards.ulx3s:ULX3S_45F_Platform",
    oscillator_mhz=25.0,
    uart=0,
    leds=8,
    loader="ulx3s",
    tried="built",
)
