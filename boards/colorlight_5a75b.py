"""Colorlight 5A-75B V7.0 with the Lattice LFE5U-25F (speed grade 6); its serial port is on the pins of the LED and the button, at J19."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="colorlight_5a75b",
    description="Colorlight 5A-75B V7.0, Lattice ECP5 LFE5U-25F-6, 25 MHz oscillator",
    budget={"luts": 24288, "ffs": 24288, "brams": 56, "bram_bits": 18432, "dsps": 28},
    flow="ecp5",
    platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    oscillator_mhz=25.0,
    uart=0,
    leds=1,
    uart_takes_leds=True,
    loader="colorlight",
    tried="built",
)
