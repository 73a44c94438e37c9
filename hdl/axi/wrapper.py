"""A chip with an AXI4-Lite register port and AXI4-Streams of events."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ...spec.chip import ChipSpec
from ...spec.image import MemoryImage
from ..answer import answer_fields
from ..top import Chip
from .event_input import EventInput
from .event_output import EventOutput
from .lite import Lite, lite_ports
from .register_map import register_map
from .registers import Registers

__all__ = ["AxiChip"]


class AxiChip(wiring.Component):
    """The chip with ports by their AXI names, in one clock domain.

        s_axi ------ Lite -- Registers --+-- command --+
                                         +-- config ---|--> Chip --> spikes, frames -- EventOutput -- m_axis
        s_axis ---------------------- EventInput ------+

    Latencies are those of the parts; no path leads from an input to an output without a register. ``aresetn`` is sampled with the clock.

    Parameters
    ----------
    chip, image : as of :class:`~spikeloom.hdl.top.Chip`.

    Members
    -------
    aclk, aresetn : clock and reset. irq : see :class:`~spikeloom.hdl.axi.registers.Registers`.
    s_axi_... : AXI4-Lite. s_axis_tdata, tvalid, tready, tlast : events in.
    m_axis_... : the same, events out; if an output spikes.

    Raises
    ------
    CapacityError
        The words of the event streams cannot name all inputs or outputs.
    """

    def __init__(self, chip: ChipSpec, image: MemoryImage):
        self._chip, self._image, self._map = chip, image, register_map(chip)
        self._sends = any(not o.values for o in chip.outputs)
        super().__init__({
            "aclk": In(1), "aresetn": In(1), "irq": Out(1),
            **{f"s_axi_{name}": member for name, member in lite_ports(self._map.address_bits).items()},
            "s_axis_tdata": In(32), "s_axis_tvalid": In(1), "s_axis_tready": Out(1), "s_axis_tlast": In(1),
            **({"m_axis_tdata": Out(32), "m_axis_tvalid": Out(1), "m_axis_tready": In(1), "m_axis_tlast": Out(1)} if self._sends else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.chip = chip = Chip(self._chip, self._image, framed=self._sends)
        m.submodules.lite = lite = Lite(address_bits=self._map.address_bits)
        m.submodules.registers = registers = Registers(self._chip, self._map)
        m.submodules.event_input = events = EventInput(self._chip)
        for name, member in lite_ports(self._map.address_bits).items():
            inside, outside = getattr(lite, name), getattr(self, f"s_axi_{name}")
            m.d.comb += inside.eq(outside) if member.flow is In else outside.eq(inside)
        m.d.comb += [getattr(registers, name).eq(getattr(lite, name)) for name in ("w_strobe", "w_word", "w_data", "w_mask", "r_strobe", "r_word")]
        m.d.comb += [getattr(lite, name).eq(getattr(registers, name)) for name in ("w_error", "r_data", "r_error")]

        m.d.comb += [events.beats.valid.eq(self.s_axis_tvalid), self.s_axis_tready.eq(events.beats.ready),
                     events.beats.payload.data.eq(self.s_axis_tdata), events.beats.payload.last.eq(self.s_axis_tlast)]
        connect(m, registers.command, events.command)
        connect(m, events.events, chip.events)
        connect(m, events.control, chip.control)
        connect(m, chip.readouts, registers.readouts)
        if self._chip.writable:
            connect(m, registers.config, chip.config)
        if self._chip.reads:
            connect(m, chip.readback, registers.readback)
        stirred = ~events.empty
        if self._sends:
            m.submodules.event_output = sent = EventOutput(self._chip)
            connect(m, chip.spikes, sent.spikes)
            connect(m, chip.frames, sent.frames)
            m.d.comb += [self.m_axis_tvalid.eq(sent.beats.valid), sent.beats.ready.eq(self.m_axis_tready),
                         self.m_axis_tdata.eq(sent.beats.payload.data), self.m_axis_tlast.eq(sent.beats.payload.last)]
            stirred = stirred | ~sent.empty
        else:
            m.d.comb += chip.spikes.ready.eq(1)
        m.d.comb += [registers.busy.eq(chip.status.busy), registers.stirred.eq(stirred), registers.errors.eq(chip.status.errors),
                     registers.rejected.eq(chip.status.rejected), registers.dropped.eq(events.dropped), self.irq.eq(registers.irq)]
        m.d.comb += [getattr(registers, f"answer_{name}").eq(getattr(chip.answer, name)) for name in answer_fields(self._chip)]
        if self._chip.counters:
            m.d.comb += [getattr(registers, f"counters_{k}").eq(getattr(chip, f"counters_{k}")) for k in range(len(self._chip.tiles))]
        return m
