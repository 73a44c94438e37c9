"""Host port: checks input events and sends the good ones into the network."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.arithmetic import bits_signed, bits_unsigned
from ..spec.chip import FlitSpec, InputSpec
from .flit import flit_layout

__all__ = ["HostPort", "event_port_layout", "rejected_layout"]

_WORD = 32  # neurons per word of the memory of those already seen


def event_port_layout(inputs: tuple[InputSpec, ...]) -> data.StructLayout:
    """{population, neuron, payload} of the ``events`` stream; one population and unit payloads need no bits and have none."""
    low, high = min(i.payload_min for i in inputs), max(i.payload_max for i in inputs)
    payload = unsigned(0) if low == high == 1 else signed(bits_signed(low, high)) if low < 0 else unsigned(bits_unsigned(high))
    return data.StructLayout({"population": unsigned(ceil_log2(len(inputs))), "neuron": unsigned(max(ceil_log2(max(i.size for i in inputs)), 1)),
                              "payload": payload})


def rejected_layout() -> data.StructLayout:
    """Rejected events since power-up, saturating: neuron or population out of range, payload out of range, second of its neuron."""
    return data.StructLayout({"range": 16, "payload": 16, "duplicate": 16})


class HostPort(wiring.Component):
    """An event taken in cycle c is checked in c + 1 and offered to the network from then on until taken: one event per cycle.

    A bad event goes no further: it is counted in ``rejected`` and never reaches a tile. ``timestep`` begins a new timestep (each neuron may
    fire again, ``time`` counts on), ``clear`` the first.

    Members
    -------
    events : from the host; taken only while ``window`` is high.
    flits : to the network.
    window, timestep, clear : from the sequencer.
    rejected : see :func:`rejected_layout`.
    busy : an event is held.
    settings : of an overlay: per input what it holds, ``inputs`` of :func:`~spikeloom.spec.settings.settings_fields`.
    """

    def __init__(self, inputs: tuple[InputSpec, ...], flit: FlitSpec, settings: data.StructLayout | None = None):
        self._inputs, self._flit, self._settings = inputs, flit, settings
        super().__init__({
            "events": In(stream.Signature(event_port_layout(inputs))), "flits": Out(stream.Signature(flit_layout(flit))),
            "window": In(1), "timestep": In(1), "clear": In(1), "rejected": Out(rejected_layout()), "busy": Out(1),
            **({"settings": In(settings)} if settings is not None else {}),
        })

    def elaborate(self, platform):
        m = Module()
        inputs = self._inputs
        held, event, time = Signal(), Signal(event_port_layout(inputs)), Signal(self._flit.time_bits)
        leaves = Signal()
        m.d.comb += [self.events.ready.eq(self.window & (~held | leaves)), self.busy.eq(held)]
        with m.If(self.events.valid & self.events.ready):
            m.d.sync += [held.eq(1), event.eq(self.events.payload)]
        with m.Elif(leaves):
            m.d.sync += held.eq(0)
        with m.If(self.clear):
            m.d.sync += time.eq(0)
        with m.Elif(self.timestep):
            m.d.sync += time.eq(time + 1)

        # Which input, if any; its key, and the neuron's place among all inputs.
        known, payload_good, used = Signal(), Signal(), Signal()
        key, place = Signal(self._flit.key_bits), Signal(range(sum(i.size for i in inputs)))
        payload = event.payload if event_port_layout(inputs)["payload"].width else Const(1)
        for index, spec in enumerate(inputs):
            if self._settings is not None:
                own = self.settings[str(index)]
                with m.If(own.exists & (event.population == index) & (event.neuron <= own.last)):
                    m.d.comb += [known.eq(1), used.eq(own.used), key.eq(own.key), place.eq(event.neuron + own.base),
                                 payload_good.eq((payload >= own.low) & (payload <= own.high) & (payload != 0))]
                continue
            base = sum(i.size for i in inputs[:index])
            with m.If((event.population == index) & (event.neuron < spec.size)):
                m.d.comb += [known.eq(1), used.eq(int(spec.key is not None)), key.eq(spec.key or 0), place.eq(event.neuron + base),
                             payload_good.eq((payload >= spec.payload_min) & (payload <= spec.payload_max) & (payload != 0))]
        seen = self._seen(m, place, mark=self.flits.valid & self.flits.ready)
        good = known & payload_good & ~seen
        m.d.comb += [
            self.flits.valid.eq(held & good & used), leaves.eq(held & (self.flits.ready | ~good | ~used)),
            self.flits.payload.key.eq(key), self.flits.payload.neuron.eq(event.neuron), self.flits.payload.time.eq(time),
            self.flits.payload.payload.eq(payload),
        ]
        for name, bad in (("range", ~known), ("payload", known & ~payload_good), ("duplicate", known & payload_good & seen)):
            counter = self.rejected[name]
            with m.If(held & bad & (counter != 0xFFFF)):
                m.d.sync += counter.eq(counter + 1)
        return m

    def _seen(self, m, place, mark):
        """Whether the neuron at ``place`` has fired in this timestep. Words of a small memory, each with a flip-flop that says it is of
        this timestep: so a new timestep forgets everything in one cycle."""
        n = sum(i.size for i in self._inputs)
        n_words = -(-n // _WORD)
        words = Array(Signal(min(_WORD, n), name=f"seen_{k}") for k in range(n_words)) if n_words <= 2 else None
        renewed = self.timestep | self.clear
        bit, word_index = place[:5], place[5:] if n_words > 1 else Const(0, 1)
        if words is not None:
            word = words[word_index] if n_words > 1 else words[0]
            for k in range(n_words):
                with m.If(renewed):
                    m.d.sync += words[k].eq(0)
                with m.Elif(mark & (word_index == k)):
                    m.d.sync += words[k].eq(words[k] | (1 << bit))
            return word.bit_select(bit, 1)
        m.submodules.seen = store = memory.Memory(shape=unsigned(_WORD), depth=n_words, init=[])
        current = Signal(n_words)
        read, write = store.read_port(domain="comb"), store.write_port()
        word = Signal(_WORD)
        m.d.comb += [read.addr.eq(word_index), word.eq(Mux(current.bit_select(word_index, 1), read.data, 0)),
                     write.addr.eq(word_index), write.data.eq(word | (1 << bit)), write.en.eq(mark)]
        with m.If(renewed):
            m.d.sync += current.eq(0)
        with m.Elif(mark):
            m.d.sync += current.bit_select(word_index, 1).eq(1)
        return word.bit_select(bit, 1)
