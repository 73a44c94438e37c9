"""Sipeed Tang Primer 20K on its dock, with the Gowin GW2A-18C."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="tang_primer_20k",
    description="Sipeed Tang Primer 20K with dock, Gowin GW2A-LV18, 27 MHz oscillator",
    budget={"luts": 20736, "ffs": 15552, "brams": 46, "bram_bits": 18432, "dsps": 48},
    flow="gowin",
    platform="amaranth_boards.tang_primer_20k:TangPrimer20kDockPlatform",
    oscillator_mhz=27.0,
    uart=0,
    leds=6,
    loader="tangprimer20k",
    tried="built",
)
