"""Frames: the CRC's check value, the bytes of docs/link.md, and every single damage is refused."""

from __future__ import annotations

import zlib

import pytest

from spikeloom.software.host.frames import Frame, FrameError, FrameSplitter
from spikeloom.software.host.records import ExchangeReply
from spikeloom.spec.link import Command, Flag, Tag

FRAME = Frame(sequence=8, command=Command.EXCHANGE, argument=255, body=bytes([4, 1, 0]))


def test_the_check_value_of_the_crc():
    assert zlib.crc32(b"123456789") == 0xCBF43926  # CRC-32/ISO-HDLC


def test_a_frame_comes_back():
    encoded = FRAME.encode()
    assert encoded[0] == encoded[-1] == 0 and 0 not in encoded[1:-1]
    assert Frame.decode(encoded[1:-1]) == FRAME


def test_every_flipped_bit_and_every_lost_byte_is_refused():
    encoded = FRAME.encode()[1:-1]
    for place in range(len(encoded)):
        for damaged in (*(encoded[:place] + bytes([encoded[place] ^ 1 << bit]) + encoded[place + 1:] for bit in range(8)),
                        encoded[:place] + encoded[place + 1:], encoded[:place]):
            with pytest.raises(FrameError):
                Frame.decode(damaged)


def test_a_frame_of_another_version_is_refused():
    content = bytes([2]) + FRAME.content()[1:-4]
    from spikeloom.software.host import cobs
    with pytest.raises(FrameError, match="version 2"):
        Frame.decode(cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")))


def test_frames_are_cut_at_zeros_however_the_bytes_come():
    splitter, found = FrameSplitter(), []
    for byte in FRAME.encode() + b"\0\0" + FRAME.encode() + b"half":
        found += splitter.put(bytes([byte]))
    assert found == [FRAME.encode()[1:-1]] * 2
    assert splitter.put(FRAME.encode()) == [b"half", FRAME.encode()[1:-1]]
    assert splitter.put(b"x" * 200_000) == [] and len(splitter.put(b"\0")[0]) < 70_000  # noise takes no memory


def test_a_reply_of_records():
    body = bytes.fromhex("e807" "02" "02" "00" "0300" "feffffffffff" "03" "00" "0100" "feffffffffff")
    reply = ExchangeReply.decode(body)
    assert reply.room == 2024 and reply.flags == Flag.MORE
    assert reply.records == [(Tag.READOUT, 0, 3, -2), (Tag.ANSWER, 0, 1, (1 << 48) - 2)]
    for wrong in (body[:2], body + b"x", body[:3] + b"\x09" + body[4:]):
        with pytest.raises(FrameError):
            ExchangeReply.decode(wrong)


def test_a_body_that_is_too_long_is_refused():
    with pytest.raises(FrameError, match="at most 65535 bytes, not 65536"):
        Frame(sequence=0, command=0, body=b"x" * 65536)
