"""Digilent Arty Z7-20 with the AMD XC7Z020: the chip behind AXI, beside the processors, on the clock that they give it."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="arty_z7_20",
    description="Digilent Arty Z7-20, AMD Zynq XC7Z020, 50 MHz from the processing system",
    budget={"luts": 53200, "ffs": 106400, "brams": 140, "bram_bits": 36864, "dsps": 220},
    flow="zynq",
    platform="amaranth_boards.arty_z7:ArtyZ720Platform",
    oscillator_mhz=50.0,
    loader="arty_z7_20",
    tried="planned",
)
