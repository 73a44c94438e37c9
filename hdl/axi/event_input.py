"""Events from an AXI4-Stream, and the order of commands among them."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...spec.chip import ChipSpec
from ..flit_queue import FlitQueue
from ..host_port import event_port_layout
from ..sequencer import Command, control_layout
from .event_words import beat_layout, event_word_layout

__all__ = ["EventInput"]


class EventInput(wiring.Component):
    """Gives the chip the events of a stream, a STEP behind each beat with ``last``, and commands between them.

        beats --> queue of two --> word check --> events
        command ---------------------+ STEP ----> control

    A beat taken in cycle c is offered as an event from c + 1 on, and one leaves per cycle if the chip takes them; STEP is offered in the cycle
    after the event of its beat was taken. ``beats.ready`` is made of registers. A word whose fields do not fit those of the chip's port is
    dropped and counted, never cut to fit; its ``last`` counts.

    A command comes behind all beats that were taken before its ``valid`` rose, and before all others: from then on none is taken until
    the command is. An open timestep stays open.

    Members
    -------
    beats : :func:`~spikeloom.hdl.axi.event_words.beat_layout`, words of :func:`~spikeloom.hdl.axi.event_words.event_word_layout`.
    command : from the register file; its ``valid`` must be a register.
    events, control : to the chip.
    dropped : words that did not fit, since reset, at most 2**16 - 1.
    empty : nothing is held.
    """

    def __init__(self, chip: ChipSpec):
        self._chip = chip
        super().__init__({
            "beats": In(stream.Signature(beat_layout())), "command": In(stream.Signature(control_layout())),
            "events": Out(stream.Signature(event_port_layout(chip.inputs))), "control": Out(stream.Signature(control_layout())),
            "dropped": Out(16), "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = FlitQueue(beat_layout())
        word, event = Signal(event_word_layout()), self.events.payload
        due, done, fits = Signal(), Signal(), Signal()  # due: the STEP of a beat whose event was taken
        m.d.comb += [
            self.beats.ready.eq(queue.i.ready & ~self.command.valid),
            queue.i.valid.eq(self.beats.valid & ~self.command.valid), queue.i.payload.eq(self.beats.payload),
            word.eq(queue.o.payload.data),
            event.neuron.eq(word.neuron), event.population.eq(word.population), event.payload.eq(word.payload),
            self.events.valid.eq(queue.o.valid & ~due & ~word.nothing & fits),
            queue.o.ready.eq(~due & (self.events.ready | word.nothing | ~fits)), done.eq(queue.o.valid & queue.o.ready),
            self.control.valid.eq(due | (self.command.valid & ~queue.o.valid)),
            self.control.payload.eq(Mux(due, _step(), self.command.payload)),
            self.command.ready.eq(self.control.ready & ~due & ~queue.o.valid),
            self.empty.eq(~queue.o.valid & ~due),
        ]
        # A number that loses bits on its way into the port's narrower field would be another one.
        layout = event_port_layout(self._chip.inputs)
        same_payload = event.payload == word.payload if layout["payload"].width else (word.payload == 0) | (word.payload == 1)
        m.d.comb += fits.eq((event.neuron == word.neuron) & (event.population == word.population) & same_payload & (word.unused == 0))
        with m.If(done & queue.o.payload.last):
            m.d.sync += due.eq(1)
        with m.Elif(self.control.ready):
            m.d.sync += due.eq(0)
        with m.If(done & ~word.nothing & ~fits & (self.dropped != 0xFFFF)):
            m.d.sync += self.dropped.eq(self.dropped + 1)
        return m


def _step():
    return control_layout().const({"command": Command.STEP, "count": 1}).as_value()
