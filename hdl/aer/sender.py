"""Sender of address events: from a stream to an asynchronous four-phase port."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["Sender"]


class Sender(wiring.Component):
    """Sends an address per handshake; the stream waits as long as the receiver does.

        address      =X====================    from here to the next event
        request      ___/~~~~~~~~\\_________    by this component
        acknowledge  _______/~~~~~~~~\\____    by the receiver

    An address taken in cycle c is at the port from c + 1 on, and request high from c + 2 on: one clock for the address to settle. Acknowledge passes
    two flip-flops: high in cycle c, early enough for its edge, request is low from c + 3 on; low again in cycle c, the next address is taken
    in c + 2. A synchroniser that settles late adds one cycle to either. So 7 to 9 clocks per event, and the reactions of the receiver.

    Parameters
    ----------
    address_bits : width of the address.

    Members
    -------
    i : stream of addresses.
    request, address : to outside, registers (no glitch). acknowledge : asynchronous, from outside.
    busy : an event is under way.

    Raises ValueError if there are no address bits.
    """

    def __init__(self, *, address_bits: int):
        if address_bits < 1:
            raise ValueError(f"Address bits must be at least 1, not {address_bits}")
        super().__init__({"i": In(stream.Signature(address_bits)), "request": Out(1), "address": Out(address_bits), "acknowledge": In(1),
                          "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        acknowledged, settling = Signal(), Signal()
        m.submodules.synchronizer = FFSynchronizer(self.acknowledge, acknowledged)
        m.d.comb += [self.busy.eq(settling | self.request | acknowledged), self.i.ready.eq(~self.busy)]
        m.d.sync += settling.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.address.eq(self.i.payload), settling.eq(1)]
        with m.If(settling):
            m.d.sync += self.request.eq(1)
        with m.Elif(acknowledged):
            m.d.sync += self.request.eq(0)
        return m
