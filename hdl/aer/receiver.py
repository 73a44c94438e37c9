"""Receiver of address events: from an asynchronous four-phase port to a stream."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["Receiver"]


class Receiver(wiring.Component):
    """Takes an address per handshake, and acknowledges it only when it has room: an event is never lost, the sender waits.

        request      __/~~~~~~~~\\_________    by the sender; address stable from its rise to the rise of acknowledge
        acknowledge  _______/~~~~~~~~\\____    by this component

    ``request`` passes two flip-flops, the address none: it is sampled two clocks after its request was, and has been stable since. (So
    the address may even come up to one clock behind its request.) Request high in cycle c, early enough for its edge: the address is offered,
    and acknowledge high, from c + 3 on, if the event before has left by then. Request low in cycle c: acknowledge low from c + 3 on. A
    synchroniser that settles late adds one cycle to either. So 6 to 8 clocks per event, and the reactions of the sender.

    Parameters
    ----------
    address_bits : width of the address.

    Members
    -------
    request, address : asynchronous, from outside. acknowledge : to outside, a register (no glitch).
    o : stream of addresses; ``valid`` and ``payload`` are registers.

    Raises ValueError if there are no address bits.
    """

    def __init__(self, *, address_bits: int):
        if address_bits < 1:
            raise ValueError(f"Address bits must be at least 1, not {address_bits}")
        super().__init__({"request": In(1), "address": In(address_bits), "acknowledge": Out(1), "o": Out(stream.Signature(address_bits))})

    def elaborate(self, platform):
        m = Module()
        requested = Signal()
        m.submodules.synchronizer = FFSynchronizer(self.request, requested)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(requested & ~self.acknowledge & (self.o.ready | ~self.o.valid)):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.address), self.acknowledge.eq(1)]
        with m.Elif(~requested):
            m.d.sync += self.acknowledge.eq(0)
        return m
