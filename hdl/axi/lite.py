"""AXI4-Lite subordinate: bus transactions become strobes of a register file."""

from amaranth import *
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Lite", "Response", "lite_ports"]


class Response(enum.Enum, shape=2):
    """Responses that are given. Arm IHI 0022, "Read and write response structure"."""

    OKAY = 0
    SLVERR = 2


def lite_ports(address_bits: int) -> dict[str, wiring.Member]:
    """Ports of a subordinate of 32 data bits, by their AXI names in lower case."""
    return {
        "awaddr": In(address_bits), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
        "wdata": In(32), "wstrb": In(4), "wvalid": In(1), "wready": Out(1),
        "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
        "araddr": In(address_bits), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
        "rdata": Out(32), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
    }


class Lite(wiring.Component):
    """Takes address and data of a write in any order, and reads beside writes; every output is a register.

        AW -> held --+--> w_strobe --> B        AR -> held --> r_strobe --> (a cycle) --> R
        W  -> held --+

    With the later of AW and W taken in cycle c, and no response waiting, ``w_strobe`` is high in c + 1 and BVALID from c + 2 on. With AR taken in
    cycle c, ``r_strobe`` is high in c + 1 and RVALID from c + 3 on. Either way one transaction in two cycles if the manager is as fast.
    A response that waits for its READY holds up its own direction alone. An unaligned address is answered with SLVERR and gives no
    strobe. ``prot`` is ignored.

    Parameters
    ----------
    address_bits : of a byte address.

    Members
    -------
    AXI ports : :func:`lite_ports`.
    w_strobe, w_word, w_data, w_mask : a write to word ``w_word`` (byte address / 4), for one cycle; ``w_mask`` has a bit per byte.
    w_error : it is refused; in the cycle of the strobe.
    r_strobe, r_word : a read, for one cycle. r_data, r_error : its answer, in the cycle after.
    """

    def __init__(self, *, address_bits: int):
        if address_bits < 3:
            raise ValueError(f"Address bits must be at least 3, not {address_bits}")
        self._address_bits = address_bits
        super().__init__({
            **lite_ports(address_bits),
            "w_strobe": Out(1), "w_word": Out(address_bits - 2), "w_data": Out(32), "w_mask": Out(4), "w_error": In(1),
            "r_strobe": Out(1), "r_word": Out(address_bits - 2), "r_data": In(32), "r_error": In(1),
        })

    @property
    def address_bits(self) -> int:
        """Width of a byte address."""
        return self._address_bits

    def elaborate(self, platform):
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m):
        address, address_held, data_held, begins = Signal(self._address_bits), Signal(), Signal(), Signal()
        aligned = address[:2] == 0
        m.d.comb += [
            self.awready.eq(~address_held), self.wready.eq(~data_held),
            begins.eq(address_held & data_held & (self.bready | ~self.bvalid)),
            self.w_strobe.eq(begins & aligned), self.w_word.eq(address[2:]),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [address_held.eq(1), address.eq(self.awaddr)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [data_held.eq(1), self.w_data.eq(self.wdata), self.w_mask.eq(self.wstrb)]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(begins):
            m.d.sync += [address_held.eq(0), data_held.eq(0), self.bvalid.eq(1),
                         self.bresp.eq(Mux(aligned & ~self.w_error, Response.OKAY, Response.SLVERR))]

    def _read(self, m):
        address, held, begins, fetching, aligned = Signal(self._address_bits), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.arready.eq(~held), begins.eq(held & ~fetching & (self.rready | ~self.rvalid)),
            self.r_strobe.eq(begins & (address[:2] == 0)), self.r_word.eq(address[2:]),
        ]
        with m.If(self.arvalid & self.arready):
            m.d.sync += [held.eq(1), address.eq(self.araddr)]
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        m.d.sync += fetching.eq(begins)
        with m.If(begins):
            m.d.sync += [held.eq(0), aligned.eq(address[:2] == 0)]
        with m.If(fetching):
            good = aligned & ~self.r_error
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(Mux(good, self.r_data, 0)), self.rresp.eq(Mux(good, Response.OKAY, Response.SLVERR))]
