"""Frames of the host link: requests and replies to bytes and back."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ...spec.link import CRC_BYTES, HEADER_BYTES, REPLY, VERSION
from . import cobs

__all__ = ["Frame", "FrameError", "FrameSplitter"]

MAX_BODY = (1 << 16) - 1
_MAX_ENCODED = MAX_BODY + HEADER_BYTES + CRC_BYTES + 300


class FrameError(ValueError):
    """Bytes that are no frame: what is wrong with them."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A request, or a reply.

    Parameters
    ----------
    sequence : 0..255.
    command : :class:`~spikeloom.spec.link.Command`, or any number 0..255.
    argument : of a request; in a reply its :class:`~spikeloom.spec.link.Status`.
    body : at most 65,535 bytes.
    reply : which of the two it is.
    """

    sequence: int
    command: int
    argument: int = 0
    body: bytes = b""
    reply: bool = False

    def __post_init__(self) -> None:
        if len(self.body) > MAX_BODY:
            raise FrameError(f"a body must have at most {MAX_BODY} bytes, not {len(self.body)}")

    def content(self) -> bytes:
        """Header, body and CRC-32 (that of zlib and Ethernet), before COBS."""
        head = bytes([VERSION | (REPLY if self.reply else 0), self.sequence, self.command, self.argument]) + len(self.body).to_bytes(2, "little")
        return head + self.body + zlib.crc32(head + self.body).to_bytes(CRC_BYTES, "little")

    def encode(self) -> bytes:
        """Bytes for the line: a zero, so that nothing before them counts, the content in COBS, a zero."""
        return b"\0" + cobs.encode(self.content()) + b"\0"

    @classmethod
    def decode(cls, data: bytes) -> Frame:
        """The frame of the bytes between two zeros. Raises FrameError."""
        try:
            content = cobs.decode(data)
        except cobs.CobsError as error:
            raise FrameError(str(error)) from None
        if len(content) < HEADER_BYTES + CRC_BYTES:
            raise FrameError(f"a frame must have at least {HEADER_BYTES + CRC_BYTES} bytes, not {len(content)}")
        if zlib.crc32(content[:-CRC_BYTES]) != int.from_bytes(content[-CRC_BYTES:], "little"):
            raise FrameError("its CRC-32 is wrong")
        version, sequence, command, argument = content[:4]
        body = content[HEADER_BYTES:-CRC_BYTES]
        if int.from_bytes(content[4:6], "little") != len(body):
            raise FrameError(f"its header says {int.from_bytes(content[4:6], 'little')} bytes of body, and there are {len(body)}")
        if version & ~REPLY != VERSION:
            raise FrameError(f"it is of protocol version {version & ~REPLY}, and this is version {VERSION}")
        return cls(sequence=sequence, command=command, argument=argument, body=body, reply=bool(version & REPLY))


class FrameSplitter:
    """Cuts a stream of bytes at its zeros; what is longer than any frame is thrown away, so that noise takes no memory."""

    def __init__(self) -> None:
        self._held = bytearray()

    def put(self, data: bytes) -> list[bytes]:
        """The encoded frames that these bytes complete; empty ones are left out."""
        *whole, rest = (bytes(self._held) + data).split(b"\0")
        self._held = bytearray(rest[:_MAX_ENCODED])
        return [frame for frame in whole if frame]

    def clear(self) -> None:
        """Forget what is not complete."""
        self._held.clear()
