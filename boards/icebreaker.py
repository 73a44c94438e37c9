"""1BitSquared iCEBreaker with the Lattice iCE40UP5K."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(
    name="icebreaker",
    description="1BitSquared iCEBreaker, Lattice iCE40UP5K, 12 MHz oscillator",
    budget={"luts": 5280, "ffs": 5280, "brams": 30, "bram_bits": 4096, "dsps": 8, "sprams": 4},
    flow="ice40",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    oscillator_mhz=12.0,
    uart=0,
    leds=2,
    loader="ice40_generic",
    tried="built",
)
