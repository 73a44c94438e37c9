"""What SpikeLoom needs to know of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Board", "UartPins"]


@dataclass(frozen=True, kw_only=True)
class UartPins:
    """A serial port on pins of one's choice, on a board whose platform has none.

    Parameters
    ----------
    rx, tx : names of the pins, as seen from the device: it listens at ``rx``.
    connector : name and number of the platform's connector that the pins are of; None where they are the package's.
    attributes : of the pins, as the platform's own resources have them (``IO_TYPE="LVCMOS33"``).
    """

    rx: str
    tx: str
    connector: tuple[str, int] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board is data: what its device holds, and which platform knows its pins.

    Parameters
    ----------
    name : as the user types it.
    description : one line.
    budget : resources of the device: ``luts``, ``ffs``, ``brams``, ``bram_bits`` (of one block), ``dsps``; empty without a device.
    flow : family of the device, which names the tools: ``"ecp5"``, ``"ice40"``, ``"gowin"``; a project for Vivado: ``"xilinx"``, ``"zynq"``
        (behind AXI); ``"none"`` where the Verilog is all there is.
    platform : ``"module:Class"`` of the amaranth-boards platform.
    oscillator_mhz : frequency of the clock that the platform takes as its default; None without a device.
    clock_mhz : frequency that the chip runs at unless the user asks for another; a PLL makes it where it is not the oscillator's, which is what
        None stands for.
    uart : number of the platform's resource ``uart``, or pins; None where there is no serial port.
    leds : user LEDs that show the self-test, or the traffic of the host link.
    rgb_led : they are the red, green and blue of the platform's ``rgb_led``, and not its ``led`` 0, 1, ...
    uart_takes_leds : the serial port is on the LEDs' pins: a host link shows nothing.
    loader : what openFPGALoader knows the board by (``--board``); None where it does not know it.
    tried : what was done with it here: ``"built"`` (bitstreams were made), ``"planned"`` (a project for the vendor's tools), or ``""``.
        Never more: no board was attached.
    """

    name: str
    description: str
    budget: Mapping[str, int] = field(default_factory=dict)
    flow: str = "none"
    platform: str | None = None
    oscillator_mhz: float | None = None
    clock_mhz: float | None = None
    uart: int | UartPins | None = None
    leds: int = 0
    rgb_led: bool = False
    uart_takes_leds: bool = False
    loader: str | None = None
    tried: str = ""

    def __post_init__(self) -> None:
        if self.clock_mhz is None:
            object.__setattr__(self, "clock_mhz", self.oscillator_mhz)

    @property
    def memories(self) -> str:
        """What chips for this board are planned with, one of :data:`~spikeloom.spec.tile.MEMORIES`: an iCE40 has no distributed RAM, and an UltraPlus
        single-port RAM for weights."""
        if self.flow != "ice40":
            return "distributed"
        return "spram" if self.budget.get("sprams") else "block"
