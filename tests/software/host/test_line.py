"""The link's behaviour in time: what comes while a reply is sent, a chip that has to wait, hosts that die, and how fast it is."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.host import operations as ops
from spikeloom.software.host.device import Device
from spikeloom.software.host.frames import Frame, FrameSplitter
from spikeloom.software.host.records import ExchangeReply
from spikeloom.software.host.simulated import SimulatedTransport
from spikeloom.spec.link import STATUS_WORDS, Command, Flag, Op, Status, Tag

from ...linked import TIMING, compiled, needs_compiler, network, project, shared_folder

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_folder(tmp_path_factory, "linked")


class Host:
    """A host that sends what it likes, and decodes all that comes."""

    def __init__(self, folder) -> None:
        self.device, self._splitter = compiled(folder, network()), FrameSplitter()
        self.sequence = 0
        assert self.ask(Command.OPEN, body=b"abcd").argument == Status.OK

    def send(self, *frames: Frame) -> list[Frame]:
        """All frames without a pause; the replies that came in that time."""
        return self.replies(self.device.run(b"".join(frame.encode() for frame in frames)))

    def replies(self, data: bytes = b"", *, clocks: int = 0) -> list[Frame]:
        return [Frame.decode(encoded) for encoded in self._splitter.put(data + self.device.run(clocks=clocks))]

    def frame(self, command: Command, argument: int = 0, body: bytes = b"") -> Frame:
        self.sequence = (self.sequence + 1) % 256
        return Frame(sequence=self.sequence, command=command, argument=argument, body=body)

    def ask(self, command: Command, argument: int = 0, body: bytes = b"") -> Frame:
        (reply,) = self.send(self.frame(command, argument, body)) or self.replies(clocks=200_000)  # 255 records take 130,000
        return reply

    def status(self) -> dict[str, int]:
        body = self.ask(Command.STATUS).body
        return {name: int.from_bytes(body[2 * k:2 * k + 2], "little") for k, name in enumerate(STATUS_WORDS)}


def test_a_frame_may_come_while_a_reply_is_sent_and_the_next_one_is_lost_counted_and_answered(folder):
    host = Host(folder)
    identify = host.frame(Command.IDENTIFY)
    mark, late = (host.frame(Command.EXCHANGE, 255, ops.mark(k)) for k in (1, 2))
    found = host.send(identify, mark, late) + host.replies(clocks=200_000)
    assert [(reply.command, reply.argument) for reply in found] == [
        (Command.IDENTIFY, Status.OK), (Command.EXCHANGE, Status.OK), (Command.NONE, Status.LOST)]
    (again,) = host.send(late) or host.replies(clocks=50_000)
    assert [r.value for r in ExchangeReply.decode(again.body).records] == [1]
    assert [r.value for r in ExchangeReply.decode(host.ask(Command.EXCHANGE, 255).body).records] == [2]
    assert host.status()["lost"] == 1


def test_a_chip_whose_records_nobody_takes_waits_and_loses_none(folder):
    host, net, n_steps = Host(folder), network(), 60
    x = np.full((n_steps, 8), 3, dtype=np.int64)
    bodies = ops.pieces([ops.report(True), *(op for row in x for op in (*ops.events([0] * 8, range(8), row), ops.step())), ops.mark(9)], 300)
    reply, taken, waited = ExchangeReply.decode(host.ask(Command.EXCHANGE).body), [], False
    while not taken or taken[-1].tag is not Tag.MARK:
        body = bodies.pop(0) if bodies and len(bodies[0]) <= reply.room else b""
        if not body:  # now nothing moves any more, for as long as nobody takes a record
            host.replies(clocks=100_000)
            before, reply = reply.room, ExchangeReply.decode(host.ask(Command.EXCHANGE, 0).body)
            waited |= reply.room == before and Flag.MORE in reply.flags and Flag.IDLE not in reply.flags
        reply = ExchangeReply.decode(host.ask(Command.EXCHANGE, 0 if body else 255, body).body)
        taken += reply.records
    want = sorted((int(t), int(k)) for t, k in np.argwhere(golden.run(net, x[None], record=True).spikes["h"][0]))
    assert waited, "the queues never filled: the test shows nothing"
    assert sorted((r.value & 0xFFFF, r.place) for r in taken if r.tag is Tag.SPIKE) == want and len(want) > 256


def test_a_host_that_dies_in_mid_frame_and_with_work_under_way_is_followed_by_another(folder):
    transport, net = SimulatedTransport(project(folder, network())), network()
    first = Device(transport)
    first.execute([ops.report(True), *ops.events([0] * 8, range(8), [3] * 8), ops.step(40)], done=lambda records: True)
    transport.write(Frame(sequence=9, command=Command.EXCHANGE, body=bytes(600)).encode()[:300])
    transport.session = 2  # another process
    second, x = Device(transport), np.eye(8, dtype=np.int64) * 3
    given = [op for row in x for op in (*ops.events([0], np.flatnonzero(row), row[row != 0]), ops.step())]
    records = second.execute([*given, ops.control(Op.READ)])
    assert [r.value for r in records if r.tag is Tag.READOUT] == golden.run(net, x[None]).readouts["y"][0].tolist()
    assert not [r for r in records if r.tag is Tag.SPIKE], "RESTART leaves REPORT off"


def test_an_exchange_takes_the_bits_of_its_frames_and_little_more(folder):
    host = Host(folder)
    for body in (b"", ops.mark(3) * 300):
        request = host.frame(Command.EXCHANGE, 255, body)
        before = host.device.clocks
        data = host.device.run(request.encode())
        while data.count(0) < 2:
            data += host.device.run(clocks=1)
        bits = 10 * (len(request.encode()) + len(data))
        assert bits * TIMING.clocks_per_bit <= host.device.clocks - before + TIMING.clocks_per_bit <= bits * TIMING.clocks_per_bit + 700


def test_events_go_through_as_fast_as_the_line(folder):
    # Back to back requests of 1,500 bytes: the chip works on one while the next comes, so only the lines' bits count.
    host, row = Host(folder), ops.events([0] * 8, range(8), [1] * 8)
    body = b"".join([*row, ops.step()]) * 55
    host.ask(Command.EXCHANGE, 255, body)
    before, n_bits = host.device.clocks, 0
    for _ in range(3):
        request = host.frame(Command.EXCHANGE, 255, body)
        data = host.device.run(request.encode())
        while data.count(0) < 2:
            data += host.device.run(clocks=1)
        n_bits += 10 * (len(request.encode()) + len(data))
        (reply,) = [Frame.decode(part) for part in data.split(b"\0") if part]
        assert reply.argument == Status.OK
    assert host.device.clocks - before < 1.03 * n_bits * TIMING.clocks_per_bit
    assert host.status()["chip_errors"] == 0
