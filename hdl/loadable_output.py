"""Output port of an overlay: as :mod:`.readout`, but what the outputs are is in registers."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import ChipSpec
from ..spec.settings import OPERATIONS
from .flit import flit_layout
from .membrane import limited
from .readout import readout_port_layout, spike_port_layout
from .settings import settings_layout

__all__ = ["LoadableOutput"]

_NEVER = 0xFFFF  # of a first spike: none yet
_NONE, _COUNT, _LAST, _SUM, _MAX, _FIRST = range(len(OPERATIONS))


class LoadableOutput(wiring.Component):
    """Treats flits as :class:`~.readout.OutputPort` does, in the same cycles, for whatever outputs the settings name.

    A flit's key says which output it is of, its first neuron, and where its readouts lie; the output says whether it spikes, and what its readouts
    do with an event. RESET clears as many accumulators as the settings name in one cycle each, READ streams them out, none of both where
    there are none.

    Members
    -------
    flits, spikes, readouts, clear, finish, active, read, reading, busy : as of :class:`~.readout.OutputPort`.
    settings : what the chip holds (:func:`~.settings.settings_layout`).
    """

    def __init__(self, chip: ChipSpec):
        self._chip, self._values = chip, bool(chip.capacity and any(t.values for t in chip.capacity.tiles))
        super().__init__({
            "flits": In(stream.Signature(flit_layout(chip.flit))), "spikes": Out(stream.Signature(spike_port_layout(chip))),
            "readouts": Out(stream.Signature(readout_port_layout(chip))), "clear": In(1), "finish": In(1), "active": In(chip.levels),
            "read": In(1), "reading": Out(1), "busy": Out(1), "settings": In(settings_layout(chip)),
        })

    def elaborate(self, platform):
        m = Module()
        chip = self._chip
        outputs = [self.settings.outputs[str(k)] for k in range(len(chip.outputs))]
        keys = [self.settings.keys[str(k)] for k in range(len(chip.keys))]
        held, flit, leaves = Signal(), Signal(flit_layout(chip.flit)), Signal()
        m.d.comb += self.flits.ready.eq(~held | leaves)
        with m.If(self.flits.ready):
            m.d.sync += [held.eq(self.flits.valid), flit.eq(self.flits.payload)]

        times = [Signal(16, name=f"timestep_{k}") for k in range(len(outputs))]
        late = [Signal(name=f"late_{k}") for k in range(len(outputs))]  # timestep 2**16 - 2 is over
        for time, over, output in zip(times, late, outputs):
            with m.If(self.clear):
                m.d.sync += [time.eq(0), over.eq(0)]
            with m.Elif(self.finish & self.active.bit_select(output.level, 1)):
                m.d.sync += [time.eq(time + 1), over.eq(over | (time == _NEVER - 1))]

        population, place = Signal(ceil_log2(len(outputs))), Signal(ceil_log2(chip.n_readouts))
        spike = self.spikes.payload
        m.d.comb += [
            population.eq(_of(keys, flit.key, "output")), place.eq(flit.neuron + _of(keys, flit.key, "place")),
            spike.population.eq(population), spike.neuron.eq(flit.neuron + _of(keys, flit.key, "first")), spike.timestep.eq(_at(times, population)),
            self.spikes.valid.eq(held & _of(outputs, population, "spikes")),
            leaves.eq(held & (~_of(outputs, population, "spikes") | self.spikes.ready)),
        ]
        when = Mux(_at(late, population), _NEVER - 1, _at(times, population))  # of a first spike now
        clearing = self._accumulate(m, outputs, population, place, flit.payload, when, leaves)
        m.d.comb += self.busy.eq(held | clearing)
        return m

    def _accumulate(self, m, outputs, population, place, payload, when, treated):
        """Readout memory: one accumulator per neuron with a readout."""
        chip, value, end = self._chip, self.readouts.payload.value, self.settings.readouts
        m.submodules.accumulators = store = memory.Memory(shape=signed(len(value)), depth=chip.n_readouts, init=[])
        port, write = store.read_port(domain="comb"), store.write_port()
        clearing, number = Signal(), Signal(ceil_log2(chip.n_readouts))
        operation, limit = _of(outputs, population, "operation"), Signal(len(outputs[0].limit))
        m.d.comb += limit.eq(_of(outputs, population, "limit"))
        last_number = number + 1 == end
        new, start_value, old, keeps = Signal.like(value), Signal.like(value), port.data, Signal()
        for index, output in enumerate(outputs):
            with m.If((number >= output.base) & (number < output.end)):
                m.d.comb += [self.readouts.payload.population.eq(index), self.readouts.payload.neuron.eq(number - output.base)]
                with m.If(output.operation == _MAX):
                    m.d.comb += start_value.eq(~Cat(output.limit, 0).as_signed())
                with m.If(output.operation == _FIRST):
                    m.d.comb += start_value.eq(_NEVER)
        with m.Switch(operation):
            with m.Case(_COUNT):
                m.d.comb += new.eq(Mux(old == 0xFFFF, old, old + 1))
            with m.Case(_FIRST):
                m.d.comb += [new.eq(when), keeps.eq(old != _NEVER)]
            if self._values:
                with m.Case(_LAST):
                    m.d.comb += new.eq(payload)
                with m.Case(_MAX):
                    m.d.comb += new.eq(Mux(payload > old, payload, old))
                with m.Case(_SUM):
                    total = Signal(signed(len(value) + 1))
                    m.d.comb += [total.eq(old + payload), new.eq(limited(total, Cat(Const(0xFFFF, 16), limit)))]
        m.d.comb += [
            port.addr.eq(Mux(self.reading, number, place)), value.eq(port.data), self.readouts.payload.last.eq(last_number),
            self.readouts.valid.eq(self.reading), write.addr.eq(Mux(clearing, number, place)), write.data.eq(Mux(clearing, start_value, new)),
            write.en.eq(clearing | (treated & ~keeps & (operation != _NONE))),
        ]
        with m.If(self.clear):
            m.d.sync += [clearing.eq(end != 0), number.eq(0)]
        with m.Elif(self.read):
            m.d.sync += [self.reading.eq(end != 0), number.eq(0)]
        with m.Elif(clearing | (self.reading & self.readouts.ready)):
            m.d.sync += number.eq(number + 1)
            with m.If(last_number):
                m.d.sync += [clearing.eq(0), self.reading.eq(0), number.eq(0)]
        return clearing


def _at(values, index):
    return Array(values)[index] if len(values) > 1 else values[0]


def _of(rows, index, name):
    return _at([row[name] for row in rows], index)
