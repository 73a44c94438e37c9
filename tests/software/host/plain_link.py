"""A device's side of the host link as docs/link.md has it, written in plain loops: what each byte on the line must lead to."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import NamedTuple

from spikeloom.spec.link import Command, Op, Status, op_form

__all__ = ["Answer", "PlainLink", "unstuffed"]


class Answer(NamedTuple):
    """Header of a reply, and whether it is a stored one that is sent again."""

    sequence: int
    command: int
    status: int
    repeated: bool = False


def unstuffed(data: bytes) -> bytes | None:
    """COBS undone byte by byte; None where the last block is cut."""
    out, left, zero = [], 0, False
    for byte in data:
        if left == 0:
            if zero:
                out.append(0)
            left, zero = byte - 1, byte != 255
        else:
            out.append(byte)
            left -= 1
    return None if left else bytes(out)


class PlainLink:
    """Knows which request is executed, what is answered, and what is counted, as long as no byte comes while a reply is sent.

    ``answers`` are in their order; ``last`` is the number executed last; ``executed`` the bodies of EXCHANGEs; ``counts`` as in STATUS.
    ``fits(length)`` says whether the operation queue takes so many bytes now.
    """

    def __init__(self, fits=lambda length: length <= 2047) -> None:
        self._fits, self._held = fits, bytearray()
        self._session: bytes | None = None
        self.last, self._stored = 0, Answer(0, 0, 0)
        self.answers: list[Answer] = []
        self.executed: list[bytes] = []
        self.counts: Counter[str] = Counter()

    def put(self, data: bytes) -> None:
        """Bytes on the line."""
        for byte in data:
            if byte:
                self._held.append(byte)
            elif self._held:
                frame, self._held = bytes(self._held), bytearray()
                self._frame(frame)

    def silence(self) -> None:
        """Nothing came for long."""
        if self._held:
            self._held.clear()
            self.counts["cut"] += 1
            self.answers.append(Answer(0, Command.NONE, Status.CUT))

    def _frame(self, encoded: bytes) -> None:
        content = unstuffed(encoded)
        if content is None or len(content) < 10 or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little") \
                or int.from_bytes(content[4:6], "little") != len(content) - 10:
            self.counts["damaged"] += 1
            self.answers.append(Answer(0, Command.NONE, Status.DAMAGED))
            return
        version, sequence, command, _ = content[:4]
        body = content[6:-4]
        if version != 1:
            self._refuse(sequence, command, Status.VERSION)
        elif command == Command.OPEN and len(body) == 4:
            if body != self._session:
                self._session, self.last = body, sequence
                self._stored = Answer(sequence, command, Status.OK)
            self.answers.append(Answer(sequence, command, Status.OK))
        elif self._session is None:
            self._refuse(sequence, command, Status.NO_SESSION)
        elif sequence == self.last:
            self.counts["repeated"] += 1
            self.answers.append(self._stored._replace(repeated=True))
        elif sequence != (self.last + 1) % 256:
            self.counts["out_of_sequence"] += 1
            self.answers.append(Answer(sequence, command, Status.OUT_OF_SEQUENCE))
        else:
            self.last = sequence
            self._stored = Answer(sequence, command, self._execute(command, body))
            self.answers.append(self._stored)

    def _execute(self, command: int, body: bytes) -> Status:
        if command in (Command.IDENTIFY, Command.STATUS, Command.RESTART):
            status = Status.OK if not body else Status.BAD_BODY
        elif command == Command.EXCHANGE:
            if not self._whole(body):
                status = Status.BAD_BODY
            elif not self._fits(len(body)):
                self.counts["full"] += 1
                return Status.FULL
            else:
                self.executed.append(body)
                status = Status.OK
        else:
            status = Status.BAD_BODY if command == Command.OPEN else Status.UNKNOWN_COMMAND
        self.counts["refused"] += status is not Status.OK
        return status

    @staticmethod
    def _whole(body: bytes) -> bool:
        place = 0
        while place < len(body):
            if body[place] not in set(Op) - {Op.COUNTERS}:
                return False
            place += 1 + op_form(Op(body[place])).size
        return place == len(body)

    def _refuse(self, sequence: int, command: int, status: Status) -> None:
        self.counts["refused"] += 1
        self.answers.append(Answer(sequence, command, status))
