"""The register file of a wrapped chip: what each register of the map does."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ...spec.chip import ChipSpec
from ..answer import answer_fields
from ..config_port import config_layout
from ..host_port import rejected_layout
from ..readback import readback_layout
from ..readout import readout_port_layout
from ..sequencer import control_layout
from ..tile import counters_layout
from ..top import errors_layout
from .register_map import COUNTERS, RegisterMap

__all__ = ["Registers"]


class Registers(wiring.Component):
    """Answers reads and writes of :class:`~spikeloom.hdl.axi.lite.Lite`; hands commands and configuration words to the chip, keeps what comes back.

    Nothing on the bus ever waits for the chip: a command or part is held until the chip takes it, one of each, and a second one is refused
    with an error until then. Readouts and words that are read back go to memories, so the chip never waits for the bus either. A write takes
    effect in the cycle after its strobe.

    A write is refused, and changes nothing, if there is no such register, if it is read-only, or if it acts and not all four bytes are
    written. Of registers that only remember, the bytes of ``w_mask`` are written. A read is refused where there is nothing, or nothing to
    read.

    Parameters
    ----------
    chip : :class:`ChipSpec`
    registers : :class:`RegisterMap`, of the chip.

    Members
    -------
    w_*, r_* : as of ``Lite``, in the other direction.
    command, config : to the chip; ``valid`` is a register. readouts, readback : from it; always taken.
    busy, errors, rejected, dropped, answer_*, counters_* : what the chip shows. stirred : something outside is under way.
    irq : high while an enabled bit of STATUS is set; a register.
    """

    def __init__(self, chip: ChipSpec, registers: RegisterMap):
        self._chip, self._map = chip, registers
        words = registers.address_bits - 2
        super().__init__({
            "w_strobe": In(1), "w_word": In(words), "w_data": In(32), "w_mask": In(4), "w_error": Out(1),
            "r_strobe": In(1), "r_word": In(words), "r_data": Out(32), "r_error": Out(1),
            "command": Out(stream.Signature(control_layout())),
            **({"config": Out(stream.Signature(config_layout(chip)))} if chip.writable else {}),
            "readouts": In(stream.Signature(readout_port_layout(chip))),
            **({"readback": In(stream.Signature(readback_layout()))} if chip.reads else {}),
            "busy": In(1), "stirred": In(1), "errors": In(errors_layout()), "rejected": In(rejected_layout()), "dropped": In(16), "irq": Out(1),
            **{f"answer_{name}": In(width) for name, width in answer_fields(chip).items()},
            **({f"counters_{k}": In(counters_layout(tile)) for k, tile in enumerate(chip.tiles)} if chip.counters else {}),
        })

    def elaborate(self, platform):
        m = Module()
        self._values = {name: Const(r.value, 32) for name, r in self._map.by_name.items() if r.value is not None}
        self._waiting: dict[str, Value | int] = dict.fromkeys(("command", "config", "readouts", "readback", "answer"), 0)
        self._accepted = {}  # what a write may change, to whether it may now
        m.d.comb += [self.readouts.ready.eq(1), self.w_error.eq(1)]
        windows = {}
        self._give_commands(m)
        if self._chip.writable:
            self._configure(m)
        if "READOUTS" in self._map.window:
            windows["READOUTS"] = self._keep_readouts(m)
        if self._chip.reads:
            windows["READBACK"] = self._keep_readback(m)
        if self._chip.counters:
            windows["COUNTERS"] = self._count(m)
        self._show(m)
        self._read(m, windows)
        return m

    def _write(self, m, name, free=1):
        """Whether an acting register is written in this cycle, and the write stands."""
        acts, here = Signal(name=f"{name.lower()}_acts"), Signal(name=f"{name.lower()}_here")
        m.d.comb += [here.eq(self.w_strobe & (self.w_word == self._map.by_name[name].address // 4)), acts.eq(here & (self.w_mask == 0xF) & free)]
        with m.If(here):
            m.d.comb += self.w_error.eq(~acts)
        return acts

    def _remember(self, m, name, width):
        """A register that only remembers."""
        value = self._values[name] = Signal(width, name=name.lower())
        with m.If(self.w_word == self._map.by_name[name].address // 4):
            m.d.comb += self.w_error.eq(0)
            for byte in range(-(-width // 8)):
                part = slice(8 * byte, min(8 * byte + 8, width))
                with m.If(self.w_strobe & self.w_mask[byte]):
                    m.d.sync += value[part].eq(self.w_data[part])
        return value

    def _give_commands(self, m):
        command = self.command
        acts = self._write(m, "CONTROL", ~command.valid)
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(acts):
            m.d.sync += [command.valid.eq(1), command.payload.command.eq(self.w_data[:2]), command.payload.count.eq(self.w_data[16:])]
        self._waiting["command"] = command.valid

    def _configure(self, m):
        config, exports = self.config, self._chip.reads
        reading = Signal()  # a word was asked for, and is not complete
        target, address = self._remember(m, "CONFIG_TARGET", 11), self._remember(m, "CONFIG_ADDRESS", 20)
        part, last = self._write(m, "CONFIG_PART", ~config.valid), self._write(m, "CONFIG_LAST", ~config.valid)
        read = self._write(m, "CONFIG_READ", ~config.valid & ~reading) if exports else Const(0)
        with m.If(config.ready):
            m.d.sync += config.valid.eq(0)
        with m.If(part | last | read):
            m.d.sync += [config.valid.eq(1), config.payload.tile.eq(target[:8]), config.payload.memory.eq(target[8:]),
                         config.payload.address.eq(address), config.payload.data.eq(self.w_data), config.payload.last.eq(~part)]
            if exports:
                m.d.sync += config.payload.read.eq(read)
        with m.If(last | read):
            m.d.sync += address.eq(address + 1)
        self._waiting["config"] = config.valid | reading
        if exports:
            complete = Signal()
            with m.If(self.readback.valid & self.readback.payload.last):
                m.d.sync += [reading.eq(0), complete.eq(1)]
            with m.If(read):
                m.d.sync += [reading.eq(1), complete.eq(0)]
            self._waiting["readback"] = complete

    def _keep_readouts(self, m):
        """READOUTS: the value of each readout; in two words if it is wider than one."""
        value, number, complete = self.readouts.payload.value, Signal(range(self._chip.n_readouts)), Signal()
        m.submodules.kept_readouts = store = memory.Memory(shape=signed(len(value)), depth=self._chip.n_readouts, init=[])
        write, read = store.write_port(), store.read_port()
        m.d.comb += [write.en.eq(self.readouts.valid), write.addr.eq(number), write.data.eq(value)]
        with m.If(self.readouts.valid):
            m.d.sync += number.eq(number + 1)
            with m.If(self.readouts.payload.last):
                m.d.sync += [number.eq(0), complete.eq(1)]
        with m.If(self.command.valid & self.command.ready & self.command.payload.command.as_value()[1]):  # READ or RESET
            m.d.sync += complete.eq(0)
        self._waiting["readouts"] = complete
        if len(value) <= 32:
            m.d.comb += read.addr.eq(self.r_word)
            return read.data  # signed: extended to 32 bits
        upper, word, wide = Signal(), Signal(32), Signal(signed(64))
        m.d.sync += upper.eq(self.r_word[0])
        m.d.comb += [read.addr.eq(self.r_word[1:]), wide.eq(read.data), word.eq(Mux(upper, wide[32:], wide[:32]))]
        return word

    def _keep_readback(self, m):
        """READBACK: the parts of the word that was asked for."""
        window, part = self._map.window["READBACK"], Signal(range(max(self._map.window["READBACK"].words, 2)))
        m.submodules.kept_readback = store = memory.Memory(shape=32, depth=window.words, init=[])
        write, read = store.write_port(), store.read_port()
        m.d.comb += [self.readback.ready.eq(1), write.en.eq(self.readback.valid), write.addr.eq(part), write.data.eq(self.readback.payload.data),
                     read.addr.eq(self.r_word)]
        with m.If(self.readback.valid):
            m.d.sync += part.eq(Mux(self.readback.payload.last, 0, part + 1))
        return read.data

    def _count(self, m):
        """COUNTERS: chosen in the cycle of the read, as a memory would."""
        word, number = Signal(32), Signal(range(max(self._map.window["COUNTERS"].words, 2)))
        m.d.comb += number.eq(self.r_word)
        counters = [getattr(self, f"counters_{k}")[g][name] for k, tile in enumerate(self._chip.tiles) for g in range(len(tile.groups))
                    for name in COUNTERS]
        m.d.sync += word.eq(Array(counters)[number])
        return word

    def _show(self, m):
        """STATUS, and what of the chip is simply shown."""
        wrong = Cat(self.errors.as_value(), self.dropped != 0)
        waiting = self._waiting
        if answer_fields(self._chip):
            waiting["answer"] = self.answer_valid
            self._values |= {"ANSWER": self.answer_index, "CONFIDENCE_LOW": self.answer_confidence[:32]}
            if "CONFIDENCE_HIGH" in self._map.by_name:
                self._values["CONFIDENCE_HIGH"] = self.answer_confidence[32:]
        idle = ~(self.busy | self.stirred | waiting["command"] | waiting["config"])
        status = Cat(idle[0], *(Value.cast(waiting[name])[0] for name in ("command", "config", "readouts", "readback", "answer")), wrong.any())
        enabled = self._remember(m, "IRQ_ENABLE", len(status))
        m.d.sync += self.irq.eq((status & enabled).any())
        self._values |= {"STATUS": status, "ERRORS": wrong, "REJECTED_WORD": self.dropped,
                         **{f"REJECTED_{name.upper()}": self.rejected[name] for name in ("range", "payload", "duplicate")}}

    def _read(self, m, windows):
        """One register of a cycle before the answer: for registers what they are, for windows which it is."""
        word, found = Signal(32), Signal()
        chosen = Signal(max(len(windows), 1))
        m.d.sync += [word.eq(0), found.eq(0), chosen.eq(0)]
        with m.Switch(self.r_word):
            for name, value in self._values.items():
                with m.Case(self._map.by_name[name].address // 4):
                    m.d.sync += [word.eq(value), found.eq(1)]
        m.d.comb += self.r_data.eq(word)
        for k, (name, value) in enumerate(windows.items()):
            window = self._map.window[name]
            first, place = window.address // 4, self.r_word & (window.size // 4 - 1)
            with m.If(((self.r_word ^ first) < window.size // 4) & (place < window.words)):
                m.d.sync += [chosen[k].eq(1), found.eq(1)]
            with m.If(chosen[k]):
                m.d.comb += self.r_data.eq(value)
        m.d.comb += self.r_error.eq(~found)
