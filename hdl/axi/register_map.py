"""The registers of a wrapped chip as data: what the hardware decodes, the C header defines and the documentation lists."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.utils import ceil_log2

from ...spec.chip import ChipSpec
from ...spec.errors import CapacityError
from ..answer import answer_fields
from ..readback import most_parts
from ..readout import readout_port_layout
from ..sequencer import Command

__all__ = ["COUNTERS", "Field", "Register", "RegisterMap", "Window", "register_map"]

MAP_VERSION = 1
MOST_POPULATIONS = 15  # the closing word of an output frame has a bit for each
COUNTERS = ("events", "sops", "multiplied", "updates", "spikes")
_PAGE = 0x100  # bytes of the registers; windows follow


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits ``offset`` .. ``offset + width - 1`` of a register."""

    name: str
    offset: int
    width: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Register:
    """A word of 32 bits.

    Parameters
    ----------
    name, address : of it; a byte address, a multiple of 4.
    access : ``R``, ``W`` or ``RW``. RW is memory and heeds write strobes; a W does something, and wants all four.
    value : of a constant, or None.
    """

    name: str
    address: int
    access: str
    text: str
    fields: tuple[Field, ...] = ()
    value: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """``words`` words of 32 bits from byte address ``address`` on, read only; ``address`` is a multiple of its size, a power of two."""

    name: str
    address: int
    words: int
    text: str

    @property
    def size(self) -> int:
        """Bytes of the decoded range; those behind the last word are an error."""
        return 4 << ceil_log2(self.words)


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """All of a chip's registers and windows, in ascending order."""

    registers: tuple[Register, ...]
    windows: tuple[Window, ...]

    @cached_property
    def by_name(self) -> dict[str, Register]:
        """Registers by their names."""
        return {register.name: register for register in self.registers}

    @cached_property
    def window(self) -> dict[str, Window]:
        """Windows by their names."""
        return {window.name: window for window in self.windows}

    @property
    def address_bits(self) -> int:
        """Width of a byte address."""
        return ceil_log2(max([_PAGE, *(w.address + w.size for w in self.windows)]))


def register_map(chip: ChipSpec) -> RegisterMap:
    """The map of a chip. The registers' addresses are those of every chip, and one that a chip has no use for is not there.

    Raises CapacityError where the words of the event streams cannot name all inputs or outputs.
    """
    for what, many in (("inputs", len(chip.inputs)), ("outputs", len(chip.outputs))):
        if many > MOST_POPULATIONS:
            raise CapacityError(f"AXI wrapper of chip {chip.name!r}: it has {many} {what}, and a word of an event stream tells "
                                f"{MOST_POPULATIONS} apart; join populations, or use the chip without the wrapper.")
    digest = int(chip.network_digest[:16], 16)
    features = {"writable": chip.writable, "exports": chip.exports, "counters": chip.counters, "readouts": chip.n_readouts > 0,
                "spikes": any(not o.values for o in chip.outputs)}
    registers = [
        Register(name="ID", address=0x00, access="R", value=0x53504B4C, text="\"SPKL\""),
        Register(name="VERSION", address=0x04, access="R", value=MAP_VERSION, text="version of this map"),
        Register(name="NETWORK_0", address=0x08, access="R", value=digest >> 32, text="the network's digest, its first 8 digits"),
        Register(name="NETWORK_1", address=0x0C, access="R", value=digest & 0xFFFFFFFF, text="the next 8"),
        _constant("SHAPE", 0x10, "numbers of", {"tiles": (8, len(chip.tiles)), "inputs": (8, len(chip.inputs)), "outputs": (8, len(chip.outputs))}),
        _constant("FEATURES", 0x14, "what this chip has", {name: (1, int(has)) for name, has in features.items()}),
        Register(name="STATUS", address=0x18, access="R", text="what is so now", fields=_bits(_STATUS)),
        Register(name="ERRORS", address=0x1C, access="R", text="what has gone wrong since aresetn; each stays", fields=_bits(_ERRORS)),
        Register(name="REJECTED_RANGE", address=0x20, access="R",
                 text="rejected events: no such population or neuron (saturates at 65,535; so do the others)"),
        Register(name="REJECTED_PAYLOAD", address=0x24, access="R", text="payload out of range, or 0"),
        Register(name="REJECTED_DUPLICATE", address=0x28, access="R", text="second event of its neuron in a timestep"),
        Register(name="REJECTED_WORD", address=0x2C, access="R", text="the word does not fit the chip's fields"),
        Register(name="IRQ_ENABLE", address=0x30, access="RW", text="`irq` is high while a bit is set here and in STATUS", fields=_bits(_STATUS)),
        Register(name="CONTROL", address=0x34, access="W", text="gives a command, behind all words taken on the event stream; "
                 "refused while one waits",
                 fields=(Field(name="command", offset=0, width=2, text=", ".join(f"{c.name} {c.value}" for c in Command)),
                         Field(name="count", offset=16, width=16, text="timesteps of STEP; 0 means 1"))),
    ]
    fields = answer_fields(chip)
    if fields:
        registers += [Register(name="ANSWER", address=0x38, access="R", text="neuron or class of the best readout, while STATUS.answer"),
                      Register(name="CONFIDENCE_LOW", address=0x3C, access="R", text="its lead over the second best")]
        if fields["confidence"] > 32:
            registers.append(Register(name="CONFIDENCE_HIGH", address=0x40, access="R", text="bits 32 and up of it"))
    if chip.writable:
        registers += [
            Register(name="CONFIG_TARGET", address=0x44, access="RW", text="the memory", fields=(
                Field(name="tile", offset=0, width=8, text=""), Field(name="memory", offset=8, width=3, text="as in docs/integration.md"))),
            Register(name="CONFIG_ADDRESS", address=0x48, access="RW", text="the word in it; counts up with each CONFIG_LAST and CONFIG_READ",
                     fields=(Field(name="address", offset=0, width=20, text=""),)),
            Register(name="CONFIG_PART", address=0x4C, access="W", text="32 bits of the word, lowest first; refused while a part waits"),
            Register(name="CONFIG_LAST", address=0x50, access="W", text="its last 32 bits: the word is written when the chip is idle"),
        ]
    if chip.reads:
        registers.append(Register(name="CONFIG_READ", address=0x54, access="W", text="asks for the word, which comes into READBACK; its data means "
                                  "nothing; refused while a part or a request waits"))
    return RegisterMap(registers=tuple(registers), windows=tuple(_windows(chip)))


_STATUS = {"idle": "nothing is under way, and nothing waits", "command": "a command waits",
           "config": "a part of a configuration word waits, or what was asked for",
           "readouts": "READOUTS are those of the last READ", "readback": "READBACK is what was asked for",
           "answer": "ANSWER is that of the last READ",
           "error": "a bit of ERRORS is set"}
_ERRORS = {"range": "no such population or neuron", "payload": "payload out of range", "duplicate": "second event of its neuron",
           "config": "a configuration word or request was refused", "route": "an event had no route",
           "word": "the word of an event does not fit"}


def _bits(names: dict[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name=name, offset=k, width=1, text=text) for k, (name, text) in enumerate(names.items()))


def _constant(name: str, address: int, text: str, parts: dict[str, tuple[int, int]]) -> Register:
    value, offset, fields = 0, 0, []
    for part, (width, number) in parts.items():
        fields.append(Field(name=part, offset=offset, width=width, text=str(number)))
        value, offset = value | number << offset, offset + width
    return Register(name=name, address=address, access="R", text=text, fields=tuple(fields), value=value)


def _windows(chip: ChipSpec) -> list[Window]:
    wanted = []
    if chip.n_readouts:
        wide = readout_port_layout(chip)["value"].width > 32
        wanted.append(("READOUTS", chip.n_readouts * (1 + wide), "what READ gave, in the order of the outputs"
                       + (", each as two words, lower first" if wide else "") + "; signed"))
    if chip.reads:
        wanted.append(("READBACK", most_parts(chip), "the word that CONFIG_READ asked for, lowest 32 bits first"))
    if chip.counters:
        wanted.append(("COUNTERS", len(COUNTERS) * sum(len(t.groups) for t in chip.tiles),
                       "of each group of each tile since RESET, modulo 2**32: " + ", ".join(COUNTERS)))
    windows, end = [], _PAGE
    for name, words, text in wanted:
        size = 4 << ceil_log2(words)
        windows.append(Window(name=name, address=-(-end // size) * size, words=words, text=text))
        end = windows[-1].address + size
    return windows
