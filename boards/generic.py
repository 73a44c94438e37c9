"""No board: Verilog for a design of one's own."""

from .board import Board

__all__ = ["BOARD"]

BOARD = Board(name="generic", description="Verilog alone, for any device or simulator")
