"""A hostile line: frames flipped, cut, doubled, old, unknown, too long, and garbage between them, against a model of what must come of each."""

from __future__ import annotations

import random
import zlib

import numpy as np

from spikeloom.sim import golden
from spikeloom.sim.engines.device import CompiledDevice
from spikeloom.software.host import cobs
from spikeloom.software.host.frames import Frame, FrameSplitter
from spikeloom.software.host.records import ExchangeReply, Record
from spikeloom.spec.link import STATUS_WORDS, Command, Op, Status, Tag
from spikeloom.spec.network import Network

from ..software.host.plain_link import PlainLink

__all__ = ["abuse"]

_SILENCE = 4000  # clocks: longer than the device's


class _Line:
    """The device and the model of it, fed the same bytes; every answer is compared as it comes."""

    def __init__(self, device: CompiledDevice) -> None:
        self.device, self.model, self._splitter = device, PlainLink(), FrameSplitter()
        self._compared, self._stored = 0, b""
        self.records: list[Record] = []
        self.statuses = 0  # STATUS replies that were compared

    def put(self, data: bytes) -> None:
        """Bytes to both; where a frame ends, its answer is waited for: what comes while a reply is sent is another test."""
        while data:
            end = data.find(0) + 1 or len(data)
            self.model.put(data[:end])
            self._expect(self.device.run(data[:end]))
            data = data[end:]

    def silence(self) -> None:
        """Nothing, for so long that a frame is given up."""
        self.model.silence()
        self._expect(self.device.run(clocks=_SILENCE))

    def _expect(self, data: bytes) -> None:
        frames = self._splitter.put(data)
        while self._compared + len(frames) < len(self.model.answers):
            more = self.device.run(clocks=200_000, stop_at_zero=True)
            assert more, f"{self.model.answers[self._compared + len(frames)]} never came"
            frames += self._splitter.put(more)
        for encoded in frames:
            reply = Frame.decode(encoded)
            assert self._compared < len(self.model.answers), f"an answer to nothing: {reply}"
            want = self.model.answers[self._compared]
            assert (reply.sequence, reply.command, reply.argument) == want[:3], f"{reply}, not {want}"
            self._compared += 1
            if reply.argument == Status.OK:
                self._body(reply, want.repeated)

    def _body(self, reply: Frame, repeated: bool) -> None:
        if reply.command == Command.STATUS:
            found = {name: int.from_bytes(reply.body[2 * k:2 * k + 2], "little") for k, name in enumerate(STATUS_WORDS)}
            assert found == {name: self.model.counts[name] for name in STATUS_WORDS}
            self.statuses += 1
        elif reply.command == Command.EXCHANGE and repeated:
            assert reply.body == self._stored, "the stored reply changed"
        elif reply.command == Command.EXCHANGE:
            self._stored = reply.body
            self.records += ExchangeReply.decode(reply.body).records


def abuse(device: CompiledDevice, network: Network, n_frames: int, seed: int) -> dict[str, int]:
    """Sends ``n_frames`` requests, each in a hostile way; asserts that each answer, each count and all that was computed are right.

    Returns the counts. An AssertionError says what was wrong first.
    """
    rng, line, history = random.Random(seed), _Line(device), list[bytes]()
    rows = [np.zeros(network.inputs[0].size, dtype=np.int64)]

    def request(command: int, argument: int = 0, body: bytes = b"") -> None:
        sequence = (line.model.last + 1) % 256
        frame = Frame(sequence=sequence, command=command, argument=argument, body=body).encode()
        _mistreat(rng, line, frame, history)
        if line.model.last != sequence or rng.random() < 0.1:  # as a host does that got no answer
            line.put(frame)
        assert line.model.last == sequence
        history.append(frame)

    line.put(_noise(rng) + Frame(sequence=3, command=Command.STATUS).encode())  # before any session
    line.put(Frame(sequence=7, command=Command.OPEN, body=b"abcd").encode())
    request(Command.EXCHANGE, 255, bytes([Op.REPORT, 1]))
    for _ in range(n_frames):
        kind = rng.random()
        if kind < 0.75:
            body = b""
            for neuron in rng.sample(range(len(rows[-1])), rng.randint(0, 3)):
                if not rows[-1][neuron]:
                    rows[-1][neuron] = payload = rng.choice([1, 1, 2, 3])
                    body += bytes([Op.EVENT, neuron, 0]) if payload == 1 else bytes([Op.VALUE, neuron, 0, payload])
            if rng.random() < 0.6:
                body += bytes([Op.STEP, 1, 0])
                rows.append(np.zeros_like(rows[0]))
            request(Command.EXCHANGE, rng.choice([0, 1, 5, 255]), body)
        elif kind < 0.79:
            request(Command.EXCHANGE, 255, bytes([Op.STEP, 1, 0, rng.choice([0, 16, 77, 255])]))  # an unknown operation: nothing of it is done
        elif kind < 0.83:
            request(Command.EXCHANGE, 255, bytes([Op.EVENT, 1, 0, Op.STEP, 1]))  # cut short
        elif kind < 0.84:
            request(Command.EXCHANGE, 255, bytes([Op.FLUSH]) * 2100)  # more than there can be room for
        elif kind < 0.90:
            request(rng.choice([Command.IDENTIFY, Command.STATUS, Command.STATUS]), 0, rng.choice([b"", b"", b"x"]))
        elif kind < 0.94:
            request(rng.choice([9, 99, 255]), 0, b"?")
        else:
            request(Command.EXCHANGE, 255)
    request(Command.EXCHANGE, 255, bytes([Op.READ, Op.MARK, 5]))
    while not line.records or line.records[-1].tag is not Tag.MARK:
        request(Command.EXCHANGE, 255)
    line.put(Frame(sequence=(line.model.last + 1) % 256, command=Command.STATUS).encode())
    assert line.statuses
    _compare(network, np.array(rows[:-1]), line.records)
    return dict(line.model.counts)


def _noise(rng: random.Random) -> bytes:
    return bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))


def _mistreat(rng: random.Random, line: _Line, frame: bytes, history: list[bytes]) -> None:
    """What may happen to a frame, or before it."""
    kind, place = rng.randrange(12), rng.randrange(1, len(frame) - 1)
    if kind == 0:
        line.put(frame[:place] + bytes([frame[place] ^ 1 << rng.randrange(8)]) + frame[place + 1:])
    elif kind == 1:
        line.put(frame[:place] + frame[place + rng.randint(1, 6):])  # bytes are lost, perhaps the end, too
    elif kind == 2:
        line.put(frame[:place])
        line.silence()
    elif kind == 3:
        line.put(_noise(rng))
    elif kind == 4 and history:
        line.put(history[-1])  # comes twice
    elif kind == 5 and len(history) > 2:
        line.put(rng.choice(history[-200:-1]))  # comes late
    elif kind == 6:
        content = bytes([2]) + Frame(sequence=rng.randrange(256), command=Command.EXCHANGE, body=bytes([Op.STEP, 9, 0])).content()[1:-4]
        line.put(b"\0" + cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")) + b"\0")  # of another version
    elif kind == 7:
        line.put(b"\0" * rng.randint(1, 5))
    elif kind == 8:
        line.put(frame + frame)


def _compare(network: Network, clip: np.ndarray, records: list[Record]) -> None:
    """Spikes, readouts and answer of all timesteps that were ended, against the golden model."""
    result = golden.run(network, clip[None], record=True)
    want = sorted((int(t), int(n)) for t, n in np.argwhere(result.spikes["h"][0]))
    got = sorted((r.value & 0xFFFF, r.place) for r in records if r.tag is Tag.SPIKE)
    assert want, "nothing fired: the test shows nothing"
    assert got == want, f"{len(got)} spikes, not {len(want)}"
    assert [r.value for r in records if r.tag is Tag.READOUT] == [int(v) for v in result.readouts["y"][0]]
    assert result.answers is not None and result.confidences is not None
    assert [(r.place, r.value) for r in records if r.tag is Tag.ANSWER] == [(int(result.answers[0]), int(result.confidences[0]))]
