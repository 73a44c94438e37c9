"""A device: a chip at the other end of a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ...spec.clips import Clips
from ...spec.errors import DeviceError, MismatchError
from ...spec.link import STATUS_WORDS, Command, Flag, Op, Status, Tag
from ...spec.network import Network
from . import operations as ops
from .identity import Identity
from .program import MEMORIES, MemoryWords, Program, program_of
from .records import ExchangeReply, Record
from .session import LinkCounts, Session
from .transport import Transport, open_transport

__all__ = ["ClipResult", "Device"]

_MOST_RECORDS = 255  # of a reply
_PATIENCE_S = 10.0  # without progress, on the device's clock
_POLLS = 20_000  # the same where that clock stands still


@dataclass(frozen=True, kw_only=True)
class ClipResult:
    """What a clip gave.

    Parameters
    ----------
    readouts : population -> readouts, ``[values], int64``.
    answer, confidence : the chip's own answer; None without readouts.
    spikes : (output, neuron, timestep, payload) in the order in which they came; empty where they were not asked for.
    """

    readouts: dict[str, np.ndarray] = field(default_factory=dict)
    answer: int | None = None
    confidence: int | None = None
    spikes: tuple[tuple[int, int, int, int], ...] = ()


class Device:
    """A chip with a host link.

    >>> with Device.open("sim:chip") as device:            # doctest: +SKIP
    ...     device.load(spikeloom.load("net.npz"))
    ...     results = list(device.run(clips))

    Opening it restarts it: queues are emptied and states cleared; its memories keep what they hold. All methods raise DeviceError if the device does
    not answer, or answers what it should not. Inputs and outputs of
    ``identity`` are those of the network that was loaded, before that of the image.
    """

    def __init__(self, transport: Transport, *, attempts: int = 8) -> None:
        self._transport = transport
        self._session = Session(transport, attempts=attempts)
        self._room, self._flags, self._came = 0, Flag(0), list[Record]()
        self.identity = Identity.decode(self._session.request(Command.IDENTIFY).body)
        self.restart()

    @classmethod
    def open(cls, target: str, *, baud: int | None = None, record: str | Path | None = None, attempts: int = 8) -> Device:
        """Open ``"/dev/ttyUSB0"``, ``"sim:DIR"`` or ``"replay:FILE"``; see :func:`~.transport.open_transport`."""
        transport = open_transport(target, baud=baud, record=None if record is None else Path(record))
        try:
            return cls(transport, attempts=attempts)
        except BaseException:
            transport.close()
            raise

    def close(self) -> None:
        """Let go of the device."""
        self._transport.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def link(self) -> LinkCounts:
        """What went wrong on the line so far, and was mended."""
        return self._session.counts

    def seconds(self) -> float:
        """The device's clock; a replay has none, and shows 0."""
        return self._transport.now()

    def restart(self) -> None:
        """Empty the queues, reset the chip; its memories keep what they hold."""
        self._session.request(Command.RESTART)
        self._came.clear()
        self._exchange()

    def status(self) -> dict[str, int]:
        """Error flags and counters of the device by their names (docs/link.md)."""
        body = self._session.request(Command.STATUS).body
        if len(body) != 2 * len(STATUS_WORDS):
            raise DeviceError(f"{self._transport.name}: STATUS must be {2 * len(STATUS_WORDS)} bytes, not {len(body)}")
        return {name: int.from_bytes(body[2 * k:2 * k + 2], "little") for k, name in enumerate(STATUS_WORDS)}

    def execute(self, operations: Iterable[bytes], done: Callable[[list[Record]], bool] | None = None) -> list[Record]:
        """Send operations in their order and take the records that come, until ``done`` says so of all of them; default: behind a MARK at the end.

        Operations are sent as there is room for them, and records taken all the while, so neither side ever waits for the other for good.
        """
        operations = list(operations)
        if done is None:
            operations.append(ops.mark(0))

            def done(records: list[Record]) -> bool:
                return bool(records) and records[-1].tag is Tag.MARK
        # The largest piece leaves room for the next one to be sent while it is worked on.
        for body in ops.pieces(operations, max((self.identity.depth - 1) // 2, 16)):
            self._until(partial(self._has_room, len(body)), "to make room for operations")
            self._exchange(body)
        self._until(lambda: done(self._came), "to finish what it was given")
        came, self._came = self._came, []
        return came

    def _exchange(self, body: bytes = b"") -> None:
        reply = self._session.request(Command.EXCHANGE, _MOST_RECORDS, body)
        if reply.argument == Status.FULL:
            raise DeviceError(f"{self._transport.name}: the device has no room for {len(body)} bytes of operations, and said {self._room}")
        self._room, self._flags, records = ExchangeReply.decode(reply.body)
        self._came += records

    def _has_room(self, need: int) -> bool:
        return self._room >= need

    def _until(self, there: Callable[[], bool], what: str) -> None:
        last, polls, seen = self._transport.now(), 0, (self._room, len(self._came))
        while not there():
            self._exchange()
            polls += 1
            if seen != (self._room, len(self._came)):
                last, polls, seen = self._transport.now(), 0, (self._room, len(self._came))
            if self._transport.now() - last > _PATIENCE_S or polls > _POLLS:
                raise DeviceError(f"{self._transport.name}: the device takes too long {what}: restart it, and read its status")

    # Memories.

    def program(self, network: Network) -> Program:
        """A network as this device holds it. Raises CapacityError, saying why, if it does not fit."""
        return program_of(network, self.identity)

    def load(self, program: Program | Network, *, verify: bool = True) -> int:
        """Write a network into the memories, those that do not hold it already; returns how many were written. Then RESET.

        Raises CapacityError if a network does not fit; MismatchError if a memory does not hold afterwards what was written.
        """
        program = self.program(program) if isinstance(program, Network) else program
        stale = self.differing(program) if self.identity.reads else list(program.memories)
        for memory in stale:
            self.execute([ops.select(memory.tile, memory.memory, 0), *ops.write(memory.words, memory.width)])
        self.execute([ops.control(Op.RESET)])
        if verify and self.identity.reads:
            wrong = self.differing(program)
            if wrong:
                raise MismatchError(f"{self._transport.name}: {MEMORIES[wrong[0].memory]} of tile {wrong[0].tile} does not hold what was written; "
                                    "the board may be clocked too fast, or a memory be broken")
        self.identity = replace(self.identity, inputs=program.inputs, outputs=program.outputs)  # of an overlay they change with its network
        return len(stale)

    def differing(self, program: Program) -> list[MemoryWords]:
        """The memories that do not hold a program, by digests that the device makes of what it reads."""
        if not self.identity.reads:
            raise DeviceError(f"{self._transport.name}: this chip cannot read its memories; build it with --link")
        requests: list[bytes] = []
        for memory in program.memories:
            # The checksum of a long memory is one of its pieces, too.
            for first in range(0, len(memory.words), ops.MOST_WORDS):
                requests += [ops.select(memory.tile, memory.memory, first), ops.digest(min(len(memory.words) - first, ops.MOST_WORDS))]
        found = iter([r.value for r in self.execute(requests) if r.tag is Tag.DIGEST])
        wrong = []
        for memory in program.memories:
            pieces = [MemoryWords(tile=memory.tile, memory=memory.memory, width=memory.width, words=memory.words[first:first + ops.MOST_WORDS])
                      for first in range(0, len(memory.words), ops.MOST_WORDS)]
            if [piece.digest for piece in pieces] != [next(found, None) for _ in pieces]:
                wrong.append(memory)
        return wrong

    def read_words(self, tile: int, memory: int, first: int, count: int) -> list[int]:
        """``count`` words of a memory from address ``first`` on; of memory 5 the neurons' states."""
        requests = [op for at in range(first, first + count, 64) for op in (ops.select(tile, memory, at), ops.fetch(min(64, first + count - at)))]
        words, word, offset = list[int](), 0, 0
        for record in self.execute(requests):
            if record.tag is Tag.WORD:
                word, offset = word | record.value << offset, offset + 32
                if record.place:
                    words.append(word)
                    word, offset = 0, 0
        return words

    def write_words(self, tile: int, memory: int, first: int, words: Sequence[int]) -> None:
        """Write words from address ``first`` on."""
        size = self.identity.tiles[tile].memories[memory]
        if size is None or first + len(words) > size[0]:
            raise DeviceError(f"{self._transport.name}: {MEMORIES[memory]} of tile {tile} has {size[0] if size else 0} words, and words {first} to "
                              f"{first + len(words) - 1} were to be written")
        self.execute([ops.select(tile, memory, first), *ops.write(words, size[1])])

    # Clips.

    def run(self, clips: Clips, *, spikes: bool = False) -> Iterator[ClipResult]:
        """Play clips one after the other, each from cleared states; a result per clip as it is there.

        Raises DeviceError if the clips' channels are not the device's inputs.
        """
        self._suits(clips.n_channels)
        bounds = np.searchsorted(clips.clip, np.arange(clips.n_clips + 1))
        for n in range(clips.n_clips):
            part = slice(int(bounds[n]), int(bounds[n + 1]))
            given = ops.events(*self.identity.located(clips.channel[part]), clips.payload[part])
            played = ops.timesteps(given, clips.step[part], clips.n_steps)
            yield self._result(self.execute([ops.control(Op.RESET), ops.report(spikes), *played, ops.control(Op.READ)]))

    def reset(self) -> None:
        """Clear states, readouts and timesteps of the chip."""
        self.execute([ops.control(Op.RESET)])

    def play(self, payloads: np.ndarray, *, spikes: bool = False) -> ClipResult:
        """Play further timesteps, ``[T, C]`` integers, 0 where there is no event, on the states that the chip has; readouts are since its RESET.

        Raises DeviceError if the channels are not the device's inputs.
        """
        self._suits(payloads.shape[1])
        step, channel = np.nonzero(payloads)
        played = ops.timesteps(ops.events(*self.identity.located(channel), payloads[step, channel]), step, len(payloads))
        return self._result(self.execute([ops.report(spikes), *played, ops.control(Op.READ)]))

    def _suits(self, channels: int) -> None:
        if channels != self.identity.channels:
            raise DeviceError(f"{self._transport.name}: the clips have {channels} channels, and the device's inputs {self.identity.channels}")

    def _result(self, records: list[Record]) -> ClipResult:
        outputs = self.identity.outputs
        readouts = {o.population: np.zeros(o.values, dtype=np.int64) for o in outputs if o.values}
        answers, seen, fired = [], 0, []
        for tag, population, place, value in records:
            if tag is Tag.READOUT:
                if population >= len(outputs) or place >= outputs[population].values:
                    raise DeviceError(f"{self._transport.name}: a readout {(population, place)} that the device does not have")
                readouts[outputs[population].population][place] = value
                seen += 1
            elif tag is Tag.ANSWER:
                answers.append((place, value))
            elif tag is Tag.SPIKE:
                fired.append((population, place, value & 0xFFFF, value >> 16))
        if seen != sum(len(values) for values in readouts.values()) or len(answers) != (seen > 0):
            raise DeviceError(f"{self._transport.name}: {seen} readouts and {len(answers)} answers came of a clip")
        answer, confidence = answers[0] if answers else (None, None)
        return ClipResult(readouts=readouts, answer=answer, confidence=confidence, spikes=tuple(fired))
