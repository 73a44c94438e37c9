"""Self-test: a chip that plays a stored clip to itself, checks all of its output, and shows the verdict on LEDs."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import Out

from ..spec.chip import ChipSpec
from ..spec.image import MemoryImage
from ..spec.signature import PAYLOAD_SHIFT, READOUT_MARK
from .host_port import event_port_layout
from .sequencer import Command, control_layout
from .top import Chip

__all__ = ["SelfTest", "program_words"]

_EVENT, _CONTROL = 0, 1


def program_words(chip: ChipSpec, steps: list[list[tuple[int, int, int]]]) -> list[int]:
    """Words of the stored program: per timestep its events (population, neuron, payload) and a STEP; at the end READ and RESET.

    Bit 0 says event (0) or command (1); above it is the packed payload of the stream.
    """
    layout = event_port_layout(chip.inputs)
    words = []
    for events in steps:
        for population, neuron, payload in events:
            fields = {"population": population, "neuron": neuron, "payload": payload if layout["payload"].width else 0}
            words.append(layout.const(fields).as_bits() << 1 | _EVENT)
        words.append(control_layout().const({"command": Command.STEP, "count": 1}).as_bits() << 1 | _CONTROL)
    for command in (Command.READ, Command.RESET):
        words.append(control_layout().const({"command": command, "count": 0}).as_bits() << 1 | _CONTROL)
    return words


class SelfTest(wiring.Component):
    """Plays a program (:func:`program_words`) over and over; after each READ compares the signature of all that came out.

    Parameters
    ----------
    chip, image : as of :class:`~spikeloom.hdl.top.Chip`.
    program : words of the program.
    expected : signature (:mod:`spikeloom.spec.signature`) that the golden model gives.

    Members
    -------
    passed : the last run was right. failed : some run since power-up was wrong (stays).
    toggle : changes with every run. winner : index of the chip's answer to the last run, modulo 16; 0 if no population has readouts.
    """

    def __init__(self, chip: ChipSpec, image: MemoryImage, program: list[int], expected: int):
        self._chip, self._image, self._program, self._expected = chip, image, program, expected
        super().__init__({"passed": Out(1), "failed": Out(1), "toggle": Out(1), "winner": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.chip = chip = Chip(self._chip, self._image)
        width = max(word.bit_length() for word in self._program)
        m.submodules.program = program = memory.Memory(shape=unsigned(width), depth=len(self._program), init=self._program,
                                                       attrs={"ram_style": "block"})
        read = program.read_port()
        place, loaded = Signal(range(len(self._program))), Signal()
        is_control, taken = read.data[0], Signal()
        events, control = chip.events, chip.control
        m.d.comb += [
            read.addr.eq(place), chip.spikes.ready.eq(1), chip.readouts.ready.eq(1),
            events.valid.eq(loaded & ~is_control), control.valid.eq(loaded & is_control),
            taken.eq((events.valid & events.ready) | (control.valid & control.ready)),
            control.payload.eq(read.data[1:]),
        ]
        if event_port_layout(self._chip.inputs).size:
            m.d.comb += events.payload.eq(read.data[1:])
        # The memory shows a word one cycle after its place: every other cycle a word.
        m.d.sync += loaded.eq(~taken)
        with m.If(taken):
            m.d.sync += place.eq(Mux(place == len(self._program) - 1, 0, place + 1))

        spike, readout = chip.spikes.payload, chip.readouts.payload
        spike_word, readout_word, value = Signal(32), Signal(32), Signal(signed(32))
        total, spike_hash, readout_hash = Signal(32), Signal(32), Signal(32)
        m.d.comb += [
            value.eq(readout.value),
            spike_word.eq(_spike_word(spike)),
            readout_word.eq(value.as_unsigned() ^ (readout.neuron << 16) ^ (readout.population << 28) ^ READOUT_MARK),
        ]
        # One register before the sum keeps the hash out of the path of the adder.
        m.d.sync += [spike_hash.eq(Mux(chip.spikes.valid, _mix(m, spike_word, "spike"), 0)),
                     readout_hash.eq(Mux(chip.readouts.valid, _mix(m, readout_word, "readout"), 0)),
                     total.eq(total + spike_hash + readout_hash)]
        # RESET is taken when READ is over, two cycles or more behind the last readout: the signature is complete.
        with m.If(control.valid & control.ready & (control.payload.command == Command.RESET)):
            right = (total == self._expected) & (chip.status.errors.as_value() == 0)
            m.d.sync += [self.passed.eq(right), self.failed.eq(self.failed | ~right), self.toggle.eq(~self.toggle), total.eq(0),
                         self.winner.eq(chip.answer.index if self._chip.n_readouts else 0)]
        return m


def _spike_word(spike):
    """One of :func:`spikeloom.spec.signature.spike_words` in gates."""
    word = (spike.timestep << 16) ^ (spike.population << 12) ^ spike.neuron
    return word ^ (spike.payload ^ 1) << PAYLOAD_SHIFT if "payload" in spike.shape().members else word


def _mix(m, word, name):
    """:func:`spikeloom.spec.signature.mix` in gates."""
    for step, shift in enumerate((13, -17, 5)):
        mixed = Signal(32, name=f"{name}_mixed_{step}")
        m.d.comb += mixed.eq(word ^ (word << shift if shift > 0 else word >> -shift))
        word = mixed
    return word
