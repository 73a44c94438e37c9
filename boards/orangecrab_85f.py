"""OrangeCrab r0.2 with the Lattice LFE5U-85F (speed grade 8); its serial port is on pins 0 (in) and 1 (out) of the Feather header."""

from .board import Board, UartPins

__all__ = ["BOARD"]

BOARD = Board(
    name="orangecrab_85f",
    description="OrangeCrab r0.2, Lattice ECP5 LFE5U-85F-8, 48 MHz oscillator",
    budget={"luts": 83640, "ffs": 83640, "brams": 208, "bram_bits": 18432, "dsps": 156},
    flow="ecp5",
    platform="amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_85FPlatform",
    oscillator_mhz=48.0,
    uart=UartPins(rx="0", tx="1", connector=("io", 0), attributes={"IO_TYPE": "LVCMOS33"}),
    leds=3,
    rgb_led=True,
    loader="orangeCrab",
    tried="built",
)
