"""Output events as an AXI4-Stream, framed by timesteps."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...spec.chip import ChipSpec
from ..flit_queue import FlitQueue
from ..readout import frame_layout, spike_port_layout
from .event_words import beat_layout, closing_word_layout, event_word_layout

__all__ = ["EventOutput"]


class EventOutput(wiring.Component):
    """A beat per event and one with ``last`` per frame, also where a timestep has no event: {nothing, outputs, timestep}.

    A frame ends with each phase in which a timestep of an output ends. Where all outputs are on one level (one output always is), a frame is a
    timestep of all of them; else the closing beat says whose timesteps ended. An event or frame taken in cycle c is offered from
    c + 1 on, one per cycle; all outputs are registers. If nobody takes beats the chip waits, and loses nothing.

    Members
    -------
    spikes, frames : from a framed chip.
    beats : :func:`~spikeloom.hdl.axi.event_words.beat_layout`.
    empty : nothing is held or offered.
    """

    def __init__(self, chip: ChipSpec):
        super().__init__({
            "spikes": In(stream.Signature(spike_port_layout(chip))), "frames": In(stream.Signature(frame_layout(chip))),
            "beats": Out(stream.Signature(beat_layout())), "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = FlitQueue(beat_layout())
        wiring.connect(m, queue.o, wiring.flipped(self.beats))
        spike, frame = self.spikes.payload, self.frames.payload
        event, closing = Signal(event_word_layout()), Signal(closing_word_layout())
        m.d.comb += [
            event.neuron.eq(spike.neuron), event.population.eq(spike.population),
            event.payload.eq(spike.payload if "payload" in spike.shape().members else 1),
            closing.timestep.eq(frame.timestep), closing.outputs.eq(frame.outputs), closing.nothing.eq(1),
            # A frame is offered behind its timestep's spikes and before the next ones: it goes first.
            queue.i.valid.eq(self.frames.valid | self.spikes.valid), queue.i.payload.last.eq(self.frames.valid),
            queue.i.payload.data.eq(Mux(self.frames.valid, closing.as_value(), event.as_value())),
            self.frames.ready.eq(queue.i.ready), self.spikes.ready.eq(queue.i.ready & ~self.frames.valid),
            self.empty.eq(~queue.o.valid & ~queue.i.valid),
        ]
        return m
