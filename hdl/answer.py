"""Answer: which readout of the last population that has one is the best, and by how much, found while they leave the chip."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import ChipSpec
from ..spec.network import Readout
from .readout import readout_port_layout
from .settings import settings_layout

__all__ = ["Answer", "answer_fields", "answering"]


def answering(chip: ChipSpec) -> int | None:
    """Number of the output whose readouts are the answer, the last with any; None without."""
    return max((number for number, output in enumerate(chip.outputs) if output.n_values), default=None)


def answer_fields(chip: ChipSpec) -> dict[str, int]:
    """Widths of what the ``answer`` port shows, all unsigned; nothing where no output has readouts.

    ``index`` is the neuron (of a VOTE the class), ``confidence`` as wide as a readout: that holds the difference of any two.
    """
    number = answering(chip)
    if number is None:
        return {}
    output = chip.outputs[number]
    return {"valid": 1, "index": max(ceil_log2(output.n_values), 1), "confidence": output.readout_bits}


class Answer(wiring.Component):
    """Follows the ``readouts`` stream without slowing it: keeps the best value, its index, and the second best.

    Best is the largest, of FIRST the smallest; of equals, that of the lowest index. The confidence is the difference between best and second
    best: 0 for equals, and for a single value. ``valid`` rises in the cycle after the last readout word was taken, and falls in the
    cycle after ``renew``; index and confidence mean something only while it is high.

    Members
    -------
    taken, word : a readout is taken in this cycle; its payload.
    renew : READ or RESET begins its own work (a strobe, in a cycle in which no readout is taken).
    valid, index, confidence : see :func:`answer_fields`.
    settings : of an overlay: whether the ``smallest`` is best, and whether there is but a ``single`` one.
    """

    def __init__(self, chip: ChipSpec):
        number = answering(chip)
        if number is None:
            raise ValueError(f"Chip {chip.name!r} must have a population with readouts for an answer")
        self._output = chip.outputs[number]
        super().__init__({"taken": In(1), "word": In(readout_port_layout(chip)), "renew": In(1),
                          **({"settings": In(settings_layout(chip)["answer"].shape)} if chip.capacity else {}),
                          **{name: Out(width) for name, width in answer_fields(chip).items()}})
        self._loadable = chip.capacity is not None

    def elaborate(self, platform):
        m = Module()
        output = self._output
        with m.If(self.renew):
            m.d.sync += self.valid.eq(0)
        with m.Elif(self.taken & self.word.last):
            m.d.sync += self.valid.eq(1)
        if output.n_values == 1 and not self._loadable:  # nothing to compare: index and confidence stay 0
            return m

        if self._loadable:
            self._compare_loaded(m)
            return m
        shape = signed(output.readout_bits) if output.values else unsigned(output.readout_bits)
        value, best, second = Signal(shape), Signal(shape), Signal(shape)

        def better(a, b):
            return a < b if output.readout is Readout.FIRST else a > b

        # Each population's come in ascending order: index 0 begins anew, which forgets the populations before, and of 0 and 1 one is second.
        index = self.word.neuron
        m.d.comb += [value.eq(self.word.value), self.confidence.eq(second - best if output.readout is Readout.FIRST else best - second)]
        with m.If(self.taken):
            with m.If((index == 0) | better(value, best)):
                m.d.sync += [best.eq(value), second.eq(best), self.index.eq(index)]
            with m.Elif((index == 1) | better(value, second)):
                m.d.sync += second.eq(value)
        return m

    def _compare_loaded(self, m):
        """The same where only registers say which is best: values are signed, and as wide as a readout may be."""
        value, index = self.word.value, self.word.neuron
        best, second, smallest, single = Signal.like(value), Signal.like(value), Signal(), Signal()
        with m.If(self.renew):  # another network may be loaded while the answer stands
            m.d.sync += [smallest.eq(self.settings.smallest), single.eq(self.settings.single)]

        def better(other):
            return Mux(smallest, value < other, value > other)

        lead = Mux(smallest, second - best, best - second)
        m.d.comb += self.confidence.eq(Mux(single, 0, lead))
        with m.If(self.taken):
            with m.If((index == 0) | better(best)):
                m.d.sync += [best.eq(value), second.eq(best), self.index.eq(index)]
            with m.Elif((index == 1) | better(second)):
                m.d.sync += second.eq(value)
