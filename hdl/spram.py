"""Single-port memory of an iCE40 UltraPlus (SB_SPRAM256KA), and memories of any size made of it."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.tile import SPRAM_DEPTH, SPRAM_WIDTH

__all__ = ["Spram", "SpramBlock"]

_POISON = 0xA5A5


class SpramBlock(wiring.Component):
    """One SB_SPRAM256KA: 16384 words of 16 bits, one port.

    In a cycle with ``enable`` it reads (``data_out`` shows the word from the next cycle on, until another is read) or, with ``write``, writes.
    What ``data_out`` shows after a write is not defined; nor is what the memory holds at power-up.

    On an iCE40 platform it is the primitive. Everywhere else it is a model of it, which shows :data:`_POISON` after a write, so that whoever looks
    at that is found out; tests compare it with the vendor's cell as yosys describes it.

    Members
    -------
    address, data_in, enable, write, data_out : see above.

    Parameters
    ----------
    init : what the model holds at the start; the primitive cannot be initialised.
    """

    def __init__(self, init=()):
        self._init = list(init)
        super().__init__({"address": In(ceil_log2(SPRAM_DEPTH)), "data_in": In(SPRAM_WIDTH), "enable": In(1), "write": In(1),
                          "data_out": Out(SPRAM_WIDTH)})

    def elaborate(self, platform):
        m = Module()
        if getattr(platform, "device", "").startswith("iCE40UP"):
            m.submodules.cell = Instance(
                "SB_SPRAM256KA", i_CLOCK=ClockSignal(), i_ADDRESS=self.address, i_DATAIN=self.data_in, i_MASKWREN=Const(15, 4), i_WREN=self.write,
                i_CHIPSELECT=self.enable, i_STANDBY=Const(0), i_SLEEP=Const(0), i_POWEROFF=Const(1), o_DATAOUT=self.data_out)
            return m
        m.submodules.words = words = memory.Memory(shape=unsigned(SPRAM_WIDTH), depth=SPRAM_DEPTH, init=self._init)
        read, write, wrote = words.read_port(), words.write_port(), Signal()
        m.d.comb += [read.addr.eq(self.address), read.en.eq(self.enable & ~self.write), write.addr.eq(self.address), write.data.eq(self.data_in),
                     write.en.eq(self.enable & self.write), self.data_out.eq(Mux(wrote, _POISON, read.data))]
        with m.If(self.enable):
            m.d.sync += wrote.eq(self.write)
        return m


class Spram(wiring.Component):
    """A memory of ``depth`` words of ``width`` bits: as many blocks beside each other as the width takes, and below each other as the depth takes.

    One port: in a cycle with ``w_valid`` the word at ``address`` is written, in every other it is read: ``data`` shows it in the cycle after.

    Parameters
    ----------
    width, depth : of the memory.
    init : words that the model of the blocks holds at the start.
    """

    def __init__(self, *, width: int, depth: int, init=()):
        self._width, self._depth, self._init = width, depth, list(init)
        super().__init__({"address": In(range(max(depth, 2))), "w_valid": In(1), "w_data": In(width), "data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        across, down = -(-self._width // SPRAM_WIDTH), -(-self._depth // SPRAM_DEPTH)
        block_bits = ceil_log2(SPRAM_DEPTH)
        selected, shown = self.address[block_bits:], Signal(ceil_log2(down))
        m.d.sync += shown.eq(selected)
        words = []
        for k in range(down):
            parts = []
            for j in range(across):
                held = [word >> SPRAM_WIDTH * j & (1 << SPRAM_WIDTH) - 1 for word in self._init[k * SPRAM_DEPTH:(k + 1) * SPRAM_DEPTH]]
                m.submodules[f"block_{k}_{j}"] = block = SpramBlock(held)
                m.d.comb += [block.address.eq(self.address), block.data_in.eq(self.w_data[SPRAM_WIDTH * j:SPRAM_WIDTH * (j + 1)]),
                             block.enable.eq(selected == k if down > 1 else 1), block.write.eq(self.w_valid)]
                parts.append(block.data_out)
            words.append(Cat(*parts)[:self._width])
        m.d.comb += self.data.eq(Array(words)[shown] if down > 1 else words[0])
        return m
