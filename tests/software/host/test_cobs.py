"""COBS of the driver: the published examples, the limits of a block, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.software.host import cobs

from .plain_link import unstuffed

# Decoded and encoded, as the examples of the article on Wikipedia have them (without the zero at the end).
KNOWN = [
    ("00", "0101"), ("0000", "010101"), ("001100", "01021101"), ("11220033", "0311220233"), ("11223344", "0511223344"), ("11000000", "0211010101"),
    (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()), (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
    (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
    ((bytes(range(2, 256)) + b"\0").hex(), "ff" + bytes(range(2, 256)).hex() + "0101"),
    ((bytes(range(3, 256)) + b"\0\1").hex(), "fe" + bytes(range(3, 256)).hex() + "0201"), ("", "01"),
]


@pytest.mark.parametrize("decoded, encoded", KNOWN)
def test_the_published_examples(decoded, encoded):
    assert cobs.encode(bytes.fromhex(decoded)).hex() == encoded
    assert cobs.decode(bytes.fromhex(encoded)).hex() == decoded


@given(st.lists(st.sampled_from([b"\0", b"\1", b"\xff", b"\7" * 253, b"\7" * 254, b"\7" * 255]), max_size=8).map(b"".join) | st.binary(max_size=600))
def test_what_is_encoded_comes_back_without_a_zero_on_the_way(data):
    encoded = cobs.encode(data)
    assert 0 not in encoded and len(encoded) <= len(data) + 1 + len(data) // 254
    assert cobs.decode(encoded) == data == unstuffed(encoded)


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_as_the_plain_decoder_does_or_refused(data):
    try:
        found = cobs.decode(data)
    except cobs.CobsError:
        found = None
    assert found == (None if 0 in data else unstuffed(data))
