"""From a design to a bitstream: yosys, nextpnr and the packer of the board's family, all from PyPI, driven by the board's amaranth platform."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amaranth import Elaboratable

from ..spec.errors import CapacityError, ToolError
from . import ecp5, gowin, ice40
from .board import Board
from .family import Family

__all__ = ["FAMILIES", "FlowResult", "Utilization", "board_pll", "build_bitstream", "find_tools", "read_report"]

FAMILIES: dict[str, Family] = {"ecp5": ecp5.FAMILY, "ice40": ice40.FAMILY, "gowin": gowin.FAMILY}

# Aliases of a net that nobody uses any more make abc9 stop on some designs (yosys 0.69 and 0.70): they are removed first.
_CLEAN = "hierarchy -top chip\nproc\nflatten\nopt_clean -purge"


@dataclass(frozen=True, kw_only=True)
class Utilization:
    """Cells of a placed design: logic cells (a LUT4 each), flip-flops, block RAMs, multipliers, single-port RAMs; None where the family has none."""

    luts: int
    ffs: int
    brams: int
    dsps: int
    sprams: int | None = None


@dataclass(frozen=True, kw_only=True)
class FlowResult:
    """Outcome of place and route: what was used, the highest clock in MHz, and the file that the device is programmed with."""

    used: Utilization
    fmax_mhz: float
    bitstream: str


def board_pll(board: Board, clock_hz: int) -> Elaboratable | None:
    """What makes a board's clock domain where it is not the oscillator: an elaboratable with the attribute ``hz``, or None.

    Raises CapacityError where that frequency cannot be made.
    """
    oscillator = round((board.oscillator_mhz or 0) * 1e6)
    if clock_hz == oscillator:
        return None
    family = FAMILIES.get(board.flow)
    if family is None or family.pll is None:
        raise CapacityError(f"Clock of {board.name}: the chip runs on the board's oscillator, {oscillator} Hz, and not on {clock_hz} Hz; "
                            "leave --clock out")
    try:
        return family.pll(oscillator, clock_hz)
    except ValueError as error:
        raise CapacityError(f"Clock of {board.name}: {error}; name another (--clock)") from None


def read_report(text: str, family: Family, log: str = "") -> tuple[Utilization, float]:
    """What was used and the slowest clock in MHz, of a nextpnr report (JSON) and its log."""
    report = json.loads(text)
    used = {cell: int(entry["used"]) for cell, entry in report["utilization"].items()}
    clocks = [entry["achieved"] for entry in report["fmax"].values()]
    counts = {name: used.get(cell, 0) if isinstance(cell, str) else sum(each * used.get(part, 0) for part, each in cell.items())
              for name, cell in family.cells.items()}
    if family.ffs_in_log is not None:
        counts["ffs"] = sum(int(n) for n in re.findall(family.ffs_in_log, log))
    return Utilization(**counts), round(min(clocks), 1) if clocks else 0.0


def find_tools(board: Board) -> dict[str, str]:
    """Variable by which the board's platform is told a tool -> where it is. Raises ToolError if one is missing, or there is no flow."""
    family = FAMILIES.get(board.flow)
    if board.platform is None or family is None:
        raise ToolError(f"Bitstream for {board.name}: there is no flow to a bitstream for this board")
    scripts, tools = Path(sys.executable).parent, {}
    for variable, command in family.tools.items():
        found = shutil.which(command) or (str(scripts / command) if (scripts / command).exists() else None)
        if found is None:
            raise ToolError(f"Bitstream for {board.name}: {command} is not installed; pip install 'spikeloom[flow]' brings it")
        tools[variable] = found
    return tools


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets those that are not set, and takes them back: a variable ``YOSYS`` would change what Amaranth does in this process."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


def build_bitstream(board: Board, top: Elaboratable, folder: Path, *, clock_hz: int | None = None) -> FlowResult:
    """Synthesise, place and route a design of :mod:`.top`; the bitstream and the tools' logs go to ``folder``.

    Parameters
    ----------
    clock_hz : that the design runs at; None: the board's.

    Raises ToolError if a tool is missing or fails, CapacityError if the design does not fit or misses its clock.
    """
    tools, family = find_tools(board), FAMILIES[board.flow]
    assert board.platform is not None
    module, name = board.platform.split(":")
    platform = getattr(importlib.import_module(module), name)()
    # Some platforms ask for a programmer even where nothing is programmed, and OrangeCrab's for what marks a file for dfu-util, which takes it
    # without the mark as well: any command will do.
    needed = {"OPENFPGALOADER": "true", **({} if shutil.which("dfu-suffix") else {"DFU_SUFFIX": "true"}), **tools}
    folder.mkdir(parents=True, exist_ok=True)
    for variable, script in family.adapters.items():
        adapter = folder / f"{variable.lower()}.sh"
        adapter.write_text(script)
        adapter.chmod(0o755)
        tools[variable] = str(adapter.absolute())
    options = {"nextpnr_opts": "--report chip.report.json --timing-allow-fail --seed 1", "emit_src": False, "script_after_read": _CLEAN,
               **family.overrides}
    with _environment(needed):
        platform.prepare(top, name="chip", **options).extract(folder)
        done = subprocess.run(["sh", "build_chip.sh"], cwd=folder, env={**os.environ, **tools}, capture_output=True, text=True)
    if done.returncode:
        _explain(board, folder, done)
    log = (folder / "chip.tim").read_text(errors="replace") if (folder / "chip.tim").exists() else ""
    used, fmax_mhz = read_report((folder / "chip.report.json").read_text(), family, log)
    clock_mhz = board.clock_mhz if clock_hz is None else clock_hz / 1e6
    if clock_mhz is not None and fmax_mhz < clock_mhz:
        raise CapacityError(f"Bitstream for {board.name}: the chip reaches {fmax_mhz} MHz and its clock is {clock_mhz:g} MHz; take a lower clock "
                            "(--clock), fewer lanes (--lanes), fewer weight bits, or decay by shifts (quantize --decay shift)")
    return FlowResult(used=used, fmax_mhz=fmax_mhz, bitstream=family.bitstream)


def _explain(board: Board, folder: Path, done: subprocess.CompletedProcess) -> None:
    """Raise what a failed tool run means."""
    log = "\n".join(p.read_text(errors="replace") for p in (folder / "chip.tim", folder / "chip.rpt") if p.exists()) + done.stdout + done.stderr
    errors = [line for line in log.splitlines() if "ERROR" in line or "error:" in line.lower()]
    last = errors[-1] if errors else (log.strip().splitlines() or ["no output"])[-1]
    if any(text in log.lower() for text in ("unable to place", "unable to find a placement", "no bels remaining", "failed to expand region")):
        raise CapacityError(f"Bitstream for {board.name}: the chip does not fit the device ({last.strip()}); take fewer lanes or tiles, fewer "
                            "weight bits, or a larger board")
    raise ToolError(f"Bitstream for {board.name}: a tool failed: {last.strip()} (the logs were chip.rpt and chip.tim)")
