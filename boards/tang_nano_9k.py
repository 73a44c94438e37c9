"""Sipeed Tang Nano 9K with the Gowin GW1NR-9C."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="tang_nano_9k",
    description="Sipeed Tang Nano 9K, Gowin GW1NR-LV9, 27 MHz oscillator",
    budget={"luts": 8640, "ffs": 6480, "brams": 26, "bram_bits": 18432, "dsps": 20},
    flow="gowin",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    oscillator_mhz=27.0,
    uart=0,
    leds=6,
    loader="tangnano9k",
    tried="built",
)
