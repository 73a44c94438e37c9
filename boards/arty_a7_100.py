"""Digilent Arty A7-100 with the AMD XC7A100T."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="arty_a7_100",
    description="Digilent Arty A7-100, AMD XC7A100T, 100 MHz oscillator",
    budget={"luts": 63400, "ffs": 126800, "brams": 135, "bram_bits": 36864, "dsps": 240},
    flow="xilinx",
    platform="amaranth_boards.arty_a7:ArtyA7_100Platform",
    oscillator_mhz=100.0,
    uart=0,
    leds=4,
    loader="arty_a7_100t",
    tried="planned",
)
