"""The 32 bit words of the event streams, the same in and out: so the output of one chip can be the input of another."""

from amaranth.hdl import signed
from amaranth.lib import data

__all__ = ["beat_layout", "closing_word_layout", "event_word_layout"]


def event_word_layout() -> data.StructLayout:
    """{neuron, population, payload, unused, nothing}: an event, or with ``nothing`` none: the rest of the word then does not matter on the way in."""
    return data.StructLayout({"neuron": 16, "population": 4, "payload": signed(9), "unused": 2, "nothing": 1})


def closing_word_layout() -> data.StructLayout:
    """{timestep, outputs, nothing}: the last word of an output frame, see :func:`~spikeloom.hdl.readout.frame_layout`."""
    return data.StructLayout({"timestep": 16, "outputs": 15, "nothing": 1})


def beat_layout() -> data.StructLayout:
    """{data, last}: TDATA and TLAST."""
    return data.StructLayout({"data": 32, "last": 1})
