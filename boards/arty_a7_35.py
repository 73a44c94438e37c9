"""Digilent Arty A7-35 with the AMD XC7A35T."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="arty_a7_35",
    description="Digilent Arty A7-35, AMD XC7A35T, 100 MHz oscillator",
    budget={"luts": 20800, "ffs": 41600, "brams": 50, "bram_bits": 36864, "dsps": 90},
    flow="xilinx",
    platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
    oscillator_mhz=100.0,
    uart=0,
    leds=4,
    loader="arty_a7_35t",
    tried="planned",
)
