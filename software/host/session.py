"""A session: requests that are executed once, over a line that may damage, lose or repeat anything."""

from __future__ import annotations

from dataclasses import dataclass

from ...spec.errors import DeviceError
from ...spec.link import OPEN_BYTES, Command, Status
from .frames import Frame, FrameError, FrameSplitter
from .transport import Transport

__all__ = ["LinkCounts", "Session"]

_LOOSE = (Status.DAMAGED, Status.CUT, Status.LOST)
_MEANINGS = {
    Status.UNKNOWN_COMMAND: "it does not know the command; its image is of an older version",
    Status.BAD_BODY: "it does not know an operation, or this chip was built without it",
    Status.OUT_OF_SEQUENCE: "the sequence numbers do not go on: another program talks to the same device",
    Status.NO_SESSION: "the device was switched off and on; open it again, and load the network again",
    Status.VERSION: "it speaks another version of the protocol",
}


@dataclass
class LinkCounts:
    """What went wrong on the line, as the host saw it: frames sent again; answers that did not come; damaged answers; frames that the device
    could not read; and times that the transport was found again."""

    repeated: int = 0
    silent: int = 0
    damaged: int = 0
    refused: int = 0
    reopened: int = 0


class Session:
    """Sends a request until its answer comes, with the same sequence number: the device executes it once at most.

    Parameters
    ----------
    transport : see :class:`~.transport.Transport`.
    attempts : how often a request is sent before the device counts as gone.

    Raises DeviceError if the device does not answer.
    """

    def __init__(self, transport: Transport, *, attempts: int = 8) -> None:
        self._transport, self._attempts, self._splitter = transport, attempts, FrameSplitter()
        self.counts = LinkCounts()
        self._sequence = 0
        self._open(resume=False)

    def request(self, command: Command, argument: int = 0, body: bytes = b"") -> Frame:
        """The answer to a request, whose status is OK or FULL. Raises DeviceError for any other, or if none comes."""
        self._sequence = (self._sequence + 1) % 256
        frame = Frame(sequence=self._sequence, command=command, argument=argument, body=body)
        reply = self._send(frame)
        if reply.argument not in (Status.OK, Status.FULL):
            raise DeviceError(f"{self._transport.name}: the device refuses {command.name}: {_meaning(reply.argument)}")
        return reply

    def _open(self, *, resume: bool) -> None:
        frame = Frame(sequence=self._sequence, command=Command.OPEN, body=self._transport.session.to_bytes(4, "little"))
        reply = self._send(frame, again=not resume)
        if reply.argument != Status.OK or len(reply.body) != OPEN_BYTES:
            raise DeviceError(f"{self._transport.name}: the device refuses a session: {_meaning(reply.argument)}")
        if resume and not reply.body[5]:
            raise DeviceError(f"{self._transport.name}: the device lost its session: it was switched off, or another program opened it; what it was "
                              "doing is lost, open it again")
        if not resume:
            # A session that is resumed by chance goes on behind the number that its last request had.
            self._sequence = reply.body[4]

    def _send(self, frame: Frame, *, again: bool = True) -> Frame:
        data = frame.encode()
        for attempt in range(self._attempts):
            self.counts.repeated += attempt > 0
            try:
                self._transport.write(data)
                reply = self._answer(frame)
            except OSError as error:
                if not again:
                    raise
                self._recover(error)
                continue
            if reply is not None:
                return reply
        raise DeviceError(f"{self._transport.name}: no answer to {self._attempts} requests ({self.counts.silent} silences, {self.counts.damaged} "
                          f"damaged answers, {self.counts.refused} frames that the device could not read); check cable, power, baud rate, and "
                          "that the board runs an image built with --link")

    def _answer(self, frame: Frame) -> Frame | None:
        """The answer to a frame, or None where it has to be sent again."""
        while True:
            data = self._transport.read()
            if not data:
                self.counts.silent += 1
                self._splitter.clear()
                return None
            for encoded in self._splitter.put(data):
                try:
                    reply = Frame.decode(encoded)
                except FrameError:
                    self.counts.damaged += 1
                    return None
                if reply.reply and reply.argument in _LOOSE:
                    self.counts.refused += 1
                    return None
                if reply.reply and (reply.sequence, reply.command) == (frame.sequence, frame.command):
                    return reply
                # Any other is the second answer to a request that was sent twice.

    def _recover(self, error: OSError) -> None:
        """Find the transport again, and the session on it: the device still knows which request it executed last."""
        try:
            self._transport.reopen()
            self._splitter.clear()
            self._open(resume=True)
        except OSError:
            raise DeviceError(f"{self._transport.name}: the connection is lost ({error}) and the device does not come back") from None
        self.counts.reopened += 1


def _meaning(status: int) -> str:
    known = status in set(Status)
    return _MEANINGS.get(Status(status), Status(status).name) if known else f"status {status}"
