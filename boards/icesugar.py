"""MuseLab iCESugar v1.5 with the Lattice iCE40UP5K."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="icesugar",
    description="MuseLab iCESugar, Lattice iCE40UP5K, 12 MHz oscillator",
    budget={"luts": 5280, "ffs": 5280, "brams": 30, "bram_bits": 4096, "dsps": 8, "sprams": 4},
    flow="ice40",
    platform="amaranth_boards.icesugar:ICESugarPlatform",
    oscillator_mhz=12.0,
    uart=0,
    leds=3,
    tried="built",
)
