"""Output port: events of output populations to the host, and what is accumulated of them for the readouts."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.arithmetic import bits_unsigned
from ..spec.chip import ChipSpec
from ..spec.network import Readout
from .flit import flit_layout

__all__ = ["OutputPort", "frame_layout", "readout_port_layout", "spike_port_layout"]


def spike_port_layout(chip: ChipSpec) -> data.StructLayout:
    """{population, neuron, timestep} of the ``spikes`` stream; ``timestep`` is modulo 2**16 since RESET.

    Where neurons of an output may fire more than once in a timestep there is a ``payload`` as well: how often this one did.
    """
    payload = {"payload": unsigned(_payload_bits(chip))} if _payload_bits(chip) else {}
    return data.StructLayout({"population": unsigned(ceil_log2(len(chip.outputs))),
                              "neuron": unsigned(max(ceil_log2(max(o.size for o in chip.outputs)), 1)), "timestep": 16, **payload})


def readout_port_layout(chip: ChipSpec) -> data.StructLayout:
    """{population, neuron, value, last} of the ``readouts`` stream; ``value`` is signed and as wide as the widest readout.

    ``neuron`` is the class where the readout is a VOTE.
    """
    bits = max(max(o.readout_bits + (o.n_values > 0 and not o.values) for o in chip.outputs), 1)
    most = max(o.n_values or o.size for o in chip.outputs)
    return data.StructLayout({"population": unsigned(ceil_log2(len(chip.outputs))), "neuron": unsigned(max(ceil_log2(most), 1)),
                              "value": signed(bits), "last": 1})


def frame_layout(chip: ChipSpec) -> data.StructLayout:
    """{outputs, timestep}: a bit per output population whose timestep ended, and which timestep that was of the lowest of them (modulo 2**16)."""
    return data.StructLayout({"outputs": len(chip.outputs), "timestep": 16})


def _payload_bits(chip: ChipSpec, readouts: tuple[Readout, ...] = tuple(Readout)) -> int:
    """Width of the payload of spikes of the outputs with one of these readouts; 0 where it is always 1."""
    most = max((o.max_spikes for o in chip.outputs if o.readout in readouts), default=1)
    return bits_unsigned(most) if most > 1 else 0


class OutputPort(wiring.Component):
    """Takes a flit per cycle (spikes: as fast as the host takes them) into a register, and treats it in the cycle after.

    A spike goes to ``spikes`` and to the accumulator of its neuron (COUNT, FIRST) or of its neuron's class (VOTE; no class, no accumulator);
    a value of an LI population to its accumulator only. Counts and votes add the payload and saturate at 2**16 - 1, sums at v_bits + 16 bits; FIRST
    keeps the timestep of the first spike, at most 2**16 - 2. ``read`` streams all accumulators out, population by population, one per
    cycle if they are taken; ``clear`` sets them to their start in one cycle each.

    ``framed``: a ``frame`` (:func:`frame_layout`) is offered from the cycle after a ``finish`` on that ended a timestep of an output that spikes.
    All spikes of that timestep have been taken then, and none of the next is offered yet; the port is busy while the frame waits. So whoever
    takes frames first misses none and sees the order, and a frame that is taken at once costs no cycle.

    Members
    -------
    flits : from the network.
    spikes, readouts : to the host; hold their payload until taken. frames : the same, if ``framed``.
    clear, finish, active : from the sequencer (``clear`` with ``start``).
    read, reading : begin; the readouts are not all taken.
    busy : a flit is held or the accumulators are being cleared.
    """

    def __init__(self, chip: ChipSpec, *, framed: bool = False):
        self._chip, self._framed = chip, framed
        super().__init__({
            **({"frames": Out(stream.Signature(frame_layout(chip)))} if framed else {}),
            "flits": In(stream.Signature(flit_layout(chip.flit))), "spikes": Out(stream.Signature(spike_port_layout(chip))),
            "readouts": Out(stream.Signature(readout_port_layout(chip))), "clear": In(1), "finish": In(1), "active": In(chip.levels),
            "read": In(1), "reading": Out(1), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        chip, outputs = self._chip, self._chip.outputs
        held, flit, leaves = Signal(), Signal(flit_layout(chip.flit)), Signal()
        m.d.comb += self.flits.ready.eq(~held | leaves)
        with m.If(self.flits.ready):
            m.d.sync += [held.eq(self.flits.valid), flit.eq(self.flits.payload)]

        times = [Signal(16, name=f"timestep_{k}") for k in range(len(outputs))]
        late = {k: Signal(name=f"late_{k}") for k, o in enumerate(outputs) if o.readout is Readout.FIRST}  # timestep 2**16 - 2 is over
        for k, (time, output) in enumerate(zip(times, outputs, strict=True)):
            with m.If(self.clear):
                m.d.sync += time.eq(0)
                if k in late:
                    m.d.sync += late[k].eq(0)
            with m.Elif(self.finish & self.active[output.level - 1]):
                m.d.sync += time.eq(time + 1)
                if k in late:
                    m.d.sync += late[k].eq(late[k] | (time == _NEVER - 1))

        # Whose flit it is: the key says which population and which slice of it. Where the readout memory is read a cycle ahead, its place is known
        # before the flit is held, and kept with it.
        population, neuron, place = Signal(ceil_log2(len(outputs))), Signal.like(self.spikes.payload.neuron), Signal(range(max(chip.n_readouts, 1)))
        is_spike, operation = Signal(), Signal(range(len(_OPERATIONS)))
        decoded = (population, neuron, place, is_spike, operation)
        ahead = chip.memories != "distributed"
        source = self.flits.payload if ahead else flit
        classes = _class_tables(m, source.neuron, chip)
        nothing, count = (_OPERATIONS.index(readout) for readout in (Readout.NONE, Readout.COUNT))
        with m.Switch(source.key):
            for index, output in enumerate(outputs):
                for key in output.keys:
                    first = chip.keys[key].first
                    with m.Case(key):
                        m.d.comb += [population.eq(index), neuron.eq(source.neuron + first), place.eq(source.neuron + first + output.base),
                                     is_spike.eq(int(not output.values))]
                        if key in classes:
                            m.d.comb += [place.eq(classes[key].number + output.base), operation.eq(Mux(classes[key].votes, count, nothing))]
                        else:
                            m.d.comb += operation.eq(_OPERATIONS.index(output.readout))
        next_place = place
        if ahead:
            kept = [Signal.like(signal, name=f"held_{signal.name}") for signal in decoded]
            next_place = Mux(self.flits.ready, place, kept[2])
            with m.If(self.flits.ready):
                m.d.sync += [register.eq(signal) for register, signal in zip(kept, decoded, strict=True)]
            population, neuron, place, is_spike, operation = kept
        m.d.comb += [
            self.spikes.valid.eq(held & is_spike), self.spikes.payload.population.eq(population), self.spikes.payload.neuron.eq(neuron),
            self.spikes.payload.timestep.eq(Array(times)[population] if len(times) > 1 else times[0]),
            leaves.eq(held & (~is_spike | self.spikes.ready)),
        ]
        if _payload_bits(chip):
            m.d.comb += self.spikes.payload.payload.eq(flit.payload)
        whens = [Mux(late[k], _NEVER - 1, times[k]) if k in late else 0 for k in range(len(outputs))]  # of a first spike now
        when = Array(whens)[population] if len(late) > 1 else next((whens[k] for k in late), None)
        clearing = self._accumulate(m, place, next_place, operation, flit, when, leaves) if chip.n_readouts else Const(0)
        m.d.comb += self.busy.eq(held | clearing | (self.frames.valid if self._framed else 0))
        if self._framed:
            self._frame(m, times)
        return m

    def _frame(self, m, times):
        """Offers a frame for each ``finish`` with which a timestep of a spiking output ends."""
        ended, lowest = Signal(len(times)), Signal(16)
        for k, output in reversed(list(enumerate(self._chip.outputs))):
            if not output.values:
                m.d.comb += ended[k].eq(self.finish & self.active[output.level - 1])
                with m.If(ended[k]):
                    m.d.comb += lowest.eq(times[k])  # of several, the last assignment holds
        with m.If(ended.any()):
            m.d.sync += [self.frames.valid.eq(1), self.frames.payload.outputs.eq(ended), self.frames.payload.timestep.eq(lowest)]
        with m.Elif(self.frames.ready):
            m.d.sync += self.frames.valid.eq(0)

    def _accumulate(self, m, place, next_place, operation, flit, when, treated):
        """Readout memory: one accumulator per neuron (or class) with a readout; ``next_place`` is what ``place`` will be in the next cycle."""
        chip = self._chip
        outputs = [(index, o) for index, o in enumerate(chip.outputs) if o.readout is not Readout.NONE]
        value = self.readouts.payload.value
        m.submodules.accumulators = store = memory.Memory(shape=signed(len(value)), depth=chip.n_readouts, init=[])
        write = store.write_port()
        at_once = chip.memories == "distributed"
        port = store.read_port(domain="comb") if at_once else store.read_port(transparent_for=(write,))
        clearing, number = Signal(), Signal(range(chip.n_readouts))
        last_number = number == chip.n_readouts - 1
        # number runs through the memory, for clearing and for reading; which population it is in follows from its bounds.
        new, start_value, old = Signal.like(value), Signal.like(value), port.data
        for index, output in outputs:
            with m.If((number >= output.base) & (number < output.base + output.n_values)):
                m.d.comb += [self.readouts.payload.population.eq(index), self.readouts.payload.neuron.eq(number - output.base)]
                if output.readout is Readout.MAX:
                    m.d.comb += start_value.eq(-(1 << (output.value_bits - 1)))
                elif output.readout is Readout.FIRST:
                    m.d.comb += start_value.eq(_NEVER)
        keeps = Signal()  # FIRST: it is not the first
        counted = _payload_bits(chip, (Readout.COUNT, Readout.VOTE))
        with m.Switch(operation):
            for readout in dict.fromkeys(_counts(o.readout) for _, o in outputs):
                with m.Case(_OPERATIONS.index(readout)):
                    if readout is Readout.COUNT and counted:
                        amount, count = Signal(counted), Signal(17)
                        m.d.comb += [amount.eq(flit.payload), count.eq(old[:16] + amount), new.eq(Mux(count[16], 0xFFFF, count))]
                    elif readout is Readout.COUNT:
                        m.d.comb += new.eq(Mux(old == 0xFFFF, old, old + 1))
                    elif readout is Readout.FIRST:
                        m.d.comb += [new.eq(when), keeps.eq(old != _NEVER)]
                    elif readout is Readout.LAST:
                        m.d.comb += new.eq(flit.payload)
                    elif readout is Readout.MAX:
                        m.d.comb += new.eq(Mux(flit.payload > old, flit.payload, old))
                    else:
                        # Sums of populations of different widths saturate at their own: the place says whose it is.
                        total = Signal(signed(len(value) + 1))
                        m.d.comb += total.eq(old + flit.payload)
                        for _, o in outputs:
                            if o.readout is Readout.SUM:
                                high = (1 << (o.readout_bits - 1)) - 1
                                with m.If((place >= o.base) & (place < o.base + o.size)):
                                    m.d.comb += new.eq(Mux(total > high, high, Mux(total < -high - 1, -high - 1, total)))
        writes = treated if when is None else treated & ~keeps
        m.d.comb += [
            value.eq(port.data), self.readouts.payload.last.eq(last_number),
            self.readouts.valid.eq(self.reading),
            write.addr.eq(Mux(clearing, number, place)), write.data.eq(Mux(clearing, start_value, new)),
            write.en.eq(clearing | (writes & (operation != _OPERATIONS.index(Readout.NONE)))),
        ]
        next_number = Signal.like(number)
        m.d.comb += next_number.eq(number)
        m.d.sync += number.eq(next_number)
        with m.If(self.clear):
            m.d.comb += next_number.eq(0)
            m.d.sync += clearing.eq(1)
        with m.Elif(self.read):
            m.d.comb += next_number.eq(0)
            m.d.sync += self.reading.eq(1)
        with m.Elif(clearing | (self.reading & self.readouts.ready)):
            m.d.comb += next_number.eq(Mux(last_number, 0, number + 1))
            with m.If(last_number):
                m.d.sync += [clearing.eq(0), self.reading.eq(0)]
        # No flit is held while the readouts are read: the chip is at rest.
        m.d.comb += port.addr.eq(Mux(self.reading, number, place) if at_once else Mux(self.reading | self.read, next_number, next_place))
        return clearing


def _class_tables(m, neuron, chip: ChipSpec):
    """The constant tables of VOTEs: for the neurons of each of their keys {number of the class, whether it votes for one}.

    They stand apart, not in the cases of their keys: so each is synthesised as the read-only memory that it is.
    """
    tables = {}
    for output in chip.outputs:
        for key in output.keys if output.readout is Readout.VOTE else ():
            neurons = chip.keys[key].neurons
            found = list(zip(neurons.numbers.tolist(), neurons.neurons.tolist(), strict=True))
            tables[key] = table = Signal(data.StructLayout({"number": range(output.n_values), "votes": 1}), name=f"class_{key}")
            with m.Switch(neuron):
                for number in range(output.n_values):
                    voters = [n for n, neuron in found if output.classes[neuron] == number]
                    if voters:
                        with m.Case(*voters):
                            m.d.comb += [table.number.eq(number), table.votes.eq(1)]
    return tables


def _counts(readout: Readout) -> Readout:
    """What a readout does to its accumulator: a VOTE counts."""
    return Readout.COUNT if readout is Readout.VOTE else readout


_NEVER = 0xFFFF  # FIRST: no spike yet
_OPERATIONS = (Readout.NONE, Readout.COUNT, Readout.LAST, Readout.SUM, Readout.MAX, Readout.FIRST)
