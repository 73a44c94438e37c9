"""The host link's numbers: frames, commands, operations and records, as gateware and driver share them. docs/link.md explains them.

    frame      00, COBS(header, body, CRC-32), 00
    header     version, sequence, command, argument (of a reply: status), length of the body (16 bits, low byte first)
    body       of EXCHANGE: operations; of its reply: room, flags, records
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple

__all__ = ["CRC_BYTES", "EXCHANGE_BYTES", "HEADER_BYTES", "OPEN_BYTES", "RECORD_BYTES", "REPLY", "STATUS_WORDS", "VERSION", "Command", "Flag",
           "Op", "OpForm", "Status", "Tag", "op_form"]

VERSION = 1
REPLY = 0x80  # set in the version of a reply
HEADER_BYTES, CRC_BYTES = 6, 4
RECORD_BYTES = 10  # tag, population, index (16 bits), value (48 bits)
EXCHANGE_BYTES = 3  # of the reply, before its records: room (16 bits), flags
OPEN_BYTES = 6  # of the reply: session (32 bits), last sequence number, resumed


class Command(IntEnum):
    """What a request asks for; NONE marks the answer to a frame that could not be read."""

    NONE = 0
    OPEN = 1  # begin a session, or take it up again
    IDENTIFY = 2  # the identity, JSON
    STATUS = 3  # errors and their counts
    RESTART = 4  # empty both queues, reset the chip
    EXCHANGE = 5  # operations in, records out


class Status(IntEnum):
    """Outcome of a request. From 16 on: of a frame that could not be read, so that nobody knows which request it was."""

    OK = 0
    FULL = 1  # the operations do not fit the queue; none was taken
    UNKNOWN_COMMAND = 2
    BAD_BODY = 3  # an unknown operation, one cut short, or a body of the wrong length; nothing was done
    OUT_OF_SEQUENCE = 4  # neither the next number nor a repetition; nothing was done
    NO_SESSION = 5  # OPEN first
    VERSION = 6  # of another protocol; nothing was done
    DAMAGED = 16  # wrong CRC, COBS or length
    CUT = 17  # silence within a frame
    LOST = 18  # it came while another frame was still waiting for its reply


class Flag(IntFlag):
    """Flags of an EXCHANGE reply."""

    IDLE = 1  # every operation is done and the chip waits
    MORE = 2  # records are left for the next reply
    ERRORS = 4  # the chip has an error flag; STATUS says which


class OpForm(NamedTuple):
    """Bytes of an operation behind its code, and what a chip needs for it: ``""``, ``"writable"``, ``"reads"`` or ``"counters"``."""

    size: int
    needs: str


class Op(IntEnum):
    """Operations of an EXCHANGE, done in their order. Numbers have their low byte first."""

    EVENT = 1  # neuron u16: of input population 0, payload 1
    VALUE = 2  # neuron u16, payload i8: of input population 0
    ANY = 3  # neuron u16, payload i16, population u8
    STEP = 4  # count u16
    FLUSH = 5
    READ = 6
    RESET = 7
    REPORT = 8  # u8: bit 0, spikes become records (they are thrown away otherwise)
    MARK = 9  # u8: a record with this value, when everything before it is done
    SELECT = 10  # tile u8, memory u8, address u24
    PART = 11  # u32 of a word, not its last 32 bits
    LAST = 12  # u32, the last of a word: it is written, the address counts on
    FETCH = 13  # count u16: that many words become records, the address counts on
    DIGEST = 14  # count u16: one record with the CRC-32 of that many words, the address counts on
    COUNTERS = 15  # all counters become records


_FORMS = {
    Op.EVENT: (2, ""), Op.VALUE: (3, ""), Op.ANY: (5, ""), Op.STEP: (2, ""), Op.FLUSH: (0, ""), Op.READ: (0, ""), Op.RESET: (0, ""),
    Op.REPORT: (1, ""), Op.MARK: (1, ""), Op.SELECT: (5, "writable"), Op.PART: (4, "writable"), Op.LAST: (4, "writable"),
    Op.FETCH: (2, "reads"), Op.DIGEST: (2, "reads"), Op.COUNTERS: (0, "counters"),
}


def op_form(op: Op) -> OpForm:
    """Form of an operation."""
    return OpForm(*_FORMS[op])


class Tag(IntEnum):
    """What a record is."""

    SPIKE = 1  # population, neuron, value: timestep (16 bits), above it how often it fired
    READOUT = 2  # population, neuron or class, value (signed)
    ANSWER = 3  # index, value: confidence
    WORD = 4  # index: 1 on the last part of a word, value: 32 bits
    DIGEST = 5  # value: CRC-32
    MARK = 6  # value: that of the MARK
    COUNTER = 7  # population: tile, index: 5 * group + counter, value


# Of STATUS's reply, 16 bits each, saturating but for the first, in which bit k is the chip's error flag k (range, payload, duplicate, config, route).
STATUS_WORDS = ("chip_errors", "rejected_range", "rejected_payload", "rejected_duplicate", "refused_events", "damaged", "cut", "lost", "line",
                "repeated", "out_of_sequence", "refused", "full")
