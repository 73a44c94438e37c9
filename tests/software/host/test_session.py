"""The driver's session on a line that loses, damages and repeats: each request is executed once, and what cannot be mended is said."""

from __future__ import annotations

import random

import pytest

from spikeloom.software.host.frames import Frame
from spikeloom.software.host.session import Session
from spikeloom.spec.errors import DeviceError
from spikeloom.spec.link import Command, Status

from .plain_link import PlainLink


class Line:
    """A device that is the plain model of one, behind a line that does what ``mishap`` says (a function of direction and bytes)."""

    name, session, timeout = "line", 0x01020304, 0.0

    def __init__(self, mishap=lambda direction, data: data) -> None:
        self.model, self._mishap, self._out, self._answered = PlainLink(), mishap, b"", 0
        self.gone = 0  # how many of the next writes fail
        self.fresh = False  # the device was switched off

    def write(self, data: bytes) -> None:
        if self.gone:
            self.gone -= 1
            raise OSError("unplugged")
        self.model.put(self._mishap("to", data))
        for answer in self.model.answers[self._answered:]:
            body = b""
            if answer.command == Command.OPEN and answer.status == Status.OK:
                body = self.session.to_bytes(4, "little") + bytes([self.model.last, not self.fresh])
            reply = Frame(sequence=answer.sequence, command=answer.command, argument=answer.status, body=body, reply=True)
            self._out += self._mishap("from", reply.encode())
        self._answered = len(self.model.answers)

    def read(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def now(self) -> float:
        return 0.0

    def reopen(self) -> None:
        if self.gone > 1:
            raise OSError("still unplugged")
        self.gone = 0
        if self.fresh:
            self.model = PlainLink()
            self._answered = 0

    def close(self) -> None:
        pass


def bodies(n: int) -> list[bytes]:
    return [bytes([9, k % 256]) for k in range(n)]


def test_on_a_good_line_nothing_is_sent_twice():
    line = Line()
    session = Session(line)
    for body in bodies(600):
        assert session.request(Command.EXCHANGE, 1, body).argument == Status.OK
    assert line.model.executed == bodies(600)
    assert session.counts.repeated == session.counts.silent == 0 and not any(line.model.counts.values())


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_each_request_is_executed_once_and_in_order(seed):
    rng = random.Random(seed)

    def mishap(direction: str, data: bytes) -> bytes:
        kind, place = rng.randrange(8), rng.randrange(len(data))
        if kind == 0:
            return b""
        if kind == 1:
            return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1:]
        if kind == 2:
            return data + data
        if kind == 3:
            return bytes(rng.randrange(256) for _ in range(9)) + data
        return data
    line = Line(mishap)
    session = Session(line, attempts=40)
    for body in bodies(400):
        session.request(Command.EXCHANGE, 1, body)
    assert line.model.executed == bodies(400)
    assert session.counts.repeated > 100 and session.counts.damaged and session.counts.refused and session.counts.silent


def test_a_session_that_repeats_with_a_new_number_would_be_seen(monkeypatch):
    # The mutant: each attempt takes a number of its own.
    lost = iter([0, 0, 0, 1] * 100)
    line = Line(lambda direction, data: b"" if direction == "from" and next(lost) else data)
    session = Session(line)

    def request(command, argument=0, body=b""):
        for _ in range(9):
            session._sequence = (session._sequence + 1) % 256
            line.write(Frame(sequence=session._sequence, command=command, argument=argument, body=body).encode())
            if line.read():
                return
    for body in bodies(20):
        request(Command.EXCHANGE, 1, body)
    assert line.model.executed != bodies(20)


def test_a_line_that_is_back_goes_on_and_one_that_is_not_is_an_error():
    line = Line()
    session = Session(line)
    line.gone = 1
    session.request(Command.EXCHANGE, 1, b"\5")
    assert line.model.executed == [b"\5"] and session.counts.reopened == 1
    line.gone = 3
    with pytest.raises(DeviceError, match=r"line: the connection is lost \(unplugged\) and the device does not come back"):
        session.request(Command.EXCHANGE, 1, b"\5")


def test_a_device_that_was_switched_off_in_between_is_an_error():
    line = Line()
    session = Session(line)
    line.gone, line.fresh = 1, True
    with pytest.raises(DeviceError, match="the device lost its session"):
        session.request(Command.EXCHANGE, 1, b"\5")


def test_a_device_that_says_nothing_is_an_error():
    with pytest.raises(DeviceError, match=r"line: no answer to 3 requests \(3 silences, .* check cable, power, baud rate"):
        Session(Line(lambda direction, data: b""), attempts=3)


@pytest.mark.parametrize("command, body, text", [
    (Command.NONE, b"", "does not know the command"), (Command.EXCHANGE, b"\0", "does not know an operation"), (Command.STATUS, b"x", "operation")])
def test_a_refusal_says_why(command, body, text):
    session = Session(Line())
    with pytest.raises(DeviceError, match=text):
        session.request(command, 0, body)
