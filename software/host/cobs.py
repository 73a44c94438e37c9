"""Consistent overhead byte stuffing (Cheshire and Baker, 1999): frames without zero bytes, so that a zero can end them."""

from __future__ import annotations

__all__ = ["CobsError", "decode", "encode"]

_LONGEST = 254  # bytes of a block


class CobsError(ValueError):
    """What is to be decoded was not encoded so, or was cut."""


def encode(data: bytes) -> bytes:
    """``data`` in blocks: each a code, and code - 1 bytes that are not zero. At most one byte more per 254."""
    out, parts = bytearray(), data.split(b"\0")
    for number, part in enumerate(parts):
        while len(part) >= _LONGEST:
            out += b"\xff" + part[:_LONGEST]
            part = part[_LONGEST:]
            if not part and number == len(parts) - 1:
                return bytes(out)  # a full block stands for no zero: nothing has to follow it
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def decode(data: bytes) -> bytes:
    """What was encoded. Raises CobsError for a zero byte inside, and for a last block that is cut."""
    if 0 in data:
        raise CobsError(f"an encoded frame must have no zero byte, and byte {data.index(0)} is one")
    out, place = bytearray(), 0
    while place < len(data):
        code = data[place]
        block = data[place + 1:place + code]
        if len(block) != code - 1:
            raise CobsError(f"the block at byte {place} must have {code - 1} bytes, and {len(block)} are left")
        out += block
        place += code
        if code != _LONGEST + 1 and place < len(data):
            out.append(0)
    return bytes(out)
