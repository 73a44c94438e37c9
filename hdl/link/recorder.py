"""Recorder: all that a chip sends, as records of one kind."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...spec.chip import ChipSpec
from ...spec.link import Tag
from ..answer import answer_fields
from ..readback import readback_layout
from ..readout import readout_port_layout, spike_port_layout

__all__ = ["Recorder", "own_record_layout", "record_layout"]


def record_layout(chip: ChipSpec) -> data.StructLayout:
    """{tag, population, index, value}: as wide as the chip's widest; on the line they are 8, 8, 16 and 48 bits."""
    spike, readout, answer = spike_port_layout(chip), readout_port_layout(chip), answer_fields(chip)
    payload = spike["payload"].width if "payload" in spike.members else 1
    counted = chip.counters
    population = max(spike["population"].width, readout["population"].width, ceil_log2(len(chip.tiles)) if counted else 0, 1)
    most = max(5 * len(tile.groups) for tile in chip.tiles)
    index = max(spike["neuron"].width, readout["neuron"].width, answer.get("index", 0), ceil_log2(most) if counted else 0, 1)
    value = max(16 + payload, readout["value"].width, answer.get("confidence", 0), 32 if chip.reads or counted else 8)
    return data.StructLayout({"tag": 3, "population": population, "index": index, "value": value})


def own_record_layout() -> data.StructLayout:
    """{tag, population, index, value} of a record that the executor makes."""
    return data.StructLayout({"tag": 3, "population": 8, "index": 16, "value": 32})


class Recorder(wiring.Component):
    """Takes what the chip sends, one transfer per cycle, in the order answer, readouts, spikes, words and the executor's own records.

    No register lies between: a stream is taken in the cycle in which its record is. While ``report`` is low, spikes are taken and thrown away. An
    answer is recorded as soon as the chip shows it, behind the last readout; until then ``busy`` is high, and no command may go to the chip, which
    would take the answer back.

    Members
    -------
    spikes, readouts : of the chip; answer_valid, answer_index, answer_confidence where it has readouts.
    words : parts of words, where it has a readback port.
    own : records that the executor makes.
    report : spikes become records.
    records : to the queue.
    busy : an answer is to be recorded.
    """

    def __init__(self, chip: ChipSpec):
        self._chip, self._answer = chip, answer_fields(chip)
        super().__init__({
            "spikes": In(stream.Signature(spike_port_layout(chip))), "readouts": In(stream.Signature(readout_port_layout(chip))),
            **{f"answer_{name}": In(width) for name, width in self._answer.items()},
            **({"words": In(stream.Signature(readback_layout()))} if chip.reads else {}),
            "own": In(stream.Signature(own_record_layout())), "report": In(1),
            "records": Out(stream.Signature(record_layout(chip))), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        spike, readout, own, record = self.spikes.payload, self.readouts.payload, self.own.payload, self.records.payload
        free = self.records.ready
        with m.If(self.busy & self.answer_valid if self._answer else Const(0)):
            if self._answer:
                m.d.comb += [self.records.valid.eq(1), record.tag.eq(Tag.ANSWER), record.index.eq(self.answer_index),
                             record.value.eq(self.answer_confidence)]
            with m.If(free):
                m.d.sync += self.busy.eq(0)
        with m.Elif(self.readouts.valid & ~self.busy):
            m.d.comb += [self.records.valid.eq(1), self.readouts.ready.eq(free), record.tag.eq(Tag.READOUT), record.population.eq(readout.population),
                         record.index.eq(readout.neuron), record.value.eq(readout.value)]
            if self._answer:
                with m.If(free & readout.last):
                    m.d.sync += self.busy.eq(1)
        with m.Elif(self.spikes.valid & self.report):
            payload = spike.payload if "payload" in spike.shape().members else 1
            m.d.comb += [self.records.valid.eq(1), self.spikes.ready.eq(free), record.tag.eq(Tag.SPIKE), record.population.eq(spike.population),
                         record.index.eq(spike.neuron), record.value[:16].eq(spike.timestep), record.value[16:].eq(payload)]
        if self._chip.reads:
            with m.Elif(self.words.valid):
                m.d.comb += [self.records.valid.eq(1), self.words.ready.eq(free), record.tag.eq(Tag.WORD), record.index.eq(self.words.payload.last),
                             record.value.eq(self.words.payload.data)]
        with m.Elif(self.own.valid):
            m.d.comb += [self.records.valid.eq(1), self.own.ready.eq(free), record.tag.eq(own.tag), record.population.eq(own.population),
                         record.index.eq(own.index), record.value.eq(own.value)]
        with m.If(~self.report):
            m.d.comb += self.spikes.ready.eq(1)
        return m
