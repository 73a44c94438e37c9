"""The host link: a UART in front of a chip's streams."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ...spec.chip import ChipSpec
from ...spec.image import MemoryImage
from ..top import Chip
from .cobs_encoder import CobsEncoder
from .executor import Executor, operations_of
from .operation_queue import OperationQueue
from .record_queue import RecordQueue
from .recorder import Recorder, record_layout
from .reply import ReplyWriter
from .request import RequestReader
from .responder import Responder
from .timing import LinkTiming
from .uart_receiver import UartReceiver
from .uart_transmitter import UartTransmitter

__all__ = ["LinkedChip"]

_SMALL_COUNTERS = 6  # bits of the link's counters where logic is scarce


class LinkedChip(wiring.Component):
    """A chip whose host is at the other end of a serial line; docs/link.md has the protocol.

        rx --> UartReceiver --> RequestReader ----> OperationQueue --> Executor ----> chip
                                      |                                                |
                                  Responder                                        Recorder
                                      |                                                |
        tx <-- UartTransmitter <-- CobsEncoder <-- ReplyWriter <----------------- RecordQueue

    The chip waits while the record queue is full, the executor while the chip does: the host always gets an answer, and with it the records that
    make room. So nothing is ever lost and nothing waits for ever, as long as the host asks.

    Parameters
    ----------
    chip, image : as of :class:`~spikeloom.hdl.top.Chip`.
    timing : of the line.
    identity : what IDENTIFY gives, at most 65,535 bytes.
    depth : bytes of the operation queue, a power of two.
    places : of the record queue, a power of two.

    Members
    -------
    rx, tx : the line.
    """

    def __init__(self, chip: ChipSpec, image: MemoryImage, timing: LinkTiming, identity: bytes, *, depth: int = 2048, places: int = 256):
        if not 0 < len(identity) < 1 << 16:
            raise ValueError(f"Identity must be 1 to 65535 bytes, not {len(identity)}")
        self._chip, self._image, self._timing, self._identity, self._depth, self._places = chip, image, timing, identity, depth, places
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        spec, timing = self._chip, self._timing
        restart = Signal()
        chip, executor, recorder = Chip(spec, self._image), Executor(spec), Recorder(spec)
        operations, records = OperationQueue(depth=self._depth), RecordQueue(record_layout(spec), depth=self._places)
        anew = ResetInserter(restart)
        m.submodules.chip, m.submodules.executor, m.submodules.recorder = anew(chip), anew(executor), anew(recorder)
        m.submodules.operations, m.submodules.records = anew(operations), anew(records)
        m.submodules.receiver = receiver = UartReceiver(timing)
        m.submodules.request = request = RequestReader(timing, operations_of(spec))
        m.submodules.responder = responder = Responder(depth=self._depth, places=self._places,
                                                           counter_bits=16 if spec.memories == "distributed" else _SMALL_COUNTERS)
        m.submodules.reply = reply = ReplyWriter(self._identity, record_layout(spec), self._places)
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.transmitter = transmitter = UartTransmitter(timing)

        connect(m, executor.events, chip.events)
        connect(m, executor.control, chip.control)
        connect(m, operations.o, executor.operations)
        connect(m, chip.spikes, recorder.spikes)
        connect(m, chip.readouts, recorder.readouts)
        connect(m, executor.own, recorder.own)
        connect(m, recorder.records, records.i)
        connect(m, responder.reply, reply.reply)
        connect(m, reply.o, encoder.i)
        connect(m, encoder.o, transmitter.i)
        if spec.writable:
            connect(m, executor.config, chip.config)
        if spec.reads:
            connect(m, chip.readback, executor.readback)
            connect(m, executor.words, recorder.words)
        if hasattr(chip, "answer"):
            m.d.comb += [getattr(recorder, f"answer_{name}").eq(getattr(chip.answer, name)) for name in ("valid", "index", "confidence")]
        for k in range(len(spec.tiles) if spec.counters else 0):
            m.d.comb += getattr(executor, f"counters_{k}").eq(getattr(chip, f"counters_{k}").as_value())
        status = chip.status
        m.d.comb += [
            receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx),
            request.i_valid.eq(receiver.valid), request.i_data.eq(receiver.data), request.i_error.eq(receiver.error), request.done.eq(responder.done),
            operations.w_valid.eq(request.w_valid), operations.w_data.eq(request.w_data), operations.commit.eq(responder.commit),
            operations.rollback.eq(request.rollback | responder.rollback),
            *(getattr(responder, name).eq(getattr(request, name)) for name in (
                "waiting", "version", "sequence", "command", "argument", "length", "start", "whole", "damaged", "cut", "lost")),
            responder.line.eq(receiver.error), responder.refused_event.eq(executor.refused), responder.overflow.eq(operations.overflow),
            responder.room.eq(operations.room), responder.records.eq(records.waiting), records.release.eq(responder.release),
            restart.eq(responder.restart), responder.errors.eq(status.errors),
            responder.idle.eq(operations.empty & executor.idle & ~status.busy & ~recorder.busy),
            responder.rejected[0].eq(status.rejected.range), responder.rejected[1].eq(status.rejected.payload),
            responder.rejected[2].eq(status.rejected.duplicate),
            reply.words.eq(responder.words), reply.session.eq(responder.session), reply.last.eq(responder.last),
            records.number.eq(reply.number), reply.record.eq(records.record),
            executor.busy.eq(status.busy), executor.recording.eq(recorder.busy), recorder.report.eq(executor.report),
        ]
        return m
