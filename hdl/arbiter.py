"""Round-robin arbitration of one output among several requesters."""

from __future__ import annotations

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RoundRobin"]


def _lowest(bits: Value) -> Value:
    """One-hot: the lowest bit that is set, or nothing."""
    return Cat(bits[i] & ~bits[:i].any() if i else bits[0] for i in range(len(bits)))


class RoundRobin(wiring.Component):
    """Fair arbiter whose offer, once made, stays until it is taken.

    Offers the first requester after the one that was served last, at first the lowest. Combinational from ``requests`` to
    ``grant``; ``taken`` counts from the next cycle on. A requester waits for at most n - 1 others.

    The state is one mask of preferred requesters: those after the one served, or, behind a stalled offer, those from it on.
    So a request that arrives later cannot displace the offer, and no second register is needed. The lowest requester needs no
    bit in it: to prefer all requesters is to prefer none. One requester alone is a wire without state.

    Parameters
    ----------
    n : int
        Requesters, at least 1.

    Members
    -------
    requests : ``In(n)``   Who wants the output; a request stays until it has been granted and taken.
    taken : ``In(1)``      The granted requester is served in this cycle. Must be 0 where nothing is granted.
    grant : ``Out(n)``     One-hot: whom the output is offered to; 0 without a request.

    Raises
    ------
    ValueError
        ``n`` is less than 1.
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"Number of requesters must be at least 1, not {n!r}")
        self._n = n
        super().__init__({"requests": In(n), "taken": In(1), "grant": Out(n)})

    @property
    def n(self) -> int:
        """Number of requesters."""
        return self._n

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.n == 1:
            m.d.comb += self.grant.eq(self.requests)
            return m

        preferred = Signal(self.n - 1)  # bit i - 1: requester i
        favoured = Signal(self.n)
        m.d.comb += [
            favoured.eq(self.requests & Cat(0, preferred)),
            self.grant.eq(Mux(favoured.any(), _lowest(favoured), _lowest(self.requests))),
        ]
        with m.If(self.requests.any()):
            # Served: those after it. Stalled: it and those after it, which for requester 0 is everyone, hence no bit at all.
            m.d.sync += preferred.eq(Mux(self.taken,
                                         Cat(self.grant[:i].any() for i in range(1, self.n)),
                                         Cat(self.grant[1:i + 1].any() for i in range(1, self.n))))
        return m
