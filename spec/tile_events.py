"""The event queue of a tile: axon numbers and payloads, and how they lie in a word."""

from __future__ import annotations

from .arithmetic import bits_signed, bits_unsigned
from .tile_storage import TileStorage

__all__ = ["TileEvents"]


class TileEvents(TileStorage):
    """What an event is on a tile, from its queue to the product of weight and payload."""

    @property
    def axon_bits(self) -> int:
        """Width of an axon number within a list."""
        return bits_unsigned(max(self.list_axons(k) for k in range(len(self.lists))) - 1)

    @property
    def payload_kind(self) -> str:
        """``"unit"`` (always 1), ``"sign"`` (+1 or -1) or ``"graded"``."""
        if (self.payload_min, self.payload_max) == (1, 1):
            return "unit"
        return "sign" if self.payload_min >= -1 and self.payload_max <= 1 else "graded"

    @property
    def payload_bits(self) -> int:
        """Bits of payload in the event queue (signed where graded; the sign alone where +1 or -1)."""
        return {"unit": 0, "sign": 1, "graded": bits_signed(min(self.payload_min, 0), max(self.payload_max, 0))}[self.payload_kind]

    @property
    def stored_payload_bits(self) -> int:
        """Bits of a payload in an event queue that is folded: without a sign where none is negative."""
        return self.payload_bits - (self.payload_kind == "graded" and self.payload_min >= 0)

    @property
    def folded_bits(self) -> int | None:
        """Bits of an axon number that lie beside a payload in the event queue; an event of a higher axon has the whole number in their place, and
        payload 1. A bit says which. None where that takes no fewer bits than number and payload do."""
        if self.memories == "distributed" or self.graded_axons is None or self.payload_kind == "unit":
            return None
        low = bits_unsigned(max(self.graded_axons - 1, 0))
        folded = 1 + max(low + self.stored_payload_bits, self.axon_bits)
        return low if folded < self.axon_bits + self.payload_bits else None

    @property
    def queue_size(self) -> tuple[int, int]:
        """(width, depth) of the event queue's memory: a list per slot and number of list, as long as the longest; a power of two unless each block
        RAM counts."""
        low, longest = self.folded_bits, max(self.list_axons(k) for k in range(len(self.lists)))
        width = self.axon_bits + self.payload_bits if low is None else 1 + max(low + self.stored_payload_bits, self.axon_bits)
        return width, len(self.lists) * self.slots * (1 << self.axon_bits if self.memories == "distributed" else longest)

    @property
    def term_bits(self) -> int:
        """Width of a weight times a payload."""
        return self.value_weight_bits + {"unit": 0, "sign": 1, "graded": self.payload_bits}[self.payload_kind]
