"""The chip: the core and the host's ports, behind plain ready/valid streams."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..spec.chip import ChipSpec
from ..spec.image import MemoryImage
from .answer import Answer, answer_fields
from .config_port import ConfigPort, config_layout
from .core import Core
from .host_port import HostPort, event_port_layout, rejected_layout
from .loadable_output import LoadableOutput
from .readback import Readback, readback_layout
from .readout import OutputPort, frame_layout, readout_port_layout, spike_port_layout
from .sequencer import control_layout
from .settings import Settings, settings_layout
from .tile import MemoryKind, counters_layout, trace_layout

__all__ = ["Chip", "errors_layout"]


def errors_layout() -> data.StructLayout:
    """Sticky flags: an event out of range, a payload out of range, a duplicate event, a bad configuration write, a flit without a route."""
    return data.StructLayout({"range": 1, "payload": 1, "duplicate": 1, "config": 1, "route": 1})


class Chip(wiring.Component):
    """A whole network on tiles. How to drive it, and its timing, is docs/architecture.md, section 5.

    Parameters
    ----------
    chip : :class:`ChipSpec`
        The plan.
    image : :class:`~spikeloom.spec.image.MemoryImage`
        Initial contents of the memories.
    framed : bool
        There is a stream that says when the timesteps of outputs end.

    Members
    -------
    events, control : streams from the host. config : the same, if ``chip.writable``.
    spikes, readouts : streams to the host. readback : the same, if ``chip.reads``: what was asked for on ``config``.
    frames : stream to the host, if ``framed``: timesteps of outputs that ended, see :class:`~spikeloom.hdl.readout.OutputPort`; the chip
        waits until they are taken.
    status : ``start``, ``finish`` (first and last cycle of a phase), ``busy`` (a timestep or a command is under way), ``errors``
        (:func:`errors_layout`, until reset), ``rejected`` (:func:`~spikeloom.hdl.host_port.rejected_layout`).
    answer : ``valid``, ``index``, ``confidence`` of the last READ (:mod:`~spikeloom.hdl.answer`), if a population has readouts.
    trace_0, ... : per tile, each membrane potential as it is computed. Unconnected, they cost nothing.
    counters_0, ... : per tile, if ``chip.counters``.
    """

    def __init__(self, chip: ChipSpec, image: MemoryImage, *, framed: bool = False):
        if chip.capacity and framed:
            raise ValueError("An overlay must be without frames: its output port has none")
        self._chip, self._image, self._framed = chip, image, framed
        tiles = range(len(chip.tiles))
        status = wiring.Signature({"start": Out(1), "finish": Out(1), "busy": Out(1), "errors": Out(errors_layout()),
                                   "rejected": Out(rejected_layout())})
        super().__init__({
            "events": In(stream.Signature(event_port_layout(chip.inputs))), "control": In(stream.Signature(control_layout())),
            **({"config": In(stream.Signature(config_layout(chip)))} if chip.writable else {}),
            **({"readback": Out(stream.Signature(readback_layout()))} if chip.reads else {}),
            "spikes": Out(stream.Signature(spike_port_layout(chip))), "readouts": Out(stream.Signature(readout_port_layout(chip))),
            **({"frames": Out(stream.Signature(frame_layout(chip)))} if framed else {}),
            "status": Out(status),
            **({"answer": Out(wiring.Signature({name: Out(width) for name, width in answer_fields(chip).items()}))} if answer_fields(chip) else {}),
            **{f"trace_{k}": Out(wiring.Signature(trace_layout(chip.tiles[k]))) for k in tiles},
            **({f"counters_{k}": Out(counters_layout(chip.tiles[k])) for k in tiles} if chip.counters else {}),
        })

    def elaborate(self, platform):
        m = Module()
        chip = self._chip
        m.submodules.core = core = Core(chip, self._image)
        held = settings_layout(chip) if chip.capacity else None
        m.submodules.host = host = HostPort(chip.inputs, chip.flit, held["inputs"].shape if held is not None else None)
        m.submodules.output = output = LoadableOutput(chip) if chip.capacity else OutputPort(chip, framed=self._framed)
        connect(m, flipped(self.events), host.events)
        connect(m, flipped(self.control), core.control)
        connect(m, host.flits, core.i)
        connect(m, core.o, output.flits)
        connect(m, output.spikes, flipped(self.spikes))
        connect(m, output.readouts, flipped(self.readouts))
        if self._framed:
            connect(m, output.frames, flipped(self.frames))
        if answer_fields(chip):
            m.submodules.answer = answer = Answer(chip)
            m.d.comb += [answer.taken.eq(output.readouts.valid & output.readouts.ready), answer.word.eq(output.readouts.payload),
                         answer.renew.eq(output.read | output.clear)]
            m.d.comb += [getattr(self.answer, name).eq(getattr(answer, name)) for name in answer_fields(chip)]
        config_error, busy, window = 0, host.busy | output.busy, core.window
        if chip.writable:
            m.submodules.config = config = ConfigPort(chip)
            connect(m, flipped(self.config), config.config)
            m.d.comb += [config.quiet.eq(core.quiet), core.w_tile.eq(config.write), core.w_memory.eq(config.memory),
                         core.w_address.eq(config.address), core.w_data.eq(config.word)]
            config_error = config.error
        word = core.r_data if chip.reads else None
        if chip.capacity:
            m.submodules.settings = settings = Settings(chip, self._image.settings)
            asked = config.memory == MemoryKind.SETTINGS
            m.d.comb += [settings.w_valid.eq(config.write[0] & asked), settings.address.eq(config.address), settings.w_data.eq(config.word),
                         core.settings.eq(settings.values), host.settings.eq(settings.values.inputs), output.settings.eq(settings.values)]
            if answer_fields(chip):
                m.d.comb += answer.settings.eq(settings.values.answer)
            word = Mux(asked, settings.r_data, word) if chip.reads else None  # they are no tile's
        if chip.reads:
            m.submodules.readback = readback = Readback(chip)
            connect(m, readback.readback, flipped(self.readback))
            m.d.comb += [readback.asked.eq(config.asked), readback.read.eq(config.read), readback.memory.eq(config.memory),
                         core.r_tile.eq(readback.r_tile), core.r_part.eq(readback.r_part), readback.r_data.eq(word)]
            busy = busy | config.busy | readback.busy
        if any(tile.readable for tile in chip.tiles):
            # Who reads an axon table holds its address: no event may be on its way there. One that is offered goes first.
            window = core.window & ~config.busy & ~readback.busy
            m.d.comb += config.quiet.eq(core.quiet & ~self.events.valid)
        for k in range(len(chip.tiles)):
            connect(m, flipped(getattr(self, f"trace_{k}")), getattr(core, f"trace_{k}"))
            if chip.counters:
                m.d.comb += getattr(self, f"counters_{k}").eq(getattr(core, f"counters_{k}"))

        clear, rejected = core.start & core.clear, host.rejected
        m.d.comb += [
            host.window.eq(window), host.timestep.eq(core.timestep), host.clear.eq(clear),
            output.clear.eq(clear), output.finish.eq(core.finish), output.active.eq(core.active),
            output.read.eq(core.read), core.reading.eq(output.reading), core.host_busy.eq(busy),
            self.status.start.eq(core.start & ~core.clear), self.status.finish.eq(core.finish),
            self.status.busy.eq(~core.quiet), self.status.rejected.eq(rejected),
            self.status.errors.range.eq(rejected.range != 0), self.status.errors.payload.eq(rejected.payload != 0),
            self.status.errors.duplicate.eq(rejected.duplicate != 0), self.status.errors.config.eq(config_error),
            self.status.errors.route.eq(core.error),
        ]
        return m
