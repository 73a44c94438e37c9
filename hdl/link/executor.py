"""Executor: operations to the chip's streams."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from ...spec.chip import ChipSpec
from ...spec.link import Op, Tag, op_form
from ..config_port import config_layout
from ..host_port import event_port_layout
from ..readback import readback_layout
from ..sequencer import Command, control_layout
from .recorder import own_record_layout

__all__ = ["Executor", "operations_of"]

_NEEDS_QUIET = (Op.MARK, Op.PART, Op.LAST, Op.FETCH, Op.DIGEST, Op.COUNTERS)


def operations_of(chip: ChipSpec) -> frozenset[Op]:
    """The operations that a chip knows."""
    has = {"": True, "writable": chip.writable, "reads": chip.reads, "counters": chip.counters}
    return frozenset(op for op in Op if has[op_form(op).needs])


class Executor(wiring.Component):
    """Takes whole operations, one byte per cycle, and carries each out before it looks at the next.

    An event takes its bytes and two cycles, if the chip takes it at once. Operations that look at a chip at rest (MARK, words, counters) send a
    FLUSH first if a STEP came before them, and wait until the chip is not busy: so none of them can wait for ever, whatever the order in which
    they come. An event whose numbers do not even fit the chip's port is left out and counted (``refused``): cut to the port's width it would be
    another one. Such an address becomes one that no chip has.

    Members
    -------
    operations : bytes.
    events, control, config : to the chip; config where it is writable.
    readback, words : from the chip, and on to the recorder, where it has a readback port; a DIGEST keeps them.
    counters_0, ... : the chip's, where it has them.
    own : records of the executor: MARK, DIGEST, COUNTER.
    busy, recording : of the chip; of the recorder: an answer is to come.
    report : see REPORT.
    refused : strobe.
    idle : no operation is under way.
    """

    def __init__(self, chip: ChipSpec):
        self._chip = chip
        super().__init__({
            "operations": In(stream.Signature(8)), "events": Out(stream.Signature(event_port_layout(chip.inputs))),
            "control": Out(stream.Signature(control_layout())),
            **({"config": Out(stream.Signature(config_layout(chip)))} if chip.writable else {}),
            **({"readback": In(stream.Signature(readback_layout())), "words": Out(stream.Signature(readback_layout()))} if chip.reads else {}),
            **({f"counters_{k}": In(5 * 32 * len(tile.groups)) for k, tile in enumerate(chip.tiles)} if chip.counters else {}),
            "own": Out(stream.Signature(own_record_layout())), "busy": In(1), "recording": In(1), "report": Out(1), "refused": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        chip = self._chip
        op, size, count, args = Signal(8), Signal(range(6)), Signal(range(6)), Signal(40)
        stepped = Signal()  # since the chip last came to rest
        sizes = {known: op_form(known).size for known in sorted(operations_of(chip))}
        byte = self.operations.payload
        with m.Switch(byte):
            for known, n in sizes.items():
                with m.Case(known):
                    m.d.comb += size.eq(n)
        left = Signal(range(6))
        quiet = Signal()
        m.d.comb += [quiet.eq(~self.busy & ~self.recording), self.own.payload.tag.eq(Tag.MARK), self.own.payload.value.eq(args[:8])]
        self._select(m, op, args)

        with m.FSM():
            with m.State("Code"):
                m.d.comb += [self.operations.ready.eq(1), self.idle.eq(~self.operations.valid)]
                with m.If(self.operations.valid):
                    m.d.sync += [count.eq(0), left.eq(size), op.eq(byte)]
                    m.next = "Arguments"
            with m.State("Arguments"):
                m.d.comb += self.operations.ready.eq(left != 0)
                with m.If(left == 0):
                    with m.Switch(op):
                        with m.Case(Op.EVENT, Op.VALUE, Op.ANY):
                            m.next = "Event"
                        with m.Case(Op.STEP, Op.FLUSH, Op.READ, Op.RESET):
                            m.next = "Control"
                        with m.Case(*(known for known in _NEEDS_QUIET if known in sizes)):
                            m.next = "Flush"
                        with m.Default():  # REPORT and SELECT act as they pass
                            m.next = "Code"
                    with m.If(op == Op.REPORT):
                        m.d.sync += self.report.eq(args[0])
                with m.Elif(self.operations.valid):
                    m.d.sync += [args.word_select(count, 8).eq(byte), count.eq(count + 1), left.eq(left - 1)]
            with m.State("Event"):
                self._event(m, op, args)
            with m.State("Control"):
                m.d.comb += [self.control.valid.eq(~self.recording), self.control.payload.count.eq(args[:16])]
                for known in (Op.STEP, Op.FLUSH, Op.READ, Op.RESET):
                    with m.If(op == known):
                        m.d.comb += self.control.payload.command.eq(Command[known.name])
                with m.If(self.control.valid & self.control.ready):
                    m.d.sync += stepped.eq(op == Op.STEP)
                    m.next = "Code"
            with m.State("Flush"):
                m.d.comb += [self.control.valid.eq(stepped & ~self.recording), self.control.payload.command.eq(Command.FLUSH)]
                with m.If(self.control.valid & self.control.ready):
                    m.d.sync += stepped.eq(0)
                with m.If(~stepped):
                    m.next = "Settle"
            with m.State("Settle"):  # a command taken in the cycle before is seen in ``busy`` from here on
                m.next = "Quiet"
            with m.State("Quiet"):
                with m.If(quiet):
                    with m.Switch(op):
                        with m.Case(Op.MARK):
                            m.next = "Own"
                        if chip.writable:
                            with m.Case(Op.PART, Op.LAST):
                                m.next = "Write"
                        if chip.reads:
                            with m.Case(Op.FETCH, Op.DIGEST):
                                m.next = "Ask"
                        if chip.counters:
                            with m.Case(Op.COUNTERS):
                                m.next = "Counter"
            with m.State("Own"):
                m.d.comb += self.own.valid.eq(1)
                with m.If(self.own.ready):
                    m.next = "Code"
            if chip.writable:
                self._write(m, op, args)
            if chip.reads:
                self._read(m, op, args)
            if chip.counters:
                self._count(m)
        return m

    def _select(self, m, op, args):
        """Registers of SELECT: what PART, LAST, FETCH and DIGEST are about."""
        if not self._chip.writable:
            return
        self._tile, self._memory, self._address = Signal(8), Signal(8), Signal(24)
        self._known = (self._memory < 7) & (self._address[20:] == 0)
        item = self.config.payload
        # A memory that no port has a number for is the one that no chip has: the chip refuses it, and says so.
        m.d.comb += [item.tile.eq(self._tile), item.memory.eq(Mux(self._known, self._memory, 7)), item.address.eq(self._address)]
        with m.If(op == Op.SELECT):  # while the last byte is taken they still change; then the next operation comes
            m.d.sync += [self._tile.eq(args[:8]), self._memory.eq(args[8:16]), self._address.eq(args[16:40])]

    def _event(self, m, op, args):
        event = self.events.payload
        population, neuron = Signal(8), Signal(16)
        payload = Signal(signed(16))
        m.d.comb += [neuron.eq(args[:16]), payload.eq(1)]
        with m.If(op == Op.VALUE):
            m.d.comb += payload.eq(args[16:24].as_signed())
        with m.If(op == Op.ANY):
            m.d.comb += [payload.eq(args[16:32].as_signed()), population.eq(args[32:40])]
        layout, fits = event_port_layout(self._chip.inputs), Signal()
        checks = [neuron < (1 << layout["neuron"].width), population < (1 << layout["population"].width)]
        if layout["payload"].width:
            checks.append(event.payload == payload)
            m.d.comb += event.payload.eq(payload)
        else:
            checks.append(payload == 1)
        if layout["population"].width:
            m.d.comb += event.population.eq(population)
        m.d.comb += [event.neuron.eq(neuron), fits.eq(Cat(checks).all()), self.events.valid.eq(fits), self.refused.eq(~fits)]
        with m.If(self.events.ready | ~fits):
            m.next = "Code"

    def _write(self, m, op, args):
        with m.State("Write"):
            m.d.comb += [self.config.valid.eq(1), self.config.payload.data.eq(args[:32]), self.config.payload.last.eq(op == Op.LAST)]
            with m.If(self.config.ready):
                with m.If(op == Op.LAST):
                    m.d.sync += self._address.eq(self._address + 1)
                m.next = "Code"

    def _read(self, m, op, args):
        """One request after the other, each with its answer: so a DIGEST knows which words are its own."""
        m.submodules.check = check = CRC32_ISO_HDLC(data_width=8).create()
        words, place = Signal(16), Signal(range(4))
        part, last = self.readback.payload.data, self.readback.payload.last
        digesting = op == Op.DIGEST
        m.d.comb += [check.data.eq(part.word_select(place, 8)), self.words.payload.eq(self.readback.payload)]
        with m.State("Ask"):
            m.d.sync += [words.eq(args[:16]), place.eq(0)]
            m.d.comb += check.start.eq(1)
            m.next = "Request"
        with m.State("Request"):
            m.d.comb += [self.config.valid.eq(words != 0), self.config.payload.last.eq(1), self.config.payload.read.eq(1)]
            with m.If(words == 0):
                m.next = "Digest"
            with m.Elif(self.config.ready):
                m.d.sync += [words.eq(words - 1), self._address.eq(self._address + 1)]
                m.next = "Answer"
        with m.State("Answer"):
            taken = Signal()
            m.d.comb += [self.words.valid.eq(self.readback.valid & ~digesting), check.valid.eq(self.readback.valid & digesting),
                         taken.eq(Mux(digesting, place == 3, self.words.ready)), self.readback.ready.eq(taken)]
            with m.If(self.readback.valid & digesting):
                m.d.sync += place.eq(place + 1)
            with m.If(self.readback.valid & taken & last):
                m.next = "Request"
        with m.State("Digest"):
            m.d.comb += [self.own.valid.eq(digesting), self.own.payload.tag.eq(Tag.DIGEST), self.own.payload.value.eq(check.crc)]
            with m.If(self.own.ready | ~digesting):
                m.next = "Code"

    def _count(self, m):
        rows = [(k, n, getattr(self, f"counters_{k}")[32 * n:32 * n + 32])
                for k, tile in enumerate(self._chip.tiles) for n in range(5 * len(tile.groups))]
        tiles, places, values = zip(*rows)
        number = Signal(range(len(rows)))
        with m.State("Counter"):
            own = self.own.payload
            m.d.comb += [self.own.valid.eq(1), own.tag.eq(Tag.COUNTER), own.population.eq(Array(tiles)[number]), own.index.eq(Array(places)[number]),
                         own.value.eq(Array(values)[number])]
            with m.If(self.own.ready):
                m.d.sync += number.eq(number + 1)
                with m.If(number == len(rows) - 1):
                    m.d.sync += number.eq(0)
                    m.next = "Code"
