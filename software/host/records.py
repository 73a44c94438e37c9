"""Records of an EXCHANGE reply."""

from __future__ import annotations

from typing import NamedTuple

from ...spec.link import EXCHANGE_BYTES, RECORD_BYTES, Flag, Tag
from .frames import FrameError

__all__ = ["ExchangeReply", "Record"]


class Record(NamedTuple):
    """Something that came out of the chip; see :class:`~spikeloom.spec.link.Tag`. ``value`` is signed where it is a READOUT."""

    tag: Tag
    population: int
    place: int
    value: int


class ExchangeReply(NamedTuple):
    """Room in the operation queue in bytes, flags, and records in the order in which they came out of the chip."""

    room: int
    flags: Flag
    records: list[Record]

    @classmethod
    def decode(cls, body: bytes) -> ExchangeReply:
        """The reply of a body. Raises FrameError if it is none."""
        if len(body) < EXCHANGE_BYTES or (len(body) - EXCHANGE_BYTES) % RECORD_BYTES:
            raise FrameError(f"an EXCHANGE reply must have {EXCHANGE_BYTES} bytes and {RECORD_BYTES} per record, not {len(body)}")
        records = []
        for place in range(EXCHANGE_BYTES, len(body), RECORD_BYTES):
            tag, population, index, value = body[place], body[place + 1], body[place + 2:place + 4], body[place + 4:place + RECORD_BYTES]
            if tag not in set(Tag):
                raise FrameError(f"a record must have a tag of {min(Tag)} to {max(Tag)}, not {tag}")
            records.append(Record(Tag(tag), population, int.from_bytes(index, "little"), int.from_bytes(value, "little", signed=tag == Tag.READOUT)))
        return cls(int.from_bytes(body[:2], "little"), Flag(body[2] & 7), records)
